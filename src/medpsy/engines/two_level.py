"""Clusters of Gaussian variables: persons and cluster means integrated out in closed form.

Within cluster c, y_i = C_c w_i + T_c z_c + e_i with e_i ~ N(0, W_c) and z_c ~ N(0, I), so that with
P = sum_i W^-1, t = sum_i W^-1 (y_i - C w_i) and Q = I + T' P T

    log p(y_c) = sum_i log N(y_i | C w_i, W) - log|Q| / 2 + t' T Q^-1 T' t / 2

(Goldstein & McDonald, 1988, doi:10.1007/BF02294400, for any pattern of missing values). C, T and W follow
from the structure; they are the same in all clusters unless slopes differ, which then are sampled, or change
with a variable of the clusters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from medpsy.bind import ModelData
from medpsy.engines.base import Verdict
from medpsy.engines.gaussian import ENGINE as CLOSED_FORM
from medpsy.engines.gaussian import loading_matrix, patterns, values
from medpsy.latent.base import system
from medpsy.latent.clustered import ClusteredStructure

if TYPE_CHECKING:
    from medpsy.engines.two_level_compiled import ClusterStatistics


class TwoLevel:
    """The engine ``two_level``; its log-likelihood has one term per cluster.

    Parameters
    ----------
    slopes : bool
        Whether slopes that differ between clusters are sampled.
    """

    name = "two_level"
    order = 0

    def __init__(self, slopes: bool = False) -> None:
        self.unit = "cluster, slopes given" if slopes else "cluster"

    def accepts(self, data: ModelData) -> Verdict:
        """There are clusters, and every item and every explained variable is Gaussian."""
        if data.layout.levels is None:
            return Verdict(False, "there are no clusters")
        verdict = CLOSED_FORM.accepts(data)
        if data.layout.products.size:
            return Verdict(False, "constructs are multiplied with each other")
        if not verdict.accepted or (data.layout.moderated.size and not _apart(data)):
            return Verdict(False, verdict.reason if not verdict.accepted else "paths change with a variable")
        inside = [c.name for c in data.layout.columns if set(c.factors) & set(data.layout.nodes)]
        if inside:
            return Verdict(False, f"'{inside[0]}' is a product with an explained variable")
        singles = int((data.layout.levels.size == 1).sum())
        text = f"{len(data.layout.levels.labels)} clusters integrated out in closed form"
        return Verdict(True, text + (f"; {singles} of them of one person" if singles else ""))

    def bound(self, data: ModelData) -> TwoLevel:
        """The engine for these data."""
        return TwoLevel(bool(_structure(data).clusters.random))

    def person_normals(self, data: ModelData) -> int:
        """None: the persons are integrated out."""
        return 0

    def settings(self, data: ModelData, size: int | None = None) -> None:
        """Nothing is needed."""
        return None

    def compiles(self, data: ModelData) -> Verdict:
        """Always."""
        return Verdict(True, "cross-products by cluster and pattern of missing values")

    def compiled(self, data: ModelData, settings: Any = None) -> ClusterStatistics:
        """The same density from cross-products of every cluster."""
        from medpsy.engines.two_level_compiled import ClusterStatistics

        return ClusterStatistics(data)

    def integrated(self, data: ModelData) -> tuple[str, ...]:
        """Parameters that are integrated out, and drawn afterwards."""
        return ("cluster_z",)

    def recovered(
        self, data: ModelData, p: dict[str, np.ndarray], rng: np.random.Generator
    ) -> dict[str, np.ndarray]:
        """The integrated parameters, drawn from their exact distribution given ``p`` (chain, draw, ...)."""
        return {"cluster_z": self.compiled(data).draw(p, rng)}

    def log_likelihood(self, data: ModelData, p: dict[str, Any], xp: Any, settings: Any = None) -> Any:
        """Log-density of all values of every cluster, shape (cluster,)."""
        levels = data.layout.levels
        assert levels is not None
        zero = xp.zeros((len(levels.labels), len(data.layout.nodes)))
        p = p | {"cluster_z": zero}
        if not _apart(data):
            return _terms(data, p, levels.index, xp)
        assert data.cells is not None
        each = [_terms(part, p, np.zeros(part.n_person, dtype=int), xp) for part in data.cells.parts]
        return xp.concatenate(each, axis=0)


def _apart(data: ModelData) -> bool:
    """Whether every cluster is a model of its own: its slopes differ, or change with what it has."""
    levels = data.layout.levels
    return data.cells is not None and levels is not None and data.cells.levels == levels.labels


def _structure(data: ModelData) -> ClusteredStructure:
    structure = data.model.structure
    assert isinstance(structure, ClusteredStructure)
    return structure


def _terms(data: ModelData, p: dict[str, Any], index: np.ndarray, xp: Any) -> Any:
    """Log-density of clusters that share C, T and W."""
    layout, structure = data.layout, _structure(data)
    eq = structure.equations(p, layout, xp)
    weight = loading_matrix(data, p, xp)
    mean, chol = system(eq, layout, xp)
    spread = weight @ chol
    n_observed = int((~layout.latent).sum())
    zeros = xp.zeros((n_observed,))
    theta = xp.concatenate([*(p[f"residual_sd_{b.name}"] ** 2 for b in data.blocks), zeros], axis=0)
    nu = xp.concatenate([*(p[f"intercept_{b.name}"] for b in data.blocks), zeros], axis=0)
    every = np.arange(len(values(data)[0]))
    within = spread @ xp.swapaxes(spread, 0, 1) + xp.place((every.size, every.size), every, every, theta)
    shared = weight @ structure.between_factor(p, layout, eq.b, xp)
    size, width = int(index.max()) + 1, len(layout.nodes)
    eye = xp.constant(np.eye(width))
    total, q, t = xp.zeros((size,)), eye + xp.zeros((size, width, width)), xp.zeros((size, width))
    for persons, columns in patterns(data):
        if not columns.size:
            continue
        member = (index[persons][:, None] == np.arange(size)).astype(float)
        inner = xp.cholesky(within[columns][:, columns])
        design = xp.constant(data.design[persons])
        off = xp.constant(values(data)[persons][:, columns]) - nu[columns]
        off = off - design @ xp.swapaxes(weight[columns] @ mean, 0, 1)
        white = xp.solve(inner, xp.swapaxes(off, 0, 1))
        shown = xp.solve(inner, shared[columns])
        constant = xp.sum(xp.log(xp.diagonal(inner)), axis=-1) + 0.5 * columns.size * np.log(2 * np.pi)
        total = total + xp.constant(member.T) @ (-0.5 * xp.sum(white**2, axis=0) - constant)
        q = q + xp.constant(member.sum(0)[:, None, None]) * (xp.swapaxes(shown, 0, 1) @ shown)
        t = t + xp.constant(member.T) @ (xp.swapaxes(white, 0, 1) @ shown)
    chol_q = xp.cholesky(q)
    solved = xp.solve(q, t[:, :, None])[:, :, 0]
    return total - xp.sum(xp.log(xp.diagonal(chol_q)), axis=-1) + 0.5 * xp.sum(t * solved, axis=-1)


ENGINE = TwoLevel()
