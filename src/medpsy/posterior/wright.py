"""Persons and thresholds on one axis: what a Wright map is drawn from."""

from __future__ import annotations

import numpy as np
import pandas as pd

from medpsy.posterior.intervals import bounds, check_interval
from medpsy.posterior.item_curves import from_category, step_labels
from medpsy.posterior.items_at import ItemsAt
from medpsy.posterior.scores import scores
from medpsy.result import Result

#: Draws; reach of the axis, and nodes on it, between which thresholds are interpolated on the logit scale.
DRAWS, REACH, NODES = 200, 8.0, 321
#: Edges of the bins that persons are counted in, in sds of the construct.
EDGES = np.arange(-5.0, 5.01, 0.25)

COLUMNS = ("item", "step", "label", "location", "lower", "upper")


def locations(result: Result, construct: str, *, interval: float = 0.95, draws: int = DRAWS) -> pd.DataFrame:
    """Where on the construct each step of each item becomes more likely than not.

    Parameters
    ----------
    result : Result
    construct : str
        Name of a construct with categorical items.
    interval, draws : float, int
        Posterior mass of the equal-tailed intervals; posterior draws used, evenly spaced.

    Returns
    -------
    DataFrame
        Columns item, step (1 to K - 1, in turned order), label (of the category that the step opens),
        location (posterior median), lower, upper: the value of the construct at which the probability of that
        category or a further one is one half (the Thurstonian threshold; Wu, Tam & Jen, 2016,
        doi:10.1007/978-981-10-3302-5), in sds of the construct over the persons, zero at their mean.
        Infinite where one half is not reached within 8 sds; NaN where it is reached nowhere by any draw.

    Raises
    ------
    SpecError
        An unknown construct, one whose items are numbers, an impossible interval.
    """
    check_interval(interval)
    items = ItemsAt(result, construct, draws)
    theta = np.linspace(-REACH, REACH, NODES)
    found: list[list[np.ndarray]] = [[] for _ in items.items]
    for s in range(len(items)):
        for j, table in enumerate(items.log_prob(s, theta)):
            found[j].append(crossings(from_category(np.exp(table)), theta))
    rows: list[tuple[object, ...]] = []
    for item, held in zip(items.items, found, strict=True):
        labels = step_labels(result, (item,))
        for k, values in enumerate(np.stack(held, axis=-1)):
            lower, upper = _order_bounds(values, interval)
            rows.append((item, k + 1, labels[k], _order_quantile(values, 0.5), lower, upper))
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(dict.fromkeys(COLUMNS[3:], float))


def crossings(above: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """Where each row of probabilities (step, node) crosses one half, interpolated on the logit scale.

    Returns
    -------
    ndarray, shape (step,)
        +inf (-inf) where it stays below (above) one half and rises; the other way round where it falls.
    """
    tiny = np.finfo(float).tiny
    logit = np.log(np.maximum(above, tiny)) - np.log(np.maximum(1 - above, tiny))
    out = np.empty(len(above))
    for k, row in enumerate(logit):
        change = np.flatnonzero((row[:-1] < 0) != (row[1:] < 0))
        if change.size:
            at = change[0]
            part = row[at] / (row[at] - row[at + 1])
            out[k] = theta[at] + part * (theta[at + 1] - theta[at])
        else:
            rising = row[-1] >= row[0]
            out[k] = np.inf if (row[0] < 0) == rising else -np.inf
    return out


def persons(result: Result, *, interval: float = 0.95, draws: int = DRAWS, seed: int = 0) -> pd.DataFrame:
    """Shares of the persons along every construct, from plausible values.

    Returns
    -------
    DataFrame
        Columns construct, left, right (edges of the bin, in sds of the construct over the persons), mean,
        lower, upper: share of these persons in the bin. Persons beyond 5 sds count in the outer bins.

    Raises
    ------
    SpecError
        An impossible interval.
    FitError
        The model has no constructs.
    """
    check_interval(interval)
    scored = scores(result, draws=draws, seed=seed)["draw"]
    parts = []
    for name in dict.fromkeys(block.construct.name for block in result.data.blocks):
        items = ItemsAt(result, name, draws, categorical=False)
        drawn = scored.sel(factor=name).to_numpy()
        standard = (drawn - items.centre[:, None]) / items.sd[:, None]
        place = np.clip(np.digitize(standard, EDGES) - 1, 0, len(EDGES) - 2)
        shares = np.stack([np.bincount(row, minlength=len(EDGES) - 1) for row in place], -1) / place.shape[1]
        lower, upper = bounds(shares, interval)
        columns = {"construct": name, "left": EDGES[:-1], "right": EDGES[1:], "mean": shares.mean(-1)}
        parts.append(pd.DataFrame(columns | {"lower": lower, "upper": upper}))
    return pd.concat(parts, ignore_index=True)


def _order_quantile(values: np.ndarray, q: float) -> float:
    """Quantile that is one of the values, so that infinite ones stay in order."""
    return float(np.quantile(values, q, method="nearest"))


def _order_bounds(values: np.ndarray, interval: float) -> tuple[float, float]:
    tail = (1 - interval) / 2
    return _order_quantile(values, tail), _order_quantile(values, 1 - tail)
