"""The quadrature engine in machine code: same density, gradient by the E-step."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache, reduce
from itertools import pairwise
from typing import Any, cast

import numpy as np

from medpsy.bind import ModelData, local
from medpsy.engines.grid import Grid, fitted_grid, in_vectors
from medpsy.engines.patterns import Patterns, collapse
from medpsy.engines.quadrature_kernel import (
    exponentiate,
    fill_weight,
    integrate,
    latent_forward,
    latent_reverse,
)
from medpsy.families.base import CompiledFamily, ResponseFamily, base_values
from medpsy.jit import jit
from medpsy.latent.base import system, system_reverse
from medpsy.ops import Numpy

#: From so many rows on they are shared out among the processors, and the error is estimated from a sample.
MANY_ROWS = 20_000
PROBE = 2_000


class CompiledQuadrature:
    """Marginal log-likelihood of one model and survey on one grid.

    Identical rows (answers and covariates) are collapsed with their counts. ``windows`` limits every
    row to the nodes that carry its posterior mass; without it the whole grid is summed.

    Parameters
    ----------
    data : ModelData
    grid : Grid
    windows : tuple of ndarray, optional
        First and one-past-last node, each (row, factor).
    patterns : Patterns, optional
        The rows; collapsed from the data if not given.
    """

    def __init__(
        self,
        data: ModelData,
        grid: Grid,
        windows: tuple[np.ndarray, np.ndarray] | None = None,
        patterns: Patterns | None = None,
    ) -> None:
        self.data, self.grid = data, grid
        n_factor = data.n_factor
        self.patterns = patterns or collapse(data)
        self.codes, self.design, self.count = self.patterns.codes, self.patterns.design, self.patterns.count
        self._pad = 3 - n_factor
        self.sizes, self.widths, self.nodes = in_vectors(grid)
        self.factor, self.start, self._spans = self._item_places()
        n_row = len(self.count)
        self.lo = np.zeros((n_row, 3), dtype=np.int64)
        self.hi = np.tile(self.sizes, (n_row, 1))
        if windows is not None:
            self.lo[:, self._pad :], self.hi[:, self._pad :] = windows
        self._constant = float(np.log(grid.spacing).sum() - 0.5 * n_factor * np.log(2 * np.pi))
        self._shares = _shares(n_row)

    def _item_places(self) -> tuple[np.ndarray, np.ndarray, list[slice]]:
        """Dimension and table offset of every item, and the table span of every block."""
        factor, start, spans, at = [], [], [], 0
        for block in self.data.blocks:
            n_item = block.values.shape[1]
            width = block.n_categories * int(self.widths[self._pad + block.factor])
            factor += [self._pad + block.factor] * n_item
            start += [at + j * width for j in range(n_item)]
            spans.append(slice(at, at + n_item * width))
            at += n_item * width
        return np.array(factor, dtype=np.int64), np.array(start, dtype=np.int64), spans

    def _table_nodes(self, block: Any) -> np.ndarray:
        """Nodes at which the items of a block are evaluated."""
        d = self._pad + block.factor
        return self.nodes[d, : self.widths[d]]

    def _run(self, p: dict[str, np.ndarray]) -> dict[str, Any]:
        """Forward pass and E-step at ``p``."""
        data = self.data
        eq = data.model.structure.equations(p, data.layout, Numpy)
        mean, chol = system(eq, data.layout, Numpy)
        n_row = len(self.count)
        precision, location, tilt = np.empty((3, 3)), np.zeros((n_row, 3)), np.zeros((n_row, 3))
        ell, first, second = np.empty(n_row), np.empty((n_row, 3)), np.empty((n_row, 3, 3))
        half = latent_forward(mean, chol, self.design, precision, location, tilt, ell)
        weight = np.empty((self.sizes[0] + 1, self.sizes[1], self.widths[2]))
        fill_weight(precision, self.nodes, weight)
        table = np.empty(self._spans[-1].stop)
        for block, span in zip(data.blocks, self._spans, strict=True):
            family = data.model.families[block.name]
            nodes = self._table_nodes(block)
            out = table[span].reshape(block.values.shape[1], block.n_categories, len(nodes))
            values, kernels = _kernel_values(family, local(data, block, p)).values(), _kernels(family)
            if len(kernels) > 2:
                jit(kernels[2])(*values, nodes, out)
            else:
                jit(kernels[0])(*values, nodes, out)
                exponentiate(table[span], table[span])

        def share(rows: slice) -> np.ndarray:
            counts = np.zeros_like(table)
            integrate(
                self.codes[rows], self.start, self.factor, table, self.sizes, self.widths, self.nodes,
                self.lo[rows], self.hi[rows], tilt[rows], self.count[rows], weight, ell[rows], counts,
                first[rows], second[rows],
            )  # fmt: skip
            return counts

        if len(self._shares) == 1:
            counts = share(self._shares[0])
        else:
            counts = reduce(np.add, _pool(os.getpid()).map(share, self._shares))
        ell += self._constant + half
        return {
            "eq": eq, "chol": chol, "precision": precision, "location": location, "ell": ell,
            "counts": counts, "first": first, "second": second,
        }  # fmt: skip

    def value_and_gradient(self, p: dict[str, np.ndarray]) -> tuple[float, dict[str, np.ndarray]]:
        """Log-likelihood and its gradient with respect to every named value."""
        data, run = self.data, self._run(p)
        chol = run["chol"]
        d_mean, d_chol = np.zeros((len(chol), self.design.shape[1])), np.empty_like(chol)
        latent_reverse(
            chol, self.design, self.count, run["precision"], run["location"], run["first"], run["second"],
            d_mean, d_chol,
        )  # fmt: skip
        gradient = data.model.structure.reverse(p, data.layout, system_reverse(run["eq"], d_mean, d_chol))
        for block, span in zip(data.blocks, self._spans, strict=True):
            family = data.model.families[block.name]
            own = local(data, block, p)
            values = _kernel_values(family, own)
            nodes = self._table_nodes(block)
            counts = run["counts"][span].reshape(block.values.shape[1], block.n_categories, len(nodes))
            grads = [np.zeros_like(value) for value in values.values()]
            jit(_kernels(family)[1])(*values.values(), nodes, counts, *grads)
            found = dict(zip(values, grads, strict=True))
            back = getattr(family, "reverse_base", None)
            for role, grad in (found if back is None else back(own, found)).items():
                gradient[f"{role}_{block.name}"] = grad
        return float(self.count @ run["ell"]), gradient

    def per_person(self, p: dict[str, np.ndarray]) -> np.ndarray:
        """Log-likelihood of every person, shape (person,)."""
        return self._run(p)["ell"][self.patterns.inverse]

    def adapted(self, p: dict[str, np.ndarray], fineness: float = 1.0) -> CompiledQuadrature:
        """Grid and windows fitted to the posteriors of the persons at ``p``.

        Spacing is 1.6 times the second percentile of the persons' posterior sds and every person is summed
        over 4 sds to either side; ``fineness`` 2 halves the spacing and widens the windows by 40 %.
        """
        mean, covariance = self._moments(p)
        sd = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
        reach = 4.0 * fineness**0.5 * sd
        low, high = mean - reach, mean + reach
        grid = fitted_grid(low.min(0), high.max(0), np.quantile(sd, 0.02, axis=0), 1.6 / fineness)
        first, last = np.empty(mean.shape, dtype=np.int64), np.empty(mean.shape, dtype=np.int64)
        for d, t in enumerate(grid.nodes):
            first[:, d] = np.clip(np.searchsorted(t, low[:, d]) - 1, 0, None)
            last[:, d] = np.minimum(np.searchsorted(t, high[:, d]) + 1, len(t))
        return CompiledQuadrature(self.data, grid, (first, last), self.patterns)

    def numerical_error(self, p: dict[str, np.ndarray]) -> float:
        """Log-likelihood minus that on half the spacing over the whole grid.

        With very many rows, estimated from a random sample of them.
        """
        n_row = len(self.count)
        rows = np.arange(n_row)
        if n_row > MANY_ROWS:
            rows = np.sort(np.random.default_rng(n_row).choice(n_row, PROBE, replace=False))
        patterns = self.patterns.take(rows)
        windows = self.lo[rows, self._pad :], self.hi[rows, self._pad :]
        own = CompiledQuadrature(self.data, self.grid, windows, patterns)._run(p)["ell"]
        exact = CompiledQuadrature(self.data, self.grid.refined(), None, patterns)._run(p)["ell"]
        return float(self.count[rows] @ (own - exact)) * self.count.sum() / self.count[rows].sum()

    def describe(self) -> str:
        """For the provenance."""
        cells = np.prod(self.hi - self.lo, axis=1)
        return f"{self.grid.describe()}; {np.mean(cells):.0f} nodes per person on average"

    def person_moments(self, p: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Posterior mean (person, factor) and covariance (person, factor, factor) of the scores."""
        mean, covariance = self._moments(p)
        return mean[self.patterns.inverse], covariance[self.patterns.inverse]

    def _moments(self, p: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """The same by row."""
        run = self._run(p)
        first = run["first"][:, self._pad :]
        return first, run["second"][:, self._pad :, self._pad :] - first[:, :, None] * first[:, None, :]


def _shares(n_row: int) -> list[slice]:
    """Rows of each processor; all rows in one where they are few."""
    workers = (os.cpu_count() or 1) if n_row >= MANY_ROWS else 1
    ends = np.linspace(0, n_row, workers + 1).astype(int)
    return [slice(int(a), int(b)) for a, b in pairwise(ends)]


@cache
def _pool(process: int) -> ThreadPoolExecutor:
    """Threads of one process for the shares (a fork has none); the kernels release the interpreter lock."""
    return ThreadPoolExecutor(os.cpu_count() or 1)


def _kernel_values(family: ResponseFamily, own: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the kernels of a family are called with, in the order of their arguments."""
    base = base_values(family, own, Numpy)
    if base is own:
        return own
    inner: Any = family
    return {role: np.ascontiguousarray(base[role]) for role in inner.family.roles}


def _kernels(family: ResponseFamily) -> tuple[Any, ...]:
    """Compiled functions of a family that has them (see `Quadrature.compiles`)."""
    return cast(CompiledFamily, family).kernels
