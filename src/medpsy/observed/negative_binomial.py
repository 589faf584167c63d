"""Negative binomial regression: a count that varies more than a Poisson count of the same mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from medpsy.observed.base import Role, Solved, intercept
from medpsy.observed.poisson import HIGHEST, PoissonOutcome
from medpsy.ops import Numpy


class NegativeBinomialOutcome(PoissonOutcome):
    """The family ``negative_binomial``: mean exp(eta), variance mean + overdispersion * mean^2."""

    name = "negative_binomial"
    roles: tuple[Role, ...] = (
        intercept("Normal(0, 2.5)"),
        Role("overdispersion", "Exponential(1)", "Overdispersion", "", "overdispersion"),
    )
    formula = (
        "{name} ~ negative binomial(mean, variance = mean + overdispersion * mean^2), "
        "log(mean) = intercept + {terms}"
    )
    reference = (
        "Hilbe, J. M. (2011). Negative binomial regression (2nd ed.). doi:10.1017/CBO9780511973420 (NB2)"
    )
    truth: Mapping[str, tuple[float, float, float]] = {
        "mean": (1.0, 0.0, np.inf), "overdispersion": (0.5, 0.0, np.inf)
    }  # fmt: skip

    def log_prob(self, y: Any, eta: Any, p: Mapping[str, Any], xp: Any) -> Any:
        """Log probability of a count."""
        a = p["overdispersion"]
        size = 1.0 / a
        # log(1 + a mean), which neither overflows for large means nor loses the limit of Poisson.
        more = xp.softplus(eta + xp.log(a))
        return (
            xp.gammaln(y + size) - xp.gammaln(size) - xp.gammaln(y + 1.0)
            + y * (eta + xp.log(a)) - (y + size) * more
        )  # fmt: skip

    def reverse(
        self, y: np.ndarray, eta: np.ndarray, p: Mapping[str, Any]
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Derivatives with respect to eta and overdispersion."""
        from scipy.special import digamma

        a = p["overdispersion"]
        size = 1.0 / a
        share = Numpy.logistic(eta + np.log(a))  # a mean / (1 + a mean)
        d_eta = y - (y + size) * share
        more = Numpy.softplus(eta + np.log(a))
        d_size = digamma(y + size) - digamma(size) - more
        return d_eta, {"overdispersion": -(size**2) * d_size + d_eta / a}

    def quantile(self, u: np.ndarray, eta: np.ndarray, p: Mapping[str, Any]) -> np.ndarray:
        """Smallest count whose distribution function reaches ``u``."""
        from scipy.stats import nbinom

        size = 1.0 / np.asarray(p["overdispersion"])
        mean = np.exp(np.minimum(eta, HIGHEST))
        return np.asarray(nbinom.ppf(u, size, size / (size + mean)), dtype=float)

    def link_variance(self, eta: np.ndarray, p: Mapping[str, Any]) -> np.ndarray:
        """log(1 + 1/mean + overdispersion), as for Poisson counts."""
        return np.log1p(np.exp(-eta) + p["overdispersion"])

    def solve(self, given: Mapping[str, float], points: np.ndarray, mass: np.ndarray) -> Solved:
        """Intercept that yields the expected count, and overdispersion."""
        shift = super().solve(given, points, mass).shift
        return Solved({"overdispersion": given["overdispersion"]}, shift=shift)


OBSERVED = NegativeBinomialOutcome()
