"""What the model predicts for the questionnaire, after the answers and before them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from medpsy.bind import ModelData
from medpsy.classical.describe import asked_order
from medpsy.derive import derived, standardised
from medpsy.families.base import Block
from medpsy.posterior.draws import at, check_count, thinned
from medpsy.posterior.intervals import check_interval, eti
from medpsy.posterior.quantities import quantities
from medpsy.result import Result
from medpsy.simulate import draw_prior, simulate_from
from medpsy.survey.survey import Survey

COUNTS = ["construct", "item", "category", "label", "observed", "predicted", "lower", "upper"]
SCORES = ["construct", "score", "lower", "mean", "upper"]
#: Sum scores are shown in at most so many bins.
BINS = 30


def category_counts(
    result: Result, *, interval: float = 0.95, draws: int = 200, seed: int = 0
) -> pd.DataFrame:
    """Answers counted and predicted, category by category.

    Per draw new persons answer with the covariates and the missing answers of the data, so that counts are
    over the answered cells on both sides (posterior predictive check; Gelman, Meng & Stern, 1996,
    Statistica Sinica 6, 733-760).

    Parameters
    ----------
    result : Result
    interval : float
        Predictive mass of the equal-tailed intervals.
    draws : int
        Posterior draws, at even distances; all if there are fewer.
    seed : int
        Of the simulated answers.

    Returns
    -------
    DataFrame
        Columns construct, item, category, label, observed, predicted (mean), lower, upper; counts of
        persons. category is the code of the file with its label, also for turned items. Continuous items
        have no categories and no rows.

    Raises
    ------
    SpecError
        An impossible interval or number of draws.
    """
    check_interval(interval)
    rng = np.random.default_rng(seed)
    p = thinned(result, draws)
    size = len(next(iter(p.values())))
    tallies = [_tally(result.data, simulate_from(result.data, at(p, s), rng)[1]) for s in range(size)]
    return _category_table(result.data, tallies, interval, result.survey)


def prior_predictive(
    data: ModelData,
    *,
    survey: Survey | None = None,
    interval: float = 0.95,
    draws: int = 500,
    seed: int = 0,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What the priors expect before any answer is seen, in the units of the questionnaire.

    Parameters
    ----------
    data : ModelData
        Model, covariates and missing pattern.
    survey : Survey, optional
        What ``data`` was bound to; gives categories their codes and labels. Without it categories are 0,
        1, ... upwards in the construct and have no labels.
    interval : float
        Prior predictive mass of the equal-tailed intervals.
    draws : int
        Draws from the prior.
    seed : int

    Returns
    -------
    categories : DataFrame
        As :func:`category_counts`, predicted from the prior.
    scores : DataFrame
        Columns construct, score, lower, mean, upper: share of the persons who answered every item (of all
        persons, with every item answered, where nobody did) with each sum of turned codes; in bins named by
        their middle above 30 scores. Sums of continuous items are in raw units, in 30 bins that hold 99 %
        of the prior mass, the outermost ones with all beyond.

    Raises
    ------
    SpecError
        An impossible interval or number of draws.
    """
    check_interval(interval)
    check_count(draws)
    rng = np.random.default_rng(seed)
    p = draw_prior(data.parameters, rng, draws)
    # Everybody answers; what is missing in the data is masked where answers are counted.
    full = replace(data, blocks=tuple(replace(b, values=np.zeros_like(b.values)) for b in data.blocks))
    tallies, totals = [], []
    for s in range(draws):
        answers = simulate_from(full, at(p, s), rng)[1]
        tallies.append(_tally(data, answers))
        totals.append([_totals(b, y, survey) for b, y in zip(data.blocks, answers, strict=True)])
    scores = [
        _score_table(block, np.stack([made[d] for made in totals]), interval, survey)
        for d, block in enumerate(data.blocks)
    ]
    categories = _category_table(data, tallies, interval, survey)
    return categories, pd.concat(scores, ignore_index=True)


def prior_effects(data: ModelData, *, draws: int = 4000, seed: int = 0) -> dict[str, np.ndarray]:
    """Standardised prior draws (draw,) of the rows of the table of effects, by name.

    Parameters
    ----------
    data : ModelData
    draws : int
        Draws from the prior.
    seed : int

    Raises
    ------
    SpecError
        An impossible number of draws.
    """
    check_count(draws)
    p = draw_prior(data.parameters, np.random.default_rng(seed), draws)
    values = {name: value for name, (_, value) in (derived(data, p) | standardised(data, p)).items()}
    return {quantity.name: quantity.draws(values) for quantity in quantities(data)}


def _tally(data: ModelData, answers: list[np.ndarray]) -> list[np.ndarray]:
    """Counts (item, category) of every categorical block, where the data have an answer."""
    return [
        _counts(np.where(block.values < 0, block.values, made), block.n_categories)
        for block, made in zip(data.blocks, answers, strict=True)
        if block.n_categories
    ]


def _category_table(
    data: ModelData, tallies: list[list[np.ndarray]], interval: float, survey: Survey | None
) -> pd.DataFrame:
    """Observed counts next to the mean and interval of the simulated ones."""
    parts = []
    categorical = [block for block in data.blocks if block.n_categories]
    if not categorical:
        return pd.DataFrame(columns=COUNTS)
    for d, block in enumerate(categorical):
        simulated = np.stack([tables[d] for tables in tallies], axis=-1)
        lower, upper = eti(simulated, interval)
        order, codes, labels = _categories(block, survey)
        columns = [_counts(block.values, block.n_categories), simulated.mean(axis=-1), lower, upper]
        given = np.arange(block.n_categories) < block.sizes[:, None]
        numbers = [np.take_along_axis(c, order, axis=1)[given].astype(float) for c in columns]
        names = np.repeat(block.construct.items, block.sizes)
        keys = {"construct": block.name, "item": names, "category": codes[given], "label": labels}
        parts.append(pd.DataFrame(keys | dict(zip(COUNTS[4:], numbers, strict=True))))
    return pd.concat(parts, ignore_index=True)


def _counts(codes: np.ndarray, n_categories: int) -> np.ndarray:
    """Counts (item, category) of codes (person, item); negative codes are no answers."""
    n_item = codes.shape[1]
    place = codes.astype(int) + n_categories * np.arange(n_item)
    return np.bincount(place[codes >= 0], minlength=n_item * n_categories).reshape(n_item, n_categories)


def _categories(block: Block, survey: Survey | None) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Per item: which model category stands at each place of the file's order, the codes, the labels."""
    items = block.construct.items
    if survey is None:
        order = np.tile(np.arange(block.n_categories), (len(items), 1))
        return order, order, [""] * int(block.sizes.sum())
    modules = [survey.instrument.module_of(item) for item in items]
    codes = _scale(block, survey)
    return asked_order(survey, items), codes, [label for module in modules for label in module.labels]


def _scale(block: Block, survey: Survey | None) -> np.ndarray:
    """What each turned category counts in the sum score (item, category); 0 for those that do not exist."""
    if survey is None:
        return np.tile(np.arange(block.n_categories), (block.values.shape[1], 1))
    out = np.zeros((len(block.construct.items), block.n_categories), dtype=int)
    for row, item in zip(out, block.construct.items, strict=True):
        codes = survey.instrument.module_of(item).codes
        row[: len(codes)] = codes
    return out


def _totals(block: Block, made: np.ndarray, survey: Survey | None) -> np.ndarray:
    """Sum scores of the persons without a gap (of all, where everybody has one); ``made`` has none."""
    missing = (block.values < 0) if block.n_categories else np.isnan(block.values)
    complete = ~missing.any(axis=1)
    made = made[complete] if complete.any() else made
    if block.n_categories == 0:
        return (made * block.unit + block.centre).sum(axis=1)
    return _scale(block, survey)[np.arange(made.shape[1]), made.astype(int)].sum(axis=1)


def _score_table(block: Block, totals: np.ndarray, interval: float, survey: Survey | None) -> pd.DataFrame:
    """Distribution of the sum scores (draw, person) over prior draws."""
    if block.n_categories:
        scale = _scale(block, survey)
        last = scale[np.arange(len(scale)), block.sizes - 1]
        edges, middles = _whole_bins(int(scale[:, 0].sum()), int(last.sum()))
    else:
        low, high = np.quantile(totals, (0.005, 0.995))
        edges = np.linspace(float(low), float(high), BINS + 1)
        middles = (edges[1:] + edges[:-1]) / 2
    place = np.clip(np.searchsorted(edges, totals, side="right") - 1, 0, len(middles) - 1)
    shares = np.stack([np.bincount(row, minlength=len(middles)) / len(row) for row in place], axis=-1)
    lower, upper = eti(shares, interval)
    columns = {"construct": block.name, "score": middles, "lower": lower, "mean": shares.mean(axis=-1)}
    return pd.DataFrame(columns | {"upper": upper})[SCORES]


def _whole_bins(lowest: int, highest: int) -> tuple[np.ndarray, np.ndarray]:
    """Edges and middles of bins of equally many whole scores, at most ``BINS`` of them."""
    width = -(-(highest - lowest + 1) // BINS)
    first = np.arange(lowest, highest + 1, width)
    last = np.minimum(first + width - 1, highest)
    return np.append(first, highest + 1) - 0.5, (first + last) / 2
