"""Partial credit and Rasch families in slope, location and steps, in which groups are compared.

``location`` is the mean of an item's thresholds (a uniform difference between groups), ``step`` the
difference of each threshold from the one below it, of either sign where categories are compared with their
neighbours.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from medpsy.families.coordinates import Coordinate, Coordinates
from medpsy.families.graded_coordinates import threshold_reverse


class AdjacentCoordinates:
    """``slope`` (item,), ``location`` (item,), ``step`` (item, K - 2) of log p_{k-1} / p_k."""

    parts: tuple[Coordinate, ...] = (
        Coordinate("slope", "loadings", True, "scale", "Normal(0, 0.7)", 0.3),
        Coordinate("location", "thresholds", False, "location", "Normal(0, 1.5)", 0.43),
        Coordinate("step", "thresholds", False, "", "Normal(0, 1)", 0.43),
    )

    def to(self, p: dict[str, Any], xp: Any) -> dict[str, Any]:
        """Slope, mean threshold and steps from slope and category probabilities."""
        log_p = xp.log(p["category_prob"])
        threshold = log_p[..., :-1] - log_p[..., 1:]
        step = threshold[..., 1:] - threshold[..., :-1]
        return {"slope": p["slope"], "location": threshold.mean(axis=-1), "step": step}

    def back(self, c: dict[str, Any], xp: Any) -> dict[str, Any]:
        """Slope and category probabilities."""
        zero = 0.0 * c["slope"][..., None]
        offset = xp.concatenate([zero, xp.cumsum(c["step"])], axis=-1)
        threshold = c["location"][..., None] + offset - offset.mean(axis=-1)[..., None]
        logit = xp.concatenate([zero, -xp.cumsum(threshold)], axis=-1)
        log_p = logit - xp.logsumexp(logit, axis=-1)[..., None]
        return {"slope": c["slope"], "category_prob": xp.exp(log_p)}

    def to_reverse(self, p: dict[str, np.ndarray], d: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Gradient over slope and category probabilities."""
        prob = p["category_prob"]
        d_threshold = threshold_reverse(d["location"], d["step"], np.ones_like(prob[:, 1:], dtype=bool))
        d_log = np.zeros_like(prob)
        d_log[:, :-1] += d_threshold
        d_log[:, 1:] -= d_threshold
        return {"slope": d["slope"], "category_prob": d_log / prob}

    def back_reverse(self, c: dict[str, np.ndarray], d: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Gradient over slope, location and steps."""
        from medpsy.ops import Numpy

        prob, d_prob = self.back(c, Numpy)["category_prob"], d["category_prob"]
        d_logit = prob * (d_prob - (prob * d_prob).sum(-1, keepdims=True))
        d_threshold = -np.cumsum(d_logit[:, :0:-1], axis=-1)[:, ::-1]
        size, total = d_threshold.shape[1], d_threshold.sum(-1)
        # Step m moves the thresholds above it up, and all of them down by its share in the mean.
        after = np.cumsum(d_threshold[:, ::-1], axis=-1)[:, ::-1][:, 1:]
        share = (size - np.arange(1, size)) / size
        return {"slope": d["slope"], "location": total, "step": after - share * total[:, None]}


class CommonSlope:
    """Coordinates of a family whose items share one slope ``spread``: those of the free one without slopes.

    The spread is the same in all groups; their constructs may differ in spread instead.
    """

    def __init__(self, free: Coordinates) -> None:
        self.free = free
        self.parts = tuple(part for part in free.parts if part.name != "slope")

    def _with_slope(self, p: dict[str, Any], example: Any) -> dict[str, Any]:
        return p | {"slope": p["spread"] + 0.0 * example}

    def to(self, p: dict[str, Any], xp: Any) -> dict[str, Any]:
        """Spread, and the coordinates of the items."""
        found = self.free.to(self._with_slope(p, p["category_prob"][..., 0]), xp)
        return {name: value for name, value in found.items() if name != "slope"} | {"spread": p["spread"]}

    def back(self, c: dict[str, Any], xp: Any) -> dict[str, Any]:
        """Spread and category probabilities."""
        found = self.free.back(self._with_slope(c, c["location"]), xp)
        return {"spread": c["spread"], "category_prob": found["category_prob"]}

    def to_reverse(self, p: dict[str, np.ndarray], d: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Gradient over spread and category probabilities."""
        full = self._with_slope(p, p["category_prob"][:, 0])
        found = self.free.to_reverse(full, d | {"slope": np.zeros(len(full["slope"]))})
        spread = d["spread"] + found["slope"].sum()
        return {"spread": spread, "category_prob": found["category_prob"]}

    def back_reverse(self, c: dict[str, np.ndarray], d: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Gradient over spread and the coordinates of the items."""
        full = self._with_slope(c, c["location"])
        found = self.free.back_reverse(full, d | {"slope": np.zeros(len(full["slope"]))})
        spread = d["spread"] + found.pop("slope").sum()
        return found | {"spread": spread}
