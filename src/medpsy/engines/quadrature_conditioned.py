"""The quadrature engine beside explained variables that are normal numbers.

Given these numbers y (and covariates w) the constructs are normal again, with one covariance for all persons
who have the same numbers and a mean that is linear in them:

    theta | y, w ~ N(M_f w + K (y - M_y w), S_ff - K S_yf),    K = S_fy S_yy^-1,

so that p(answers, y) = N(y; M_y w, S_yy) times the sum over the grid of the constructs, with y among the
covariates. Nothing is approximated but the grid itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from medpsy.bind import ModelData
from medpsy.engines.base import observed_patterns
from medpsy.engines.grid import Grid, fitted_windows
from medpsy.engines.linear_compiled import moment_gradient
from medpsy.engines.patterns import Patterns
from medpsy.engines.quadrature_compiled import CompiledQuadrature
from medpsy.latent.base import system, system_reverse
from medpsy.ops import Numpy


@dataclass(frozen=True)
class Part:
    """Persons who have the same numbers: their positions, the nodes of these numbers, and their grid sum."""

    persons: np.ndarray
    nodes: np.ndarray
    grid: CompiledQuadrature


class ConditionedQuadrature:
    """Marginal log-likelihood of ordinal items and explained normal variables on one grid.

    Parameters
    ----------
    data : ModelData
    grid : Grid
    windows : tuple of ndarray, optional
        First and one-past-last node, each (person, factor); the whole grid unless given.
    """

    def __init__(
        self, data: ModelData, grid: Grid, windows: tuple[np.ndarray, np.ndarray] | None = None
    ) -> None:
        self.data = data
        self.parts: list[Part] = []
        #: Cross-products and answers of every pattern, its variables by their position in the layout.
        self.patterns, self.answers = [], []
        codes = np.concatenate([block.values for block in data.blocks], axis=1).astype(np.int8)
        for persons, nodes in observed_patterns(data):
            y = np.ascontiguousarray(data.observed[np.ix_(persons, nodes)])
            w, each = np.ascontiguousarray(data.design[persons]), np.arange(persons.size)
            rows = Patterns(
                np.ascontiguousarray(codes[persons]), np.hstack([w, y]), np.ones(persons.size), each, each
            )
            own = None if windows is None else (windows[0][persons], windows[1][persons])
            self.parts.append(Part(persons, nodes, CompiledQuadrature(data, grid, own, rows)))
            if nodes.size:
                self.patterns.append((persons.size, nodes, y.T @ y, y.T @ w, w.T @ w))
                self.answers.append((persons, nodes, y, w))

    def _run(self, p: dict[str, np.ndarray]) -> tuple[Any, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """Equations, reduced form, and the grid sum of every part."""
        data = self.data
        eq = data.model.structure.equations(p, data.layout, Numpy)
        mean, chol = system(eq, data.layout, Numpy)
        covariance, runs = chol @ chol.T, []
        for part in self.parts:
            gain, location, spread = conditioned(mean, covariance, data.layout.factors, part.nodes, Numpy)
            run = part.grid.summed(location, np.linalg.cholesky(spread), part.grid.tables.fill(p))
            runs.append(run | {"gain": gain})
        return eq, mean, chol, runs

    def value_and_gradient(self, p: dict[str, np.ndarray]) -> tuple[float, dict[str, np.ndarray]]:
        """Log-likelihood and its gradient with respect to every named value."""
        data, f = self.data, self.data.layout.factors
        eq, mean, chol, runs = self._run(p)
        covariance = chol @ chol.T
        total, d_mean, d_cov = moment_gradient(self.patterns, mean, covariance)
        width, tables = mean.shape[1], dict[str, np.ndarray]()
        for part, run in zip(self.parts, runs, strict=True):
            total += float(run["ell"].sum())
            y, gain = part.nodes, run["gain"]
            d_location, d_root = part.grid.reduced_gradient(run, part.grid.count)
            d_spread, d_own = cholesky_reverse(run["chol"], d_root), d_location[:, :width]
            d_gain = d_location[:, width:] - d_own @ mean[y].T
            d_mean[f] += d_own
            d_mean[y] -= gain.T @ d_own
            across = np.linalg.solve(covariance[np.ix_(y, y)], d_gain.T).T - 2.0 * d_spread @ gain
            d_cov[np.ix_(f, f)] += d_spread
            d_cov[np.ix_(f, y)] += across
            d_cov[np.ix_(y, y)] += gain.T @ (d_spread @ gain - (across + 2.0 * d_spread @ gain))
            for name, value in part.grid.tables.reverse(p, run["counts"]).items():
                tables[name] = tables[name] + value if name in tables else value
        d_eq = system_reverse(eq, d_mean, np.tril((d_cov + d_cov.T) @ chol))
        return total, data.model.structure.reverse(p, data.layout, d_eq) | tables

    def per_person(self, p: dict[str, np.ndarray]) -> np.ndarray:
        """Log-likelihood of every person, shape (person,)."""
        _, mean, chol, runs = self._run(p)
        covariance, out = chol @ chol.T, np.empty(self.data.n_person)
        for part, run in zip(self.parts, runs, strict=True):
            out[part.persons] = run["ell"]
        for persons, columns, y, w in self.answers:
            inverse = np.linalg.inv(np.linalg.cholesky(covariance[np.ix_(columns, columns)]))
            white = (y - w @ mean[columns].T) @ inverse.T
            constant = np.log(np.diag(inverse)).sum() - 0.5 * columns.size * np.log(2 * np.pi)
            out[persons] += constant - 0.5 * np.einsum("ij,ij->i", white, white)
        return out

    def adapted(self, p: dict[str, np.ndarray], fineness: float = 1.0) -> ConditionedQuadrature:
        """Grid and windows fitted to the posteriors of the persons at ``p``."""
        mean, covariance = self.person_moments(p)
        sd = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
        return ConditionedQuadrature(self.data, *fitted_windows(mean, sd, fineness))

    def person_moments(self, p: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Posterior mean (person, factor) and covariance (person, factor, factor) of the constructs."""
        n, size = self.data.n_person, self.data.n_factor
        mean, covariance = np.empty((n, size)), np.empty((n, size, size))
        for part, run in zip(self.parts, self._run(p)[3], strict=True):
            mean[part.persons], covariance[part.persons] = part.grid.moments(run)
        return mean, covariance

    def numerical_error(self, p: dict[str, np.ndarray]) -> float:
        """Log-likelihood minus that on half the spacing over the whole grid."""
        data, error = self.data, 0.0
        mean, chol = system(data.model.structure.equations(p, data.layout, Numpy), data.layout, Numpy)
        covariance = chol @ chol.T
        for part in self.parts:
            _, location, spread = conditioned(mean, covariance, data.layout.factors, part.nodes, Numpy)
            error += part.grid.grid_error(location, np.linalg.cholesky(spread), p)
        return error

    def describe(self) -> str:
        """For the provenance."""
        cells = np.concatenate([np.prod(part.grid.hi - part.grid.lo, axis=1) for part in self.parts])
        text = f"{self.parts[0].grid.grid.describe()}; {np.mean(cells):.0f} nodes per person on average"
        return f"{text}; normal variables conditioned on in {len(self.parts)} pattern(s) of missing values"


def conditioned(
    mean: Any, covariance: Any, factors: np.ndarray, nodes: np.ndarray, xp: Any
) -> tuple[Any, Any, Any]:
    """K (factor, node), means of the constructs over covariates and numbers, and their covariance."""
    inner = covariance[np.ix_(factors, factors)]
    if not nodes.size:
        return np.zeros((factors.size, 0)), mean[factors], inner
    across = covariance[np.ix_(factors, nodes)]
    gain = xp.swapaxes(xp.solve(covariance[np.ix_(nodes, nodes)], xp.swapaxes(across, 0, 1)), 0, 1)
    location = xp.concatenate([mean[factors] - gain @ mean[nodes], gain], axis=1)
    return gain, location, inner - gain @ xp.swapaxes(across, 0, 1)


def cholesky_reverse(root: np.ndarray, d_root: np.ndarray) -> np.ndarray:
    """Gradient with respect to a symmetric matrix, given it for its Cholesky factor (Murray, 2016,
    arXiv:1602.07527).
    """
    inner = np.tril(root.T @ d_root)
    inner[np.diag_indices(len(inner))] /= 2
    half = np.linalg.solve(root.T, np.linalg.solve(root.T, inner.T).T)
    return np.asarray(0.5 * (half + half.T))
