"""Polychoric correlations: of the normal variables behind two ordinal answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medpsy.classical.bivariate_normal import FAR, MOST, cells, corner_densities, corner_probabilities
from medpsy.classical.correlation import pair_counts, smooth
from medpsy.errors import DataError

#: An ordinal item has at most this many categories; finer scales are numbers.
MOST_CATEGORIES = 20
#: What stands for the count of a cell that nobody chose, where without it the correlation runs to its bound.
EMPTY = 0.5
#: A correlation beyond this has run to its bound.
AT_BOUND = 0.999
#: Correlations are found to this; their standard errors are a thousand times as large.
TOLERANCE = 1e-6
_STEPS = 60


@dataclass(frozen=True)
class Polychoric:
    """Polychoric correlations and what they rest on.

    Parameters
    ----------
    items : tuple of str
    matrix : ndarray, shape (item, item)
        Positive definite: smoothed where it had to be.
    thresholds : tuple of ndarray
        Per item, in sd of its normal variable, between the categories in use.
    n : ndarray of int, shape (item, item)
        Persons who answered both.
    corrected : tuple of (str, str)
        Pairs whose empty cells count one half, for without that they correlate perfectly.
    smoothed : bool
    """

    items: tuple[str, ...]
    matrix: np.ndarray
    thresholds: tuple[np.ndarray, ...]
    n: np.ndarray
    corrected: tuple[tuple[str, str], ...]
    smoothed: bool

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on corrected tables and smoothing."""
        out = []
        if self.corrected:
            pairs = ", ".join(f"{a} with {b}" for a, b in self.corrected)
            out.append(
                f"Perfectly associated but for that, the empty cells of these tables count {EMPTY:g} answers "
                f"each: {pairs}."
            )
        if self.smoothed:
            out.append(
                "The polychoric matrix was not positive definite and has been smoothed: its smallest "
                "eigenvalues were raised and its diagonal scaled back to one."
            )
        return tuple(out)


class Tables:
    """Two-way tables of all pairs of items under any weights of the persons."""

    def __init__(self, values: np.ndarray, items: tuple[str, ...]) -> None:
        self.items = items
        places, widths = [], []
        for j, item in enumerate(items):
            used = np.unique(values[~np.isnan(values[:, j]), j])
            if len(used) < 2:
                raise DataError(
                    f"item '{item}' has fewer than two answer categories in use",
                    hint="It correlates with nothing; leave it out.",
                )
            if len(used) > MOST_CATEGORIES:
                raise DataError(
                    f"item '{item}' has {len(used)} different values: that is a number, not an ordinal item",
                    hint="Use Pearson correlations.",
                )
            widths.append(len(used))
            places.append(np.where(np.isnan(values[:, j]), -1, np.searchsorted(used, values[:, j])))
        self.widths = np.array(widths)
        self.most = int(self.widths.max())
        self.codes = np.column_stack(places).astype(int)
        self.first, self.second = np.triu_indices(len(items), 1)
        # The first categories of a narrower item are used; the rest have probability zero.
        self.possible = np.arange(self.most) < self.widths[:, None]

    def one_hot(self, codes: np.ndarray) -> np.ndarray:
        """Indicators (person, item, category)."""
        return (codes[:, :, None] == np.arange(self.most)).astype(float)

    def counts(self, codes: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Weighted counts (pair, category, category)."""
        hot = self.one_hot(codes).reshape(len(codes), -1)
        left = hot if weights is None else hot * weights[:, None]
        size = len(self.items)
        both = (left.T @ hot).reshape(size, self.most, size, self.most)
        return np.ascontiguousarray(both.transpose(0, 2, 1, 3)[self.first, self.second])

    def thresholds(self, codes: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Thresholds (item, category - 1) from everybody who answered the item."""
        from scipy.special import ndtri

        hot = self.one_hot(codes)
        share = hot.sum(axis=0) if weights is None else np.einsum("n,njk->jk", weights, hot)
        share /= share.sum(axis=1, keepdims=True)
        found = ndtri(np.minimum(np.cumsum(share, axis=1)[:, :-1], 1.0))
        found[np.arange(self.most - 1) >= self.widths[:, None] - 1] = FAR
        return np.clip(found, -FAR, FAR)

    def estimate(
        self, codes: np.ndarray, weights: np.ndarray | None = None, start: np.ndarray | None = None
    ) -> np.ndarray:
        """Correlations of all pairs (pair,)."""
        return self.estimate_marked(codes, weights, start)[0]

    def estimate_marked(
        self, codes: np.ndarray, weights: np.ndarray | None = None, start: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Correlations of all pairs, and which of them needed counts for their empty cells."""
        counts = self.counts(codes, weights)
        tau = self.thresholds(codes, weights)
        x, y = tau[self.first], tau[self.second]
        rho = maximise(counts, x, y, start)
        extreme = np.abs(rho) > AT_BOUND
        if extreme.any():
            possible = self.possible[self.first, :, None] & self.possible[self.second, None, :]
            filled = np.where(possible & (counts == 0), EMPTY, counts)
            rho[extreme] = maximise(filled[extreme], x[extreme], y[extreme])
        return rho, extreme

    def to_matrix(self, rho: np.ndarray) -> np.ndarray:
        """Correlations of pairs (..., pair) as matrices (..., item, item)."""
        size = len(self.items)
        out = np.broadcast_to(np.eye(size), (*rho.shape[:-1], size, size)).copy()
        out[..., self.first, self.second] = rho
        out[..., self.second, self.first] = rho
        return out


def maximise(counts: np.ndarray, x: np.ndarray, y: np.ndarray, start: np.ndarray | None = None) -> np.ndarray:
    """Correlations that maximise the likelihood of two-way tables with given thresholds.

    Parameters
    ----------
    counts : ndarray, shape (pair, k + 1, l + 1)
    x, y : ndarray, shape (pair, k) and (pair, l)
    start : ndarray, shape (pair,), optional

    Returns
    -------
    ndarray, shape (pair,)
        By Fisher scoring, kept between the last points where the slope was positive and negative.
    """
    from scipy.special import ndtr

    margins = [np.concatenate([ndtr(t), np.ones((len(t), 1))], axis=1) for t in (x, y)]
    rho = np.zeros(len(counts)) if start is None else np.clip(start, -MOST, MOST)
    low, high = np.full(len(counts), -MOST), np.full(len(counts), MOST)
    moving = np.arange(len(counts))
    for _ in range(_STEPS):
        here, tally = rho[moving], counts[moving]
        sides = [margin[moving] for margin in margins]
        nothing = [np.zeros_like(side) for side in sides]
        prob = np.maximum(cells(corner_probabilities(x[moving], y[moving], here), *sides), 1e-16)
        slope = cells(corner_densities(x[moving], y[moving], here), *nothing)
        score = (tally * slope / prob).sum(axis=(1, 2))
        information = tally.sum(axis=(1, 2)) * (slope**2 / prob).sum(axis=(1, 2))
        bottom = np.where(score > 0, here, low[moving])
        top = np.where(score <= 0, here, high[moving])
        with np.errstate(invalid="ignore", divide="ignore"):
            following = here + score / information
        inside = (following > bottom) & (following < top)
        following = np.where(inside, following, (bottom + top) / 2)
        rho[moving], low[moving], high[moving] = following, bottom, top
        moving = moving[np.abs(following - here) >= TOLERANCE]
        if not len(moving):
            break
    return rho


def table_correlations(tables: np.ndarray, start: np.ndarray | None = None) -> np.ndarray:
    """Polychoric correlations of two-way tables of probabilities, each with thresholds from its own margins.

    Parameters
    ----------
    tables : ndarray, shape (pair, category, category)
        Any positive weights; categories that an item does not have are empty and stand last.
    start : ndarray, shape (pair,), optional

    Returns
    -------
    ndarray, shape (pair,)
    """
    from scipy.special import ndtri

    tables = tables / tables.sum(axis=(1, 2), keepdims=True)
    places = []
    for axis in (2, 1):
        below = np.cumsum(tables.sum(axis=axis), axis=1)[:, :-1]
        # Rounding must not put a threshold between the last category and those that do not exist.
        places.append(np.clip(ndtri(np.where(below > 1 - 1e-12, 1.0, below)), -FAR, FAR))
    return maximise(tables, places[0], places[1], start)


def polychoric(values: np.ndarray, items: tuple[str, ...]) -> Polychoric:
    """Polychoric correlations of ordinal items.

    Parameters
    ----------
    values : ndarray, shape (person, item)
        Any increasing codes; NaN is no answer.
    items : tuple of str

    Returns
    -------
    Polychoric

    Raises
    ------
    DataError
        An item with fewer than two or more than 20 categories in use, or two items that nobody answered
        together.

    Notes
    -----
    Maximum likelihood in two steps (Olsson, 1979, doi:10.1007/BF02296207): thresholds from the answers of
    each item, then each correlation from the persons who answered both. Empty cells stay empty, for half
    a count in each pulls a correlation towards zero by up to some hundredths; where the likelihood has its
    maximum at perfect association they do count one half, and ``corrected`` says so.
    """
    tables = Tables(values, items)
    counts = tables.counts(tables.codes)
    unseen = np.flatnonzero(counts.sum(axis=(1, 2)) == 0)
    if len(unseen):
        a, b = items[tables.first[unseen[0]]], items[tables.second[unseen[0]]]
        raise DataError(f"nobody answered both '{a}' and '{b}'", hint="Leave one of the two out.")
    tau = tables.thresholds(tables.codes)
    rho, extreme = tables.estimate_marked(tables.codes)
    matrix, smoothed = smooth(tables.to_matrix(rho))
    pairs = zip(tables.first[extreme], tables.second[extreme], strict=True)
    return Polychoric(
        items=tuple(items),
        matrix=matrix,
        thresholds=tuple(tau[j, : tables.widths[j] - 1] for j in range(len(items))),
        n=pair_counts(values),
        corrected=tuple((items[i], items[j]) for i, j in pairs),
        smoothed=smoothed,
    )


def polychoric_draws(
    values: np.ndarray, items: tuple[str, ...], weights: np.ndarray
) -> tuple[np.ndarray, int]:
    """Polychoric matrices under weights of the persons.

    Parameters
    ----------
    values : ndarray, shape (person, item)
    items : tuple of str
    weights : ndarray, shape (draw, person)
        Sum 1 per draw; Dirichlet(1, ..., 1) weights give the Bayesian bootstrap (Rubin, 1981,
        doi:10.1214/aos/1176345338), thresholds and correlations together.

    Returns
    -------
    matrices : ndarray, shape (draw, item, item)
        Positive definite.
    smoothed : int
        Draws that had to be smoothed.
    """
    tables = Tables(values, items)
    first = tables.estimate(tables.codes)
    out = np.empty((len(weights), len(items), len(items)))
    changed = 0
    for s, weight in enumerate(weights):
        found = tables.estimate(tables.codes, weight * len(weight), first)
        out[s], smoothed = smooth(tables.to_matrix(found))
        changed += smoothed
    return out, changed
