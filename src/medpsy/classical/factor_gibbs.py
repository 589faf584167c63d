"""Bayesian factor analysis of continuous items by Gibbs sampling: every conditional in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medpsy.errors import DataError

#: Prior, items z-scored: loadings N(0, 1), intercepts N(0, 10), residual variances inverse gamma.
INTERCEPT_SD = 10.0
SHAPE, SCALE = 2.0, 0.5
#: Draws whose likelihood is computed together, for memory.
CHUNK = 50


@dataclass(frozen=True)
class FactorDraws:
    """Posterior draws; loadings are free to turn where there is more than one factor.

    Parameters
    ----------
    intercept, residual : ndarray, shape (chain, draw, item)
        Means and residual variances of z-scored items.
    loading : ndarray, shape (chain, draw, item, factor)
        Of z-scored items on uncorrelated standard normal factors.
    centre, unit : ndarray, shape (item,)
        What the items were z-scored by.
    """

    intercept: np.ndarray
    loading: np.ndarray
    residual: np.ndarray
    centre: np.ndarray
    unit: np.ndarray

    @property
    def raw_loading(self) -> np.ndarray:
        """Loadings in units of the items."""
        return np.asarray(self.loading * self.unit[:, None])

    @property
    def raw_residual(self) -> np.ndarray:
        """Residual variances in squared units of the items."""
        return np.asarray(self.residual * self.unit**2)

    @property
    def covariance(self) -> np.ndarray:
        """Model-implied covariances of z-scored items (chain, draw, item, item)."""
        out = self.loading @ np.swapaxes(self.loading, -1, -2)
        at = np.arange(out.shape[-1])
        out[..., at, at] += self.residual
        return np.asarray(out)

    def standardised(self) -> tuple[np.ndarray, np.ndarray]:
        """Loadings and residual variances where the model itself gives every item variance one."""
        spread = (self.loading**2).sum(axis=-1) + self.residual
        return np.asarray(self.loading / np.sqrt(spread)[..., None]), np.asarray(self.residual / spread)


def z_scored(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Items with mean 0 and sd 1 among those who answered, and the means and sds.

    Raises
    ------
    DataError
        An item that does not vary.
    """
    centre, unit = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
    if not (unit > 0).all():
        raise DataError("an item does not vary", hint="Leave it out.")
    return (values - centre) / unit, centre, unit


def factor_draws(
    values: np.ndarray, factors: int, *, draws: int = 1000, tune: int = 500, chains: int = 2, seed: int = 0
) -> FactorDraws:
    """Sample the factor model y = nu + Lambda f + e, e ~ N(0, diag psi), f ~ N(0, I).

    Parameters
    ----------
    values : ndarray, shape (person, item)
        NaN is no answer; missing answers are drawn along (ignorable given the others).
    factors : int
    draws, tune, chains, seed : int
        Draws kept and left out per chain.

    Returns
    -------
    FactorDraws
        With one factor every draw has a positive sum of loadings.

    Raises
    ------
    DataError
        An item that does not vary, or too few items for so many factors.

    Notes
    -----
    Lopes & West (2004, Statistica Sinica 14, 41-67) without their identifying zeros: the covariance of the
    items does not depend on how factors are turned, and turning is left to the reader of the draws.
    """
    size = values.shape[1]
    if not 1 <= factors < size:
        raise DataError(f"{size} items cannot carry {factors} factors", hint="Ask for fewer factors.")
    y, centre, unit = z_scored(values)
    missing = np.isnan(y)
    nu = np.empty((chains, draws, size))
    lam = np.empty((chains, draws, size, factors))
    psi = np.empty((chains, draws, size))
    for chain, child in enumerate(np.random.SeedSequence(seed).spawn(chains)):
        rng = np.random.default_rng(child)
        filled = np.where(missing, rng.standard_normal(y.shape), y)
        state = _start(filled, factors, rng)
        for s in range(-tune, draws):
            state = _sweep(filled, state, rng)
            if missing.any():
                mean = state[0] + _scores(filled, state, rng) @ state[1].T
                noise = rng.standard_normal(y.shape) * np.sqrt(state[2])
                filled = np.where(missing, mean + noise, y)
            if s >= 0:
                nu[chain, s], lam[chain, s], psi[chain, s] = state
    if factors == 1:
        lam *= np.where(lam.sum(axis=2, keepdims=True) < 0, -1.0, 1.0)
    return FactorDraws(nu, lam, psi, centre, unit)


State = tuple[np.ndarray, np.ndarray, np.ndarray]


def _start(y: np.ndarray, factors: int, rng: np.random.Generator) -> State:
    """Principal components, jittered."""
    values, vectors = np.linalg.eigh(np.corrcoef(y, rowvar=False))
    loading = 0.8 * vectors[:, ::-1][:, :factors] * np.sqrt(values[::-1][:factors])
    loading = loading + 0.1 * rng.standard_normal(loading.shape)
    return np.zeros(y.shape[1]), loading, np.maximum(1 - (loading**2).sum(1), 0.2)


def _scores(y: np.ndarray, state: State, rng: np.random.Generator) -> np.ndarray:
    """Draw factor scores (person, factor) given everything else."""
    nu, lam, psi = state
    weighted = lam / psi[:, None]
    precision = np.eye(lam.shape[1]) + lam.T @ weighted
    chol = np.linalg.cholesky(precision)
    mean = np.linalg.solve(precision, weighted.T @ (y - nu).T).T
    noise = np.linalg.solve(chol.T, rng.standard_normal((lam.shape[1], len(y)))).T
    return np.asarray(mean + noise)


def _sweep(y: np.ndarray, state: State, rng: np.random.Generator) -> State:
    """One round: scores, then intercept and loadings of every item together, then residual variances."""
    x = np.column_stack([np.ones(len(y)), _scores(y, state, rng)])
    prior = np.diag([INTERCEPT_SD**-2, *np.ones(state[1].shape[1])])
    coefficient = draw_regressions(x.T @ x, x.T @ y, state[2], prior, rng)
    residual = y - x @ coefficient.T
    psi = draw_variances((residual**2).sum(axis=0), len(y), rng)
    return coefficient[:, 0], coefficient[:, 1:], psi


def draw_regressions(
    xx: np.ndarray, xy: np.ndarray, psi: np.ndarray, prior: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Coefficients (item, term) given X'X, X'y (term, item), residual variances and prior precision."""
    precision = xx / psi[:, None, None] + prior
    chol = np.linalg.cholesky(precision)
    right = (xy / psi).T[:, :, None]
    mean = np.linalg.solve(precision, right)[:, :, 0]
    noise = np.linalg.solve(np.swapaxes(chol, 1, 2), rng.standard_normal(right.shape))[:, :, 0]
    return np.asarray(mean + noise)


def draw_variances(squares: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Variances from their inverse gamma conditionals given sums of squares of ``n`` residuals."""
    return np.asarray((SCALE + squares / 2) / rng.standard_gamma(SHAPE + n / 2, squares.shape))


def log_likelihood(values: np.ndarray, draws: FactorDraws) -> np.ndarray:
    """Log density of each person's answers, scores integrated out (chain, draw, person).

    Persons are grouped by which answers are missing; in units of the items.
    """
    y = (values - draws.centre) / draws.unit
    given = ~np.isnan(y)
    patterns, at = np.unique(given, axis=0, return_inverse=True)
    at = at.reshape(-1)
    shape = draws.intercept.shape[:2]
    nu, psi = (part.reshape(-1, y.shape[1]) for part in (draws.intercept, draws.residual))
    lam = draws.loading.reshape(-1, *draws.loading.shape[2:])
    out = np.zeros((len(nu), len(y)))
    for p, pattern in enumerate(patterns):
        rows, items = np.flatnonzero(at == p), np.flatnonzero(pattern)
        if not len(items):
            continue
        answers, constant = y[np.ix_(rows, items)], np.log(draws.unit[items]).sum()
        for start in range(0, len(nu), CHUNK):
            part = slice(start, start + CHUNK)
            density = _log_density(answers, nu[part, items], lam[part, items], psi[part, items])
            out[part, rows] = density - constant
    return out.reshape(*shape, -1)


def _log_density(y: np.ndarray, nu: np.ndarray, lam: np.ndarray, psi: np.ndarray) -> np.ndarray:
    """Normal log density (draw, person) of complete rows, by the matrix inversion lemma.

    Parameters
    ----------
    y : ndarray, shape (person, item)
    nu, psi : ndarray, shape (draw, item)
    lam : ndarray, shape (draw, item, factor)
    """
    weighted = lam / psi[:, :, None]
    inner = np.eye(lam.shape[2]) + np.swapaxes(lam, 1, 2) @ weighted
    chol = np.linalg.cholesky(inner)
    away = y - nu[:, None, :]
    along = np.linalg.solve(chol, np.swapaxes(away @ weighted, 1, 2))
    squares = (away**2 @ (1 / psi)[:, :, None])[:, :, 0] - (along**2).sum(axis=1)
    log_det = np.log(psi).sum(axis=1) + 2 * np.log(np.diagonal(chol, axis1=1, axis2=2)).sum(axis=1)
    return np.asarray(-0.5 * (squares + log_det[:, None] + y.shape[1] * np.log(2 * np.pi)))
