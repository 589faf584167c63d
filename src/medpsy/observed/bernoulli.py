"""Logistic regression: a variable with the values 0 and 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from medpsy.errors import DataError
from medpsy.observed.base import Solved, intercept
from medpsy.ops import Numpy


class BernoulliOutcome:
    """The family ``bernoulli``: P(y = 1) = logistic(eta)."""

    name = "bernoulli"
    what = "binary"
    kind = "categorical"
    normal = False
    linear = False
    standardised = False
    scale = "probability"
    units = "logits"
    roles = (intercept("Normal(0, 2)"),)
    formula = "P({name} = 1) = logistic(intercept + {terms})"
    reference = (
        "Cox, D. R. (1958). The regression analysis of binary sequences. Journal of the Royal Statistical "
        "Society B, 20, 215-242. doi:10.1111/j.2517-6161.1958.tb00292.x"
    )
    truth: Mapping[str, tuple[float, float, float]] = {"share": (0.5, 0.0, 1.0)}

    def check(self, name: str, values: np.ndarray) -> None:
        """Nothing but 0 and 1."""
        given = values[~np.isnan(values)]
        odd = given[(given != 0) & (given != 1)]
        if odd.size:
            raise DataError(
                f"binary variable '{name}' holds the value {odd[0]:g}",
                hint="Code it 0 and 1, or declare it as a category with two levels.",
            )

    def log_prob(self, y: Any, eta: Any, p: Mapping[str, Any], xp: Any) -> Any:
        """Log probability of 0 or 1."""
        return -xp.softplus((1.0 - 2.0 * y) * eta)

    def reverse(
        self, y: np.ndarray, eta: np.ndarray, p: Mapping[str, Any]
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Derivative with respect to eta."""
        return y - self.mean(eta, p), {}

    def mean(self, eta: np.ndarray, p: Mapping[str, Any]) -> np.ndarray:
        """Probability of 1."""
        return Numpy.logistic(np.asarray(eta))

    def quantile(self, u: np.ndarray, eta: np.ndarray, p: Mapping[str, Any]) -> np.ndarray:
        """1 above the probability of 0."""
        return (u > 1.0 - self.mean(eta, p)).astype(float)

    def link_variance(self, eta: np.ndarray, p: Mapping[str, Any]) -> np.ndarray:
        """Variance of the standard logistic distribution."""
        return np.full_like(eta, np.pi**2 / 3)

    def solve(self, given: Mapping[str, float], points: np.ndarray, mass: np.ndarray) -> Solved:
        """Intercept that yields the share of ones."""
        from scipy.optimize import brentq
        from scipy.special import expit, logit

        share, reach = given["share"], float(np.abs(points).max()) + 1.0
        middle = float(logit(share))
        found = brentq(lambda x: float(mass @ expit(points + x)) - share, middle - reach, middle + reach)
        return Solved({}, shift=float(found))


OBSERVED = BernoulliOutcome()
