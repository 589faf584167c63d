"""The quadrature engine in machine code: same density, gradient by the E-step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from medpsy.bind import ModelData
from medpsy.engines.answer_tables import AnswerTables
from medpsy.engines.grid import Grid, fitted_windows
from medpsy.engines.patterns import Patterns, collapse
from medpsy.engines.quadrature_kernel import (
    fill_weight,
    integrate,
    latent_forward,
    latent_reverse,
)
from medpsy.engines.shares import shares, summed
from medpsy.latent.constructs import construct_system, construct_system_reverse
from medpsy.ops import Numpy

#: From so many rows on they are shared out among the processors, and the error is estimated from a sample.
SHARED_ROWS = 5_000
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

    #: Windows can be fitted to several points.
    wanders = True

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
        self.tables = AnswerTables(data, data.blocks, (block.factor for block in data.blocks), grid)
        n_row = len(self.count)
        self.lo = np.zeros((n_row, 3), dtype=np.int64)
        self.hi = np.tile(self.tables.sizes, (n_row, 1))
        if windows is not None:
            self.lo[:, self.tables.pad :], self.hi[:, self.tables.pad :] = windows
        self._constant = float(np.log(grid.spacing).sum() - 0.5 * n_factor * np.log(2 * np.pi))
        self.shares = shares(np.arange(n_row + 1), SHARED_ROWS)

    def _run(self, p: dict[str, np.ndarray]) -> dict[str, Any]:
        """Forward pass and E-step at ``p``."""
        data = self.data
        eq = data.model.structure.equations(p, data.layout, Numpy)
        mean, chol = construct_system(eq, data.layout)
        n_row = len(self.count)
        precision, location, tilt = np.empty((3, 3)), np.zeros((n_row, 3)), np.zeros((n_row, 3))
        ell, first, second = np.empty(n_row), np.empty((n_row, 3)), np.empty((n_row, 3, 3))
        half = latent_forward(mean, chol, self.design, precision, location, tilt, ell)
        tables = self.tables
        weight = np.empty((tables.sizes[0] + 1, tables.sizes[1], tables.widths[2]))
        fill_weight(precision, tables.nodes, weight)
        table = tables.fill(p)

        def share(rows: slice) -> np.ndarray:
            counts = np.zeros_like(table)
            integrate(
                self.codes[rows], tables.start, tables.factor, table, tables.sizes, tables.widths,
                tables.nodes, self.lo[rows], self.hi[rows], tilt[rows], self.count[rows], weight, ell[rows],
                counts, first[rows], second[rows],
            )  # fmt: skip
            return counts

        counts = summed(share, self.shares)
        ell += self._constant + half
        return {
            "eq": eq, "chol": chol, "precision": precision, "location": location,
            "ell": ell, "counts": counts, "first": first, "second": second,
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
        d_eq = construct_system_reverse(run["eq"], data.layout, d_mean, d_chol)
        gradient = data.model.structure.reverse(p, data.layout, d_eq)
        gradient |= self.tables.reverse(p, run["counts"])
        return float(self.count @ run["ell"]), gradient

    def per_person(self, p: dict[str, np.ndarray]) -> np.ndarray:
        """Log-likelihood of every person, shape (person,)."""
        return self._run(p)["ell"][self.patterns.inverse]

    def adapted(
        self, p: dict[str, np.ndarray], fineness: float = 1.0, at: Sequence[dict[str, np.ndarray]] = ()
    ) -> CompiledQuadrature:
        """Grid and windows fitted to the posteriors of the persons at ``p``, and where ``at`` moves them."""
        mean, covariance = self._moments(p)
        sd = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
        away = np.max([np.zeros_like(mean), *(abs(self._moments(other)[0] - mean) for other in at)], axis=0)
        return CompiledQuadrature(self.data, *fitted_windows(mean, sd, fineness, away), self.patterns)

    def numerical_error(self, p: dict[str, np.ndarray]) -> float:
        """Log-likelihood minus that on half the spacing over the whole grid.

        With very many rows, estimated from a random sample of them.
        """
        n_row = len(self.count)
        rows = np.arange(n_row)
        if n_row > SHARED_ROWS:
            rows = np.sort(np.random.default_rng(n_row).choice(n_row, PROBE, replace=False))
        patterns = self.patterns.take(rows)
        windows = self.lo[rows, self.tables.pad :], self.hi[rows, self.tables.pad :]
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
        run, pad = self._run(p), self.tables.pad
        first = run["first"][:, pad:]
        return first, run["second"][:, pad:, pad:] - first[:, :, None] * first[:, None, :]
