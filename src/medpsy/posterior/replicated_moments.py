"""What a Gaussian model would give instead of the moments, and the model of independent variables.

With complete answers replicated means are normal and replicated covariances Wishart, so that no answers have
to be made. With missing values they are made, with the same gaps, and the unrestricted model is estimated.
"""

from __future__ import annotations

import numpy as np

from medpsy.posterior.moments import Compared, Sample
from medpsy.posterior.unrestricted import estimate, log_likelihood, patterns

#: Draws at which answers are made where values are missing, at most.
WITH_GAPS = 200
#: EM for each of them, from the parameters that made them: the estimates are near, and what is left of the
#: distance enters the discrepancy squared.
STEPS, NEAR = 50, 1e-3


def replicated_places(parts: list[Compared]) -> np.ndarray:
    """At which draws answers are replicated: all of them, fewer where values are missing."""
    size = len(parts[0].d)
    if all(part.sample.complete for part in parts):
        return np.arange(size)
    return np.unique(np.linspace(0, size - 1, min(WITH_GAPS, size)).round().astype(int))


def replicates(part: Compared, places: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Discrepancies (draw,) and unrestricted covariances (draw, variable, variable) of new answers."""
    if part.sample.complete:
        return complete_replicates(part.sample, part.implied[places], rng)
    made = [incomplete_replicate(part.sample, part.mean[s], part.implied[s], rng) for s in places]
    return np.array([d for d, _ in made]), np.stack([covariance for _, covariance in made])


def complete_replicates(
    own: Sample, implied: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Discrepancies and residual covariances of new answers, one of each implied matrix.

    With W / n the residual covariance and E the error of the coefficients, both in units in which the implied
    matrix is the identity, T = -n log|W / n| + tr(W) + |E|^2 - n v. W = A A' with A lower triangular, the
    squares of its diagonal chi-square and the rest normal (the decomposition of Bartlett, 1933).
    """
    n, size, v = own.n, len(implied), len(own.names)
    factor = np.tril(rng.standard_normal((size, v, v)), -1)
    place = np.arange(v)
    squares = rng.chisquare(n - own.columns - place, (size, v))
    factor[:, place, place] = np.sqrt(squares)
    errors = rng.chisquare(v * own.columns, size)
    d = -n * np.log(squares / n).sum(axis=1) + (factor**2).sum(axis=(1, 2)) + errors - n * v
    half = np.linalg.cholesky(implied) @ factor
    return d, half @ np.swapaxes(half, -1, -2) / n


def incomplete_replicate(
    own: Sample, mean: np.ndarray, covariance: np.ndarray, rng: np.random.Generator
) -> tuple[float, np.ndarray]:
    """Discrepancy and unrestricted covariances of new answers with the gaps of the real ones."""
    noise = rng.standard_normal(own.y.shape) @ np.linalg.cholesky(covariance).T
    held = patterns(np.where(np.isnan(own.y), np.nan, own.design @ mean.T + noise), own.design)
    best_mean, best = estimate(held, mean, covariance, steps=STEPS, tolerance=NEAR)
    d = 2.0 * (log_likelihood(held, best_mean, best) - log_likelihood(held, mean, covariance))
    return d, best


def independent_discrepancy(own: Sample, size: int, rng: np.random.Generator) -> np.ndarray:
    """D of the model in which all variables are independent given the covariates, shape (size,).

    Exact draws: every variable has its own regression on the covariates with prior p(b, s^2) proportional to
    1 / s^2, so that RSS / s^2 is chi-square on n - q and the error of the coefficients on q.
    """
    d = np.full(size, 2.0 * own.best)
    for j in range(len(own.names)):
        residual, _ = _alone(own, j)
        n, squares = len(residual), rng.chisquare(len(residual) - own.columns, size)
        errors = rng.chisquare(own.columns, size)
        d += n * np.log(2 * np.pi * (residual @ residual) / squares) + squares + errors
    return d


def independent_parameters(own: Sample) -> float:
    """Effective number of parameters of the same model, by leave-one-person-out in closed form.

    Posterior predictive densities of one person, with and without that person, are t densities.
    """
    from scipy.stats import t as student

    total, q = 0.0, own.columns
    for j in range(len(own.names)):
        residual, leverage = _alone(own, j)
        n, squares = len(residual), residual @ residual
        # Who alone has a level of a covariate decides its coefficient; leaving that person out says nothing.
        plain = leverage < 1 - 1e-9
        residual, leverage = residual[plain], leverage[plain]
        rest = squares - residual**2 / (1 - leverage)
        within = student.logpdf(residual, n - q, scale=np.sqrt(squares / (n - q) * (1 + leverage)))
        scale = np.sqrt(rest / (n - q - 1) / (1 - leverage))
        without = student.logpdf(residual / (1 - leverage), n - q - 1, scale=scale)
        total += float((within - without).sum())
    return total


def _alone(own: Sample, variable: int) -> tuple[np.ndarray, np.ndarray]:
    """Least-squares residuals of one variable on the design, and leverages, of those who have it."""
    given = ~np.isnan(own.y[:, variable])
    basis = np.linalg.qr(own.design[given])[0]
    y = own.y[given, variable]
    return y - basis @ (basis.T @ y), (basis**2).sum(axis=1)
