"""Rules for specific factors, testlets and cross-loadings."""

from __future__ import annotations

from medpsy.errors import nearest
from medpsy.spec.definitions import require_plain
from medpsy.spec.model_spec import Construct, ModelSpec
from medpsy.spec.problem import ElementError


def check_specific(spec: ModelSpec) -> None:
    """Refuse specific factors that contradict their construct or cannot be estimated.

    Raises
    ------
    ElementError
        A name used twice, an item outside the construct or in two specific factors, a factor of one item or
        of all items, testlets without any.
    """
    taken = {c.name: "a construct" for c in spec.constructs} | {o.name: "a variable" for o in spec.observed}
    for construct in spec.constructs:
        if construct.testlets and not construct.specific:
            raise ElementError(
                f"'{construct.name}' is to have testlets but names none",
                subject=("construct", construct.name),
                hint="Say which items make up each testlet.",
            )
        for part in construct.specific:
            subject = ("specific", construct.name, part.name)
            require_plain(part.name, "specific factor", subject)
            if part.name in taken:
                raise ElementError(
                    f"specific factor '{part.name}' of '{construct.name}' has the name of {taken[part.name]}",
                    subject=subject,
                    hint="Every specific factor needs a name of its own.",
                )
            taken[part.name] = f"another specific factor (of '{construct.name}')"
        _check_items(construct)


def check_cross(spec: ModelSpec) -> None:
    """Refuse cross-loadings that are none, or stand beside what they cannot be combined with.

    Raises
    ------
    ElementError
        An item of no other construct, listed twice, or of a construct with specific factors.
    """
    home = {item: c for c in spec.constructs for item in c.items}
    for construct in spec.constructs:
        for position, item in enumerate(construct.cross):
            subject = ("cross", construct.name, item)
            others = [name for name in home if home[name] is not construct]
            if item not in others:
                own = "its own" if item in home else "no construct's"
                raise ElementError(
                    f"'{construct.name}' has a cross-loading on '{item}', which is {own} item",
                    subject=subject,
                    hint=nearest(item, others) if others else "There is no other construct to take it from.",
                )
            if item in construct.cross[:position]:
                raise ElementError(
                    f"'{construct.name}' lists the cross-loading on '{item}' twice",
                    subject=subject,
                    hint="Remove one of the two mentions.",
                )
            if home[item].specific:
                raise ElementError(
                    f"cross-loadings ('{item}' on '{construct.name}') and specific factors cannot be "
                    "combined",
                    subject=subject,
                    hint="Leave one of the two out.",
                )


def _check_items(construct: Construct) -> None:
    owner: dict[str, str] = {}
    for part in construct.specific:
        subject = ("specific", construct.name, part.name)
        for item in part.items:
            if item not in construct.items:
                raise ElementError(
                    f"item '{item}' of specific factor '{part.name}' is no item of '{construct.name}'",
                    subject=subject,
                    hint=nearest(item, construct.items),
                )
            if item in owner:
                where = "twice in" if owner[item] == part.name else f"in '{owner[item]}' and"
                raise ElementError(
                    f"item '{item}' is {where} '{part.name}'",
                    subject=subject,
                    hint="An item belongs to one specific factor at most.",
                )
            owner[item] = part.name
        if len(part.items) < 2:
            raise ElementError(
                f"specific factor '{part.name}' has {len(part.items)} item",
                subject=subject,
                hint="What one item has of its own is its error: list at least two items, better three.",
            )
        if len(part.items) == len(construct.items):
            raise ElementError(
                f"specific factor '{part.name}' has all items of '{construct.name}'",
                subject=subject,
                hint="It cannot be told from the construct: leave some items out of it.",
            )
