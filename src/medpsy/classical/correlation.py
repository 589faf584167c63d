"""Correlation matrices: product moment and rank, pairwise; smoothing; posteriors that need no sampler."""

from __future__ import annotations

import math

import numpy as np

from medpsy.classical.describe import pairwise_covariance
from medpsy.errors import DataError

#: Eigenvalues of a smoothed matrix are at least this.
SMALLEST_EIGENVALUE = 1e-6


def pair_counts(values: np.ndarray) -> np.ndarray:
    """Number of persons who answered both items (item, item); NaN in ``values`` is no answer."""
    given = (~np.isnan(values)).astype(np.int64)
    return given.T @ given


def pearson(values: np.ndarray) -> np.ndarray:
    """Product-moment correlations (item, item), each from the persons who answered both items.

    Both variances are those of the same persons, as in pairwise deletion by common software. NaN where an
    item does not vary among them.
    """
    given = ~np.isnan(values)
    seen = given.astype(float)
    centre = np.where(given, values, 0.0).sum(axis=0) / np.maximum(given.sum(axis=0), 1)
    filled = np.where(given, values - centre, 0.0)
    both = seen.T @ seen
    sums = filled.T @ seen
    squares = (filled**2).T @ seen
    with np.errstate(invalid="ignore", divide="ignore"):
        cross = filled.T @ filled - sums * sums.T / both
        spread = squares - sums**2 / both
        out = cross / np.sqrt(spread * spread.T)
    out = np.where((spread > 1e-12 * np.maximum(squares, 1e-300)) & (spread.T > 0), out, np.nan)
    np.fill_diagonal(out, np.where(np.isnan(np.diag(out)), np.nan, 1.0))
    return np.clip(out, -1.0, 1.0)


def spearman(values: np.ndarray) -> np.ndarray:
    """Rank correlations (item, item): Pearson correlations of mid-ranks among those who answered both.

    Spearman (1904), doi:10.2307/1412159.
    """
    from scipy.stats import rankdata

    size = values.shape[1]
    out = np.eye(size)
    given = ~np.isnan(values)
    for i in range(size):
        for j in range(i):
            both = given[:, i] & given[:, j]
            if both.sum() < 2:
                out[i, j] = out[j, i] = np.nan
                continue
            ranks = np.column_stack([rankdata(values[both, i]), rankdata(values[both, j])])
            out[i, j] = out[j, i] = pearson(ranks)[0, 1]
    return out


def to_correlation(covariance: np.ndarray) -> np.ndarray:
    """Correlations of covariances (..., item, item)."""
    sd = np.sqrt(np.diagonal(covariance, axis1=-2, axis2=-1))
    out = covariance / (sd[..., :, None] * sd[..., None, :])
    return np.asarray(out)


def smooth(matrix: np.ndarray) -> tuple[np.ndarray, bool]:
    """Make a correlation matrix positive definite.

    Eigenvalues below 1e-6 are raised to that, and the diagonal is scaled back to one (as `cor.smooth` of
    the R package psych; Wothke, 1993, ISBN 9780803945074, on why pairwise matrices need it).

    Returns
    -------
    matrix : ndarray, shape (item, item)
    smoothed : bool
        Whether anything had to be changed.
    """
    values, vectors = np.linalg.eigh(matrix)
    if values[0] >= SMALLEST_EIGENVALUE:
        return matrix, False
    raised = np.maximum(values, SMALLEST_EIGENVALUE)
    raised *= len(values) / raised.sum()
    out = to_correlation((vectors * raised) @ vectors.T)
    out = (out + out.T) / 2
    np.fill_diagonal(out, 1.0)
    return out, True


def check_matrix(matrix: np.ndarray, items: tuple[str, ...] | list[str]) -> np.ndarray:
    """Return a correlation matrix for a covariance or correlation matrix that a user passed.

    Raises
    ------
    DataError
        Not square, not symmetric, not finite, a variance that is not positive.
    """
    found = np.array(matrix, dtype=float)
    if found.ndim != 2 or found.shape[0] != found.shape[1]:
        raise DataError(
            f"a matrix of shape {found.shape} is no correlation matrix", hint="Pass a square one."
        )
    bad = np.argwhere(~np.isfinite(found))
    if len(bad):
        i, j = bad[0]
        raise DataError(
            f"the correlation of '{items[i]}' and '{items[j]}' is not defined",
            hint="Leave out an item that is constant or that nobody answered together with the other.",
        )
    if not np.allclose(found, found.T, atol=1e-8):
        raise DataError("the matrix is not symmetric", hint="Pass correlations or covariances.")
    if (np.diag(found) <= 0).any():
        item = items[int(np.argmin(np.diag(found)))]
        raise DataError(f"the variance of '{item}' is not positive", hint="Leave the item out.")
    return to_correlation(found)


def pearson_posterior(r: np.ndarray, n: np.ndarray, interval: float) -> dict[str, np.ndarray]:
    """Exact posterior of correlations of bivariate normal pairs under a uniform prior.

    p(rho | r, n) is proportional to (1 - rho^2)^((n-1)/2) (1 - rho r)^(3/2 - n)
    2F1(1/2, 1/2; n - 1/2; (1 + rho r) / 2), means and variances integrated out under their right Haar
    priors (Jeffreys, 1961, ISBN 9780198503682; Ly, Marsman & Wagenmakers, 2018, doi:10.1111/stan.12111).

    Parameters
    ----------
    r, n : ndarray, shape (pair,)
        Observed correlations and numbers of persons.
    interval : float
        Posterior mass of the equal-tailed interval.

    Returns
    -------
    dict of str to ndarray, shape (pair,)
        mean, sd, lower, upper, p_direction; NaN where r is not defined or fewer than four persons.
    """
    from scipy.special import hyp2f1

    names = ("mean", "sd", "lower", "upper", "p_direction")
    out = {name: np.full(len(r), np.nan) for name in names}
    known = np.isfinite(r) & (n >= 4)
    if not known.any():
        return out
    seen, size = np.clip(r[known], -1 + 1e-12, 1 - 1e-12)[:, None], n[known][:, None].astype(float)
    # On Fisher's scale the posterior is nearly normal with sd 1 / sqrt(n - 3).
    z = np.arctanh(seen) + np.linspace(-10, 10, 2001) / np.sqrt(size - 3)
    rho = np.tanh(z)
    # 1 - tanh^2 loses its digits where |z| is large; log cosh does not.
    log_one = -2 * (np.logaddexp(z, -z) - math.log(2))
    log_density = (size - 1) / 2 * log_one - (size - 1.5) * np.log1p(-rho * seen) + log_one
    log_density += np.log(hyp2f1(0.5, 0.5, size - 0.5, (1 + rho * seen) / 2))
    weight = np.exp(log_density - log_density.max(axis=1, keepdims=True))
    weight /= weight.sum(axis=1, keepdims=True)
    mean = (weight * rho).sum(axis=1)
    out["mean"][known] = mean
    out["sd"][known] = np.sqrt((weight * (rho - mean[:, None]) ** 2).sum(axis=1))
    middle = np.cumsum(weight, axis=1) - weight / 2
    tail = (1 - interval) / 2
    out["lower"][known] = [np.interp(tail, m, x) for m, x in zip(middle, rho, strict=True)]
    out["upper"][known] = [np.interp(1 - tail, m, x) for m, x in zip(middle, rho, strict=True)]
    below = np.array([np.interp(0.0, x, m) for m, x in zip(middle, rho, strict=True)])
    out["p_direction"][known] = np.maximum(below, 1 - below)
    return out


def spearman_draws(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Rank correlation under weights of the persons.

    Parameters
    ----------
    x, y : ndarray, shape (person,)
        No missing values.
    weights : ndarray, shape (draw, person)
        Sum 1 per draw; Dirichlet(1, ..., 1) weights give the Bayesian bootstrap (Rubin, 1981,
        doi:10.1214/aos/1176345338).

    Returns
    -------
    ndarray, shape (draw,)
    """
    ranks = []
    for values in (x, y):
        _, at = np.unique(values, return_inverse=True)
        mass = weights @ np.eye(at.max() + 1)[at]
        middle = np.cumsum(mass, axis=1) - mass / 2
        ranks.append(middle[:, at] - 0.5)  # weighted mid-ranks have the weighted mean one half
    first, second = ranks
    cross = (weights * first * second).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = (weights * first**2).sum(axis=1) * (weights * second**2).sum(axis=1)
        return np.where(spread > 0, cross / np.sqrt(spread), np.nan)


def bootstrap_weights(n: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Dirichlet(1, ..., 1) weights (draw, person) of the Bayesian bootstrap."""
    raw = rng.standard_exponential((draws, n))
    return np.asarray(raw / raw.sum(axis=1, keepdims=True))


def covariance_draws(
    values: np.ndarray, draws: int, rng: np.random.Generator
) -> tuple[np.ndarray, int, bool]:
    """Posterior draws of the covariance matrix of normal items: inverse Wishart.

    C ~ IW(n - 1 + p, (n - 1) S), as Bayesrel (Pfadt, van den Bergh & Sijtsma, 2022,
    doi:10.1080/00273171.2021.1891855). With missing answers S is pairwise and n the smallest number of
    persons who answered a pair.

    Returns
    -------
    draws : ndarray, shape (draw, item, item)
    n : int
    smoothed : bool
        Whether S was not positive definite and its correlations were smoothed.

    Raises
    ------
    DataError
        A covariance that is not defined, or fewer than three persons.
    """
    n = int(pair_counts(values).min())
    covariance = pairwise_covariance(values)
    if n < 3 or not np.isfinite(covariance).all():
        counts = pair_counts(values)
        a, b = np.unravel_index(int(counts.argmin()), counts.shape)
        raise DataError(
            f"items {a + 1} and {b + 1} have only {n} persons who answered both",
            hint="Leave out the item that hardly anybody answered.",
        )
    size = len(covariance)
    sd = np.sqrt(np.diag(covariance))
    correlation, smoothed = smooth(to_correlation(covariance))
    scale = correlation * (n - 1)
    # Bartlett's decomposition: C = A A', A = chol(scale) T^-T, T lower with chi-distributed diagonal.
    freedom = n - 1 + size
    triangle = np.tril(rng.standard_normal((draws, size, size)), -1)
    at = np.arange(size)
    triangle[:, at, at] = np.sqrt(rng.chisquare(freedom - at, (draws, size)))
    half = np.linalg.cholesky(np.linalg.inv(scale))
    precision_half = half @ triangle
    inverse = np.linalg.inv(precision_half)
    found = np.swapaxes(inverse, -1, -2) @ inverse
    return found * sd[:, None] * sd, n, smoothed
