"""Latent variables above constructs of ordinal items: what says where they stand, and in which unit.

Thresholds and slopes of the items at the first occasion are free, so that every mean that moves all occasions
alike is absorbed by the thresholds, and every spread by the slopes. What remains are differences between
occasions whose items are tied to each other (Wu & Estabrook, 2016, doi:10.1007/s11336-016-9506-0).
"""

from __future__ import annotations

import numpy as np

from medpsy.families.base import family
from medpsy.groups.rows import placed
from medpsy.spec.model_spec import ModelSpec
from medpsy.spec.problem import ElementError


def check_anchored(spec: ModelSpec) -> None:
    """Refuse latent variables above constructs whose mean or unit nothing settles.

    Raises
    ------
    ElementError
        A free mean that thresholds absorb, a construct without a variance or a unit of its own.
    """
    if spec.linear is None or not spec.constructs:
        return
    known = {c.name: c for c in spec.constructs}
    tied = {
        one.construct: placed(one.how, known[one.construct].items, family(known[one.construct].family))
        for one in spec.linear.same
    }
    above = {p.source for p in spec.paths if p.measured and p.target in known}
    free = {i.target for i in spec.linear.intercepts if i.value is None}
    found = _settled(spec, {name for name, (mean, _) in tied.items() if mean})
    for name in (n for n in spec.latents if n in above & free and not found[n]):
        raise ElementError(
            f"the mean of '{name}' is free and so is the place of the thresholds below it",
            subject=("term", name, "~", "1"),
            hint=f"Leave '{name} ~ 1' out, or let items share thresholds over the occasions that it differs "
            "between.",
        )
    _check_units(spec, {name for name, (_, sd) in tied.items() if sd})


def _settled(spec: ModelSpec, tied: set[str]) -> dict[str, bool]:
    """Of every latent variable, whether what can be seen of the means says what its own is.

    Free coefficients are given some number: what is settled for almost all of them counts as settled.
    """
    assert spec.linear is not None
    nodes = [*(c.name for c in spec.constructs), *spec.latents, *(o.name for o in spec.observed)]
    place = {name: i for i, name in enumerate(nodes)}
    stated = {i.target: i for i in spec.linear.intercepts}
    labels: dict[str, int] = {}
    own: dict[str, int] = {}
    for name in nodes:
        one = stated.get(name)
        if one.value is None if one is not None else name in {o.name for o in spec.observed}:
            label = name if one is None or one.label is None else f"label {one.label}"
            own[name] = labels.setdefault(label, len(labels))
    start, b = np.zeros((len(nodes), len(labels))), np.zeros((len(nodes), len(nodes)))
    for name, k in own.items():
        start[place[name], k] = 1.0
    some = np.random.default_rng(1).uniform(0.5, 1.5, len(spec.paths))
    for path, value in zip(spec.paths, some, strict=True):
        if path.source in place and not path.by:
            b[place[path.target], place[path.source]] = value if path.value is None else path.value
    mean = np.linalg.solve(np.eye(len(nodes)) - b, start)
    seen = [mean[place[o.name]] for o in spec.observed]
    seen += [mean[place[s.construct]] - mean[place[s.other]] for s in spec.linear.same if s.construct in tied]
    rows = np.array(seen).reshape(len(seen), len(labels))
    # What adds nothing to what is seen is settled.
    rank = np.linalg.matrix_rank(rows) if rows.size else 0
    each = {name: np.vstack([rows, np.eye(len(labels))[own[name]]]) for name in spec.latents if name in own}
    return {n: n not in each or bool(np.linalg.matrix_rank(each[n]) == rank) for n in spec.latents}


def _check_units(spec: ModelSpec, tied: set[str]) -> None:
    """A construct that has no variance of its own takes its unit from a variance that is fixed."""
    variance = {c.left: c.value for c in spec.covariances if c.left == c.right}
    for construct in spec.constructs:
        name = construct.name
        if variance.get(name) != 0 or name in tied:
            continue
        sources = [p.source for p in spec.paths if p.target == name and p.measured and p.value]
        if not any(variance.get(source) for source in sources):
            one = sources[-1] if sources else name
            raise ElementError(
                f"nothing sets the unit of '{name}': the slopes of its items and all variances behind it are "
                "free",
                subject=("term", name, "~~", name),
                hint=f"Fix one, for example {one} ~~ 1*{one}.",
            )
