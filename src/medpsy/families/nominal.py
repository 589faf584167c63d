"""Nominal response model (Bock, 1972, doi:10.1007/BF02291411), as Thissen, Cai & Bock (2010) state it.

log P(Y = k) = slope * score_k * theta + log p_k + constant, with p_k = ``category_prob``, the distribution
of the answers of a person at theta = 0. The scores 0, 1 + shift_1, ..., K - 2 + shift_{K-2}, K - 1 say in
which order, and how far apart, the categories stand: with all shifts zero this is the generalised partial
credit model, and P(score_k > score_{k-1}) is the probability that two categories are in the order in which
they are printed.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from medpsy.errors import SpecError
from medpsy.families.categorical import SHARES, SLOPE, Categorical, Role, from_log_odds
from medpsy.ops import Numpy


class Nominal(Categorical):
    """The family ``nominal``; ``slope`` (item,), ``score_shift`` (item, K-2), ``category_prob`` (item, K)."""

    name = "nominal"
    declared = (SLOPE, Role("score_shift", "middle", "Category scores", "scores", "Normal(0, 1)"), SHARES)
    min_categories = 3
    formula = "P({item} = k) proportional to p_k * exp(slope * score_k * {name})"
    adjacent = True
    reference = (
        "Bock, R. D. (1972). Estimating item parameters and latent ability when responses are scored "
        "in two or more nominal categories. Psychometrika, 37, 29-51. doi:10.1007/BF02291411 (nominal "
        "response model)"
    )
    advice = "With two categories it is the two-parameter logistic model: use family 'bernoulli'."
    reported: ClassVar[dict[str, tuple[str, ...]]] = {
        "threshold": ("item", "step"),
        "score": ("item", "category"),
    }
    shown: ClassVar[dict[str, str]] = {"category_prob": "threshold", "score_shift": "score"}

    def derived(self, p: dict[str, Any], xp: Any) -> dict[str, Any]:
        """Scores (..., item, K), and thresholds log(p_{k-1} / p_k) (..., item, K-1) in logits."""
        prob, shift = p["category_prob"], p["score_shift"]
        log_p, rank = xp.log(prob), xp.cumsum(0.0 * prob + 1.0) - 1.0
        end = 0.0 * prob[..., :1]
        score = rank + xp.concatenate([end, shift, end], axis=-1)
        return {"score": score, "threshold": log_p[..., :-1] - log_p[..., 1:]}

    def log_prob(self, theta: Any, p: dict[str, Any], xp: Any) -> Any:
        """Log-probability of each category, (..., item, category, node)."""
        score, log_p = self.derived(p, xp)["score"], xp.log(p["category_prob"])
        x = (p["slope"][..., None] * theta)[..., None, :] * score[..., None] + log_p[..., None]
        return x - xp.logsumexp(x, axis=-2)[..., None, :]

    def draw(self, theta: np.ndarray, p: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
        """Draw codes (person, item)."""
        score = self.derived(p, Numpy)["score"]
        predictor = theta[:, None, None] * p["slope"][:, None] * score + np.log(p["category_prob"])
        return from_log_odds(predictor, rng)

    def internal(self, given: dict[str, np.ndarray], sizes: np.ndarray) -> dict[str, np.ndarray]:
        """The shifts from scores that begin with 0 and end with K - 1."""
        roles = super().internal(given, sizes)
        score = roles.pop("score")
        if (score[:, 0] != 0).any() or (score[np.arange(len(sizes)), sizes - 1] != sizes - 1).any():
            hint = "Write score = [0, 0.8, 2.1, 3]."
            raise SpecError("a list of scores does not run from 0 to K - 1", hint=hint)
        return roles | {"score_shift": (score - np.arange(score.shape[1]))[:, 1:-1]}

    @property
    def kernels(self) -> tuple[Any, Any]:
        """Functions of the compiled route."""
        from medpsy.families.kernels.softmax import nominal_backward, nominal_forward

        return nominal_forward, nominal_backward


FAMILY = Nominal()
