"""The quadrature engine beside normal numbers: explained variables, and items of other constructs.

Given these numbers y (and covariates w) the constructs are normal again, with one covariance for all persons
who have the same numbers and a mean that is linear in them:

    theta | y, w ~ N(M_f w + K (y - M_y w), S_ff - K S_yf),    K = S_fy S_yy^-1,

so that p(answers, y) = N(y; M_y w, S_yy) times the sum over the grid of the constructs with ordinal items, y
among the covariates. Nothing is approximated but the grid itself; constructs of other items need none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from medpsy.bind import ModelData
from medpsy.engines.gaussian import moments, patterns, values
from medpsy.engines.gaussian_compiled import (
    SufficientStatistics,
    moment_gradient,
    moments_reverse,
    person_terms,
)
from medpsy.engines.grid import Grid, fitted_windows
from medpsy.engines.patterns import Patterns
from medpsy.engines.quadrature_compiled import CompiledQuadrature
from medpsy.families.base import Block
from medpsy.latent.second_order import cholesky_reverse
from medpsy.ops import Numpy


@dataclass(frozen=True)
class Part:
    """Persons who gave the same numbers: their positions, these variables, and the grid sum given them."""

    persons: np.ndarray
    numbers: np.ndarray
    grid: CompiledQuadrature


class ConditionedQuadrature:
    """Marginal log-likelihood of ordinal items beside normal ones and explained normal variables.

    Variables are the items that are numbers, the explained variables and, last, the constructs with ordinal
    items.

    Parameters
    ----------
    data : ModelData
    normal : SufficientStatistics
        Of the explained variables and of the items that are numbers.
    ordinal : tuple of Block
        The other constructs.
    grid : Grid
        Of these.
    windows : tuple of ndarray, optional
        First and one-past-last node, each (person, construct); the whole grid unless given.
    """

    def __init__(
        self,
        data: ModelData,
        normal: SufficientStatistics,
        ordinal: tuple[Block, ...],
        grid: Grid,
        windows: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> None:
        self.data, self.normal, self.ordinal, self.grid = data, normal, ordinal, grid
        items = replace(data, blocks=tuple(replace(block, factor=d) for d, block in enumerate(ordinal)))
        self.nodes = data.layout.factors[[block.factor for block in ordinal]]
        codes = np.concatenate([block.values for block in ordinal], axis=1).astype(np.int8)
        y = values(normal.data)
        self.constructs = y.shape[1] + np.arange(len(ordinal))
        self.parts: list[Part] = []
        for persons, numbers in patterns(normal.data):
            design = np.hstack([data.design[persons], y[np.ix_(persons, numbers)]])
            each = np.arange(persons.size)
            rows = Patterns(np.ascontiguousarray(codes[persons]), design, np.ones(persons.size), each, each)
            window = None if windows is None else (windows[0][persons], windows[1][persons])
            self.parts.append(Part(persons, numbers, CompiledQuadrature(items, grid, window, rows)))

    def _given(self, p: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, list[Any]]:
        """Moments of all variables, and those of the constructs given the numbers of every part."""
        mean, covariance = moments(self.normal.data, p, Numpy, self.nodes)
        each = []
        for part in self.parts:
            gain, location, spread = conditioned(mean, covariance, self.constructs, part.numbers, Numpy)
            each.append((gain, location, np.linalg.cholesky(spread)))
        return mean, covariance, each

    def _sums(self, p: dict[str, np.ndarray], given: list[Any]) -> list[dict[str, Any]]:
        """The grid sum of every part."""
        pairs = zip(self.parts, given, strict=True)
        return [
            part.grid.summed(location, root, part.grid.tables.fill(p)) for part, (_, location, root) in pairs
        ]

    def value_and_gradient(self, p: dict[str, np.ndarray]) -> tuple[float, dict[str, np.ndarray]]:
        """Log-likelihood and its gradient with respect to every named value."""
        f, tables = self.constructs, dict[str, np.ndarray]()
        mean, covariance, given = self._given(p)
        total, d_mean, d_cov = moment_gradient(self.normal.patterns, mean, covariance)
        width = mean.shape[1]
        for part, run, (gain, _, root) in zip(self.parts, self._sums(p, given), given, strict=True):
            total += float(run["ell"].sum())
            y = part.numbers
            d_location, d_root = part.grid.reduced_gradient(run, part.grid.count)
            d_spread, d_own = cholesky_reverse(root, d_root), d_location[:, :width]
            d_gain = d_location[:, width:] - d_own @ mean[y].T
            d_mean[f] += d_own
            d_mean[y] -= gain.T @ d_own
            through = np.linalg.solve(covariance[np.ix_(y, y)], d_gain.T).T
            d_cov[np.ix_(f, f)] += d_spread
            d_cov[np.ix_(f, y)] += through - 2.0 * d_spread @ gain
            d_cov[np.ix_(y, y)] += gain.T @ (d_spread @ gain - through)
            for name, value in part.grid.tables.reverse(p, run["counts"]).items():
                tables[name] = tables[name] + value if name in tables else value
        d_cov = 0.5 * (d_cov + d_cov.T)
        return total, moments_reverse(self.normal.data, p, d_mean, d_cov, self.nodes) | tables

    def per_person(self, p: dict[str, np.ndarray]) -> np.ndarray:
        """Log-likelihood of every person, shape (person,)."""
        mean, covariance, given = self._given(p)
        out = person_terms(self.normal.answers, mean, covariance, self.data.n_person)
        for part, (_, location, root) in zip(self.parts, given, strict=True):
            out[part.persons] += part.grid.terms(location, root, part.grid.tables.fill(p))
        return out

    def adapted(self, p: dict[str, np.ndarray], fineness: float = 1.0) -> ConditionedQuadrature:
        """Grid and windows fitted to the posteriors of the persons at ``p``."""
        shape = self.data.n_person, len(self.grid.nodes)
        mean, sd = np.empty(shape), np.empty(shape)
        for part, run in zip(self.parts, self._sums(p, self._given(p)[2]), strict=True):
            first, covariance = part.grid.moments(run)
            mean[part.persons] = first
            sd[part.persons] = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
        fitted = fitted_windows(mean, sd, fineness)
        return ConditionedQuadrature(self.data, self.normal, self.ordinal, *fitted)

    def numerical_error(self, p: dict[str, np.ndarray]) -> float:
        """Log-likelihood minus that on half the spacing over windows three times as wide."""
        pairs = zip(self.parts, self._given(p)[2], strict=True)
        return sum(part.grid.grid_error(location, root, p) for part, (_, location, root) in pairs)

    def describe(self) -> str:
        """For the provenance."""
        cells = np.concatenate([np.prod(part.grid.hi - part.grid.lo, axis=1) for part in self.parts])
        text = f"{self.grid.describe()}; {np.mean(cells):.0f} nodes per person on average"
        return f"{text}; numbers conditioned on in {len(self.parts)} pattern(s) of missing values"


def conditioned(
    mean: Any, covariance: Any, constructs: np.ndarray, numbers: np.ndarray, xp: Any
) -> tuple[Any, Any, Any]:
    """K (construct, number), means of the constructs over covariates and numbers, and their covariance."""
    inner = covariance[np.ix_(constructs, constructs)]
    if not numbers.size:
        return np.zeros((constructs.size, 0)), mean[constructs], inner
    across = covariance[np.ix_(constructs, numbers)]
    gain = xp.swapaxes(xp.solve(covariance[np.ix_(numbers, numbers)], xp.swapaxes(across, 0, 1)), 0, 1)
    location = xp.concatenate([mean[constructs] - gain @ mean[numbers], gain], axis=1)
    return gain, location, inner - gain @ xp.swapaxes(across, 0, 1)
