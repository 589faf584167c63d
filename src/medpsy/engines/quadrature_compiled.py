"""The quadrature engine in machine code: same density, gradient by the E-step."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from medpsy.bind import ModelData, local
from medpsy.engines.grid import Grid, fitted_grid
from medpsy.engines.quadrature_kernel import fill_weight, integrate
from medpsy.families.base import CompiledFamily, ResponseFamily
from medpsy.jit import jit
from medpsy.latent.base import system, system_reverse
from medpsy.ops import Numpy


class CompiledQuadrature:
    """Marginal log-likelihood of one model and survey on one grid.

    Identical rows (answers and covariates) are collapsed with their counts. ``windows`` limits every
    person to the nodes that carry their posterior mass; without it the whole grid is summed.

    Parameters
    ----------
    data : ModelData
    grid : Grid
    windows : tuple of ndarray, optional
        First and one-past-last node, each (person, factor).
    """

    def __init__(
        self, data: ModelData, grid: Grid, windows: tuple[np.ndarray, np.ndarray] | None = None
    ) -> None:
        self.data, self.grid = data, grid
        n_factor = data.n_factor
        codes = np.concatenate([block.values for block in data.blocks], axis=1).astype(np.int8)
        rows = np.concatenate([codes, data.design[:, 1:]], axis=1)
        if windows is not None:
            rows = np.concatenate([rows, *windows], axis=1)
        _, first, inverse, count = np.unique(
            rows, axis=0, return_index=True, return_inverse=True, return_counts=True
        )
        self._inverse = inverse.ravel()
        self.codes = np.ascontiguousarray(codes[first])
        self.design = data.design[first]
        self.count = count.astype(float)
        # Unused dimensions come first, with a single node at zero.
        self._pad = 3 - n_factor
        self.sizes = np.array([1] * self._pad + [len(t) for t in grid.nodes], dtype=np.int64)
        self.nodes = np.zeros((3, int(self.sizes.max())))
        for d, t in enumerate(grid.nodes):
            self.nodes[self._pad + d, : len(t)] = t
        self.factor, self.start, self._spans = self._item_places()
        n_row = len(first)
        self.lo = np.zeros((n_row, 3), dtype=np.int64)
        self.hi = np.tile(self.sizes, (n_row, 1))
        if windows is not None:
            self.lo[:, self._pad :] = windows[0][first]
            self.hi[:, self._pad :] = windows[1][first]
        self._constant = float(np.log(grid.spacing).sum() - 0.5 * n_factor * np.log(2 * np.pi))

    def _item_places(self) -> tuple[np.ndarray, np.ndarray, list[slice]]:
        """Dimension and table offset of every item, and the table span of every block."""
        factor, start, spans, at = [], [], [], 0
        for block in self.data.blocks:
            n_item = block.values.shape[1]
            width = block.n_categories * len(self.grid.nodes[block.factor])
            factor += [self._pad + block.factor] * n_item
            start += [at + j * width for j in range(n_item)]
            spans.append(slice(at, at + n_item * width))
            at += n_item * width
        return np.array(factor, dtype=np.int64), np.array(start, dtype=np.int64), spans

    def _run(self, p: dict[str, np.ndarray]) -> dict[str, Any]:
        """Forward pass and E-step at ``p``."""
        data, pad = self.data, self._pad
        eq = data.model.structure.equations(p, data.layout, Numpy)
        mean, chol = system(eq, data.layout, Numpy)
        covariance = chol @ chol.T
        precision = np.linalg.inv(covariance)
        location = self.design @ mean.T
        table = np.empty(self._spans[-1].stop)
        for block, span in zip(data.blocks, self._spans, strict=True):
            family = data.model.families[block.name]
            values = local(data, block, p)
            nodes = self.grid.nodes[block.factor]
            out = table[span].reshape(block.values.shape[1], block.n_categories, len(nodes))
            jit(_kernels(family)[0])(*(values[role] for role in family.roles), nodes, out)
        padded = np.eye(3)
        padded[pad:, pad:] = precision
        weight = np.empty(tuple(self.sizes))
        fill_weight(padded, self.nodes, self.sizes, weight)
        n_row = len(self.count)
        tilt = np.zeros((n_row, 3))
        tilt[:, pad:] = location @ precision
        ell, counts = np.empty(n_row), np.zeros_like(table)
        first, second = np.empty((n_row, 3)), np.empty((n_row, 3, 3))
        integrate(
            self.codes,
            self.start,
            self.factor,
            table,
            self.sizes,
            self.nodes,
            self.lo,
            self.hi,
            tilt,
            self.count,
            weight,
            ell,
            counts,
            first,
            second,
        )
        ell += self._constant + 0.5 * np.linalg.slogdet(precision)[1]
        ell -= 0.5 * (tilt[:, pad:] * location).sum(1)
        return {
            "eq": eq, "chol": chol, "precision": precision, "location": location, "ell": ell,
            "counts": counts, "first": first[:, pad:], "second": second[:, pad:, pad:],
        }  # fmt: skip

    def value_and_gradient(self, p: dict[str, np.ndarray]) -> tuple[float, dict[str, np.ndarray]]:
        """Log-likelihood and its gradient with respect to every named value."""
        data, run = self.data, self._run(p)
        precision, location, first = run["precision"], run["location"], run["first"]
        count = self.count[:, None]
        d_mean = ((count * (first - location)) @ precision).T @ self.design
        cross = (count * first).T @ location
        scatter = np.einsum("i,ijk->jk", self.count, run["second"]) - cross - cross.T
        scatter += (count * location).T @ location
        d_covariance = 0.5 * (precision @ scatter @ precision - self.count.sum() * precision)
        d_chol = np.tril(2.0 * d_covariance @ run["chol"])
        d_eq = system_reverse(run["eq"], d_mean, d_chol)
        gradient = data.model.structure.reverse(p, data.layout, d_eq)
        for block, span in zip(data.blocks, self._spans, strict=True):
            family = data.model.families[block.name]
            values = local(data, block, p)
            nodes = self.grid.nodes[block.factor]
            counts = run["counts"][span].reshape(block.values.shape[1], block.n_categories, len(nodes))
            grads = [np.zeros_like(values[role]) for role in family.roles]
            jit(_kernels(family)[1])(*(values[role] for role in family.roles), nodes, counts, *grads)
            for role, grad in zip(family.roles, grads, strict=True):
                gradient[f"{role}_{block.name}"] = grad
        return float((self.count * run["ell"]).sum()), gradient

    def per_person(self, p: dict[str, np.ndarray]) -> np.ndarray:
        """Log-likelihood of every person, shape (person,)."""
        return self._run(p)["ell"][self._inverse]

    def adapted(self, p: dict[str, np.ndarray], fineness: float = 1.0) -> CompiledQuadrature:
        """Grid and windows fitted to the posteriors of the persons at ``p``.

        Spacing is 1.4 times the second percentile of the persons' posterior sds and every person is summed
        over 4.3 sds to either side; ``fineness`` 2 halves the spacing and widens the windows by 40 %.
        """
        mean, covariance = self.person_moments(p)
        sd = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
        reach = 4.3 * fineness**0.5 * sd
        low, high = mean - reach, mean + reach
        grid = fitted_grid(low.min(0), high.max(0), np.quantile(sd, 0.02, axis=0), 1.4 / fineness)
        first, last = np.empty(mean.shape, dtype=np.int64), np.empty(mean.shape, dtype=np.int64)
        for d, t in enumerate(grid.nodes):
            first[:, d] = np.clip(np.searchsorted(t, low[:, d]) - 1, 0, None)
            # Whole vectors of four nodes, as long as they fit.
            size = -(-(np.searchsorted(t, high[:, d]) + 1 - first[:, d]) // 4) * 4
            last[:, d] = np.minimum(first[:, d] + size, len(t))
        return CompiledQuadrature(self.data, grid, (first, last))

    def numerical_error(self, p: dict[str, np.ndarray]) -> float:
        """Log-likelihood minus that on half the spacing over the whole grid."""
        exact = CompiledQuadrature(self.data, self.grid.refined()).per_person(p).sum()
        return float(self.per_person(p).sum() - exact)

    def describe(self) -> str:
        """For the provenance."""
        cells = np.prod(self.hi - self.lo, axis=1)
        return f"{self.grid.describe()}; {np.mean(cells):.0f} nodes per person on average"

    def person_moments(self, p: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Posterior mean (person, factor) and covariance (person, factor, factor) of the scores."""
        run = self._run(p)
        first = run["first"][self._inverse]
        second = run["second"][self._inverse]
        return first, second - first[:, :, None] * first[:, None, :]


def _kernels(family: ResponseFamily) -> tuple[Any, Any]:
    """Forward and reverse function of a family that has them (see `Quadrature.compiles`)."""
    return cast(CompiledFamily, family).kernels
