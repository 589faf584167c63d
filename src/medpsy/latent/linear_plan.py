"""Where every number of a linear model stands: free, fixed or shared, and in which units."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from medpsy.latent.base import Layout
from medpsy.latent.ties import Ties, tie
from medpsy.spec.model_spec import Covariance, ModelSpec


@dataclass(frozen=True)
class Plan:
    """Where every number of a linear model stands, for one layout.

    Parameters
    ----------
    path, sd, mean : Ties
        Coefficients of the layout; residual sds and intercepts of the nodes.
    shift : ndarray, shape (node, coefficient)
        What coefficients add to intercepts that are fixed or shared in raw units, centred values being none.
    pairs : tuple of Covariance
        Those outside the groups that correlate freely.
    row, column : ndarray of int, shape (pair,)
        Their nodes, the later one first.
    own : ndarray of int, shape (pair,)
        Position of a pair's own free correlation, -1 where its covariance is fixed or that of ``like``.
    like : ndarray of int, shape (pair,)
    value : ndarray, shape (pair,)
        Covariances that are fixed, internal units.
    ratio : ndarray, shape (pair,)
        Internal covariance of a pair per that of ``like``.
    within : ndarray of bool, shape (node,)
        Nodes of any pair.
    """

    path: Ties
    sd: Ties
    mean: Ties
    shift: np.ndarray
    pairs: tuple[Covariance, ...]
    row: np.ndarray
    column: np.ndarray
    own: np.ndarray
    like: np.ndarray
    value: np.ndarray
    ratio: np.ndarray
    within: np.ndarray

    @cached_property
    def free_pairs(self) -> np.ndarray:
        """Pairs with a correlation of their own."""
        return np.flatnonzero(self.own >= 0)


def make_plan(spec: ModelSpec, layout: Layout) -> Plan:
    """Lay out every number of a linear model."""
    assert spec.linear is not None
    nodes, unit, centre = layout.nodes, layout.unit, layout.centre
    place = {name: i for i, name in enumerate(nodes)}
    from_unit = [
        layout.columns[c.source - 1].unit if c.from_column else unit[c.source] for c in layout.coefficients
    ]
    factor = np.array([u / unit[c.target] for u, c in zip(from_unit, layout.coefficients, strict=True)])
    keys = [(c.label, _level(layout, c)) if c.label else i for i, c in enumerate(layout.coefficients)]
    path = tie(keys, [c.path.value for c in layout.coefficients], factor)
    variance = {c.left: c for c in spec.covariances if c.left == c.right}
    fixed = {name: c.value for name, c in variance.items() if c.value is not None}
    fixed |= {c.name: 1.0 for c in spec.constructs if c.name not in variance and spec.same_as(c.name) is None}
    sd_values = [float(np.sqrt(fixed[n])) if n in fixed else None for n in nodes]
    sd_keys = [(variance[n].label if n in variance else None) or i for i, n in enumerate(nodes)]
    sd = tie(sd_keys, sd_values, 1.0 / unit)
    mean, shift = _means(spec, layout, np.array(from_unit), place, centre)
    return Plan(path, sd, mean, shift, **_pairs(spec, layout, place))


def _level(layout: Layout, c: Any) -> str:
    """Tells the levels of one category apart, whose coefficients share a label and are not equal."""
    names = [name for name in layout.factors_of(c) if "[" in name]
    return ":".join(names)


def _means(
    spec: ModelSpec, layout: Layout, from_unit: np.ndarray, place: dict[str, int], centre: np.ndarray
) -> tuple[Ties, np.ndarray]:
    """Intercepts, and what the coefficients add to those stated in raw units."""
    assert spec.linear is not None
    stated = {i.target: i for i in spec.linear.intercepts}
    nodes, unit = layout.nodes, layout.unit
    latent = {*spec.latents, *(c.name for c in spec.constructs)}
    keys: list[Any] = [(stated[n].label if n in stated else None) or i for i, n in enumerate(nodes)]
    values = [stated[n].value if n in stated else (0.0 if n in latent else None) for n in nodes]
    ties = tie(keys, values, 1.0 / unit)
    offset, shift = ties.offset.copy(), np.zeros((len(nodes), len(layout.coefficients)))
    own = np.zeros_like(shift)
    for k, c in enumerate(layout.coefficients):
        at = layout.columns[c.source - 1].centre if c.from_column else centre[c.source]
        own[c.target, k] = at / from_unit[k]
    for i, name in enumerate(nodes):
        if name not in stated:
            continue
        if stated[name].value is not None:
            offset[i] -= centre[i] / unit[i]
            shift[i] += own[i]
        elif ties.first[ties.index[i]] != i:
            k = ties.first[ties.index[i]]
            offset[i] += (centre[k] - centre[i]) / unit[i]
            shift[i] += own[i] - own[k] * unit[k] / unit[i]
    return replace(ties, offset=offset), shift


def _pairs(spec: ModelSpec, layout: Layout, place: dict[str, int]) -> dict[str, Any]:
    """Covariances outside the groups that correlate freely."""
    grouped = {node for clique in layout.cliques for node in clique}
    pairs = [
        c for c in spec.covariances
        if c.left != c.right and c.value != 0 and not {place[c.left], place[c.right]} <= grouped
    ]  # fmt: skip
    ends = [sorted((place[c.left], place[c.right])) for c in pairs]
    unit = np.array([layout.unit[a] * layout.unit[b] for a, b in ends])
    first: dict[str, int] = {}
    own, like = np.full(len(pairs), -1), np.full(len(pairs), -1)
    ratio, free = np.ones(len(pairs)), 0
    for i, c in enumerate(pairs):
        if c.value is not None:
            continue
        if c.label in first:
            like[i] = first[str(c.label)]
            ratio[i] = unit[like[i]] / unit[i]
            continue
        own[i], free = free, free + 1
        if c.label:
            first[c.label] = i
    within = np.zeros(len(layout.nodes), dtype=bool)
    within[[node for pair in ends for node in pair]] = True
    return {
        "pairs": tuple(pairs), "row": np.array([b for _, b in ends], dtype=int),
        "column": np.array([a for a, _ in ends], dtype=int), "own": own, "like": like,
        "value": np.array([(c.value or 0.0) / u for c, u in zip(pairs, unit, strict=True)]),
        "ratio": ratio, "within": within,
    }  # fmt: skip


def whole_groups(spec: ModelSpec, place: dict[str, int]) -> tuple[tuple[int, ...], ...]:
    """Sets of nodes all of whose residual covariances are free and unshared."""
    near: dict[str, set[str]] = {}
    free: set[frozenset[str]] = set()
    fixed = {c.left for c in spec.covariances if c.left == c.right and c.value == 0}
    labels = [c.label for c in spec.covariances if c.label and c.left != c.right]
    for c in spec.covariances:
        if c.left != c.right and c.value != 0:
            near.setdefault(c.left, set()).add(c.right)
            near.setdefault(c.right, set()).add(c.left)
            if c.value is None and labels.count(c.label or "") < 2:
                free.add(frozenset((c.left, c.right)))
    out, left = [], dict.fromkeys(near)
    while left:
        group, front = set(), [next(iter(left))]
        while front:
            name = front.pop()
            if name not in group:
                group.add(name)
                front.extend(near[name])
        for name in group:
            left.pop(name, None)
        size = len(group)
        inside = [pair for pair in free if pair <= group]
        if len(inside) == size * (size - 1) // 2 and not group & fixed:
            out.append(tuple(sorted(place[name] for name in group)))
    return tuple(sorted(out))
