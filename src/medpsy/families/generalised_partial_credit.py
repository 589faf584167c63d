"""Generalised partial credit model (Muraki, 1992, doi:10.1177/014662169201600206).

P(Y = k) / P(Y = k - 1) = exp(slope * theta - threshold_k): thresholds, in any order, are where two
neighbouring categories are equally likely, times the slope. What is sampled is the simplex
``category_prob`` of each item, the distribution of the answers of a person at theta = 0; threshold_k =
log(p_{k-1} / p_k). Under the default Dirichlet(1) every threshold has a prior sd of 1.8 logits, also where
a category was never used.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from medpsy.families.categorical import SHARES, SLOPE, Categorical, from_log_odds
from medpsy.families.step_coordinates import AdjacentCoordinates


class GeneralisedPartialCredit(Categorical):
    """The family ``generalised_partial_credit``; ``slope`` (item,), ``category_prob`` (item, category)."""

    name = "generalised_partial_credit"
    declared = (SLOPE, SHARES)
    formula = "P({item} = k) / P({item} = k - 1) = exp(slope * {name} - threshold_k)"
    adjacent = True
    coordinates = AdjacentCoordinates()
    reference = (
        "Muraki, E. (1992). A generalized partial credit model: Application of an EM algorithm. "
        "Applied Psychological Measurement, 16, 159-176. doi:10.1177/014662169201600206 (generalised "
        "partial credit model)"
    )

    def derived(self, p: dict[str, Any], xp: Any) -> dict[str, Any]:
        """Thresholds (..., item, K-1) between neighbouring categories, in logits."""
        log_p = xp.log(p["category_prob"])
        return {"threshold": log_p[..., :-1] - log_p[..., 1:]}

    def log_prob(self, theta: Any, p: dict[str, Any], xp: Any) -> Any:
        """Log-probability of each category, (..., item, category, node)."""
        log_p = xp.log(p["category_prob"])
        rank = xp.cumsum(0.0 * p["category_prob"] + 1.0) - 1.0
        x = (p["slope"][..., None] * theta)[..., None, :] * rank[..., None] + log_p[..., None]
        return x - xp.logsumexp(x, axis=-2)[..., None, :]

    def draw(self, theta: np.ndarray, p: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
        """Draw codes (person, item)."""
        rank = np.arange(p["category_prob"].shape[-1])
        predictor = theta[:, None, None] * p["slope"][:, None] * rank + np.log(p["category_prob"])
        return from_log_odds(predictor, rng)

    @property
    def kernels(self) -> tuple[Any, Any]:
        """Functions of the compiled route."""
        from medpsy.families.kernels.softmax import generalised_backward, generalised_forward

        return generalised_forward, generalised_backward


FAMILY = GeneralisedPartialCredit()
