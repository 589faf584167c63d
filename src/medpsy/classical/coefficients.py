"""Coefficients of a module as functions of its covariances or loadings; they broadcast over draws."""

from __future__ import annotations

import math

import numpy as np

from medpsy.classical.correlation import to_correlation
from medpsy.errors import DataError, SpecError


def alpha_of(covariance: np.ndarray) -> np.ndarray:
    """Coefficient alpha of covariances (..., item, item) (Cronbach, 1951, doi:10.1007/BF02310555)."""
    size = covariance.shape[-1]
    trace = np.trace(covariance, axis1=-2, axis2=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(size / (size - 1) * (1 - trace / covariance.sum(axis=(-2, -1))))


def lambda2_of(covariance: np.ndarray) -> np.ndarray:
    """Guttman's lambda 2 of covariances (..., item, item) (Guttman, 1945, doi:10.1007/BF02288892).

    A lower bound of the reliability of the sum that is never below alpha.
    """
    size = covariance.shape[-1]
    total = covariance.sum(axis=(-2, -1))
    own = np.diagonal(covariance, axis1=-2, axis2=-1)
    squares = (covariance**2).sum(axis=(-2, -1)) - (own**2).sum(-1)
    return np.asarray((total - own.sum(-1) + np.sqrt(size / (size - 1) * squares)) / total)


def omega_of(loading: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """Omega total of one factor: loadings and residual variances (..., item) (McDonald, 1999, chapter 6)."""
    true = loading.sum(-1) ** 2
    return np.asarray(true / (true + residual.sum(-1)))


def standardised_loadings(loading: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """Correlations of the items with their factor (..., item)."""
    return np.asarray(loading / np.sqrt(loading**2 + residual))


def ave_of(standardised: np.ndarray) -> np.ndarray:
    """Average variance extracted (Fornell & Larcker, 1981, doi:10.1177/002224378101800104)."""
    return np.asarray((standardised**2).mean(-1))


def composite_of(standardised: np.ndarray) -> np.ndarray:
    """Composite reliability: omega of the sum of standardised items (Fornell & Larcker, 1981)."""
    return omega_of(standardised, 1 - standardised**2)


def greatest_lower_bound(covariance: np.ndarray, *, tolerance: float = 1e-9) -> float:
    """Greatest lower bound to the reliability of the sum of the items.

    1 - max(sum of error variances) / variance of the sum, over all error variances that leave the covariance
    of the true parts positive semidefinite (Jackson & Agunwamba, 1977, doi:10.1007/BF02295979). Classical
    and, in small samples, too high (Ten Berge & Socan, 2004, doi:10.1007/BF02289858).

    Parameters
    ----------
    covariance : ndarray, shape (item, item)
        Positive definite.
    tolerance : float
        Largest duality gap, as a share of the variance of the sum.

    Returns
    -------
    float

    Notes
    -----
    An interior-point method: Newton's steps maximise sum(psi) + mu (log det(C - diag psi) + sum log psi)
    for ever smaller mu; the gap to the optimum is at most 2 p mu.

    Raises
    ------
    DataError
        The matrix is not positive definite.
    """
    correlation = to_correlation(covariance)
    sd = np.sqrt(np.diag(covariance))
    size = len(sd)
    smallest = np.linalg.eigvalsh(correlation)[0]
    if smallest <= 1e-10:
        raise DataError(
            "the greatest lower bound needs a positive definite covariance matrix",
            hint="Leave out an item that repeats another or is the sum of others.",
        )
    gain = sd**2 / covariance.sum()  # error variances are sought in units of each item's variance
    psi = np.full(size, smallest / 2)
    mu = 1.0 / size
    while True:
        for _ in range(50):
            inverse = np.linalg.inv(correlation - np.diag(psi))
            slope = gain + mu * (1 / psi - np.diag(inverse))
            curvature = mu * (inverse**2 + np.diag(1 / psi**2))
            step = np.linalg.solve(curvature, slope)
            decrement = float(slope @ step)
            psi = psi + _inside(correlation, psi, step) * step
            if decrement < 1e-6 * mu:
                break
        if 2 * size * mu < tolerance:
            return float(1 - gain @ psi)
        mu /= 5


def _inside(correlation: np.ndarray, psi: np.ndarray, step: np.ndarray) -> float:
    """Length of a step that keeps error variances positive and true covariances positive definite."""
    falling = step < 0
    length = min(1.0, 0.95 * float((-psi[falling] / step[falling]).min())) if falling.any() else 1.0
    while np.linalg.eigvalsh(correlation - np.diag(psi + length * step))[0] <= 0:
        length *= 0.7
    return length


def htmt(
    correlation: np.ndarray, left: list[int], right: list[int], *, geometric: bool = False
) -> np.ndarray:
    """Heterotrait-monotrait ratio of two modules.

    Parameters
    ----------
    correlation : ndarray, shape (..., item, item)
    left, right : list of int
        Positions of the items, at least two each.
    geometric : bool
        True: HTMT2, geometric means, right for congeneric items (Roemer, Schuberth & Henseler, 2021,
        doi:10.1108/IMDS-02-2021-0082). False: HTMT (Henseler, Ringle & Sarstedt, 2015,
        doi:10.1007/s11747-014-0403-8), means of absolute correlations.

    Returns
    -------
    ndarray, shape (...)
        HTMT2 is NaN where a correlation is not positive, for a geometric mean asks for that.
    """

    def mean(values: np.ndarray) -> np.ndarray:
        if not geometric:
            return np.asarray(np.abs(values).mean(-1))
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where((values > 0).all(-1), np.exp(np.log(np.maximum(values, 1e-300)).mean(-1)), np.nan)

    between = correlation[..., np.ix_(left, right)[0], np.ix_(left, right)[1]]
    between = mean(between.reshape(*between.shape[:-2], -1))
    within = []
    for block in (left, right):
        rows, cols = (np.array(block)[at] for at in np.triu_indices(len(block), 1))
        within.append(mean(correlation[..., rows, cols]))
    return np.asarray(between / np.sqrt(within[0] * within[1]))


def items_needed(reliability: float, n_items: int, wanted: float) -> float:
    """How many items of the same kind reach a reliability (Spearman, 1910; Brown, 1910).

    Returns
    -------
    float
        Not rounded; NaN for a reliability that is not between 0 and 1.

    Raises
    ------
    SpecError
        A wanted reliability outside (0, 1).
    """
    if not 0 < wanted < 1:
        raise SpecError(f"{wanted!r} is no reliability", hint="Give a number between 0 and 1.")
    if not 0 < reliability < 1:
        return math.nan
    return n_items * wanted * (1 - reliability) / (reliability * (1 - wanted))


def spearman_brown(reliability: np.ndarray, factor: float) -> np.ndarray:
    """Reliability of a test ``factor`` times as long (Spearman, 1910; Brown, 1910)."""
    return np.asarray(factor * reliability / (1 + (factor - 1) * reliability))
