"""Constructs that are multiplied with each other, or stand beside binary variables and the like: scores of
persons, and how constructs spread over the persons."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from medpsy.bind import ModelData, local
from medpsy.engines.product_plan import Plan
from medpsy.engines.quadrature import answer_sums
from medpsy.latent.base import Equations
from medpsy.ops import Numpy

#: Nodes per construct to draw from, and how far they reach in sds.
FINE, REACH = 121, 7.0
#: Gibbs sweeps before the first draw, and between draws.
FIRST, BETWEEN = 40, 4


class ProductDraws:
    """Draws scores for one set of parameters after the other, construct by construct given the others."""

    def __init__(self, data: ModelData, rng: np.random.Generator) -> None:
        self.data, self.rng = data, rng
        self.sums = np.zeros((3, data.n_person, data.n_factor))
        self.count = 0
        self.theta = np.zeros((data.n_person, data.n_factor))
        self.nodes = np.linspace(-REACH, REACH, FINE)
        self.begun = False

    def draw(self, p: dict[str, np.ndarray]) -> np.ndarray:
        """One set of scores (person, factor) given the parameters."""
        data = self.data
        eq = data.model.structure.equations(p, data.layout, Numpy)
        coefficients = data.model.structure.coefficients(p, data.layout, Numpy)
        sums = [answer_sums(data, block, local(data, block, p), self.nodes, Numpy) for block in data.blocks]
        sweeps = BETWEEN if self.begun else FIRST
        for sweep in range(sweeps):
            keep = self.begun or sweep >= FIRST // 2
            for block, own in zip(data.blocks, sums, strict=True):
                self._update(block.factor, own, eq, coefficients, p, keep)
            self.count += int(keep)
        self.begun = True
        return self.theta.copy()

    def _update(
        self, d: int, sums: np.ndarray, eq: Equations, coefficients: np.ndarray | None,
        p: dict[str, np.ndarray], keep: bool,
    ) -> None:  # fmt: skip
        values = np.where(np.isnan(self.data.observed), 0.0, self.data.observed)
        values[:, self.data.layout.factors] = self.theta
        log_density = sums + log_joint(
            self.data, eq, coefficients, values, int(self.data.layout.factors[d]), self.nodes, p
        )
        mass = np.exp(log_density - log_density.max(axis=1, keepdims=True))
        mass /= mass.sum(axis=1, keepdims=True)
        if keep:
            mean = mass @ self.nodes
            self.sums[:, :, d] += [mean, mean**2, mass @ self.nodes**2 - mean**2]
        # Each node stands for the interval around it; within it the draw is uniform.
        u = self.rng.random((len(mass), 1))
        node = np.minimum((np.cumsum(mass, axis=1) < u).sum(axis=1), FINE - 1)
        step = self.nodes[1] - self.nodes[0]
        self.theta[:, d] = self.nodes[node] + (self.rng.random(len(mass)) - 0.5) * step

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Posterior mean and sd (person, factor), from conditional means and variances."""
        mean, square, variance = self.sums / self.count
        return mean, np.sqrt(np.maximum(square - mean**2, 0.0) + variance)


def log_joint(
    data: ModelData,
    eq: Equations,
    coefficients: np.ndarray | None,
    values: np.ndarray,
    node: int,
    t: np.ndarray,
    p: dict[str, np.ndarray],
) -> np.ndarray:
    """Log-density (person, t) of all nodes with one of them at ``t``, up to a constant.

    Missing observed values are taken as they stand and left out of the density: they must explain nothing.
    """
    layout = data.layout
    size = len(layout.nodes)
    at = np.repeat(values[:, None, :], len(t), axis=1)
    at[:, :, node] = t
    eta = at @ eq.b.T + (data.design @ eq.g.T)[:, None, :]
    for i in layout.products:
        assert coefficients is not None
        c = layout.coefficients[i]
        eta[..., c.target] += coefficients[i] * at[..., [c.source, *c.times]].prod(-1)
    missing = np.isnan(data.observed) & ~layout.latent
    residual = at - eta
    residual[np.broadcast_to(missing[:, None, :], residual.shape)] = 0.0
    normal = np.flatnonzero([family is None or family.normal for family in layout.observed])
    spread = (eq.d[:, None] * eq.z)[np.ix_(normal, normal)]
    white = np.linalg.solve(spread, residual[..., normal].reshape(-1, normal.size).T)
    total = (-0.5 * (white**2).sum(0)).reshape(len(values), len(t))
    for j in np.setdiff1d(np.arange(size), normal):
        family: Any = layout.observed[j]
        given = ~missing[:, j]
        y = at[given, :, j]
        total[given] += family.log_prob(y, eta[given, :, j], layout.own(int(j), p), Numpy)
    return total


def marginal_moments(
    data: ModelData, p: dict[str, np.ndarray], points: int = 9
) -> tuple[np.ndarray, np.ndarray]:
    """Means and sds (draw, factor) of the constructs at the mean of the covariates, products included."""
    plan, layout = Plan(data), data.layout
    held, factors = list(plan.held), layout.factors
    eq = data.model.structure.equations(p, layout, Numpy)
    coefficients = data.model.structure.coefficients(p, layout, Numpy)
    t, w = np.polynomial.hermite_e.hermegauss(points)
    size = len(coefficients)
    first, second = np.zeros((2, size, len(factors)))
    spread = np.broadcast_to(eq.d[..., :, None] * eq.z, (size, len(layout.nodes), len(layout.nodes)))
    intercept = np.broadcast_to(eq.g[..., 0], (size, len(layout.nodes)))
    linear = _moments(eq.b, intercept, spread)
    sd = np.sqrt(np.diagonal(linear[1], axis1=1, axis2=2))[:, held]
    for place in product(range(points), repeat=len(held)):
        c = linear[0][:, held] + t[list(place)] * sd
        b = np.broadcast_to(eq.b, spread.shape).copy()
        factor = np.stack([c[:, list(by)].prod(axis=1) for *_, by in plan.cells], axis=1)
        for column, (i, target, source, _) in enumerate(plan.cells):
            b[:, target, source] += coefficients[:, i] * factor[:, column]
        mean, covariance = _moments(b, intercept, spread)
        inner = covariance[:, held][:, :, held]
        gain = np.swapaxes(np.linalg.solve(inner, covariance[:, held]), 1, 2)
        off = (c - mean[:, held])[..., None]
        location = (mean[..., None] + gain @ off)[..., 0]
        variance = np.diagonal(covariance - gain @ covariance[:, held], axis1=1, axis2=2)
        weight = np.prod(w[list(place)] / np.sqrt(2 * np.pi))
        first += weight * location[:, factors]
        second += weight * (variance + location**2)[:, factors]
    return first, np.sqrt(second - first**2)


def _moments(b: np.ndarray, intercept: np.ndarray, spread: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    inverse = np.linalg.inv(np.eye(b.shape[-1]) - b)
    chol = inverse @ spread
    mean = (inverse @ intercept[..., None])[..., 0]
    return np.broadcast_to(mean, chol.shape[:-1]), chol @ np.swapaxes(chol, -1, -2)
