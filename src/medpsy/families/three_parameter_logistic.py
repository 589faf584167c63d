"""Three-parameter logistic model (Birnbaum, 1968): two answers, one of which can be guessed.

P(Y = 1 | theta) = guessing + (1 - guessing) * logistic(slope * theta - threshold). ``category_prob`` and
threshold are those of the logistic part, as in the graded model with two categories.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from medpsy.families.categorical import SHARES, SLOPE, Categorical, Role
from medpsy.families.graded import FAMILY as GRADED

GUESSING = Role("guessing", "item", "Asymptotes", "lower", "Beta(5, 17)", start=0.2)
NOT_FOR_SCALES = (
    "Guessing supposes a right answer, which an answer scale does not have: use family 'graded', or score "
    "the items 0 and 1."
)


class ThreeParameterLogistic(Categorical):
    """The family ``three_parameter_logistic``; ``slope``, ``category_prob``, ``guessing`` (item,)."""

    name = "three_parameter_logistic"
    declared: tuple[Role, ...] = (SLOPE, SHARES, GUESSING)
    formula = "P({item} = 1) = guessing + (1 - guessing) * logistic(slope * {name} - threshold)"
    reference = (
        "Birnbaum, A. (1968). Some latent trait models and their use in inferring an examinee's "
        "ability. In Lord & Novick, Statistical theories of mental test scores (three-parameter "
        "logistic model)"
    )
    max_categories = 2
    advice = NOT_FOR_SCALES

    def derived(self, p: dict[str, Any], xp: Any) -> dict[str, Any]:
        """Thresholds (..., item, 1) in logits."""
        return {"threshold": GRADED.derived(p, xp)["threshold"]}

    def log_prob(self, theta: Any, p: dict[str, Any], xp: Any) -> Any:
        """Log-probability of each category, (..., item, category, node)."""
        table = GRADED.log_prob(theta, p, xp)
        guessing = p["guessing"][..., None]
        missed = table[..., 0, :] + xp.log1p(-guessing)
        # log(c + (1 - c) s) as log c + log(1 + exp(log((1 - c) s) - log c)).
        known = table[..., 1, :] + xp.log1p(-guessing) - xp.log(guessing)
        return xp.stack([missed, xp.log(guessing) + xp.softplus(known)], axis=-2)

    def draw(self, theta: np.ndarray, p: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
        """Draw codes (person, item): known, or else guessed."""
        known = GRADED.draw(theta, p, rng)
        return np.where(rng.random(known.shape) < p["guessing"], 1, known).astype(np.int8)

    @property
    def kernels(self) -> tuple[Any, Any]:
        """Functions of the compiled route."""
        from medpsy.families.kernels.cumulative import three_backward, three_forward

        return three_forward, three_backward


FAMILY = ThreeParameterLogistic()
