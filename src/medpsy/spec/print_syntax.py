"""A specification printed as model text."""

from __future__ import annotations

import re

from medpsy.errors import SpecError
from medpsy.spec.lexer import is_plain
from medpsy.spec.model_spec import ModelSpec
from medpsy.survey.items import expand_items


def to_syntax(spec: ModelSpec) -> str:
    """Print a specification as model text.

    Families, positive slopes, testlets, priors and the design are no part of the text:
    ``parse_model(to_syntax(spec), families=..., positive=..., testlets=...)`` gives the rest back unchanged.
    A design that has not been expanded into paths yet is printed as a comment.

    Returns
    -------
    str
        Statements in the order constructs, regressions, covariances, definitions; ends with a newline.
    """
    lines = []
    for c in spec.constructs:
        lines.append(" + ".join([_measured(c.name, c.items), *(f"cross*{_quote(item)}" for item in c.cross)]))
        for part in c.specific:
            lines += [_measured(part.name, part.items), f"{part.name} ~~ 0*{_quote(c.name)}"]
    if spec.second_order is not None:
        lines.append(f"{spec.second_order.name} =~ {' + '.join(map(_quote, spec.second_order.constructs))}")
    for target in dict.fromkeys(path.target for path in spec.paths):
        terms = [_term(path.label, *path.variables) for path in spec.paths if path.target == target]
        lines.append(f"{_quote(target)} ~ {' + '.join(terms)}")
    lines += [f"{_quote(c.left)} ~~ {_term(c.label, c.right)}" for c in spec.covariances]
    lines += [f"{definition.name} := {definition.expression}" for definition in spec.definitions]
    if spec.design is not None and not spec.paths:
        design = spec.design
        ends = [" + ".join(names) for names in (design.exposures, design.mediators, design.outcomes) if names]
        chain = " -> ".join(ends)
        lines.append(f"# {design.kind} mediation: {chain}")
    return "\n".join(lines) + "\n"


def _measured(name: str, items: tuple[str, ...]) -> str:
    return f"{_quote(name)} =~ {' + '.join(map(_run, item_runs(items)))}"


def _term(label: str | None, *names: str) -> str:
    product = ":".join(map(_quote, names))
    return f"{label}*{product}" if label else product


def _run(run: tuple[str, ...]) -> str:
    return _quote(run[0]) if len(run) == 1 else f"{_quote(run[0])}..{_quote(run[-1])}"


def _quote(name: str) -> str:
    return name if is_plain(name) else f"`{name}`"


def item_runs(items: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Split items, in order, into runs that can be written as a range (three or more) and single items."""
    runs: list[tuple[str, ...]] = []
    start = 0
    while start < len(items):
        stop = start + 1
        while stop < len(items) and _is_range(items[start : stop + 1]):
            stop += 1
        if stop - start < 3:
            stop = start + 1
        runs.append(items[start:stop])
        start = stop
    return runs


def _is_range(run: tuple[str, ...]) -> bool:
    if not all(re.search(r"[0-9]$", item) for item in run):
        return False
    try:
        return expand_items(f"{run[0]}..{run[-1]}") == run
    except SpecError:
        return False
