"""The graded model in slope, location and gaps of the thresholds.

``location`` is the mean of an item's thresholds, ``gap`` the distances between neighbouring ones, both on the
logit scale. Any location, any positive gaps and any slope give ordered thresholds, so that groups may differ
in each of them alone: in the slope (non-uniform difference), the location (uniform difference) or the gaps.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from medpsy.families.coordinates import Coordinate
from medpsy.ops import Numpy

#: Logistic-normal constant of the graded family, by which thresholds follow from category probabilities.
SHRINK = 0.3457
#: Thresholds this far out belong to categories that an item does not have; they are left alone.
BEYOND = 300.0


class GradedCoordinates:
    """``slope`` (item,), ``location`` (item,), ``gap`` (item, K - 2)."""

    parts: tuple[Coordinate, ...] = (
        Coordinate("slope", "loadings", True, "scale", "Normal(0, 0.7)", 0.3),
        Coordinate("location", "thresholds", False, "location", "Normal(0, 1.5)", 0.43),
        Coordinate("gap", "thresholds", True, "", "Normal(0, 0.7)", 0.3),
    )

    def to(self, p: dict[str, Any], xp: Any) -> dict[str, Any]:
        """Slope, mean threshold and gaps from slope and category probabilities."""
        slope, prob = p["slope"], p["category_prob"]
        scale = xp.sqrt(1.0 + SHRINK * slope**2)[..., None]
        below = xp.cumsum(prob)[..., :-1]
        above = xp.cumsum(prob[..., ::-1])[..., ::-1][..., 1:]
        threshold = -scale * (xp.log(above) - xp.log(below))
        middle = prob[..., 1:-1]
        # Not as differences of thresholds: gaps stay positive where a category is all but unused.
        gap = scale * (xp.log1p(middle / above[..., 1:]) + xp.log1p(middle / below[..., :-1]))
        there = xp.where(threshold < BEYOND, 1.0, 0.0)
        return {"slope": slope, "location": _mean(threshold, there, xp), "gap": gap}

    def back(self, c: dict[str, Any], xp: Any) -> dict[str, Any]:
        """Slope and category probabilities; P(Y = k) as a product, never as a difference."""
        slope, gap = c["slope"], c["gap"]
        scale = xp.sqrt(1.0 + SHRINK * slope**2)[..., None]
        zero = 0.0 * slope[..., None]
        offset = xp.concatenate([zero, xp.cumsum(gap)], axis=-1)
        there = xp.where(offset < BEYOND, 1.0, 0.0)
        threshold = c["location"][..., None] + offset - _mean(offset, there, xp)[..., None]
        x = -threshold / scale
        above, below = xp.exp(-xp.softplus(-x)), xp.exp(-xp.softplus(x))
        middle = above[..., :-1] * below[..., 1:] * xp.exp(xp.log1mexp(-gap / scale))
        return {
            "slope": slope,
            "category_prob": xp.concatenate([below[..., :1], middle, above[..., -1:]], axis=-1),
        }

    def to_reverse(self, p: dict[str, np.ndarray], d: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Gradient over slope and category probabilities."""
        slope, prob = p["slope"], p["category_prob"]
        scale = np.sqrt(1.0 + SHRINK * slope**2)
        below = np.cumsum(prob, axis=-1)[:, :-1]
        above = np.cumsum(prob[:, ::-1], axis=-1)[:, ::-1][:, 1:]
        logit = np.log(above) - np.log(below)
        there = -scale[:, None] * logit < BEYOND
        d_threshold = there * (d["location"] / there.sum(-1))[:, None]
        d_above = np.where(there, -scale[:, None] * d_threshold / above, 0.0)
        d_below = scale[:, None] * d_threshold / below
        middle, d_width = prob[:, 1:-1], np.where(there[:, 1:], scale[:, None] * d["gap"], 0.0)
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            upper = middle / above[:, 1:] / above[:, :-1]
            width = np.log1p(middle / above[:, 1:]) + np.log1p(middle / below[:, :-1])
        # Not as differences of thresholds, which cancel where a category is all but unused.
        d_above[:, 1:] -= np.where(there[:, 1:], d_width * upper, 0.0)
        d_below[:, :-1] -= d_width * middle / below[:, :-1] / below[:, 1:]
        d_prob = np.zeros_like(prob)
        d_prob[:, 1:-1] = np.where(there[:, 1:], d_width * (1.0 / above[:, :-1] + 1.0 / below[:, 1:]), 0.0)
        # P(Y >= k) holds categories k and up, its complement those below k.
        d_prob[:, 1:] += np.cumsum(d_above, axis=-1)
        d_prob[:, :-1] += np.cumsum(d_below[:, ::-1], axis=-1)[:, ::-1]
        d_scale = -(d_threshold * logit).sum(-1) + np.where(there[:, 1:], d["gap"] * width, 0.0).sum(-1)
        return {"slope": d["slope"] + d_scale * SHRINK * slope / scale, "category_prob": d_prob}

    def back_reverse(self, c: dict[str, np.ndarray], d: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Gradient over slope, location and gaps."""
        slope, gap = c["slope"], c["gap"]
        scale = np.sqrt(1.0 + SHRINK * slope**2)
        offset = np.concatenate([np.zeros((len(slope), 1)), np.cumsum(gap, axis=-1)], axis=-1)
        there = offset < BEYOND
        threshold = c["location"][:, None] + offset - _mean(offset, there, np)[:, None]
        x, width = -threshold / scale[:, None], gap / scale[:, None]
        above, below = np.exp(-np.logaddexp(0.0, -x)), np.exp(-np.logaddexp(0.0, x))
        # Over logarithms of probabilities: differences of the gradients over neighbours would cancel.
        d_log = d["category_prob"] * self.back(c, Numpy)["category_prob"]
        d_x = d_log[:, 1:] * below - d_log[:, :-1] * above
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            d_width = np.where(d_log[:, 1:-1] == 0.0, 0.0, d_log[:, 1:-1] / np.expm1(width))
        d_threshold = -d_x / scale[:, None]
        d_scale = ((d_x * threshold).sum(-1) - (d_width * gap).sum(-1)) / scale**2
        total = d_threshold.sum(-1)
        # Gap m moves the thresholds above it up, and all of them down by its share in the mean, in which
        # those far out have none.
        after = np.cumsum(d_threshold[:, ::-1], axis=-1)[:, ::-1][:, 1:]
        above_it = np.cumsum(there[:, ::-1], axis=-1)[:, ::-1][:, 1:]
        share = above_it / there.sum(-1, keepdims=True)
        return {
            "slope": d["slope"] + d_scale * SHRINK * slope / scale,
            "location": total,
            "gap": after - share * total[:, None] + d_width / scale[:, None],
        }


def _mean(values: Any, there: Any, xp: Any) -> Any:
    """Mean over the thresholds that there are."""
    return xp.sum(values * there, axis=-1) / xp.sum(there, axis=-1)


def threshold_reverse(d_location: np.ndarray, d_gap: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Gradient over thresholds (item, step), given that over their mean and their distances."""
    out = d_location[:, None] / there.sum(-1, keepdims=True) * there
    inner = np.where(there[:, 1:], d_gap, 0.0)
    out[:, 1:] += inner
    out[:, :-1] -= inner
    return out
