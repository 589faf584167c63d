"""Graded rating scale model (Muraki, 1990, doi:10.1177/014662169001400106).

P(Y >= k | theta) = logistic(slope * (theta - location - step_k)), the steps common to all items,
increasing and summing to zero, in standard deviations of the construct. What is sampled are the distances
``gap`` between neighbouring steps. Thresholds that increase for every item need slopes of one sign: all
are positive.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from medpsy.errors import SpecError
from medpsy.families.categorical import Categorical, Role, check_truth
from medpsy.families.coordinates import OwnParameters
from medpsy.families.graded import cumulative
from medpsy.ops import Numpy


class GradedRatingScale(Categorical):
    """The family ``graded_rating_scale``; roles ``slope`` (item,), ``location`` (item,), ``gap`` (K-2,)."""

    name = "graded_rating_scale"
    declared = (
        Role("slope", "item", "Slopes", "", "LogNormal(0.25, 0.6)", start=1.0),
        Role("location", "item", "Thresholds", "location", "Normal(0, 2)"),
        Role("gap", "inner", "Thresholds", "steps", "LogNormal(0, 0.75)", start=1.0),
    )
    min_categories = 3
    formula = "P({item} >= k) = logistic(slope * ({name} - location - step_k))"
    reference = (
        "Muraki, E. (1990). Fitting a polytomous item response model to Likert-type data. Applied "
        "Psychological Measurement, 14, 59-71. doi:10.1177/014662169001400106 (graded rating scale "
        "model)"
    )
    one_scale = True
    coordinates = OwnParameters(("slope", "location"))
    advice = "With two categories it is the two-parameter logistic model: use family 'bernoulli'."
    reported: ClassVar[dict[str, tuple[str, ...]]] = {"threshold": ("item", "step"), "common_step": ("step",)}
    shown: ClassVar[dict[str, str]] = {"gap": "common_step"}

    def derived(self, p: dict[str, Any], xp: Any) -> dict[str, Any]:
        """Steps (..., K-1); thresholds (..., item, K-1) and the gaps between these, in logits."""
        gap, slope = p["gap"], p["slope"][..., None]
        raised = xp.concatenate([0.0 * gap[..., :1], xp.cumsum(gap)], axis=-1)
        step = raised - xp.sum(raised, axis=-1)[..., None] / (gap.shape[-1] + 1)
        return {
            "common_step": step,
            "threshold": slope * (p["location"][..., None] + step[..., None, :]),
            "gap": slope * gap[..., None, :],
        }

    def log_prob(self, theta: Any, p: dict[str, Any], xp: Any) -> Any:
        """Log-probability of each category, (..., item, category, node)."""
        more = self.derived(p, xp)
        x = (p["slope"][..., None] * theta)[..., None, :] - more["threshold"][..., None]
        return cumulative(x, more["gap"], xp)

    def draw(self, theta: np.ndarray, p: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
        """Draw codes (person, item): a logistic latent answer cut at the thresholds."""
        threshold = self.derived(p, Numpy)["threshold"]
        latent = theta[:, None] * p["slope"] + rng.logistic(size=(len(theta), len(p["slope"])))
        return (latent[:, :, None] > threshold[None]).sum(-1).astype(np.int8)

    def internal(self, given: dict[str, np.ndarray], sizes: np.ndarray) -> dict[str, np.ndarray]:
        """The gaps from increasing steps that sum to zero."""
        roles = super().internal(given, sizes)
        check_truth(roles, positive=("slope",))
        step = roles.pop("common_step")
        if abs(step.sum()) > 1e-9 or (np.diff(step) <= 0).any():
            raise SpecError(
                "common_step does not increase, or does not sum to zero",
                hint="What the steps share belongs to location.",
            )
        return roles | {"gap": np.diff(step)}

    @property
    def kernels(self) -> tuple[Any, Any]:
        """Functions of the compiled route."""
        from medpsy.families.kernels.cumulative import rating_backward, rating_forward

        return rating_forward, rating_backward


FAMILY = GradedRatingScale()
