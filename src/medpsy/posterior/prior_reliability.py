"""How reliable the priors expect sum scores to be, before any answer is seen."""

from __future__ import annotations

import numpy as np
import pandas as pd

from medpsy.bind import ModelData
from medpsy.errors import SpecError
from medpsy.posterior.draws import check_count, population
from medpsy.posterior.intervals import check_interval, eti
from medpsy.posterior.reliability import coefficients
from medpsy.simulate import draw_prior


def prior_reliability_draws(data: ModelData, *, draws: int = 500, seed: int = 0) -> dict[str, np.ndarray]:
    """Reliability (draw,) of the sum score of every construct, at parameters drawn from the priors.

    Parameters
    ----------
    data : ModelData
        Model and covariates.
    draws : int
    seed : int

    Raises
    ------
    SpecError
        An impossible number of draws, or a model with groups.
    """
    check_count(draws)
    if data.groups is not None:
        raise SpecError(
            "prior reliability is not computed for a model with groups",
            hint="Ask the same model without groups: the reference group has the same priors.",
        )
    p = draw_prior(data.parameters, np.random.default_rng(seed), draws)
    people = population(data, p)
    return {b.name: next(iter(coefficients(data, b, p, people).values())) for b in data.blocks}


def prior_reliability(
    data: ModelData, *, interval: float = 0.95, draws: int = 500, seed: int = 0
) -> pd.DataFrame:
    """What the priors say about the reliability of the sum score of every construct.

    Parameters
    ----------
    data : ModelData
    interval : float
        Prior mass of the equal-tailed intervals.
    draws, seed : int
        Draws from the priors.

    Returns
    -------
    DataFrame
        construct, mean, lower, median, upper, p_above_080. The coefficient is that of
        :func:`medpsy.posterior.reliability.reliability`.

    Raises
    ------
    SpecError
        An impossible interval or number of draws, or a model with groups.
    """
    check_interval(interval)
    rows = []
    for name, values in prior_reliability_draws(data, draws=draws, seed=seed).items():
        lower, upper = eti(values, interval)
        rows.append((name, values.mean(), lower, np.median(values), upper, (values > 0.8).mean()))
    return pd.DataFrame(rows, columns=["construct", "mean", "lower", "median", "upper", "p_above_080"])
