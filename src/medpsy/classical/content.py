"""Content validity: what experts say about the relevance of items."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from medpsy.errors import DataError, SpecError


@dataclass(frozen=True)
class Ratings:
    """Expert ratings.

    Parameters
    ----------
    items : tuple of str
    values : ndarray, shape (item, expert)
        NaN where an expert did not rate an item.
    lowest, highest, relevant : int
        Ends of the rating scale, and the lowest rating that counts as relevant.
    """

    items: tuple[str, ...]
    values: np.ndarray
    lowest: int
    highest: int
    relevant: int

    @property
    def steps(self) -> int:
        """Categories minus one."""
        return self.highest - self.lowest


def read_ratings(ratings: Any, *, lowest: int = 1, highest: int = 4, relevant: int | None = None) -> Ratings:
    """Check a table of ratings, one row per item, one column per expert.

    Parameters
    ----------
    ratings : DataFrame or ndarray
        Names of items in the index of a frame.
    lowest, highest : int
        Of the scale.
    relevant : int, optional
        Lowest rating that means relevant; by default the upper half of the scale (3 of 1 to 4).

    Raises
    ------
    DataError
        Ratings that are no whole numbers on the scale, an item without a rating.
    SpecError
        An impossible scale.
    """
    if not lowest < highest:
        raise SpecError(f"a scale from {lowest} to {highest} has no steps", hint="Give lowest < highest.")
    cut = math.ceil((lowest + highest + 1) / 2) if relevant is None else relevant
    if not lowest < cut <= highest:
        raise SpecError(
            f"relevant = {cut} is not on the scale from {lowest} to {highest}",
            hint=f"Give a rating between {lowest + 1} and {highest}.",
        )
    framed = hasattr(ratings, "columns")
    names = [str(name) for name in ratings.index] if framed else []
    try:
        values = np.array(ratings.to_numpy(dtype=float, na_value=np.nan) if framed else ratings, dtype=float)
    except (TypeError, ValueError):
        raise DataError(
            "some ratings are no numbers", hint="Pass one row per item and one column per expert."
        ) from None
    if values.ndim != 2 or not values.size:
        raise DataError("ratings are a table", hint="Pass one row per item and one column per expert.")
    items = tuple(names or [f"item {j + 1}" for j in range(len(values))])
    given = ~np.isnan(values)
    wrong = given & ((values < lowest) | (values > highest) | (values != np.round(values)))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise DataError(
            f"'{items[row]}' was rated {values[row, column]:g} by expert {column + 1}, which is not on the "
            f"scale from {lowest} to {highest}",
            hint="Correct the rating, or give lowest= and highest=.",
        )
    if not given.any(axis=1).all():
        item = items[int(np.argmin(given.any(axis=1)))]
        raise DataError(f"nobody rated '{item}'", hint="Leave it out.")
    return Ratings(items, values, lowest, highest, cut)


def agreement(ratings: Ratings) -> tuple[np.ndarray, np.ndarray]:
    """Experts who rated each item (item,), and how many called it relevant (item,)."""
    given = ~np.isnan(ratings.values)
    return given.sum(axis=1), (given & (ratings.values >= ratings.relevant)).sum(axis=1)


def chance(n: np.ndarray, agreed: np.ndarray) -> np.ndarray:
    """Probability that ``agreed`` of ``n`` experts agree by tossing coins: C(n, A) / 2^n.

    Polit, Beck & Owen (2007), doi:10.1002/nur.20199.
    """
    pairs = zip(n, agreed, strict=True)
    return np.array([math.comb(int(size), int(a)) * 0.5 ** int(size) for size, a in pairs])


def modified_kappa(share: np.ndarray, by_chance: np.ndarray) -> np.ndarray:
    """(I-CVI - pc) / (1 - pc): agreement on relevance beyond chance (Polit, Beck & Owen, 2007).

    NaN where chance alone is certain (a single expert never gives that: pc is then one half).
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(by_chance < 1, (share - by_chance) / (1 - by_chance), np.nan))


def aiken_v(ratings: Ratings) -> np.ndarray:
    """Aiken's V (item,): mean rating as a share of its range (Aiken, 1985, doi:10.1177/0013164485451012)."""
    return np.asarray((np.nanmean(ratings.values, axis=1) - ratings.lowest) / ratings.steps)


def aiken_interval(v: np.ndarray, n: np.ndarray, steps: int, mass: float) -> tuple[np.ndarray, np.ndarray]:
    """Score interval of Aiken's V (Penfield & Giacobbi, 2004, doi:10.1207/s15327841mpee0804_3)."""
    from scipy.special import ndtri

    z, size = float(ndtri((1 + mass) / 2)), n * steps
    middle = 2 * size * v + z**2
    width = z * np.sqrt(4 * size * v * (1 - v) + z**2)
    return (middle - width) / (2 * (size + z**2)), (middle + width) / (2 * (size + z**2))


def aiken_draws(ratings: Ratings, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Posterior draws of V (item, draw): rating probabilities ~ Dirichlet(1 / categories + counts)."""
    scale = np.arange(ratings.lowest, ratings.highest + 1)
    counts = (ratings.values[:, :, None] == scale).sum(axis=1)
    gamma = rng.standard_gamma(counts[:, None, :] + 1 / len(scale), (len(counts), draws, len(scale)))
    return np.asarray(gamma @ np.arange(len(scale)) / gamma.sum(axis=2) / ratings.steps)
