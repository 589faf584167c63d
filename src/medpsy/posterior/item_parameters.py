"""Parameters of categorical items in the forms in which they are published."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from medpsy.bind import local
from medpsy.errors import SpecError, nearest
from medpsy.families.base import Block, base_values
from medpsy.ops import Numpy
from medpsy.posterior.by_group import each_group
from medpsy.posterior.draws import thinned
from medpsy.posterior.intervals import bounds, check_interval
from medpsy.posterior.items_at import blocks_of
from medpsy.posterior.summary import category_order
from medpsy.result import Result

FORMS = ("slope-threshold", "slope-intercept", "difficulty")
COLUMNS = ["construct", "item", "parameter", "label", "mean", "sd", "lower", "upper", "remark"]
NUMBERS = ["mean", "sd", "lower", "upper"]
#: A ratio of draws has no mean where its denominator may be zero: share of draws of one sign that it needs.
SURE = 0.999


@each_group
def item_parameters(
    result: Result, construct: str, *, form: str = "slope-threshold", interval: float = 0.95
) -> pd.DataFrame:
    """Posterior of the parameters of every item of a construct.

    Parameters
    ----------
    result : Result
    construct : str
        With items in categories.
    form : str
        ``"slope-threshold"``: slope and thresholds, in logits (probits in a probit family). What a threshold
        t_k parts depends on the family: P(Y >= k) = logistic(slope * theta - t_k) in cumulative ones,
        P(Y = k) / P(Y = k - 1) = exp(slope * theta - t_k) in those of partial credit, P(Y >= k | Y >= k - 1)
        in the sequential one. ``"slope-intercept"``: d_k = -t_k, in families of partial credit the intercept
        of category k, -(t_1 + ... + t_k). ``"difficulty"``: b_k = t_k / slope, in sds of the construct.
    interval : float
        Posterior mass of the equal-tailed intervals.

    Returns
    -------
    DataFrame
        Columns construct, item, parameter, label, mean, sd, lower, upper, remark. ``label`` is that of the
        category which a threshold opens, upwards in the construct. Asymptotes, locations and category scores
        stand beside them. Where a difficulty does not exist its numbers are NaN and the remark says why: a
        slope that may be zero, or categories whose order is free.

    Raises
    ------
    SpecError
        An unknown form or construct, one whose items are numbers, an impossible interval.
    """
    check_interval(interval)
    if form not in FORMS:
        raise SpecError(f"there is no form '{form}'", hint=nearest(form, FORMS))
    p = thinned(result, 10**9)
    rows = []
    for block in blocks_of(result, construct):
        for item, name, label, draws, remark in _quantities(result, block, p, form):
            if remark:
                rows.append((construct, item, name, label, *[np.nan] * 4, remark))
                continue
            lower, upper = bounds(draws, interval)
            rows.append((construct, item, name, label, draws.mean(), draws.std(ddof=1), lower, upper, ""))
    return pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(NUMBERS, float))


def _quantities(
    result: Result, block: Block, p: dict[str, np.ndarray], form: str
) -> Iterator[tuple[str, str, str, np.ndarray, str]]:
    """Item, name, label, draws and remark of every row."""
    family = result.model.families[block.name]
    own = local(result.data, block, p)
    values, more = base_values(family, own, Numpy), family.derived(own, Numpy)
    every = values["slope"] if "slope" in values else np.repeat(values["spread"], len(block.sizes), axis=-1)
    single = {name: v for name in ("guessing", "location") if (v := values.get(name)) is not None}
    if "location" in more:
        single["location"] = more["location"]
    if "upper" in more:
        single["upper"] = more["upper"]
    for j, (item, size) in enumerate(zip(block.construct.items, block.sizes, strict=True)):
        labels = category_order(result, item)
        slope, threshold = every[:, j], more["threshold"][:, j, : size - 1]
        yield item, "slope", "", slope, ""
        for name, draws in single.items():
            yield item, name, "", draws[:, j], ""
        if "score" in more:
            for k in range(size):
                yield item, f"score_{k}", labels[k], more["score"][:, j, k], ""
        remark = ""
        if form == "difficulty":
            if "score" in more:
                remark = "the order of the categories is free"
            elif max((slope > 0).mean(), (slope < 0).mean()) < SURE:
                remark = "the slope may be zero"
            threshold = threshold / slope[:, None]
        elif form == "slope-intercept":
            adjacent = getattr(getattr(family, "family", family), "adjacent", False)
            threshold = -np.cumsum(threshold, axis=1) if adjacent else -threshold
        symbol = {"slope-threshold": "threshold", "slope-intercept": "intercept"}.get(form, "difficulty")
        for k in range(size - 1):
            yield item, f"{symbol}_{k + 1}", labels[k + 1], threshold[:, k], remark
