"""What items tell about a construct, and where: information, standard error, reliability of scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from medpsy.errors import SpecError
from medpsy.families.crossed import Crossed
from medpsy.posterior.by_group import each_group
from medpsy.posterior.curves import REACH
from medpsy.posterior.intervals import bounds, check_interval
from medpsy.posterior.item_curves import banded
from medpsy.posterior.items_at import ItemsAt
from medpsy.posterior.measurement import affordable
from medpsy.posterior.scores import scores
from medpsy.result import Result

if TYPE_CHECKING:
    import xarray as xr

#: Draws that bands are taken from; nodes per sd and reach in sds for averages over the persons.
DRAWS, FINENESS, FAR = 200, 10, 6.0


def information(result: Result, construct: str, *, interval: float = 0.95, points: int = 81) -> xr.Dataset:
    """Information of the items and of the module, and the standard error of measurement.

    Parameters
    ----------
    result : Result
    construct : str
    interval, points : float, int
        Posterior mass of the equal-tailed bands; number of values of the construct, from -4 to 4 sds.

    Returns
    -------
    xarray.Dataset
        ``item`` (item, theta, bound) and ``test`` (theta, bound): Fisher information per squared sd of the
        construct; ``error`` (theta, bound): 1 / sqrt(test), the standard error of a maximum-likelihood score;
        ``posterior_sd`` (theta, bound): 1 / sqrt(test + 1 / within^2), that of a score that also uses the
        distribution of the persons, ``within`` being their sd given the covariates. Both in sds of the
        construct over the persons; theta likewise, zero at their mean. bound is lower, mean, upper over at
        most 200 evenly spaced draws. Attribute ``construct``.

    Raises
    ------
    SpecError
        An unknown construct, items that measure another one, too, an impossible interval or number of points.

    Notes
    -----
    Information of one item: sum over its categories of P'^2 / P (Samejima, 1969, doi:10.1007/BF03372160),
    the derivative taken numerically to eighth order. Where the items tell nothing the standard error is
    infinite. Items that share specific factors: ``item`` is of the item alone, ``test`` of all together with
    the specific factors integrated out (less than the sum), over at most 40 draws.
    """
    import xarray as xr

    check_interval(interval)
    if isinstance(points, bool) or not isinstance(points, int | np.integer) or points < 2:
        raise SpecError(f"points = {points!r} draw no curve", hint="Ask for at least 2, better 81.")
    items = ItemsAt(result, construct, affordable(result), categorical=False)
    items.independent("information")
    theta = np.linspace(-REACH, REACH, points)
    each = np.stack([items.information(s, theta) for s in range(len(items))], axis=-1)
    test = np.stack([items.module_information(s, theta) for s in range(len(items))], axis=-1)
    with np.errstate(divide="ignore"):
        error = 1 / np.sqrt(test)
    curves = {"test": test, "error": error, "posterior_sd": 1 / np.sqrt(test + items.within**-2)}

    return xr.Dataset(
        {"item": (("item_name", "theta", "bound"), banded(each, interval))}
        | {name: (("theta", "bound"), banded(values, interval)) for name, values in curves.items()},
        {"item_name": list(items.items), "theta": theta, "bound": ["lower", "mean", "upper"]},
        {"construct": construct, "interval": float(interval)},
    )


@each_group
def precision(result: Result, *, interval: float = 0.95, draws: int = DRAWS, seed: int = 0) -> pd.DataFrame:
    """Reliability of the person scores of every construct.

    Parameters
    ----------
    result : Result
    interval : float
        Posterior mass of the equal-tailed intervals.
    draws : int
        Posterior draws used, evenly spaced.
    seed : int
        For the plausible values.

    Returns
    -------
    DataFrame
        Columns construct, coefficient, mean, lower, upper. ``marginal``: expected share of the variance of
        the construct that its own items determine, in the population, from their information (left out where
        items measure another construct, too).
        ``plausible values``: correlation over these persons of two plausible values drawn independently at
        the same parameters. ``empirical``: var(EAP) / (var(EAP) + mean of the squared posterior sds), one
        number, no interval. The last two count all that the model knows of a person: covariates and the
        answers to the other constructs, too.

    Raises
    ------
    SpecError
        An impossible interval or number of draws.
    FitError
        The model has no constructs.

    Notes
    -----
    Marginal reliability (Green, Bock, Humphreys, Linn & Reckase, 1984,
    doi:10.1111/j.1745-3984.1984.tb01039.x): 1 - E[1 / (I(theta) + 1 / within^2)] / var(theta), expectation
    over the persons. Two plausible values theta, theta' of one person are independent given the answers
    and the parameters, hence cov(theta, theta') = var(EAP) and their correlation itself, not its square, is
    the squared correlation of the construct with its EAP score, which is what reliability means
    (Adams, 2005, doi:10.1016/j.stueduc.2005.05.008). Where the sampler drew the scores themselves, the two
    come from draws half a posterior apart.
    """
    check_interval(interval)
    drawn = scores(result, draws=draws, seed=seed)
    agreement = _agreement(result, drawn["draw"].to_numpy(), draws, seed + 1)
    blocks = {block.construct.name: block for block in result.data.blocks}
    rows: list[tuple[object, ...]] = []
    for number, name in enumerate(map(str, drawn["factor"].to_numpy())):
        eap, sd = drawn["mean"].to_numpy()[:, number], drawn["sd"].to_numpy()[:, number]
        explained = eap.var()
        found = [("plausible values", agreement[:, number])]
        family = result.data.model.families[name] if name in blocks else None
        if family is not None and not isinstance(family, Crossed):
            some = min(draws, affordable(result))
            found.insert(0, ("marginal", _marginal(ItemsAt(result, name, some, categorical=False))))
        for coefficient, values in found:
            lower, upper = bounds(values, interval)
            rows.append((name, coefficient, values.mean(), lower, upper))
        rows.append((name, "empirical", explained / (explained + np.mean(sd**2)), np.nan, np.nan))
    columns = ["construct", "coefficient", "mean", "lower", "upper"]
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(columns[2:], float))


def _marginal(items: ItemsAt) -> np.ndarray:
    """Marginal reliability per draw."""
    theta = np.linspace(-FAR, FAR, int(2 * FAR * FINENESS) + 1)
    out = np.empty(len(items))
    for s in range(len(items)):
        test = items.module_information(s, theta)
        out[s] = 1 - items.density(s, theta) @ (1 / (test + items.within[s] ** -2))
    return out


def _agreement(result: Result, first: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Correlation over persons (draw, factor) of two plausible values at the same parameters."""
    if "z" in result.tree["posterior"].data_vars:
        second = np.roll(first, len(first) // 2, axis=0)
    else:
        second = scores(result, draws=draws, seed=seed)["draw"].to_numpy()
    a, b = (x - x.mean(axis=1, keepdims=True) for x in (first, second))
    return np.asarray((a * b).sum(axis=1) / np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1)))
