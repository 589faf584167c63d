"""Margins by construction: category probabilities with a given mean, and the thresholds that yield them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from medpsy.families.base import ResponseFamily
from medpsy.families.graded_coordinates import SHRINK
from medpsy.ops import Numpy
from medpsy.simulate.spread import REACH

#: Distance between quadrature nodes, in sds.
_STEP = 0.1


def discretised_normal(mean: float, codes: np.ndarray, sd: float) -> np.ndarray:
    """Category probabilities of a normal cut half way between neighbouring categories.

    Its location is chosen so that the mean of ``codes`` is exactly ``mean``.

    Parameters
    ----------
    mean : float
        Between the lowest and the highest code.
    codes : ndarray, shape (category,)
        Codes as printed.
    sd : float
        Spread of the normal, in steps from one category to the next.

    Returns
    -------
    ndarray, shape (category,)
    """
    from scipy.optimize import brentq
    from scipy.special import ndtr

    cuts = np.arange(len(codes) - 1) + 0.5

    def probability(location: float) -> np.ndarray:
        # From either end, so that neither tail is lost to rounding.
        below, above = ndtr((cuts - location) / sd), ndtr((location - cuts) / sd)
        inner = np.where(below[1:] < 0.5, np.diff(below), -np.diff(above))
        return np.concatenate([below[:1], inner, above[-1:]])

    reach = 12 * sd + len(codes)
    location = brentq(lambda x: float(probability(x) @ codes) - mean, -reach, reach, xtol=1e-13)
    return probability(location)


def combine(parts: Iterable[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Points and mass of a sum of independent discrete quantities; points closer than 0.001 are merged."""
    values, mass = np.zeros(1), np.ones(1)
    for more, weight in parts:
        values, mass = np.add.outer(values, more).ravel(), np.multiply.outer(mass, weight).ravel()
        values, mass = values[mass > 0], mass[mass > 0]
        _, cell = np.unique(np.round(values, 3), return_inverse=True)
        total = np.bincount(cell, mass)
        values, mass = np.bincount(cell, mass * values) / total, total
    return values, mass


def blurred(points: np.ndarray, mass: np.ndarray, sd: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of a discrete quantity plus an independent N(0, sd^2)."""
    if sd < 0.1:
        # Three Gauss-Hermite points are exact to the fifth moment; a grid this fine would be long.
        return combine([(points, mass), (sd * np.sqrt(3.0) * np.arange(-1, 2), np.array([1, 4, 1]) / 6)])
    start, end = points.min() - REACH * sd, points.max() + REACH * sd
    nodes = np.linspace(start, end, int(np.ceil((end - start) / (_STEP * sd))) + 1)
    weights = np.exp(-0.5 * ((nodes[:, None] - points) / sd) ** 2) @ mass
    return nodes, weights / weights.sum()


def solve_threshold(slope: float, above: float, nodes: np.ndarray, weights: np.ndarray) -> float:
    """Threshold at which the expected logistic(slope * theta - threshold) equals ``above``.

    Parameters
    ----------
    slope : float
        Of either sign.
    above : float
        Share of persons at or above the category, strictly between 0 and 1.
    nodes, weights : ndarray, shape (node,)
        Distribution of theta.
    """
    from scipy.optimize import brentq
    from scipy.special import expit

    middle = -np.log(above / (1 - above))
    reach = abs(slope) * float(np.abs(nodes).max()) + 1.0
    return float(
        brentq(
            lambda x: float(weights @ expit(slope * nodes - x)) - above,
            middle - reach,
            middle + reach,
            xtol=1e-13,
        )
    )


def graded_category_prob(
    slope: float, share: np.ndarray, nodes: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """``category_prob`` of a graded item whose expected shares of answers are exactly ``share``.

    The parameter of the family is that share up to the logistic-normal approximation; here it is chosen
    so that the thresholds which follow from it are the exact ones.

    Parameters
    ----------
    slope : float
    share : ndarray, shape (category,)
        Expected share of each category, higher meaning more of the construct; all positive, sum 1.
    nodes, weights : ndarray, shape (node,)
        Distribution of theta.

    Returns
    -------
    ndarray, shape (category,)
    """
    from scipy.special import expit

    scale = np.sqrt(1 + SHRINK * slope**2)
    above = np.cumsum(share[::-1])[::-1][1:]
    threshold = np.array([solve_threshold(slope, level, nodes, weights) for level in above])
    upper, lower = expit(-threshold / scale), expit(threshold / scale)
    inner = np.where(upper[:-1] < 0.5, -np.diff(upper), np.diff(lower))
    return np.concatenate([lower[:1], inner, upper[-1:]])


def solve_category_prob(
    family: ResponseFamily,
    values: dict[str, np.ndarray],
    share: np.ndarray,
    nodes: np.ndarray,
    weights: np.ndarray,
) -> np.ndarray:
    """``category_prob`` of one item of any family whose expected shares of answers are exactly ``share``.

    Parameters
    ----------
    family : ResponseFamily
        Of categorical items, with a role ``category_prob``.
    values : dict of str to ndarray, shape (1, ...)
        Its other roles, for this item.
    share, nodes, weights
        As in :func:`graded_category_prob`.

    Raises
    ------
    ValueError
        No probabilities yield those shares, such as less than what guessing gives.
    """
    if family.name == "graded" or family.name == "bernoulli":
        return graded_category_prob(float(values["slope"][0]), share, nodes, weights)
    prob = share.copy()
    for _ in range(2000):
        table = np.exp(family.log_prob(nodes, values | {"category_prob": prob[None]}, Numpy)[0])
        seen = table @ weights
        if np.abs(seen / share - 1.0).max() < 1e-12:
            return prob
        prob = prob * share / seen
        prob /= prob.sum()
        if not prob.min() > 1e-200:
            break
    raise ValueError("no category probabilities yield these shares")
