"""Rasch model (Rasch, 1960): P(Y = 1 | theta) = logistic(spread * theta - threshold).

All items discriminate alike. With theta in standard deviations their common slope is the standard deviation
``spread`` of the construct in logits, and the thresholds are the item difficulties in logits.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from medpsy.families.categorical import SHARES, SPREAD, Categorical
from medpsy.families.graded import FAMILY as GRADED
from medpsy.families.graded_coordinates import GradedCoordinates
from medpsy.families.step_coordinates import CommonSlope


class Rasch(Categorical):
    """The family ``rasch``; roles ``spread`` (1,) and ``category_prob`` (item, 2)."""

    name = "rasch"
    declared = (SPREAD, SHARES)
    formula = "P({item} = 1) = logistic(spread * {name} - threshold)"
    reference = (
        "Rasch, G. (1960). Probabilistic models for some intelligence and attainment tests. Danish "
        "Institute for Educational Research (Rasch model)"
    )
    max_categories = 2
    coordinates = CommonSlope(GradedCoordinates())
    advice = "For more than two categories the Rasch model is 'partial_credit'."

    def derived(self, p: dict[str, Any], xp: Any) -> dict[str, Any]:
        """Thresholds (..., item, 1), which are difficulties, in logits."""
        return GRADED.derived(common_slope(p), xp)

    def log_prob(self, theta: Any, p: dict[str, Any], xp: Any) -> Any:
        """Log-probability of each category, (..., item, category, node)."""
        return GRADED.log_prob(theta, common_slope(p), xp)

    def draw(self, theta: np.ndarray, p: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
        """Draw codes (person, item)."""
        return GRADED.draw(theta, common_slope(p), rng)

    @property
    def kernels(self) -> tuple[Any, ...]:
        """Functions of the compiled route."""
        from medpsy.families.kernels import cumulative

        return cumulative.rasch_forward, cumulative.rasch_backward, cumulative.rasch_probabilities


def common_slope(p: dict[str, Any]) -> dict[str, Any]:
    """Roles with ``slope`` (..., item) for every item in place of ``spread`` (..., 1)."""
    prob = p["category_prob"]
    return {"slope": p["spread"] + 0.0 * prob[..., 0], "category_prob": prob}


FAMILY = Rasch()
