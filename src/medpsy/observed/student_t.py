"""Robust linear regression: residuals of Student's t, so that persons far off count little."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from medpsy.observed.base import Role, Solved, intercept
from medpsy.observed.gaussian import RESIDUAL_SD, finite


class StudentOutcome:
    """The family ``student_t``: y = eta + residual_sd * t, t with ``df`` degrees of freedom.

    ``residual_sd`` is the scale of t: the sd of the residuals were they normal, below their sd otherwise.
    Standardised effects count the residuals with it.
    """

    name = "student_t"
    what = "a number with heavy tails"
    kind = "a number"
    normal = False
    linear = True
    standardised = True
    scale = "difference"
    units = ""
    roles = (
        intercept("Normal(0, 1)"), RESIDUAL_SD, Role("df", "Gamma(2, 0.1)", "Degrees of freedom", "", "df"),
    )  # fmt: skip
    formula = "{name} = intercept + {terms} + residual_sd * e, e ~ t(df)"
    reference = (
        "Lange, K. L., Little, R. J. A., & Taylor, J. M. G. (1989). Robust statistical modeling using the t "
        "distribution. Journal of the American Statistical Association, 84, 881-896. doi:10.2307/2290063; "
        "prior of df: Juarez, M. A., & Steel, M. F. J. (2010). doi:10.1198/jbes.2009.07145"
    )
    truth: Mapping[str, tuple[float, float, float]] = {
        "mean": (0.0, -np.inf, np.inf), "sd": (1.0, 0.0, np.inf), "df": (4.0, 0.0, np.inf)
    }  # fmt: skip

    def check(self, name: str, values: np.ndarray) -> None:
        """Every finite number will do."""
        finite(name, values)

    def log_prob(self, y: Any, eta: Any, p: Mapping[str, Any], xp: Any) -> Any:
        """Log density of Student's t, z-scored values."""
        sd, df = p["residual_sd"], p["df"]
        constant = xp.gammaln((df + 1) / 2) - xp.gammaln(df / 2) - 0.5 * xp.log(np.pi * df) - xp.log(sd)
        return constant - (df + 1) / 2 * xp.log1p(((y - eta) / sd) ** 2 / df)

    def reverse(
        self, y: np.ndarray, eta: np.ndarray, p: Mapping[str, Any]
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Derivatives with respect to eta, residual_sd and df."""
        from scipy.special import digamma

        sd, df = p["residual_sd"], p["df"]
        off = (y - eta) / sd
        weight = (df + 1) / (df + off**2)
        d_df = 0.5 * (
            digamma((df + 1) / 2) - digamma(df / 2) - 1 / df - np.log1p(off**2 / df) + weight * off**2 / df
        )
        return weight * off / sd, {"residual_sd": (weight * off**2 - 1.0) / sd, "df": d_df}

    def mean(self, eta: np.ndarray, p: Mapping[str, Any]) -> np.ndarray:
        """eta: the centre of the distribution (its mean where df > 1)."""
        return eta

    def quantile(self, u: np.ndarray, eta: np.ndarray, p: Mapping[str, Any]) -> np.ndarray:
        """Quantiles of Student's t."""
        from scipy.special import stdtrit

        return eta + p["residual_sd"] * stdtrit(p["df"], u)

    def link_variance(self, eta: np.ndarray, p: Mapping[str, Any]) -> np.ndarray:
        """None beside residual_sd."""
        return np.zeros_like(eta)

    def solve(self, given: Mapping[str, float], points: np.ndarray, mass: np.ndarray) -> Solved:
        """Mean, sd (residuals counted with their scale) and degrees of freedom."""
        return Solved({"df": given["df"]}, centre=given["mean"], scale=given["sd"])


OBSERVED = StudentOutcome()
