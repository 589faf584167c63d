"""Sum scores counted and predicted, and whether categories stand in the order of the construct."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd

from medpsy.classical.describe import asked_order
from medpsy.families.base import Block
from medpsy.posterior.intervals import check_interval, eti
from medpsy.posterior.items_at import item_scores
from medpsy.posterior.replicates import Replicates, in_groups, ppp
from medpsy.result import Result


@in_groups
def score_distribution(
    result: Result, *, interval: float = 0.95, draws: int = 200, seed: int = 0, made: Replicates | None = None
) -> pd.DataFrame:
    """Distribution of the sum score of every construct with categories.

    Parameters
    ----------
    result : Result
    interval : float
        Predictive mass of the equal-tailed intervals.
    draws, seed, made
        As in :func:`medpsy.posterior.item_fit.item_fit`.

    Returns
    -------
    DataFrame
        construct, score (sum of the turned codes of the file), observed, predicted (mean), lower, upper:
        counts of the persons who answered the whole module; a construct that nobody answered whole has no
        rows. ``attrs``: ``ppp`` by construct, the posterior predictive p value of the distance (Freeman &
        Tukey, 1950, doi:10.1214/aoms/1177729756) from the predicted distribution, near 0 where it is too
        large; ``incomplete`` by construct, how many persons are left out.

    Raises
    ------
    SpecError
        No item with categories, an impossible interval or number of draws.
    """
    check_interval(interval)
    made = made or Replicates(result, draws, seed)
    answers = [made.new_persons(s)[1] for s in range(len(made))]
    parts, share, left_out = [], {}, {}
    for block in made.blocks:
        name = block.construct.name
        complete = (block.values >= 0).all(axis=1)
        left_out[name] = int((~complete).sum())
        if not complete.any():
            continue
        scale = item_scores(result, block.construct.items)
        observed = _totals(block.values[complete], scale)
        replicated = np.stack([_totals(a[block.name][complete], scale) for a in answers])
        score = np.arange(sum(c.min() for c in scale), sum(c.max() for c in scale) + 1)
        counts = (replicated[:, :, None] == score).sum(axis=1)
        found = (observed[:, None] == score).sum(axis=0)
        mean = counts.mean(axis=0)
        # Each replicate is compared with the mean of the others, of which the answers are no part either.
        others = (counts.sum(axis=0) - counts) / max(len(counts) - 1, 1)
        distance = ((np.sqrt(counts) - np.sqrt(others)) ** 2).sum(axis=1)
        own = ((np.sqrt(found) - np.sqrt(others)) ** 2).sum(axis=1)
        share[name] = float(ppp(own, distance))
        lower, upper = eti(counts.T, interval)
        columns = {"construct": name, "score": score.astype(int), "observed": found, "predicted": mean}
        parts.append(pd.DataFrame(columns | {"lower": lower, "upper": upper}))
    names = ["construct", "score", "observed", "predicted", "lower", "upper"]
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=names)
    table.attrs = {"ppp": share, "incomplete": left_out}
    return table


def _totals(codes: np.ndarray, scale: list[np.ndarray]) -> np.ndarray:
    """Sum scores of complete answers (person, item)."""
    return np.sum([scale[j][codes[:, j]] for j in range(codes.shape[1])], axis=0)


@in_groups
def category_use(
    result: Result, *, interval: float = 0.95, draws: int = 200, seed: int = 0, made: Replicates | None = None
) -> pd.DataFrame:
    """How often each category was used, and where on the construct those who used it stand.

    Parameters
    ----------
    result, interval, draws, seed, made
        As in :func:`score_distribution`; the interval is a posterior one.

    Returns
    -------
    DataFrame
        construct, item, category, label (codes of the file, also of turned items), ``count``, ``share`` of
        the answers; ``mean``, ``lower``, ``upper``: mean score of those who chose the category, over
        plausible values, in the units of the scores (NaN where nobody did); ``p_ordered``: posterior
        probability that it lies above that of the next lower used category of the construct (NaN for the
        lowest). Means should rise (Linacre, 2002, Journal of Applied Measurement, 3, 85-106).

    Raises
    ------
    SpecError
        No item with categories, an impossible interval or number of draws.
    """
    check_interval(interval)
    made = made or Replicates(result, draws, seed)
    rows = [row for block in made.blocks for row in _use(made, block, interval)]
    columns = [
        "construct", "item", "category", "label", "count", "share", "mean", "lower", "upper", "p_ordered",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def _use(made: Replicates, block: Block, interval: float) -> list[tuple[object, ...]]:
    theta = made.theta[:, :, block.factor]
    rows: list[tuple[object, ...]] = []
    for j, item in enumerate(block.construct.items):
        module = made.result.survey.instrument.module_of(item)
        chosen = block.values[:, j, None] == np.arange(module.n_categories)
        count = chosen.sum(axis=0)
        with np.errstate(invalid="ignore"):
            mean = theta @ (chosen / count)
        ordered = np.full(module.n_categories, np.nan)
        used = np.flatnonzero(count)
        for low, high in pairwise(used):
            ordered[high] = (mean[:, high] > mean[:, low]).mean()
        lower, upper = eti(mean.T, interval)
        labels = module.labels or ("",) * module.n_categories
        for place, k in enumerate(asked_order(made.result.survey, [item])[0]):
            rows.append(
                (
                    block.construct.name, item, module.codes[place], labels[place], int(count[k]),
                    count[k] / max(count.sum(), 1), mean[:, k].mean(), lower[k], upper[k], ordered[k],
                )
            )  # fmt: skip
    return rows
