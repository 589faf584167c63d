"""The quadrature engine in machine code: same density, gradient by the E-step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from medpsy.bind import ModelData
from medpsy.engines.answer_tables import AnswerTables
from medpsy.engines.grid import SIDE, Grid, fitted_windows
from medpsy.engines.patterns import Patterns, collapse
from medpsy.engines.quadrature_kernel import (
    expected_counts,
    fill_weight,
    integrate,
    latent_forward,
    latent_reverse,
    room,
    row_terms,
)
from medpsy.engines.shares import shares, summed
from medpsy.latent.base import Equations
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

    def _system(self, p: dict[str, np.ndarray]) -> tuple[Equations, np.ndarray, np.ndarray]:
        """Equations, and means (construct, design column) and Cholesky factor of the constructs."""
        eq = self.data.model.structure.equations(p, self.data.layout, Numpy)
        return eq, *construct_system(eq, self.data.layout)

    def _begun(self, mean: np.ndarray, chol: np.ndarray, table: np.ndarray) -> dict[str, Any]:
        """What all rows need, and room for what is found of every row."""
        tables, n_row = self.tables, len(self.count)
        precision, location, tilt = np.empty((3, 3)), np.zeros((n_row, 3)), np.zeros((n_row, 3))
        ell, first, second = np.empty(n_row), np.empty((n_row, 3)), np.empty((n_row, 3, 3))
        half = latent_forward(mean, chol, self.design, precision, location, tilt, ell)
        ell += self._constant + half
        weight = np.empty((tables.sizes[0] + 1, tables.sizes[1], tables.widths[2]))
        fill_weight(precision, tables.nodes, weight)
        return {
            "chol": chol, "precision": precision, "location": location, "tilt": tilt,
            "weight": weight, "table": table, "ell": ell, "first": first, "second": second,
        }  # fmt: skip

    def _integrate(
        self, run: dict[str, Any], rows: slice, counts: np.ndarray, mass: np.ndarray, count: np.ndarray
    ) -> None:
        """Forward pass and E-step of some rows."""
        tables = self.tables
        integrate(
            self.codes[rows], tables.start, tables.factor, run["table"], tables.sizes, tables.widths,
            tables.nodes, self.lo[rows], self.hi[rows], run["tilt"][rows], count, run["weight"],
            run["ell"][rows], counts, run["first"][rows], run["second"][rows], mass,
        )  # fmt: skip

    def summed(self, mean: np.ndarray, chol: np.ndarray, table: np.ndarray) -> dict[str, Any]:
        """Forward pass and E-step at means and Cholesky factor of the constructs, and probabilities.

        ``ell`` are the log-likelihoods of the rows, ``counts`` expected counts over the flat ``table``.
        """
        run = self._begun(mean, chol, table)

        def share(rows: slice) -> np.ndarray:
            counts = np.zeros_like(table)
            self._integrate(run, rows, counts, room(1, self.tables.nodes), self.count[rows])
            return counts

        return run | {"counts": summed(share, self.shares)}

    def _run(self, p: dict[str, np.ndarray]) -> dict[str, Any]:
        """The same at ``p``."""
        eq, mean, chol = self._system(p)
        return self.summed(mean, chol, self.tables.fill(p)) | {"eq": eq}

    def begun(self, p: dict[str, np.ndarray]) -> dict[str, Any]:
        """An E-step whose weights are known later: next :meth:`masses` and :meth:`weigh` of all rows."""
        eq, mean, chol = self._system(p)
        table = self.tables.fill(p)
        return self._begun(mean, chol, table) | {"eq": eq, "counts": np.zeros_like(table)}

    def masses(self, run: dict[str, Any], rows: slice) -> np.ndarray:
        """Log-likelihood of some rows, into ``run``; their posteriors (row, 3, node)."""
        size = len(self.count[rows])
        mass = room(size, self.tables.nodes)
        self._integrate(run, rows, np.empty(0), mass, np.ones(size))
        return np.asarray(mass)

    def weigh(self, run: dict[str, Any], rows: slice, mass: np.ndarray, count: np.ndarray) -> None:
        """Add these rows to the expected counts, with weights (row,); ``mass`` is used up."""
        tables = self.tables
        expected_counts(
            self.codes[rows], tables.start, tables.factor, tables.sizes, tables.widths, self.lo[rows],
            self.hi[rows], count, mass, run["counts"],
        )  # fmt: skip

    def value_and_gradient(self, p: dict[str, np.ndarray]) -> tuple[float, dict[str, np.ndarray]]:
        """Log-likelihood and its gradient with respect to every named value."""
        run = self._run(p)
        return float(self.count @ run["ell"]), self.gradient(p, run, self.count)

    def gradient(
        self, p: dict[str, np.ndarray], run: dict[str, Any], count: np.ndarray
    ) -> dict[str, np.ndarray]:
        """Gradient over every named value, from the expected counts and posterior moments of all rows."""
        layout, structure = self.data.layout, self.data.model.structure
        d_eq = construct_system_reverse(run["eq"], layout, *self.reduced_gradient(run, count))
        return structure.reverse(p, layout, d_eq) | self.tables.reverse(p, run["counts"])

    def reduced_gradient(self, run: dict[str, Any], count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gradient with respect to the means and the Cholesky factor of the constructs."""
        chol = run["chol"]
        d_mean, d_chol = np.zeros((len(chol), self.design.shape[1])), np.empty_like(chol)
        latent_reverse(
            chol, self.design, count, run["precision"], run["location"], run["first"], run["second"],
            d_mean, d_chol,
        )  # fmt: skip
        return d_mean, d_chol

    def per_person(self, p: dict[str, np.ndarray]) -> np.ndarray:
        """Log-likelihood of every person, shape (person,)."""
        return self.rows(p)[self.patterns.inverse]

    def rows(self, p: dict[str, np.ndarray]) -> np.ndarray:
        """Log-likelihood of every row."""
        return self.terms(*self._system(p)[1:], self.tables.fill(p))

    def terms(self, mean: np.ndarray, chol: np.ndarray, table: np.ndarray) -> np.ndarray:
        """Log-likelihood of every row, arguments as in :meth:`summed`."""
        run, tables = self._begun(mean, chol, table), self.tables
        ell = np.asarray(run["ell"])

        def share(rows: slice) -> np.ndarray:
            row_terms(
                self.codes[rows], tables.start, tables.factor, table, tables.sizes, tables.widths,
                tables.nodes, self.lo[rows], self.hi[rows], run["tilt"][rows], run["weight"], ell[rows],
            )  # fmt: skip
            return np.zeros(1)

        summed(share, self.shares)
        return ell

    def adapted(
        self, p: dict[str, np.ndarray], fineness: float = 1.0, at: Sequence[dict[str, np.ndarray]] = ()
    ) -> CompiledQuadrature:
        """Grid and windows fitted to the posteriors of the persons at ``p``, and where ``at`` moves them."""
        mean, sd = self._centres(p)
        away = np.zeros_like(mean)
        for other in at:
            centre, spread = self._centres(other)
            away = np.maximum(away, abs(centre - mean) + SIDE * np.maximum(spread - sd, 0.0))
        return CompiledQuadrature(self.data, *fitted_windows(mean, sd, fineness, away), self.patterns)

    def _centres(self, p: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Posterior means and sds (row, factor) of the scores."""
        mean, covariance = self.moments(self._run(p))
        return mean, np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))

    def numerical_error(self, p: dict[str, np.ndarray]) -> float:
        """Log-likelihood minus that on half the spacing over windows three times as wide.

        With very many rows, estimated from a random sample of them.
        """
        return self.grid_error(*self._system(p)[1:], p)

    def grid_error(self, mean: np.ndarray, chol: np.ndarray, p: dict[str, np.ndarray]) -> float:
        """The same at means and Cholesky factor of the constructs."""
        n_row = len(self.count)
        rows = np.arange(n_row)
        if n_row > SHARED_ROWS:
            rows = np.sort(np.random.default_rng(n_row).choice(n_row, PROBE, replace=False))
        patterns = self.patterns.take(rows)
        windows = self.lo[rows, self.tables.pad :], self.hi[rows, self.tables.pad :]
        finer = self.grid.refined()
        own, exact = (
            made.terms(mean, chol, made.tables.fill(p))
            for made in (
                CompiledQuadrature(self.data, self.grid, windows, patterns),
                CompiledQuadrature(self.data, finer, finer.around(*windows), patterns),
            )
        )
        return float(self.count[rows] @ (own - exact)) * self.count.sum() / self.count[rows].sum()

    def describe(self) -> str:
        """For the provenance."""
        cells = np.prod(self.hi - self.lo, axis=1)
        return f"{self.grid.describe()}; {np.mean(cells):.0f} nodes per person on average"

    def person_moments(self, p: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Posterior mean (person, factor) and covariance (person, factor, factor) of the scores."""
        mean, covariance = self.moments(self._run(p))
        return mean[self.patterns.inverse], covariance[self.patterns.inverse]

    def moments(self, run: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        """Posterior mean (row, factor) and covariance (row, factor, factor) of the scores."""
        pad = self.tables.pad
        first = run["first"][:, pad:]
        return first, run["second"][:, pad:, pad:] - first[:, :, None] * first[:, None, :]
