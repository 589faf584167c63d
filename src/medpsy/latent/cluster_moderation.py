"""Paths that change with a variable of the clusters, within them and between their means.

With w_c the value of the moderator in cluster c, B_c = B + w_c B_w for deviations and
B_between,c = B_between + w_c B_between,w for means (Preacher, Zhang & Zyphur, 2016, doi:10.1037/met0000052).
A deviation is zero on average, so that products within clusters move no mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np

from medpsy.latent.base import Coefficient, Layout
from medpsy.latent.products import product_mean


def weights(layout: Layout, coefficients: tuple[Coefficient, ...], cluster: int | None) -> np.ndarray:
    """By what every coefficient acts (coefficient,): 1, or the value of its moderator.

    Without a ``cluster`` the moderators are at their means over the persons, 0.
    """
    out = np.ones(len(coefficients))
    for i, c in enumerate(coefficients):
        if c.by is not None:
            assert layout.levels is not None
            out[i] = 0.0 if cluster is None else layout.levels.values[cluster, c.by]
    return out


def between(p: dict[str, Any], layout: Layout, cluster: int | None, xp: Any) -> Any:
    """B_between (..., node, node) of one cluster, or at the means of the moderators."""
    size, path = len(layout.nodes), p["path_between"]
    at = weights(layout, layout.between, cluster)
    plain = np.array([i for i, c in enumerate(layout.between) if c.by is None], dtype=int)
    out = xp.place((size, size), *_cells(layout, plain), path[..., plain])
    for i in (i for i, c in enumerate(layout.between) if c.by is not None and at[i]):
        one = np.array([i])
        out = out + xp.place((size, size), *_cells(layout, one), path[..., one] * float(at[i]))
    return out


def between_reverse(layout: Layout, cluster: int | None, d: np.ndarray) -> np.ndarray:
    """Gradient (coefficient,) of the paths between clusters, given it (node, node) of B_between."""
    every = np.arange(len(layout.between))
    return np.asarray(d[_cells(layout, every)] * weights(layout, layout.between, cluster))


def _cells(layout: Layout, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    chosen = [layout.between[i] for i in which]
    return np.array([c.target for c in chosen], dtype=int), np.array([c.source for c in chosen], dtype=int)


def moved(layout: Layout) -> Iterator[tuple[bool, int, Coefficient, np.ndarray]]:
    """Coefficients between nodes that change with a moderator: whether they stand between clusters, position,
    the coefficient, and the value of its moderator in every cluster (cluster,)."""
    for above, coefficients in ((False, layout.coefficients), (True, layout.between)):
        for i, c in enumerate(coefficients):
            if c.by is not None:
                assert layout.levels is not None
                yield above, i, c, layout.levels.values[:, c.by]


# Raw units


def level_maps(layout: Layout) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Matrices from the internal scale to raw units: of the coefficients (coefficient, coefficient), of the
    paths between clusters (path, path), and what these add to coefficients of moderators (coefficient, path).

    A deviation has no mean to take off; the mean of a cluster has that of all persons.
    """
    within, above = _places(layout.coefficients, layout), _places(layout.between, layout)
    maps = np.zeros((len(within), len(within))), np.zeros((len(above), len(above)))
    across = np.zeros((len(within), len(above)))
    for k, c in enumerate(layout.coefficients):
        for kept, value in _terms(layout, c, 0.0):
            if kept and value:
                maps[0][within[c.target, kept], k] += value
    for k, c in enumerate(layout.between):
        for kept, value in _terms(layout, c, float(layout.centre[c.source])):
            if layout.nodes[c.source] in kept:
                maps[1][above[c.target, kept], k] += value
            elif kept and value:
                across[within[c.target, kept], k] += value
    return *maps, across


def _places(coefficients: tuple[Coefficient, ...], layout: Layout) -> dict[tuple[int, frozenset[str]], int]:
    return {(c.target, frozenset(layout.factors_of(c))): i for i, c in enumerate(coefficients)}


def _terms(layout: Layout, c: Coefficient, mean: float) -> Iterator[tuple[frozenset[str], float]]:
    """The raw products that one internal product is a sum of, and by what each enters; ``mean`` is that of
    the source in raw units, where it is a node."""
    scale = {column.name: (column.centre, column.unit) for column in layout.columns}
    names = layout.factors_of(c)
    if not c.from_column:
        scale[names[0]] = (mean, float(layout.unit[c.source]))
    ratio = layout.unit[c.target] / np.prod([scale[name][1] for name in names])
    for size in range(len(names) + 1):
        for kept in combinations(names, size):
            left = [-scale[name][0] for name in names if name not in kept]
            yield frozenset(kept), float(ratio * np.prod(left))
    if not c.from_column and c.by is not None:
        # The product of the moderators was centred, and the source multiplies what is left.
        off = float(product_mean(layout, c.by) * layout.unit[c.target] / scale[names[0]][1])
        yield frozenset(names[:1]), -off
        yield frozenset(), off * mean


def raw_between(p: dict[str, np.ndarray], layout: Layout) -> np.ndarray:
    """Paths between clusters (..., path) in raw units, those with moderators at zero of these."""
    return np.asarray(p["path_between"] @ level_maps(layout)[1].T)


def raw_within(internal: np.ndarray, p: dict[str, np.ndarray], layout: Layout) -> np.ndarray:
    """All other coefficients (..., coefficient) in raw units."""
    within, _, across = level_maps(layout)
    return np.asarray(internal @ within.T + p["path_between"] @ across.T)


def internal_value(layout: Layout, column: int, at: dict[str, float]) -> float:
    """Value of a design column where its factors have raw values ``at``, all others their means."""
    found = {c.name: (at[c.name] - c.centre) / c.unit for c in layout.columns if c.name in at}
    one = layout.columns[column - 1]
    names = one.factors or (one.name,)
    return float(np.prod([found.get(name, 0.0) for name in names])) - product_mean(layout, column)


def cluster_mean(
    p: dict[str, np.ndarray], layout: Layout, node: int, internal: np.ndarray, at: dict[str, float]
) -> np.ndarray:
    """What explains the mean of a cluster (...,), internal scale, where nodes and columns have raw values
    ``at`` and all others are at their means; the intercept not counted."""
    assert layout.levels is not None
    upper = set(layout.levels.upper.tolist())
    total = np.zeros(internal.shape[:-1])
    for i, c in enumerate(layout.coefficients):
        if c.target == node and c.from_column and c.source in upper:
            total = total + internal[..., i] * internal_value(layout, c.source, at)
    for i, c in enumerate(layout.between):
        name = layout.nodes[c.source]
        if c.target == node and name in at:
            value = (at[name] - layout.centre[c.source]) / layout.unit[c.source]
            value = value if c.by is None else value * internal_value(layout, c.by, at)
            total = total + p["path_between"][..., i] * value
    return np.asarray(total)
