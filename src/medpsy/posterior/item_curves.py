"""Boundary and expected-score curves of items, and the expected sum score of a module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from medpsy.errors import SpecError
from medpsy.posterior.curves import REACH
from medpsy.posterior.intervals import bounds, check_interval
from medpsy.posterior.items_at import ItemsAt, item_scores
from medpsy.result import Result

if TYPE_CHECKING:
    import xarray as xr

#: Draws that bands are taken from.
DRAWS = 400


def item_curves(
    result: Result, construct: str, *, interval: float = 0.95, points: int = 81, draws: int = DRAWS
) -> xr.Dataset:
    """Boundary and expected-score curves.

    Parameters
    ----------
    result : Result
    construct : str
        Name of a construct with categorical items.
    interval, points, draws : float, int, int
        Posterior mass of the equal-tailed bands; number of values of the construct, from -4 to 4 sds;
        posterior draws used, evenly spaced.

    Returns
    -------
    xarray.Dataset
        ``boundary`` (item_name, step, theta, bound): probability of answering category ``step`` or one that
        stands for more of the construct, step 1 to K - 1 in turned order, NaN beyond an item's last;
        ``expected`` (item_name, theta, bound): expected (turned) answer in codes of the file;
        ``expected_sum`` (theta, bound): sum of the expected answers. bound is lower, mean, upper over the
        draws; theta in sds of the construct over the persons, zero at their mean.
        Attributes ``construct``, ``interval``, ``lowest`` and ``highest`` (possible sum), ``labels`` (of the
        steps; empty where items word them differently).

    Raises
    ------
    SpecError
        An unknown construct, one whose items are numbers, an impossible interval or number of points.
    """
    import xarray as xr

    check_interval(interval)
    if isinstance(points, bool) or not isinstance(points, int | np.integer) or points < 2:
        raise SpecError(f"points = {points!r} draw no curve", hint="Ask for at least 2, better 81.")
    items = ItemsAt(result, construct, draws)
    codes = item_scores(result, items.items)
    theta = np.linspace(-REACH, REACH, points)
    boundary, expected = _curves(items, codes, theta)
    return xr.Dataset(
        {
            "boundary": (("item_name", "step", "theta", "bound"), banded(boundary, interval)),
            "expected": (("item_name", "theta", "bound"), banded(expected, interval)),
            "expected_sum": (("theta", "bound"), banded(expected.sum(axis=0), interval)),
        },
        {
            "item_name": list(items.items),
            "step": np.arange(1, max(items.categories)),
            "theta": theta,
            "bound": ["lower", "mean", "upper"],
        },
        {
            "construct": construct,
            "interval": float(interval),
            "lowest": float(sum(code[0] for code in codes)),
            "highest": float(sum(code[-1] for code in codes)),
            "labels": step_labels(result, items.items),
        },
    )


def _curves(items: ItemsAt, codes: list[np.ndarray], theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Boundary curves (item, step, theta, draw) and expected answers (item, theta, draw)."""
    size = (len(items.items), max(items.categories) - 1, len(theta), len(items))
    boundary, expected = np.full(size, np.nan), np.empty((size[0], *size[2:]))
    for s in range(len(items)):
        for j, table in enumerate(items.log_prob(s, theta)):
            prob = np.exp(table)
            boundary[j, : len(prob) - 1, :, s] = from_category(prob)
            expected[j, :, s] = codes[j] @ prob
    return boundary, expected


def banded(values: np.ndarray, interval: float) -> np.ndarray:
    """Lower end of the interval, mean and upper end (..., bound) over draws along the last axis."""
    lower, upper = bounds(values, interval)
    return np.stack([lower, values.mean(axis=-1), upper], axis=-1)


def from_category(prob: np.ndarray) -> np.ndarray:
    """P(Y >= k), k = 1 to K - 1, from P(Y = k) along the first axis: sums from the top, at most one."""
    return np.minimum(np.cumsum(prob[:0:-1], axis=0)[::-1], 1.0)


def step_labels(result: Result, items: tuple[str, ...]) -> list[str]:
    """Label of the (turned) category that each step opens; none where the items differ."""
    found = set()
    for item in items:
        module = result.survey.instrument.module_of(item)
        labels = module.labels[::-1] if module.turned(item) else module.labels
        found.add(tuple(labels[1:]))
    return list(found.pop()) if len(found) == 1 else []
