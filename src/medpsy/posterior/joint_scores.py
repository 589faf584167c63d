"""Scores on constructs that share items: drawn together from their posterior over the full grid."""

from __future__ import annotations

import numpy as np

from medpsy.bind import ModelData
from medpsy.engines.base import gaussian_given, observed_patterns
from medpsy.engines.crossed import full_sums, mesh
from medpsy.engines.grid import Grid, default_grid, fitted_grid
from medpsy.latent.base import system
from medpsy.ops import Numpy

#: Persons whose posterior over the grid is held at the same time.
CHUNK = 500


class JointDraws:
    """Draws scores for one set of parameters after the other, and averages conditional moments."""

    def __init__(self, data: ModelData, rng: np.random.Generator) -> None:
        self.data, self.rng = data, rng
        self.sums = np.zeros((3, data.n_person, data.n_factor))
        self.count = 0
        self.grid: Grid | None = None

    def draw(self, p: dict[str, np.ndarray]) -> np.ndarray:
        """One set of scores (person, factor) given the parameters."""
        if self.grid is None:
            mean, sd, _ = self._posterior(p, default_grid(self.data.n_factor, 25))
            low, high = (mean - 5 * sd).min(0), (mean + 5 * sd).max(0)
            # Half the spacing that would do for sums: within a node's box a draw is uniform.
            self.grid = fitted_grid(low, high, np.quantile(sd, 0.1, axis=0), 0.6)
        mean, sd, drawn = self._posterior(p, self.grid)
        self.sums += [mean, mean**2, sd**2]
        self.count += 1
        return drawn

    def _posterior(self, p: dict[str, np.ndarray], grid: Grid) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mean, sd and one draw (person, factor)."""
        data = self.data
        mean, chol = system(data.model.structure.equations(p, data.layout, Numpy), data.layout, Numpy)
        sums = full_sums(data, p, grid, Numpy)
        points = np.stack(mesh(grid), axis=1)
        out = np.empty((3, data.n_person, data.n_factor))
        for persons, nodes in observed_patterns(data):
            location, spread, _ = gaussian_given(data, mean, chol @ chol.T, persons, nodes, Numpy)
            precision = np.linalg.inv(spread)
            prior = -0.5 * ((points @ precision) * points).sum(1)
            for first in range(0, len(persons), CHUNK):
                who = persons[first : first + CHUNK]
                log_mass = sums[who] + (location[first : first + CHUNK] @ precision) @ points.T + prior
                mass = np.exp(log_mass - log_mass.max(axis=1, keepdims=True))
                mass /= mass.sum(axis=1, keepdims=True)
                out[0, who] = mass @ points
                out[1, who] = np.sqrt(np.maximum(mass @ points**2 - out[0, who] ** 2, 1e-12))
                u = self.rng.random((len(who), 1))
                node = np.minimum((np.cumsum(mass, axis=1) < u).sum(axis=1), len(points) - 1)
                jitter = self.rng.random((len(who), data.n_factor)) - 0.5
                out[2, who] = points[node] + jitter * grid.spacing
        return out[0], out[1], out[2]

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Posterior mean and sd (person, factor), from conditional means and variances."""
        mean, square, variance = self.sums / self.count
        return mean, np.sqrt(np.maximum(square - mean**2, 0.0) + variance)
