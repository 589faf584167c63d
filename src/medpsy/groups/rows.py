"""What groups add to the parameter table, and what can be told apart between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from medpsy.errors import SpecError, nearest
from medpsy.families.base import ResponseFamily
from medpsy.families.coordinates import comparable, coordinates_of
from medpsy.spec.groups import WORDS, Groups
from medpsy.spec.model_spec import Construct
from medpsy.spec.parameters import ParameterRow
from medpsy.spec.priors import parse_prior

#: Beginnings of the names of the rows that only models with groups have.
OWN = ("group_mean", "group_log_sd", "group_mean_sd", "group_log_sd_sd", "difference", "difference_sd")


def placed(groups: Groups, items: Sequence[str], family: ResponseFamily) -> tuple[bool, bool]:
    """Whether the means and the spreads of a construct can be told apart between the groups.

    Means need an item whose place is the same (or nearly so) in all groups, spreads one whose slope is.
    """
    parts = coordinates_of(family).parts
    tied = {
        part.role
        for part in parts
        if any(groups.state(item, part.word, part.name) != "free" for item in items)
    }
    # Items without slopes of their own fix the scale of the construct in every group.
    return "location" in tied, "scale" in tied or not any(part.role == "scale" for part in parts)


def group_rows(
    groups: Groups, constructs: Sequence[Construct], families: dict[str, ResponseFamily]
) -> list[ParameterRow]:
    """Rows of the parameter table that come with groups.

    Raises
    ------
    SpecError
        A word that stands for nothing in this model, an exception for an item that it does not have.
    """
    check_words(groups, constructs, families, "groups")
    rows = []
    for construct in constructs:
        name, family = construct.name, families[construct.name]
        mean, sd = placed(groups, construct.items, family)
        if mean:
            rows.append(_row("Group means", name, "~", "1", f"group_mean.{name}", "Normal(0, 1)"))
        if sd:
            rows.append(_row("Group log SDs", name, "~~", name, f"group_log_sd.{name}", "Normal(0, 0.5)"))
        if groups.pooled and mean:
            rows.append(_row("Spread", name, "~", "means", f"group_mean_sd.{name}", "HalfNormal(0.5)"))
        if groups.pooled and sd:
            rows.append(_row("Spread", name, "~~", "log sds", f"group_log_sd_sd.{name}", "HalfNormal(0.3)"))
        rows += difference_rows(groups, construct, family)
    return rows


def difference_rows(groups: Groups, construct: Construct, family: ResponseFamily) -> list[ParameterRow]:
    """Rows of what differs between the items of one construct.

    Raises
    ------
    SpecError
        A family whose items can only be equal.
    """
    name, rows = construct.name, []
    parts = coordinates_of(family).parts
    found = {groups.state(item, part.word, part.name) for item in construct.items for part in parts}
    if found != {"equal"} and not comparable(family):
        raise SpecError(
            f"the items of '{name}' ({_kind(family)}) can only be equal in all groups and at all occasions",
            hint='Keep equal = ["loadings", "thresholds"] without release and shrink, or use family '
            '"graded" or "gaussian" with plain items.',
        )
    for part in parts:
        states = {item: groups.state(item, part.word, part.name) for item in construct.items}
        for item, state in states.items():
            if state != "equal":
                prior = "Normal(0, 1)" if state == "shrunk" else part.free
                target = f"difference.{part.name}.{name}.{item}"
                rows.append(_row("Differences", item, "|", part.name, target, prior))
        if "shrunk" in states.values():
            target = f"difference_sd.{part.name}.{name}"
            rows.append(_row("Difference SDs", name, "~~", part.name, target, "HalfNormal(0.3)"))
    return rows


def _kind(family: Any) -> str:
    """What about a family keeps its items alike."""
    if not getattr(family, "of_all_groups", False):
        return f"family '{family.name}'"
    extra = getattr(family, "extra", "")
    return {"cross_slope": "with cross-loadings", "": "with properties or a common distribution"}.get(
        extra, "with specific factors"
    )


def _row(section: str, lhs: str, op: str, rhs: str, target: str, prior: str) -> ParameterRow:
    return ParameterRow(section, lhs, op, rhs, None, target, parse_prior(prior))


def check_words(
    groups: Groups, constructs: Sequence[Construct], families: dict[str, ResponseFamily], who: str
) -> None:
    """Refuse words and exceptions that stand for nothing; ``who`` says them."""
    parts = {part for family in families.values() for part in coordinates_of(family).parts}
    names = {part.name for part in parts} | {part.word for part in parts}
    items = {item for construct in constructs for item in construct.items}
    for word in groups.equal:
        if word not in names and word not in WORDS:
            raise SpecError(
                f"{who}: '{word}' is nothing that can be equal", hint=nearest(word, {*WORDS, *names})
            )
    for word in groups.shrink:
        if word not in names:
            raise SpecError(f"{who}: this model has no '{word}' to shrink", hint=nearest(word, names))
    for text in groups.release:
        head, _, item = text.partition(".")
        if text in items or (head in names and item in items):
            continue
        if item in items:
            raise SpecError(f"{who}: '{head}' is nothing that can be released", hint=nearest(head, names))
        known = items if head not in names else {f"{head}.{item}" for item in items}
        raise SpecError(f"{who}: '{text}' cannot be released", hint=nearest(text, known))
