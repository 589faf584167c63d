"""Graded response model (Samejima, 1969, doi:10.1007/BF03372160).

P(Y >= k | theta) = logistic(slope * theta - threshold_k), thresholds increasing in k = 1..K-1.

Thresholds are not sampled. What is sampled is the simplex ``category_prob`` of each item, which is very
nearly the item's category distribution in a population with theta ~ N(0, 1):
threshold_k = -s(slope) * logit P(Y >= k), s(a) = sqrt(1 + 0.3457 a^2). That is proper when a category was
never used and takes most of the correlation out of slopes and thresholds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from medpsy.families.categorical import SHARES, SLOPE, Categorical, Role
from medpsy.families.graded_coordinates import SHRINK, GradedCoordinates
from medpsy.ops import Numpy


def logits(prob: Any, xp: Any) -> tuple[Any, Any]:
    """Logits of P(Y >= k) (..., item, K-1), and how far neighbours are apart (..., item, K-2).

    The distances come from the probabilities, never as differences, so that they stay positive when a
    category is all but unused.
    """
    below = xp.cumsum(prob)[..., :-1]
    above = xp.cumsum(prob[..., ::-1])[..., ::-1][..., 1:]
    middle = prob[..., 1:-1]
    width = xp.log1p(middle / above[..., 1:]) + xp.log1p(middle / below[..., :-1])
    return xp.log(above) - xp.log(below), width


def cumulative(x: Any, gap: Any, xp: Any) -> Any:
    """Log-probabilities (..., item, category, node) from x = slope * theta - threshold and the gaps."""
    upper, lower = -xp.softplus(-x), -xp.softplus(x)
    middle = upper[..., :-1, :] + lower[..., 1:, :] + xp.log1mexp(-gap)[..., None]
    return xp.concatenate([lower[..., :1, :], middle, upper[..., -1:, :]], axis=-2)


class GradedResponse(Categorical):
    """The family ``graded``; roles ``slope`` (item,) and ``category_prob`` (item, category)."""

    name = "graded"
    declared: tuple[Role, ...] = (SLOPE, SHARES)
    formula = "P({item} >= k) = logistic(slope * {name} - threshold_k)"
    reference = (
        "Samejima, F. (1969). Estimation of latent ability using a response pattern of graded scores. "
        "Psychometrika Monograph Supplement, 17. doi:10.1007/BF03372160 (graded response model)"
    )
    coordinates: Any = GradedCoordinates()

    def derived(self, p: dict[str, Any], xp: Any) -> dict[str, Any]:
        """Thresholds (..., item, K-1), and the K-2 gaps between neighbours, both on the logit scale."""
        logit, width = logits(p["category_prob"], xp)
        scale = xp.sqrt(1.0 + SHRINK * p["slope"] ** 2)[..., None]
        return {"threshold": -scale * logit, "gap": scale * width}

    def log_prob(self, theta: Any, p: dict[str, Any], xp: Any) -> Any:
        """Log-probability of each category.

        Parameters
        ----------
        theta : array, shape (node,) or (..., item, node)
            Person scores.
        p : dict
            ``slope`` (..., item), ``category_prob`` (..., item, category).

        Returns
        -------
        array, shape (..., item, category, node)
        """
        more = self.derived(p, xp)
        x = (p["slope"][..., None] * theta)[..., None, :] - more["threshold"][..., None]
        return cumulative(x, more["gap"], xp)

    def draw(self, theta: np.ndarray, p: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
        """Draw codes (person, item): a logistic latent answer cut at the thresholds."""
        threshold = self.derived(p, Numpy)["threshold"]
        latent = theta[:, None] * p["slope"] + rng.logistic(size=(len(theta), len(p["slope"])))
        return (latent[:, :, None] > threshold[None]).sum(-1).astype(np.int8)

    @property
    def kernels(self) -> tuple[Any, ...]:
        """Functions of the compiled route."""
        from medpsy.families.kernels import cumulative

        return cumulative.graded_forward, cumulative.graded_backward, cumulative.graded_probabilities


FAMILY = GradedResponse()
