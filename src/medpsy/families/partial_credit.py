"""Partial credit model (Masters, 1982, doi:10.1007/BF02296272): the Rasch model for ordered categories.

P(Y = k) / P(Y = k - 1) = exp(spread * theta - threshold_k). With theta in standard deviations the common
slope is the standard deviation of the construct in logits; thresholds are step difficulties in logits, in
any order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from medpsy.families.categorical import SHARES, SPREAD, Categorical
from medpsy.families.generalised_partial_credit import FAMILY as GENERALISED
from medpsy.families.rasch import common_slope
from medpsy.families.step_coordinates import AdjacentCoordinates, CommonSlope


class PartialCredit(Categorical):
    """The family ``partial_credit``; roles ``spread`` (1,) and ``category_prob`` (item, category)."""

    name = "partial_credit"
    declared = (SPREAD, SHARES)
    formula = "P({item} = k) / P({item} = k - 1) = exp(spread * {name} - threshold_k)"
    adjacent = True
    coordinates = CommonSlope(AdjacentCoordinates())
    reference = (
        "Masters, G. N. (1982). A Rasch model for partial credit scoring. Psychometrika, 47, 149-174. "
        "doi:10.1007/BF02296272 (partial credit model)"
    )

    def derived(self, p: dict[str, Any], xp: Any) -> dict[str, Any]:
        """Thresholds (..., item, K-1): step difficulties in logits."""
        return GENERALISED.derived(p, xp)

    def log_prob(self, theta: Any, p: dict[str, Any], xp: Any) -> Any:
        """Log-probability of each category, (..., item, category, node)."""
        return GENERALISED.log_prob(theta, common_slope(p), xp)

    def draw(self, theta: np.ndarray, p: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
        """Draw codes (person, item)."""
        return GENERALISED.draw(theta, common_slope(p), rng)

    @property
    def kernels(self) -> tuple[Any, Any]:
        """Functions of the compiled route."""
        from medpsy.families.kernels.softmax import partial_backward, partial_forward

        return partial_forward, partial_backward


FAMILY = PartialCredit()
