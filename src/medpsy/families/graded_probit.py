"""Graded response model with a probit link (ordered probit).

P(Y >= k | theta) = Phi(slope * theta - threshold_k).

``category_prob`` is sampled as in the graded model; threshold_k = -sqrt(1 + slope^2) z_k with A z + B z^3
= logit P(Y >= k), which is the normal quantile to within 1.4e-4 of probability (Page, 1977,
doi:10.2307/2346872), so that ``category_prob`` is the category distribution in a population with theta ~
N(0, 1). Unlike the quantile itself the cubic gives the distance between two thresholds without a
difference.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from medpsy.families.categorical import SHARES, SLOPE, Categorical
from medpsy.families.graded import logits
from medpsy.ops import Numpy

A, B = 1.5976, 0.070565992
#: Below this width the normal density is integrated by its Taylor series.
NARROW = 0.05
HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


def quantile(x: Any, xp: Any) -> Any:
    """The z with A z + B z^3 = x."""
    c = math.sqrt(3.0 * B / A)
    return 2.0 / c * xp.sinh(xp.arcsinh(1.5 * c / A * x) / 3.0)


def log_between(u: Any, gap: Any, xp: Any) -> Any:
    """log(Phi(u) - Phi(u - gap)) for positive gaps, whatever their width and wherever they lie."""
    v = xp.absolute(u - 0.5 * gap)
    edge = NARROW / (1.0 + v)
    # Each branch sees arguments from its own side, so that neither yields a NaN where it is not taken.
    near, far = xp.minimum(gap, edge), xp.maximum(gap, edge)
    v2, g2 = v**2, near**2
    series = g2 * ((v2 - 1.0) / 24.0 + g2 * (v2**2 - 6.0 * v2 + 3.0) / 1920.0)
    narrow = xp.log(near) - 0.5 * v2 - HALF_LOG_2PI + xp.log1p(series)
    high, low = xp.log_ndtr(0.5 * far - v), xp.log_ndtr(-0.5 * far - v)
    return xp.where(gap < edge, narrow, high + xp.log1mexp(low - high))


class GradedProbit(Categorical):
    """The family ``graded_probit``; roles ``slope`` (item,) and ``category_prob`` (item, category)."""

    name = "graded_probit"
    declared = (SLOPE, SHARES)
    formula = "P({item} >= k) = Phi(slope * {name} - threshold_k)"
    reference = (
        "Samejima, F. (1969). Estimation of latent ability using a response pattern of graded scores. "
        "Psychometrika Monograph Supplement, 17. doi:10.1007/BF03372160 (graded response model, "
        "probit link)"
    )

    def derived(self, p: dict[str, Any], xp: Any) -> dict[str, Any]:
        """Thresholds (..., item, K-1), and the K-2 gaps between neighbours, both in probits."""
        logit, width = logits(p["category_prob"], xp)
        scale = xp.sqrt(1.0 + p["slope"] ** 2)[..., None]
        z = quantile(logit, xp)
        left, right = z[..., :-1], z[..., 1:]
        return {
            "threshold": -scale * z,
            "gap": scale * width / (A + B * (left**2 + left * right + right**2)),
        }

    def log_prob(self, theta: Any, p: dict[str, Any], xp: Any) -> Any:
        """Log-probability of each category, (..., item, category, node)."""
        more = self.derived(p, xp)
        x = (p["slope"][..., None] * theta)[..., None, :] - more["threshold"][..., None]
        middle = log_between(x[..., :-1, :], more["gap"][..., None], xp)
        ends = xp.log_ndtr(-x[..., :1, :]), xp.log_ndtr(x[..., -1:, :])
        return xp.concatenate([ends[0], middle, ends[1]], axis=-2)

    def draw(self, theta: np.ndarray, p: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
        """Draw codes (person, item): a normal latent answer cut at the thresholds."""
        threshold = self.derived(p, Numpy)["threshold"]
        latent = theta[:, None] * p["slope"] + rng.normal(size=(len(theta), len(p["slope"])))
        return (latent[:, :, None] > threshold[None]).sum(-1).astype(np.int8)

    @property
    def kernels(self) -> tuple[Any, Any]:
        """Functions of the compiled route."""
        from medpsy.families.kernels.probit import backward, forward

        return forward, backward


FAMILY = GradedProbit()
