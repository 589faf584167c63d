"""Poisson regression: a count whose variance is its mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from medpsy.errors import DataError
from medpsy.observed.base import Role, Solved, intercept

#: Counts beyond exp of this are drawn as if at it: priors may ask for more than a computer can count.
HIGHEST = 30.0


class PoissonOutcome:
    """The family ``poisson``: y ~ Poisson(exp(eta))."""

    name = "poisson"
    what = "a count"
    kind = "a count"
    normal = False
    linear = False
    standardised = False
    scale = "count"
    units = "logarithms of the expected count"
    roles: tuple[Role, ...] = (intercept("Normal(0, 2.5)"),)
    formula = "{name} ~ Poisson(mean), log(mean) = intercept + {terms}"
    reference = (
        "McCullagh, P., & Nelder, J. A. (1989). Generalized linear models (2nd ed.). "
        "doi:10.1007/978-1-4899-3242-6 (log-linear model of counts)"
    )
    truth: Mapping[str, tuple[float, float, float]] = {"mean": (1.0, 0.0, np.inf)}

    def check(self, name: str, values: np.ndarray) -> None:
        """Whole numbers from 0 up."""
        given = values[~np.isnan(values)]
        odd = given[(given < 0) | (given != np.round(given))]
        if odd.size:
            raise DataError(
                f"'{name}' is modelled as a count and holds the value {odd[0]:g}",
                hint="Counts are 0, 1, 2 ...; use family 'gaussian' or 'student_t' for other numbers.",
            )

    def log_prob(self, y: Any, eta: Any, p: Mapping[str, Any], xp: Any) -> Any:
        """Log probability of a count."""
        return y * eta - xp.exp(eta) - xp.gammaln(y + 1.0)

    def reverse(
        self, y: np.ndarray, eta: np.ndarray, p: Mapping[str, Any]
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Derivative with respect to eta."""
        return y - np.exp(eta), {}

    def mean(self, eta: np.ndarray, p: Mapping[str, Any]) -> np.ndarray:
        """Expected count."""
        return np.exp(eta)

    def quantile(self, u: np.ndarray, eta: np.ndarray, p: Mapping[str, Any]) -> np.ndarray:
        """Smallest count whose distribution function reaches ``u``."""
        from scipy.stats import poisson

        return np.asarray(poisson.ppf(u, np.exp(np.minimum(eta, HIGHEST))), dtype=float)

    def link_variance(self, eta: np.ndarray, p: Mapping[str, Any]) -> np.ndarray:
        """log(1 + 1/mean) (Nakagawa, Johnson & Schielzeth, 2017, doi:10.1098/rsif.2017.0213)."""
        return np.log1p(np.exp(-eta))

    def solve(self, given: Mapping[str, float], points: np.ndarray, mass: np.ndarray) -> Solved:
        """Intercept that yields the expected count."""
        return Solved({}, shift=float(np.log(given["mean"]) - np.log(mass @ np.exp(points))))


OBSERVED = PoissonOutcome()
