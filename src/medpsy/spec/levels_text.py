"""Model text with blocks ``level: within`` and ``level: between`` (in lavaan's manner also 1 and 2)."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from medpsy.errors import SpecError
from medpsy.spec.clusters import Clusters
from medpsy.spec.expressions import parse_expression
from medpsy.spec.model_spec import Definition, ModelSpec, Path
from medpsy.spec.syntax import parse_model

_LEVEL = re.compile(r"^\s*level\s*:\s*(\w+)\s*(?:#.*)?$")
_DEFINED = re.compile(r"^[ \t]*(\w+)[ \t]*:=[ \t]*([^\n;]+)", re.MULTILINE)
#: Names of covariances of random slopes.
_SLOPES = re.compile(r":=.*\bcov_\w+")
_WITHIN, _BETWEEN = ("1", "within"), ("2", "between")


def split_levels(text: str) -> tuple[str, str]:
    """Return the text within clusters and the text between them, lines in their places.

    Raises
    ------
    SpecError
        A level that is neither within nor between.
    """
    blocks: dict[str, list[str]] = {"within": [], "between": []}
    now = "within"
    for number, line in enumerate(text.split("\n"), 1):
        found = _LEVEL.match(line)
        if found and found.group(1) in _WITHIN + _BETWEEN:
            now = "within" if found.group(1) in _WITHIN else "between"
        elif found:
            raise SpecError(
                f"there is no level '{found.group(1)}'",
                hint="Write 'level: within' (or 1) and 'level: between' (or 2).",
                line=number,
            )
        for name, lines in blocks.items():
            lines.append(line if name == now and not found else "")
    return "\n".join(blocks["within"]), "\n".join(blocks["between"])


def read_text(text: str, **about: Any) -> tuple[ModelSpec, tuple[Path, ...]]:
    """Parse a text with or without levels: the model within clusters, and the paths between them.

    Parameters
    ----------
    text : str
    **about
        As in :func:`medpsy.spec.syntax.parse_model`.

    Raises
    ------
    SpecError
        As :func:`medpsy.spec.syntax.parse_model`, or anything but paths and definitions between clusters.
    """
    within, between = split_levels(text)
    if not between.strip() and not _SLOPES.search(text):
        return parse_model(text, **about), ()
    # What is defined over labels of the clusters can be checked only together with them.
    within, first = _definitions(within)
    between, more = _definitions(between)
    spec = parse_model(within, **about)
    spec = replace(spec, definitions=first + more)
    if not between.strip():
        return spec, ()
    place = {key: about[key] for key in ("path", "first_line") if key in about}
    upper = parse_model(between, **place)
    if upper.constructs or upper.covariances or upper.pooled:
        named = [c.name for c in upper.constructs] + [c.left for c in upper.covariances]
        what = [*named, *(one.target for one in upper.pooled)][0]
        raise SpecError(
            f"between clusters there are paths only, not what is said of '{what}'",
            hint="Constructs are measured within clusters, and their cluster means follow; residual "
            "variances of means are free.",
        )
    return _own_level(spec, upper.paths)


def _own_level(spec: ModelSpec, between: tuple[Path, ...]) -> tuple[ModelSpec, tuple[Path, ...]]:
    """Products between clusters with the moderator behind, and the moderators' own paths at the first level.

    Of the factors of a product the moderator is the one that nothing explains and whose path has no label; in
    doubt the last.
    """
    explained = {p.target for p in (*spec.paths, *between)} | {c.name for c in spec.constructs}
    labelled = {(p.target, p.source) for p in between if p.label and not p.by}
    moderators, ordered = set[str](), []
    for path in between:
        first, *rest = sorted(
            path.variables, key=lambda n: (n not in explained, (path.target, n) not in labelled)
        )
        ordered.append(replace(path, source=first, by=tuple(rest)))
        moderators |= set(rest)
    present = {(p.target, frozenset(p.variables)) for p in spec.paths}
    own = [p for p in ordered if set(p.variables) <= moderators]
    more = tuple(p for p in own if (p.target, frozenset(p.variables)) not in present)
    return replace(spec, paths=spec.paths + more), tuple(p for p in ordered if p not in own)


def _definitions(text: str) -> tuple[str, tuple[Definition, ...]]:
    """The text without its definitions, and these."""
    found = tuple(
        Definition(name, str(parse_expression(expression.partition("#")[0].strip())))
        for name, expression in _DEFINED.findall(text)
    )
    return _DEFINED.sub("", text), found


def joined(clusters: Clusters | None, between: tuple[Path, ...]) -> Clusters | None:
    """The clusters with the paths that the text has between them.

    Raises
    ------
    SpecError
        Levels in the text, but no clusters.
    """
    if not between:
        return clusters
    if clusters is None:
        raise SpecError(
            "the text has a level between clusters, and nothing says what makes the clusters",
            hint='Name the variable: Model(text, clusters="school"), or [clusters] by = "school" in a file.',
        )
    return replace(clusters, between=between)
