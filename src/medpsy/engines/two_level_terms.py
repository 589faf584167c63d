"""The log-likelihood of every cluster, operation by operation, for the C function of a model.

The same as `medpsy.engines.two_level_compiled`, on numbers that are not known yet (`medpsy.inference.trace`).
What all clusters share is stated once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from medpsy.engines.gaussian import loading_matrix
from medpsy.engines.two_level_compiled import LOG_2PI, Cell, ClusterStatistics
from medpsy.latent.cluster_moderation import moved


def cluster_terms(own: ClusterStatistics, p: dict[str, Any], xp: Any, room: Any) -> list[Any] | None:
    """Log-likelihood of every cluster at ``p``; None as soon as ``room()`` says that there is none left."""
    answers: list[list[tuple[int, int]]] = [[] for _ in range(own.size)]
    for number, cell in enumerate(own.cells):
        for at, cluster in enumerate(cell.which):
            answers[cluster].append((number, at))
    shared = _Shared(own, p, xp)
    apart = bool(own.structure.clusters.random) or any(moved(own.data.layout))
    terms: list[Any] = []
    moments, known = shared.moments(0), dict[int, Any]()
    for cluster in range(own.size):
        if not room():
            return None
        if apart and cluster:
            moments, known = shared.moments(cluster), {}
        for number, _ in answers[cluster]:
            if number not in known:
                known[number] = _precision(own.cells[number], *moments, xp)
        terms.append(_term([(own.cells[k], at, known[k]) for k, at in answers[cluster]], xp))
    return terms


class _Shared:
    """What holds in all clusters, and the moments of one of them."""

    def __init__(self, own: ClusterStatistics, p: dict[str, Any], xp: Any) -> None:
        data, structure = own.data, own.structure
        layout = data.layout
        self.p, self.xp, self.own = p, xp, own
        self.eq = structure.inner.equations(p, layout, xp)
        self.factor = structure.factor(p, layout.nodes, xp)
        self.eye = xp.constant(np.eye(len(layout.nodes)))
        self.weight = loading_matrix(data, p, xp)
        zeros = np.zeros(int((~layout.latent).sum()))
        self.nu = xp.concatenate([*(p[f"intercept_{b.name}"] for b in data.blocks), zeros])
        self.theta = xp.concatenate([*(p[f"residual_sd_{b.name}"] ** 2 for b in data.blocks), zeros])
        self.cells = structure.slope_cells(layout)
        self.moved = list(moved(layout))
        self.across = structure.between(p, layout, xp) if structure.split else None

    def moments(self, cluster: int) -> tuple[Any, Any, Any]:
        """Means (variable, column), covariance within, and by what the effects act (variable, node)."""
        xp, k, own = self.xp, len(self.own.structure.clusters.random), self.own
        b, g = self.eq.b.copy(), self.eq.g[:, : own.width].copy()
        across: Any = None if self.across is None else self.across.copy()
        for upper, i, c, value in self.moved:
            target, name = (across, "path_between") if upper else (b, "path")
            target[c.target, c.source] = target[c.target, c.source] + self.p[name][i] * float(value[cluster])
        if k:
            made = self.factor[:, :k] @ self.p["slope_z"][cluster]
            for target, cells in zip((b, g), self.cells, strict=True):
                for slope, row, column in cells:
                    target[row, column] = target[row, column] + made[slope]
            g[:, 0] = g[:, 0] + made[k:]
        inside = xp.solve(self.eye - b, self.eye)
        mean, above = inside @ g, inside
        if across is not None:
            above, columns = xp.solve(self.eye - across, self.eye), own.levels.upper
            mean[:, columns] = above @ g[:, columns]
        mean = self.weight @ mean
        mean[:, 0] = mean[:, 0] + self.nu
        spread = self.weight @ (inside @ (self.eq.d[:, None] * self.eq.z))
        within = spread @ spread.T
        every = np.arange(len(within))
        within[every, every] = within[every, every] + self.theta
        return mean, within, self.weight @ (above @ self.factor[k:, k:])


def _precision(cell: Cell, mean: Any, within: Any, shared: Any, xp: Any) -> tuple[Any, ...]:
    """Of the persons with one pattern of answers: constant, precision, and its products with C and T."""
    columns = cell.columns
    root = xp.cholesky(within[np.ix_(columns, columns)])
    white = xp.solve(root, xp.constant(np.eye(columns.size)))
    inverse = white.T @ white
    c, t = mean[columns], shared[columns]
    tilted, across = inverse @ c, t.T @ inverse
    constant = columns.size * LOG_2PI + 2.0 * xp.sum(xp.log(xp.diagonal(root)))
    return constant, inverse, tilted, c.T @ tilted, across, across @ c, across @ t


def _term(answers: list[tuple[Cell, int, tuple[Any, ...]]], xp: Any) -> Any:
    """Log-likelihood of one cluster from its cross-products."""
    total: Any = 0.0
    q: Any = 0.0
    told: Any = 0.0
    for cell, at, (constant, inverse, tilted, fitted, across, reach, spread) in answers:
        own = cell.columns
        yy, yw = cell.yy[at][np.ix_(own, own)], cell.yw[at][own]
        rest = xp.sum((inverse * yy).ravel()) - 2.0 * xp.sum((tilted * yw).ravel())
        rest = rest + xp.sum((fitted * cell.ww[at]).ravel())
        total = total - 0.5 * (cell.n[at] * constant + rest)
        q = q + cell.n[at] * spread
        told = told + across @ cell.y[at][own] - reach @ cell.w[at]
    if not answers:
        return total
    root = xp.cholesky(q + np.eye(len(q)))
    white = xp.solve(root, told[:, None])[:, 0]
    return total + 0.5 * xp.sum(white**2) - xp.sum(xp.log(xp.diagonal(root)))
