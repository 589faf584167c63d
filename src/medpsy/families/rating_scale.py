"""Rating scale model (Andrich, 1978, doi:10.1007/BF02293814): items that share the steps of their scale.

P(Y = k) / P(Y = k - 1) = exp(spread * theta - location - step_k), the steps common to all items and
summing to zero. The K - 1 steps come from K - 2 free normals ``contrast`` by an isometry, which gives them
the prior ZeroSumNormal(sd): sd of every step sd * sqrt(1 - 1 / (K - 1)), none of them special.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from medpsy.errors import SpecError
from medpsy.families.categorical import SPREAD, Categorical, Role, from_log_odds
from medpsy.families.coordinates import OwnParameters
from medpsy.ops import Numpy


def zero_sum(free: Any, xp: Any) -> Any:
    """Vectors (..., n) that sum to zero from free ones (..., n - 1), keeping lengths and angles."""
    n = free.shape[-1] + 1
    root = n**0.5
    total = xp.sum(free, axis=-1)[..., None]
    shift = total / (root + n)
    return xp.concatenate([free - shift, -total / root], axis=-1)


def free_of_zero_sum(values: np.ndarray) -> np.ndarray:
    """The free vector (n - 1,) that ``zero_sum`` turns into ``values`` (n,)."""
    n = len(values)
    total = -values[-1] * n**0.5
    return np.asarray(values[:-1] + total / (n**0.5 + n))


class RatingScale(Categorical):
    """The family ``rating_scale``; roles ``spread`` (1,), ``location`` (item,), ``contrast`` (K-2,)."""

    name = "rating_scale"
    declared = (
        SPREAD,
        Role("location", "item", "Thresholds", "location", "Normal(0, 2)"),
        Role("contrast", "inner", "Thresholds", "steps", "Normal(0, 1.5)"),
    )
    min_categories = 3
    formula = "P({item} = k) / P({item} = k - 1) = exp(spread * {name} - location - step_k)"
    adjacent = True
    coordinates = OwnParameters(("location",))
    reference = (
        "Andrich, D. (1978). A rating formulation for ordered response categories. Psychometrika, 43, "
        "561-573. doi:10.1007/BF02293814 (rating scale model)"
    )
    one_scale = True
    advice = "With two categories it is the Rasch model: use family 'rasch'."
    reported: ClassVar[dict[str, tuple[str, ...]]] = {"threshold": ("item", "step"), "common_step": ("step",)}
    shown: ClassVar[dict[str, str]] = {"contrast": "common_step"}

    def derived(self, p: dict[str, Any], xp: Any) -> dict[str, Any]:
        """Steps (..., K-1) and thresholds (..., item, K-1) = location + step, in logits."""
        step = zero_sum(p["contrast"], xp)
        return {"common_step": step, "threshold": p["location"][..., None] + step[..., None, :]}

    def log_prob(self, theta: Any, p: dict[str, Any], xp: Any) -> Any:
        """Log-probability of each category, (..., item, category, node)."""
        threshold = self.derived(p, xp)["threshold"]
        down = xp.cumsum(threshold)
        intercept = xp.concatenate([0.0 * down[..., :1], -down], axis=-1)
        rank = xp.cumsum(0.0 * intercept + 1.0) - 1.0
        slope = (p["spread"] + 0.0 * p["location"])[..., None]
        x = (slope * theta)[..., None, :] * rank[..., None] + intercept[..., None]
        return x - xp.logsumexp(x, axis=-2)[..., None, :]

    def draw(self, theta: np.ndarray, p: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
        """Draw codes (person, item)."""
        threshold = self.derived(p, Numpy)["threshold"]
        gains = p["spread"][0] * theta[:, None, None] - threshold
        predictor = np.concatenate([np.zeros((*gains.shape[:2], 1)), np.cumsum(gains, -1)], axis=-1)
        return from_log_odds(predictor, rng)

    def internal(self, given: dict[str, np.ndarray], sizes: np.ndarray) -> dict[str, np.ndarray]:
        """The contrast from steps that sum to zero."""
        roles = super().internal(given, sizes)
        step = roles.pop("common_step")
        if abs(step.sum()) > 1e-9:
            raise SpecError("common_step does not sum to zero", hint="What they share belongs to location.")
        return roles | {"contrast": free_of_zero_sum(step)}

    @property
    def kernels(self) -> tuple[Any, Any]:
        """Functions of the compiled route."""
        from medpsy.families.kernels.softmax import rating_backward, rating_forward

        return rating_forward, rating_backward


FAMILY = RatingScale()
