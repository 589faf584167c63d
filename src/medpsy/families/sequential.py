"""Sequential model, or continuation ratios (Tutz, 1990, doi:10.1111/j.2044-8317.1990.tb00925.x).

P(Y >= k | Y >= k - 1, theta) = logistic(slope * theta - threshold_k): categories are steps that are taken
one after another, so that thresholds may be in any order. What is sampled is the simplex ``category_prob``
of each item, the distribution of the answers of a person at theta = 0: threshold_k = log(P(Y = k - 1) /
P(Y >= k)) there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from medpsy.families.categorical import SHARES, SLOPE, Categorical
from medpsy.ops import Numpy


class Sequential(Categorical):
    """The family ``sequential``; roles ``slope`` (item,), ``category_prob`` (item, category)."""

    name = "sequential"
    declared = (SLOPE, SHARES)
    formula = "P({item} >= k | {item} >= k - 1) = logistic(slope * {name} - threshold_k)"
    reference = (
        "Tutz, G. (1990). Sequential item response models with an ordered response. British Journal "
        "of Mathematical and Statistical Psychology, 43, 39-55. "
        "doi:10.1111/j.2044-8317.1990.tb00925.x (sequential model)"
    )

    def derived(self, p: dict[str, Any], xp: Any) -> dict[str, Any]:
        """Thresholds (..., item, K-1) of the steps, in logits."""
        prob = p["category_prob"]
        above = xp.cumsum(prob[..., ::-1])[..., ::-1][..., 1:]
        return {"threshold": xp.log(prob[..., :-1]) - xp.log(above)}

    def log_prob(self, theta: Any, p: dict[str, Any], xp: Any) -> Any:
        """Log-probability of each category, (..., item, category, node)."""
        # Nodes before steps, so that the cumulative sum runs over steps.
        x = (p["slope"][..., None] * theta)[..., None] - self.derived(p, xp)["threshold"][..., None, :]
        taken, stopped = xp.cumsum(-xp.softplus(-x)), -xp.softplus(x)
        passed = xp.concatenate([0.0 * taken[..., :1], taken], axis=-1)
        ended = xp.concatenate([stopped, 0.0 * stopped[..., :1]], axis=-1)
        return xp.swapaxes(passed + ended, -1, -2)

    def draw(self, theta: np.ndarray, p: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
        """Draw codes (person, item): steps are taken until one fails."""
        threshold = self.derived(p, Numpy)["threshold"]
        x = theta[:, None, None] * p["slope"][:, None] - threshold
        taken = rng.logistic(size=x.shape) < x
        return np.cumprod(taken, axis=-1).sum(-1).astype(np.int8)

    @property
    def kernels(self) -> tuple[Any, Any]:
        """Functions of the compiled route."""
        from medpsy.families.kernels.sequential import backward, forward

        return forward, backward


FAMILY = Sequential()
