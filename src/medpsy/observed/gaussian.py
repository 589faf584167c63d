"""Linear regression: normal residuals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from medpsy.errors import DataError
from medpsy.observed.base import Role, Solved, intercept

#: Residual sd of a number, shared by the families that have one.
RESIDUAL_SD = Role("residual_sd", "HalfNormal(1)", "Residual SDs", in_units=True)


def finite(name: str, values: np.ndarray) -> None:
    """Refuse infinite values."""
    count = int(np.isinf(values).sum())
    if count:
        raise DataError(
            f"'{name}' holds {count} infinite value{'s' * (count > 1)}",
            hint="Leave such cells empty: they count as missing.",
        )


class GaussianOutcome:
    """The family ``gaussian``: y = eta + residual_sd * e, e ~ N(0, 1)."""

    name = "gaussian"
    what = "a number"
    kind = "a number"
    normal = True
    linear = True
    standardised = True
    scale = "difference"
    units = ""
    roles = (intercept("Normal(0, 1)"), RESIDUAL_SD)
    formula = "{name} = intercept + {terms} + residual_sd * e, e ~ N(0, 1)"
    reference = "Linear regression with normal residuals"
    truth: Mapping[str, tuple[float, float, float]] = {
        "mean": (0.0, -np.inf, np.inf), "sd": (1.0, 0.0, np.inf)
    }  # fmt: skip

    def check(self, name: str, values: np.ndarray) -> None:
        """Every finite number will do."""
        finite(name, values)

    def log_prob(self, y: Any, eta: Any, p: Mapping[str, Any], xp: Any) -> Any:
        """Normal log density of z-scored values."""
        sd = p["residual_sd"]
        return -0.5 * ((y - eta) / sd) ** 2 - xp.log(sd) - 0.5 * np.log(2 * np.pi)

    def reverse(
        self, y: np.ndarray, eta: np.ndarray, p: Mapping[str, Any]
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Derivatives with respect to eta and residual_sd."""
        sd = p["residual_sd"]
        off = (y - eta) / sd
        return off / sd, {"residual_sd": (off**2 - 1.0) / sd}

    def mean(self, eta: np.ndarray, p: Mapping[str, Any]) -> np.ndarray:
        """eta itself."""
        return eta

    def quantile(self, u: np.ndarray, eta: np.ndarray, p: Mapping[str, Any]) -> np.ndarray:
        """Normal quantiles."""
        from scipy.special import ndtri

        return eta + p["residual_sd"] * ndtri(u)

    def link_variance(self, eta: np.ndarray, p: Mapping[str, Any]) -> np.ndarray:
        """None beside residual_sd."""
        return np.zeros_like(eta)

    def solve(self, given: Mapping[str, float], points: np.ndarray, mass: np.ndarray) -> Solved:
        """Mean, and sd given the covariates."""
        return Solved({}, centre=given["mean"], scale=given["sd"])


OBSERVED = GaussianOutcome()
