"""What is left of an answer when its expectation is taken away: infit, outfit, Q3, tables of pairs."""

from __future__ import annotations

import numpy as np


def moments(prob: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of an answer coded 0..K-1.

    Parameters
    ----------
    prob : ndarray, shape (..., category)

    Returns
    -------
    mean, variance : ndarray, shape (...)
    """
    codes = np.arange(prob.shape[-1])
    mean = prob @ codes
    return mean, prob @ codes**2 - mean**2


def infit_outfit(residual: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weighted and unweighted mean squares of every item; 1 is expected.

    Parameters
    ----------
    residual, variance : ndarray, shape (person, item)
        Answer less expectation, NaN where no answer was given; variance of the answer given the score.

    Returns
    -------
    infit, outfit : ndarray, shape (item,)
        Sum of squared residuals over the sum of variances; mean of squared residuals over variances.

    Notes
    -----
    Wright, B. D., & Masters, G. N. (1982). Rating Scale Analysis. ISBN 9780941938013, p. 100.
    """
    given = ~np.isnan(residual)
    square = np.where(given, residual, 0.0) ** 2
    infit = square.sum(axis=0) / np.where(given, variance, 0.0).sum(axis=0)
    return infit, (square / variance).sum(axis=0) / given.sum(axis=0)


def q3(residual: np.ndarray) -> np.ndarray:
    """Correlations of residuals over the persons who answered both items (Yen, 1984).

    Parameters
    ----------
    residual : ndarray, shape (person, item)
        NaN where no answer was given.

    Returns
    -------
    ndarray, shape (item, item)
        Ones on the diagonal; NaN where fewer than three persons answered both, or one residual is constant.

    Notes
    -----
    Yen, W. M. (1984). Applied Psychological Measurement, 8, 125-145. doi:10.1177/014662168400800201
    """
    given = (~np.isnan(residual)).astype(float)
    value = np.where(given > 0, residual, 0.0)
    n = given.T @ given
    with np.errstate(invalid="ignore", divide="ignore"):
        # Sums over the persons who answered both: [i, j] is of item i.
        total, square = value.T @ given, (value**2).T @ given
        spread = square - total**2 / n
        r = (value.T @ value - total * total.T / n) / np.sqrt(spread * spread.T)
    r[(n < 3) | ~np.isfinite(r)] = np.nan
    np.fill_diagonal(r, 1.0)
    return r


def above_average(r: np.ndarray) -> np.ndarray:
    """Off-diagonal correlations less their mean (Christensen, Makransky & Horton, 2017).

    Residuals of a finite test correlate negatively by construction, so 0 is no yardstick.
    doi:10.1177/0146621616677520
    """
    off = r[np.triu_indices(len(r), 1)]
    return r - np.nanmean(off) if np.isfinite(off).any() else r


def one_hot(codes: np.ndarray, n_categories: list[int]) -> np.ndarray:
    """Indicators (person, cell) of the answers; cells are the categories of all items in a row."""
    parts = [codes[:, j, None] == np.arange(k) for j, k in enumerate(n_categories)]
    return np.concatenate(parts, axis=1).astype(float)


def freeman_tukey(observed: np.ndarray, expected: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Distance of every two-way table of answers from its expectation.

    Parameters
    ----------
    observed, expected : ndarray, shape (cell, cell)
        Counts of pairs of answers, all items in a row.
    starts : ndarray of int, shape (item,)
        Where the cells of each item start.

    Returns
    -------
    ndarray, shape (item, item)
        Sum over the cells of (sqrt(O) - sqrt(E))^2, which nearly empty cells do not dominate
        (Freeman & Tukey, 1950, doi:10.1214/aoms/1177729756).
    """
    distance = (np.sqrt(observed) - np.sqrt(expected)) ** 2
    return np.add.reduceat(np.add.reduceat(distance, starts, axis=0), starts, axis=1)
