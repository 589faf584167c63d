"""Reduced form of all clusters at once: means, residual spread and shared effects of the nodes, and back.

For cluster c (or for all, where no path differs): M_c (node, design column), L_c (node, node) with L L' the
covariance within the cluster, and T_c (node, node), by which the normals of its intercepts act.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from medpsy.latent.base import Equations, Layout
from medpsy.latent.cluster_moderation import between_reverse, moved
from medpsy.latent.clustered import ClusteredStructure
from medpsy.ops import Numpy


@dataclass(frozen=True)
class Reduced:
    """Arrays (cluster or 1, node, ...), and what the way back needs."""

    mean: np.ndarray
    chol: np.ndarray
    shared: np.ndarray
    equations: Equations
    inside: np.ndarray
    above: np.ndarray


def reduced(structure: ClusteredStructure, p: dict[str, Any], layout: Layout, width: int) -> Reduced:
    """The reduced form over the first ``width`` design columns; intercepts of clusters are left out."""
    eq = structure.inner.equations(p, layout, Numpy)
    n, k = len(layout.nodes), len(structure.clusters.random)
    factor = structure.factor(p, layout.nodes, Numpy)
    across = structure.between(p, layout, Numpy)[None] if structure.split else eq.b[None]
    b, g, changing = eq.b[None], eq.g[None, :, :width], list(moved(layout))
    if k or changing:
        assert layout.levels is not None
        count = len(layout.levels.labels)
        b, g = np.repeat(b, count, axis=0), np.repeat(g, count, axis=0)
    if any(between for between, *_ in changing):
        across = np.repeat(across, len(b), axis=0)
    for between, i, c, value in changing:
        target, name = (across, "path_between") if between else (b, "path")
        target[:, c.target, c.source] += p[name][i] * value
    if k:
        made = p["slope_z"] @ factor[:, :k].T
        for target, cells in zip((b, g), structure.slope_cells(layout), strict=True):
            for slope, row, column in cells:
                target[:, row, column] += made[:, slope]
        g[:, :, 0] += made[:, k:]
    inside = np.linalg.inv(np.eye(n) - b)
    chol = inside @ (eq.d[:, None] * eq.z)
    above, mean = inside, inside @ g
    if structure.split:
        above = np.linalg.inv(np.eye(n) - across)
        upper = _upper(layout)
        mean[..., upper] = above @ g[..., upper]
    return Reduced(mean, chol, above @ factor[k:, k:], Equations(b, g, eq.d, eq.z), inside, above)


def reduced_reverse(
    structure: ClusteredStructure,
    p: dict[str, Any],
    layout: Layout,
    width: int,
    found: Reduced,
    d_mean: np.ndarray,
    d_chol: np.ndarray,
    d_shared: np.ndarray,
) -> dict[str, np.ndarray]:
    """Gradient with respect to all parameters of the structure."""
    k, upper, eq = len(structure.clusters.random), _upper(layout), found.equations
    out: dict[str, np.ndarray] = {}
    inside = np.swapaxes(found.inside, -1, -2)
    d_spread = (inside @ d_chol).sum(0)
    d_chol_b = inside @ d_chol @ np.swapaxes(found.chol, -1, -2)
    if structure.split:
        above = np.swapaxes(found.above, -1, -2)
        lower = np.setdiff1d(np.arange(width), upper)
        d_g = np.empty(np.broadcast_shapes(d_mean.shape, eq.g.shape))
        d_g[..., lower] = inside @ d_mean[..., lower]
        d_g[..., upper] = above @ d_mean[..., upper]
        d_b = d_chol_b + d_g[..., lower] @ np.swapaxes(found.mean[..., lower], -1, -2)
        d_own = above @ d_shared
        d_across = [
            d_g[..., upper] @ np.swapaxes(found.mean[..., upper], -1, -2),
            d_own @ np.swapaxes(found.shared, -1, -2),
        ]
        out["path_between"] = between_reverse(layout, None, sum(d.sum(0) for d in d_across))
    else:
        d_across = []
        d_g, d_own = inside @ d_mean, inside @ d_shared
        d_b = d_chol_b + d_g @ np.swapaxes(found.mean, -1, -2)
        d_b = d_b + d_own @ np.swapaxes(found.shared, -1, -2)
    d_factor = np.zeros((k + len(layout.nodes),) * 2)
    d_factor[k:, k:] = d_own.sum(0)
    if k:
        d_made = np.zeros((len(d_b), k + len(layout.nodes)))
        for grad, cells in zip((d_b, d_g), structure.slope_cells(layout), strict=True):
            for slope, row, column in cells:
                d_made[:, slope] += grad[:, row, column]
        d_made[:, k:] = d_g[:, :, 0]
        out["slope_z"] = d_made @ structure.factor(p, layout.nodes, Numpy)[:, :k]
        d_factor[:, :k] += d_made.T @ p["slope_z"]
    out |= structure.reverse_factor(p, layout.nodes, d_factor)
    whole = np.zeros((len(layout.nodes), 1 + len(layout.columns)))
    whole[:, :width] = d_g.sum(0)
    d = Equations(d_b.sum(0), whole, (d_spread * eq.z).sum(-1), eq.d[:, None] * d_spread)
    out |= structure.inner.reverse(p, layout, d)
    for across, i, c, value in moved(layout):
        # Where a path between clusters changes, both parts have a matrix for each of them.
        for part in d_across if across else [d_b]:
            out["path_between" if across else "path"][i] += value @ part[:, c.target, c.source]
    return out


def _upper(layout: Layout) -> np.ndarray:
    assert layout.levels is not None
    return layout.levels.upper
