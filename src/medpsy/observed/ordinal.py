"""Cumulative logit regression: a single question whose answers are categories in order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from medpsy.errors import DataError
from medpsy.observed.base import Role, Solved
from medpsy.ops import Numpy


class OrdinalOutcome:
    """The family ``ordinal``: P(y >= k) = logistic(eta - threshold_k), categories k = 0 .. K-1.

    Thresholds are not sampled: ``category_prob`` (K,) are the probabilities of the categories at eta = 0, and
    threshold_k = logit P(y < k) there, so that they are ordered and proper where a category was never used.
    Values count categories from 0; as the source of a path a variable counts with them, one unit a category.
    """

    name = "ordinal"
    what = "ordinal"
    kind = "categorical"
    normal = False
    linear = False
    standardised = False
    scale = "score"
    units = "logits of the latent response"
    roles = (Role("category_prob", "Dirichlet(1)", "Thresholds", "|", "t", per_category=True),)
    formula = "P({name} >= k) = logistic({terms} - threshold_k)"
    reference = (
        "McCullagh, P. (1980). Regression models for ordinal data. Journal of the Royal Statistical Society "
        "B, 42, 109-142. doi:10.1111/j.2517-6161.1980.tb01109.x"
    )
    truth: Mapping[str, tuple[float, float, float]] = {}

    # The link

    def thresholds(self, prob: Any, xp: Any) -> Any:
        """Thresholds (..., K-1) from the probabilities (..., K) at eta = 0."""
        below, above = _sums(prob, xp)
        return xp.log(below) - xp.log(above)

    def distribution(self, x: np.ndarray) -> np.ndarray:
        """Distribution function of the latent response around eta."""
        return Numpy.logistic(np.asarray(x))

    def log_distribution(self, x: Any, xp: Any) -> Any:
        """Its logarithm."""
        return -xp.softplus(-x)

    def log_between(self, high: Any, low: Any, prob: Any, chosen: Any, xp: Any) -> Any:
        """log(F(high) - F(low)) of the categories ``chosen`` (..., K) of probability ``prob`` at eta = 0."""
        below, above = _sums(prob, xp)
        # How far neighbouring thresholds are apart: never a difference, so that it stays positive.
        width = xp.log1p(prob[..., 1:-1] / above[..., 1:]) + xp.log1p(prob[..., 1:-1] / below[..., :-1])
        free = xp.sum(chosen[..., 1:-1] * xp.log1mexp(-width), axis=-1)
        return -xp.softplus(-high) - xp.softplus(low) + free

    def slopes(self, high: np.ndarray, low: np.ndarray, ends: tuple[Any, Any]) -> tuple[Any, Any]:
        """Derivatives of log(F(high) - F(low)) with respect to ``high`` and ``low``; ``ends`` say where
        ``low`` is minus and ``high`` plus infinity."""
        first, last = ends
        inner = (1.0 - first) * (1.0 - last)
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            apart = np.where(inner > 0, 1.0 / np.expm1(np.where(inner > 0, high - low, 1.0)), 0.0)
        return (1.0 - last) * Numpy.logistic(-high) + apart, -(1.0 - first) * Numpy.logistic(low) - apart

    def threshold_slopes(self, prob: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Derivatives (K-1,) of every threshold with respect to P(y < k) and to P(y >= k)."""
        below, above = _sums(prob, Numpy)
        return 1.0 / below, -1.0 / above

    def link_variance(self, eta: np.ndarray, p: Mapping[str, Any]) -> np.ndarray:
        """Variance of the standard logistic distribution."""
        return np.full_like(eta, np.pi**2 / 3)

    # What follows from it

    def check(self, name: str, values: np.ndarray) -> None:
        """Nothing but categories, counted from 0."""
        given = values[~np.isnan(values)]
        odd = given[(given < 0) | (given % 1 != 0)]
        if odd.size:
            raise DataError(
                f"'{name}' is modelled as ordinal and holds the value {odd[0]:g}",
                hint="Categories are whole numbers; use family 'gaussian' for other numbers.",
            )

    def log_prob(self, y: Any, eta: Any, p: Mapping[str, Any], xp: Any) -> Any:
        """Log probability of categories ``y``."""
        prob = p["category_prob"]
        cut, chosen = self.thresholds(prob, xp), _chosen(y, xp.length(prob), xp)
        first, last = chosen[..., 0], chosen[..., -1]
        low = xp.sum(chosen[..., 1:] * cut, axis=-1) - eta
        high = xp.sum(chosen[..., :-1] * cut, axis=-1) - eta
        if xp.length(prob) == 2:
            middle: Any = 0.0
        else:
            # Where there is no such threshold any distance will do.
            inner = (1.0 - first) * (1.0 - last)
            middle = inner * self.log_between(high, low - (1.0 - inner), prob, chosen, xp)
        ends = first * self.log_distribution(high, xp) + last * self.log_distribution(-low, xp)
        return ends + middle

    def reverse(
        self, y: np.ndarray, eta: np.ndarray, p: Mapping[str, Any]
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Derivatives with respect to eta and to the probability of every category (..., K)."""
        prob = p["category_prob"]
        cut, chosen = self.thresholds(prob, Numpy), _chosen(y, prob.shape[-1], Numpy)
        first, last = chosen[..., 0], chosen[..., -1]
        low = (chosen[..., 1:] * cut).sum(-1) - eta
        high = (chosen[..., :-1] * cut).sum(-1) - eta
        d_high, d_low = self.slopes(high, low, (first, last))
        d_cut = chosen[..., :-1] * d_high[..., None] + chosen[..., 1:] * d_low[..., None]
        by_below, by_above = self.threshold_slopes(prob)
        d_prob = np.zeros((*d_cut.shape[:-1], prob.shape[-1]))
        # A threshold moves with the probabilities of all categories on either side.
        d_prob[..., :-1] += np.cumsum((d_cut * by_below)[..., ::-1], axis=-1)[..., ::-1]
        d_prob[..., 1:] += np.cumsum(d_cut * by_above, axis=-1)
        return -(d_high + d_low), {"category_prob": d_prob}

    def probabilities(self, eta: np.ndarray, p: Mapping[str, Any]) -> np.ndarray:
        """Probability of every category (..., K)."""
        cut = self.thresholds(p["category_prob"], Numpy)
        above = self.distribution(eta[..., None] - cut)
        ones = np.ones((*above.shape[:-1], 1))
        return np.maximum(-np.diff(np.concatenate([ones, above, 0.0 * ones], axis=-1)), 0.0)

    def mean(self, eta: np.ndarray, p: Mapping[str, Any]) -> np.ndarray:
        """Expected score: categories counted from 0."""
        cut = self.thresholds(p["category_prob"], Numpy)
        return np.asarray(self.distribution(eta[..., None] - cut).sum(-1))

    def quantile(self, u: np.ndarray, eta: np.ndarray, p: Mapping[str, Any]) -> np.ndarray:
        """Category at probability ``u``."""
        below = self.distribution(self.thresholds(np.asarray(p["category_prob"]), Numpy) - eta[..., None])
        return np.asarray((u[..., None] > below).sum(-1), dtype=float)

    def solve(self, given: Mapping[str, Any], points: np.ndarray, mass: np.ndarray) -> Solved:
        """Thresholds that yield the shares of the categories."""
        from scipy.optimize import brentq

        reach = float(np.abs(points).max()) + 40.0
        below = np.cumsum(given["shares"])[:-1]
        cut = np.array(
            [
                brentq(lambda c, s=share: float(mass @ self.distribution(c - points)) - s, -reach, reach)
                for share in below
            ]
        )
        edges = np.concatenate([[0.0], self.distribution(cut), [1.0]])
        return Solved({"category_prob": np.diff(edges)}, centre=given["lowest"])


def _sums(prob: Any, xp: Any) -> tuple[Any, Any]:
    """P(y < k) and P(y >= k) at eta = 0 for k = 1 .. K-1, each summed from its own end."""
    below = xp.cumsum(prob)[..., :-1]
    return below, xp.cumsum(prob[..., ::-1])[..., ::-1][..., 1:]


def _chosen(y: Any, n: int, xp: Any) -> Any:
    """1 at the category of every value, else 0 (..., K)."""
    return 1.0 - xp.minimum(xp.absolute(y[..., None] - np.arange(float(n))), 1.0)


OBSERVED = OrdinalOutcome()
