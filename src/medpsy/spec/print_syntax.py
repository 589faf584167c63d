"""A specification printed as model text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial

from medpsy.errors import SpecError
from medpsy.spec.lexer import is_plain
from medpsy.spec.linear_groups import key_of
from medpsy.spec.model_spec import Construct, Covariance, Each, Intercept, ModelSpec, Path
from medpsy.spec.same import EQUAL, NOTHING, Same
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
    told = dict(spec.linear.by_group) if spec.linear is not None else {}
    valued = partial(_valued, told)
    for c in spec.constructs:
        more = [f"cross*{_quote(item)}" for item in c.cross]
        same = spec.same_as(c.name)
        first = _measured(c.name, c.items) if same is None else _again(c, same)
        lines.append(" + ".join([first, *more]))
        for part in c.specific:
            lines += [_measured(part.name, part.items), f"{part.name} ~~ 0*{_quote(c.name)}"]
    if spec.second_order is not None:
        lines.append(f"{spec.second_order.name} =~ {' + '.join(map(_quote, spec.second_order.constructs))}")
    for latent in spec.latents if spec.second_order is None else ():
        terms = [valued(p, p.target) for p in spec.paths if p.measured and p.source == latent]
        lines.append(f"{_quote(latent)} =~ {' + '.join(terms)}")
    structural = [path for path in spec.paths if not path.measured]
    for target in dict.fromkeys([*(p.target for p in structural), *(p.target for p in spec.pooled)]):
        terms = [valued(path, *path.variables) for path in structural if path.target == target]
        terms += [f"(1|{_quote(one.variable)})" for one in spec.pooled if one.target == target]
        lines.append(f"{_quote(target)} ~ {' + '.join(terms)}")
    lines += [f"{_quote(c.left)} ~~ {valued(c, c.right)}" for c in spec.covariances]
    if spec.linear is not None:
        lines += [f"{_quote(name)} ~~ {_quote(name)}" for name in _unsaid(spec)]
        lines += [f"{_quote(i.target)} ~ {valued(i, '1')}" for i in spec.linear.intercepts]
    lines += [f"{definition.name} := {definition.expression}" for definition in spec.definitions]
    if spec.design is not None and not spec.paths:
        design = spec.design
        ends = [" + ".join(names) for names in (design.exposures, design.mediators, design.outcomes) if names]
        chain = " -> ".join(ends)
        lines.append(f"# {design.kind} mediation: {chain}")
    if spec.clusters is not None and spec.clusters.between:
        between = spec.clusters.between
        lines.append("level: between")
        for target in dict.fromkeys(path.target for path in between):
            above = [path for path in between if path.target == target]
            moderators = {name for path in above for name in path.by}
            # What a product is made of stands beside it, also what has its number at the first level.
            own = [p for p in spec.paths if p.target == target and set(p.variables) <= moderators]
            terms = [valued(path, *path.variables) for path in above if not path.by]
            terms += [":".join(map(_quote, path.variables)) for path in own]
            terms += [valued(path, *path.variables) for path in above if path.by]
            lines.append(f"{_quote(target)} ~ {' + '.join(terms)}")
    return "\n".join(lines) + "\n"


def _again(construct: Construct, same: Same) -> str:
    """A construct at a later occasion: what its items share with the earlier one, and which do not."""
    free = {item: [w.partition(".")[0] for w in same.release if w.partition(".")[2] == item]
            for item in construct.items}  # fmt: skip
    terms = []
    for run in item_runs(construct.items):
        if not any(free[item] or item in same.release for item in run):
            terms.append(_run(run))
            continue
        for item in run:
            words = "" if item in same.release else f"({', '.join(free[item])})"
            plain = not free[item] and item not in same.release
            terms.append(_quote(item) if plain else f"free{words}*{_quote(item)}")
    words = "" if same.equal == EQUAL else f"({', '.join(same.equal) or NOTHING})"
    return f"{_quote(construct.name)} =~ {' + '.join(terms)} + same{words}*{_quote(same.other)}"


def _measured(name: str, items: tuple[str, ...]) -> str:
    return f"{_quote(name)} =~ {' + '.join(map(_run, item_runs(items)))}"


def _valued(told: Mapping[str, Each], one: Path | Covariance | Intercept, *names: str) -> str:
    """A term with what stands before it: its label, or the number it is fixed to, or those of each group."""
    product = "1" if names == ("1",) else ":".join(map(_quote, names))
    each = told.get(key_of(one), ())
    number = "" if one.value is None or any(isinstance(v, float) for v in each) else f"{one.value:.15g}*"
    if each:
        words = ["NA" if v is None else v if isinstance(v, str) else f"{v:.15g}" for v in each]
        return f"{number}c({', '.join(words)})*{product}"
    return f"{number}{one.label}*{product}" if one.label else f"{number}{product}"


def _unsaid(spec: ModelSpec) -> list[str]:
    """Observed variables that no other statement makes part of a linear model."""
    said = {p.target for p in spec.paths}
    said |= {name for c in spec.covariances for name in (c.left, c.right)}
    said |= {i.target for i in spec.linear.intercepts} if spec.linear is not None else set()
    return [o.name for o in spec.observed if o.name not in said]


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
