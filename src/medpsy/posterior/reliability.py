"""How reliable sum scores are: per posterior draw, next to the classical coefficient."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from medpsy.bind import ModelData, local
from medpsy.classical.describe import alpha
from medpsy.errors import SpecError
from medpsy.families.base import Block
from medpsy.families.crossed import Crossed
from medpsy.families.nested import Nested
from medpsy.ops import Numpy
from medpsy.posterior.by_group import each_group
from medpsy.posterior.draws import at, population, thinned
from medpsy.posterior.intervals import bounds, check_interval
from medpsy.posterior.omega import crossed_share, omegas
from medpsy.result import Result

#: Draws that are used, spacing of the nodes in sds of a construct, and how far they reach beyond its means.
DRAWS, SPACING, REACH = 1000, 0.1, 6.0


@each_group
def reliability(result: Result, *, interval: float = 0.95, cut: float = 0.8) -> pd.DataFrame:
    """Reliability of the sum score of every construct.

    Parameters
    ----------
    result : Result
    interval : float
        Posterior mass of the equal-tailed intervals.
    cut : float
        Value that a coefficient should exceed; between 0 and 1.

    Returns
    -------
    DataFrame
        Columns construct, coefficient, mean, lower, upper, p_above_080 (named after ``cut``): posterior of
        the model-based coefficient over at most 1000 evenly spaced draws, then Cronbach's alpha of the
        answers, which has no posterior here. Sum scores add turned codes, each step counting one.

    Raises
    ------
    SpecError
        An impossible interval or cut.

    Notes
    -----
    Ordinal items: var(E[X | theta]) / var(X) of the sum X, the population value of the nonlinear
    reliability of Green & Yang (2009, doi:10.1007/s11336-008-9099-3), from the item curves on a grid.
    Continuous items: omega, (sum of loadings)^2 var(theta) / var(X) (McDonald, 1999, ISBN 9780805830750).
    The variance of theta is that over the persons, covariates included. With specific factors that is the
    share of all factors (omega total), followed by :func:`medpsy.posterior.omega.omegas`: that of the
    construct alone (omega hierarchical) and the explained common variance.
    """
    check_interval(interval)
    if isinstance(cut, bool) or not isinstance(cut, int | float | np.number) or not 0 < cut < 1:
        raise SpecError(f"cut = {cut!r} is no reliability", hint="Give a number between 0 and 1.")
    p = thinned(result, DRAWS)
    people = population(result.data, p)
    column = f"p_above_{round(100 * cut):03d}"
    columns = ["construct", "coefficient", "mean", "lower", "upper", column]
    rows: list[tuple[object, ...]] = []
    for block in result.data.blocks:
        for name, draws in coefficients(result.data, block, p, people).items():
            rows.append((block.name, name, draws.mean(), *bounds(draws, interval), (draws > cut).mean()))
        if block.values.shape[1] > 1:
            answers = block.values if block.n_categories else block.values * block.unit
            rows.append((block.name, "alpha (Cronbach)", alpha(answers), math.nan, math.nan, math.nan))
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(columns[2:], float))


def coefficients(
    data: ModelData,
    block: Block,
    p: dict[str, np.ndarray],
    people: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> dict[str, np.ndarray]:
    """Model-based coefficients of one block by name, each (draw,); the one of the sum score comes first.

    Parameters
    ----------
    data : ModelData
    block : Block
    p : dict of str to ndarray
        Free parameters (draw, ...), from the posterior or the prior.
    people : tuple
        What :func:`medpsy.posterior.draws.population` returned for them.
    """
    family = data.model.families[block.name]
    if isinstance(family, Nested):
        found = omegas(data, block, p, people)
        return {"omega total": found.pop("omega total"), **found}
    if isinstance(family, Crossed):
        return {"reliability of the sum score, all constructs": crossed_share(data, block, p)}
    if family.categorical:
        return {"reliability of the sum score (model)": _sum_score(data, block, p, people)}
    return {"omega": _omega(data, block, p, people)}


def _sum_score(
    data: ModelData,
    block: Block,
    p: dict[str, np.ndarray],
    people: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> np.ndarray:
    """var(E[X | theta]) / var(X) per draw: sums over nodes weighted by the density of theta."""
    family = data.model.families[block.name]
    weight, location, spread = people
    codes = np.arange(block.n_categories)
    out = np.empty(len(spread))
    for s in range(len(spread)):
        place, sd = location[s, :, block.factor], spread[s, block.factor]
        low, high = place.min() - REACH * sd, place.max() + REACH * sd
        theta = np.linspace(low, high, math.ceil((high - low) / (SPACING * sd)) + 1)
        density = weight @ np.exp(-0.5 * ((theta - place[:, None]) / sd) ** 2)
        density /= density.sum()
        prob = np.exp(family.log_prob(theta, local(data, block, at(p, s)), Numpy))
        mean = np.einsum("k,jkq->jq", codes, prob)
        noise = np.einsum("k,jkq->jq", codes**2, prob) - mean**2
        expected = mean.sum(axis=0)
        true = density @ (expected - density @ expected) ** 2
        out[s] = true / (true + density @ noise.sum(axis=0))
    return out


def _omega(
    data: ModelData,
    block: Block,
    p: dict[str, np.ndarray],
    people: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> np.ndarray:
    """Omega per draw, items in raw units."""
    weight, location, spread = people
    place = location[..., block.factor]
    between = ((place - (place @ weight)[:, None]) ** 2) @ weight
    values = local(data, block, p)
    true = (values["loading"] @ block.unit) ** 2 * (between + spread[:, block.factor] ** 2)
    return true / (true + (values["residual_sd"] ** 2) @ block.unit**2)
