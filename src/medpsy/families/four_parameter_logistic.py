"""Four-parameter logistic model (Barton & Lord, 1981): guessing, and slips of those who know.

P(Y = 1 | theta) = lower + (upper - lower) * logistic(slope * theta - threshold), lower = ``guessing`` and
upper = guessing + (1 - guessing) * ``rise``. With guessing ~ Beta(5, 17) and rise ~ Beta(12, 5),
independent, the upper asymptote has the prior Beta(17, 5) and always lies above the lower one (stick
breaking of a Dirichlet).
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from medpsy.errors import SpecError
from medpsy.families.categorical import SHARES, SLOPE, Categorical, Role
from medpsy.families.graded import FAMILY as GRADED
from medpsy.families.three_parameter_logistic import GUESSING, NOT_FOR_SCALES

RISE = Role("rise", "item", "Asymptotes", "upper", "Beta(12, 5)", start=0.8)


class FourParameterLogistic(Categorical):
    """The family ``four_parameter_logistic``; as with three parameters, and ``rise`` (item,)."""

    name = "four_parameter_logistic"
    declared = (SLOPE, SHARES, GUESSING, RISE)
    formula = "P({item} = 1) = guessing + (upper - guessing) * logistic(slope * {name} - threshold)"
    reference = (
        "Barton, M. A., & Lord, F. M. (1981). An upper asymptote for the three-parameter logistic "
        "item-response model. ETS Research Report 81-20. doi:10.1002/j.2333-8504.1981.tb01255.x "
        "(four-parameter logistic model)"
    )
    max_categories = 2
    advice = NOT_FOR_SCALES
    reported: ClassVar[dict[str, tuple[str, ...]]] = {"threshold": ("item", "step"), "upper": ("item",)}
    shown: ClassVar[dict[str, str]] = {"category_prob": "threshold", "rise": "upper"}

    def derived(self, p: dict[str, Any], xp: Any) -> dict[str, Any]:
        """Thresholds (..., item, 1) in logits, upper asymptotes (..., item)."""
        upper = p["guessing"] + (1.0 - p["guessing"]) * p["rise"]
        return {"threshold": GRADED.derived(p, xp)["threshold"], "upper": upper}

    def log_prob(self, theta: Any, p: dict[str, Any], xp: Any) -> Any:
        """Log-probability of each category, (..., item, category, node)."""
        table = GRADED.log_prob(theta, p, xp)
        c, v = p["guessing"][..., None], p["rise"][..., None]
        slip = xp.log1p(-v)
        missed = xp.log1p(-c) + slip + xp.softplus(table[..., 0, :] + xp.log(v) - slip)
        known = table[..., 1, :] + xp.log1p(-c) + xp.log(v) - xp.log(c)
        return xp.stack([missed, xp.log(c) + xp.softplus(known)], axis=-2)

    def draw(self, theta: np.ndarray, p: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
        """Draw codes (person, item): known and not slipped, or else guessed."""
        known = GRADED.draw(theta, p, rng) * (rng.random((len(theta), len(p["rise"]))) < p["rise"])
        return np.where(rng.random(known.shape) < p["guessing"], 1, known).astype(np.int8)

    def internal(self, given: dict[str, np.ndarray], sizes: np.ndarray) -> dict[str, np.ndarray]:
        """The rise from the upper asymptote."""
        roles = super().internal(given, sizes)
        rise = (roles.pop("upper") - roles["guessing"]) / (1.0 - roles["guessing"])
        if (rise <= 0).any():
            raise SpecError("upper is not above guessing", hint="Write upper = 0.95, guessing = 0.2.")
        return roles | {"rise": rise}

    @property
    def kernels(self) -> tuple[Any, Any]:
        """Functions of the compiled route."""
        from medpsy.families.kernels.cumulative import four_backward, four_forward

        return four_forward, four_backward


FAMILY = FourParameterLogistic()
