"""The Gaussian engine for linear models: the same density as from sufficient statistics, with fewer steps.

With A = (I - B)^-1 and Psi = D R D, the observed variables have S = A Psi A' and C = A G, rows and columns of
what is observed. No factor of Psi is needed, beside the check that R is a correlation matrix.
"""

from __future__ import annotations

import numpy as np

from medpsy.bind import ModelData
from medpsy.engines.gaussian_compiled import SufficientStatistics, moment_gradient
from medpsy.latent.base import clique_name
from medpsy.latent.linear import HALF, LinearStructure, share_back
from medpsy.ops import Numpy


class LinearStatistics(SufficientStatistics):
    """Log-likelihood and gradient of a linear model without blocks of items."""

    def __init__(self, data: ModelData) -> None:
        super().__init__(data)
        structure = data.model.structure
        assert isinstance(structure, LinearStructure)
        self.structure, self.layout = structure, data.layout
        self.plan = structure.plan(data.layout)
        self.size, self.width = len(self.layout.nodes), 1 + len(self.layout.columns)
        self._eye = np.eye(self.size)
        self._cliques = [
            (clique_name(self.layout, k), np.ix_(clique, clique))
            for k, clique in enumerate(self.layout.cliques)
        ]
        self._within = np.ix_(np.flatnonzero(self.plan.within), np.flatnonzero(self.plan.within))
        self._shared = bool((self.plan.own < 0).any())

    def value_and_gradient(self, p: dict[str, np.ndarray]) -> tuple[float, dict[str, np.ndarray]]:
        """Log-likelihood and its gradient with respect to every named value."""
        layout, plan, observed = self.layout, self.plan, self.layout.measured
        path = plan.path.full(p, "path", Numpy)
        sd = plan.sd.full(p, "residual_sd", Numpy)
        b, g = np.zeros((self.size, self.size)), np.zeros((self.size, self.width))
        b[layout.inner_cells] = path[layout.inner]
        g[layout.outer_cells] = path[layout.outer]
        g[:, 0] += plan.mean.full(p, "intercept", Numpy) + plan.shift @ path
        r, own = self._correlations(p, sd)
        whole = np.linalg.inv(self._eye - b)
        a = whole[observed]
        psi = r * np.outer(sd, sd)
        half = a @ psi
        total, d_mean, d_cov = moment_gradient(self.patterns, a @ g, half @ a.T)
        d_whole = np.zeros((self.size, self.size))
        d_whole[observed] = 2.0 * d_cov @ half + d_mean @ g.T
        d_b = whole.T @ d_whole @ whole.T
        d_g = a.T @ d_mean
        d_psi = a.T @ d_cov @ a
        out: dict[str, np.ndarray] = {}
        d_path = plan.shift.T @ d_g[:, 0]
        d_path[layout.inner] += d_b[layout.inner_cells]
        d_path[layout.outer] += d_g[layout.outer_cells]
        d_sd = 2.0 * (d_psi * r) @ sd
        d_r = d_psi * np.outer(sd, sd)
        for name, block in self._cliques:
            out[name] = np.tril(2.0 * d_r[block] @ p[name])
        if plan.pairs:
            d_own = 2.0 * d_r[plan.row, plan.column]
            if self._shared:
                share_back(plan, own, sd, d_own, d_sd)
            if plan.free_pairs.size:
                out[HALF] = 2.0 * d_own[plan.free_pairs]
        for name, ties, d in (
            ("path", plan.path, d_path), ("intercept", plan.mean, d_g[:, 0]), ("residual_sd", plan.sd, d_sd)
        ):  # fmt: skip
            if ties.free:
                out[name] = ties.reverse(d)
        return total, out

    def _correlations(self, p: dict[str, np.ndarray], sd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Residual correlations (node, node), and those of the pairs outside the groups."""
        plan, r = self.plan, self._eye.copy()
        for name, block in self._cliques:
            r[block] = p[name] @ p[name].T
        own = np.zeros(0)
        if plan.pairs:
            plain = not self._shared
            own = 2.0 * p[HALF] - 1.0 if plain else self.structure.correlations(p, self.layout, Numpy)
            r[plan.row, plan.column] = own
            r[plan.column, plan.row] = own
            np.linalg.cholesky(r[self._within])
        return r, own
