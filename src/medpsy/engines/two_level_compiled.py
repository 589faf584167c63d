"""The two-level engine from cross-products: the cost grows with clusters, not with persons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from medpsy.bind import ModelData
from medpsy.engines.gaussian import loading_cells, loading_matrix, patterns, values
from medpsy.latent.clustered import ClusteredStructure
from medpsy.latent.two_level import Reduced, reduced, reduced_reverse
from medpsy.ops import Numpy

LOG_2PI = float(np.log(2 * np.pi))


@dataclass(frozen=True)
class Cell:
    """Clusters ``which`` with persons who answered ``columns``: counts, cross-products and sums of (y, w)."""

    which: np.ndarray
    columns: np.ndarray
    n: np.ndarray
    yy: np.ndarray
    yw: np.ndarray
    ww: np.ndarray
    y: np.ndarray
    w: np.ndarray


@dataclass(frozen=True)
class Run:
    """One evaluation: moments, and what the clusters say about their effects."""

    moments: Reduced
    mean: np.ndarray
    spread: np.ndarray
    within: np.ndarray
    shared: np.ndarray
    terms: np.ndarray
    precision: np.ndarray
    tilt: np.ndarray
    inverse: np.ndarray
    effect: np.ndarray
    solved: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]


class ClusterStatistics:
    """Log-likelihood and gradient from cross-products by cluster and pattern of missing values."""

    def __init__(self, data: ModelData) -> None:
        levels, structure = data.layout.levels, data.model.structure
        assert levels is not None and isinstance(structure, ClusteredStructure)
        self.data, self.levels, self.structure = data, levels, structure
        self.width = int(levels.columns[0])
        self.size = len(levels.labels)
        y, w = values(data), data.design[:, : self.width]
        self.n_variable = y.shape[1]
        self.cells = [
            self._cell(np.nan_to_num(y), w, persons, columns)
            for persons, columns in patterns(data)
            if columns.size
        ]

    def _cell(self, y: np.ndarray, w: np.ndarray, persons: np.ndarray, columns: np.ndarray) -> Cell:
        which, at = np.unique(self.levels.index[persons], return_inverse=True)
        order = np.argsort(at, kind="stable")
        starts = np.searchsorted(at[order], np.arange(which.size))
        own_y, own_w = y[persons][order], w[persons][order]
        keep = np.zeros(y.shape[1])
        keep[columns] = 1.0
        own_y = own_y * keep

        def summed(x: np.ndarray) -> np.ndarray:
            return np.add.reduceat(x, starts, axis=0)

        return Cell(
            which, columns, np.diff(np.append(starts, len(persons))).astype(float),
            summed(own_y[:, :, None] * own_y[:, None, :]), summed(own_y[:, :, None] * own_w[:, None, :]),
            summed(own_w[:, :, None] * own_w[:, None, :]), summed(own_y), summed(own_w),
        )  # fmt: skip

    def _run(self, p: dict[str, np.ndarray]) -> Run:
        """Forward pass."""
        data = self.data
        moments = reduced(self.structure, p, data.layout, self.width)
        weight = loading_matrix(data, p, Numpy)
        zeros = np.zeros(int((~data.layout.latent).sum()))
        nu = np.concatenate([*(p[f"intercept_{b.name}"] for b in data.blocks), zeros])
        theta = np.concatenate([*(p[f"residual_sd_{b.name}"] ** 2 for b in data.blocks), zeros])
        mean, spread, shared = weight @ moments.mean, weight @ moments.chol, weight @ moments.shared
        mean[..., 0] += nu
        within = spread @ np.swapaxes(spread, -1, -2)
        within[..., np.arange(theta.size), np.arange(theta.size)] += theta
        v, n = self.n_variable, len(data.layout.nodes)
        terms, precision, tilt = np.zeros(self.size), np.zeros((self.size, v, v)), np.zeros((self.size, v))
        solved = []
        for cell in self.cells:
            inverse, log_det = _inverse(_of(within, cell.which), cell.columns)
            own = np.zeros((1, v, 1))
            own[0, cell.columns] = 1.0
            c = _of(mean, cell.which) * own
            cross = cell.yw @ np.swapaxes(c, -1, -2)
            rest = cell.yy - cross - np.swapaxes(cross, -1, -2) + c @ cell.ww @ np.swapaxes(c, -1, -2)
            off = cell.y - (c @ cell.w[:, :, None])[:, :, 0]
            terms[cell.which] -= 0.5 * (
                cell.n * (cell.columns.size * LOG_2PI + log_det) + (inverse * rest).sum((-1, -2))
            )
            precision[cell.which] += cell.n[:, None, None] * inverse
            tilt[cell.which] += (inverse @ off[:, :, None])[:, :, 0]
            solved.append((inverse, c, rest, off))
        across = np.swapaxes(shared, -1, -2)
        q = np.eye(n) + across @ precision @ shared
        inverse_q = np.linalg.inv(q)
        told = (across @ tilt[:, :, None])[:, :, 0]
        effect = (inverse_q @ told[:, :, None])[:, :, 0]
        terms += 0.5 * (told * effect).sum(-1) - 0.5 * np.linalg.slogdet(q)[1]
        return Run(moments, mean, spread, within, shared, terms, precision, tilt, inverse_q, effect, solved)

    def value_and_gradient(self, p: dict[str, np.ndarray]) -> tuple[float, dict[str, np.ndarray]]:
        """Log-likelihood and its gradient with respect to every named value."""
        run = self._run(p)
        shared = run.shared
        d_q = -0.5 * run.inverse - 0.5 * run.effect[:, :, None] * run.effect[:, None, :]
        d_shared = 2.0 * run.precision @ shared @ d_q + run.tilt[:, :, None] * run.effect[:, None, :]
        d_precision = shared @ d_q @ np.swapaxes(shared, -1, -2)
        d_tilt = (shared @ run.effect[:, :, None])[:, :, 0]
        d_mean, d_within = np.zeros_like(run.mean), np.zeros_like(run.within)
        for cell, (inverse, c, rest, off) in zip(self.cells, run.solved, strict=True):
            d_off = (inverse @ d_tilt[cell.which][:, :, None])[:, :, 0]
            outer = d_tilt[cell.which][:, :, None] * off[:, None, :]
            d_inverse = cell.n[:, None, None] * d_precision[cell.which]
            d_inverse = d_inverse + 0.5 * (outer + np.swapaxes(outer, -1, -2)) - 0.5 * rest
            own_within = -inverse @ d_inverse @ inverse - 0.5 * cell.n[:, None, None] * inverse
            own_mean = inverse @ (cell.yw - c @ cell.ww) - d_off[:, :, None] * cell.w[:, None, :]
            _add(d_within, cell.which, own_within)
            _add(d_mean, cell.which, own_mean)
        if len(shared) == 1:
            d_shared = d_shared.sum(0, keepdims=True)
        return float(run.terms.sum()), self._reverse(p, run, d_mean, d_within, d_shared)

    def _reverse(
        self,
        p: dict[str, np.ndarray],
        run: Run,
        d_mean: np.ndarray,
        d_within: np.ndarray,
        d_shared: np.ndarray,
    ) -> dict[str, np.ndarray]:
        """From the moments back to the parameters."""
        data, moments = self.data, run.moments
        weight = loading_matrix(data, p, Numpy)
        d_spread = 2.0 * d_within @ run.spread
        d_weight = sum(
            (d @ np.swapaxes(x, -1, -2)).sum(0)
            for d, x in ((d_mean, moments.mean), (d_spread, moments.chol), (d_shared, moments.shared))
        )
        back = [weight.T @ d for d in (d_mean, d_spread, d_shared)]
        gradient = reduced_reverse(self.structure, p, data.layout, self.width, moments, *back)
        d_loading = np.asarray(d_weight)[loading_cells(data)]
        d_theta = np.einsum("cii->i", d_within)
        d_nu = d_mean[..., 0].sum(0)
        at = 0
        for block in data.blocks:
            span = slice(at, at + block.values.shape[1])
            gradient[f"loading_{block.name}"] = d_loading[span]
            gradient[f"intercept_{block.name}"] = d_nu[span]
            gradient[f"residual_sd_{block.name}"] = 2.0 * d_theta[span] * p[f"residual_sd_{block.name}"]
            at = span.stop
        return gradient

    def per_person(self, p: dict[str, np.ndarray]) -> np.ndarray:
        """Log-likelihood of every cluster, shape (cluster,)."""
        return self._run(p).terms

    def draw(self, p: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
        """Normals of the clusters (chain, draw, cluster, node) given parameters and data."""
        chains, draws = next(iter(p.values())).shape[:2]
        noise = rng.standard_normal((chains, draws, self.size, len(self.data.layout.nodes)))
        for chain in range(chains):
            for draw in range(draws):
                run = self._run({name: value[chain, draw] for name, value in p.items()})
                root = np.linalg.cholesky(run.inverse)
                noise[chain, draw] = run.effect + (root @ noise[chain, draw][:, :, None])[:, :, 0]
        return noise

    def adapted(self, p: dict[str, np.ndarray], fineness: float = 1.0) -> ClusterStatistics:
        """Itself: nothing depends on where the posterior lies."""
        return self

    def numerical_error(self, p: dict[str, np.ndarray]) -> float:
        """Zero: the integral is in closed form."""
        return 0.0

    def describe(self) -> str:
        """For the provenance."""
        return f"closed form over {self.size} clusters and {len(self.cells)} pattern(s) of missing values"


def _of(values: np.ndarray, which: np.ndarray) -> Any:
    """Those of some clusters; what all clusters share is left alone."""
    return values if len(values) == 1 else values[which]


def _add(total: np.ndarray, which: np.ndarray, more: np.ndarray) -> None:
    """Add what some clusters say, to each or to what they share."""
    if len(total) == 1:
        total[0] += more.sum(0)
    else:
        total[which] += more


def _inverse(within: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Inverse over the answered variables, zero elsewhere, and log-determinants."""
    block = within[:, columns[:, None], columns]
    out = np.zeros_like(within)
    out[:, columns[:, None], columns] = np.linalg.inv(block)
    return out, np.linalg.slogdet(block)[1]
