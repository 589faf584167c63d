"""Omega hierarchical of a module without a fitted model: one general factor behind a few group factors."""

from __future__ import annotations

import math

import numpy as np

from medpsy.classical.correlation import to_correlation
from medpsy.classical.efa import exploratory, most_factors
from medpsy.classical.factor_gibbs import factor_draws
from medpsy.classical.schmid_leiman import omega_hierarchical
from medpsy.errors import FitError, SpecError
from medpsy.posterior.summary import convergence

#: Draws used at most: every one is turned by itself.
MOST = 1000
#: R-hat above which the chains count as disagreeing.
MOST_RHAT = 1.05


def check_group_factors(factors: int) -> None:
    """Refuse what is no number of group factors.

    Raises
    ------
    SpecError
    """
    if isinstance(factors, bool) or not isinstance(factors, int | np.integer) or factors < 0 or factors == 1:
        raise SpecError(
            f"group_factors = {factors!r} is no number of group factors",
            hint="Three are usual; 0 leaves out omega hierarchical.",
        )


def hierarchical(
    values: np.ndarray,
    covariance: np.ndarray,
    factors: int,
    *,
    name: str,
    draws: int,
    seed: int,
    notes: list[str],
) -> tuple[float, np.ndarray] | None:
    """Estimate and posterior draws of omega hierarchical of the sum of the items.

    Parameters
    ----------
    values : ndarray, shape (person, item)
    covariance : ndarray, shape (item, item)
        Positive definite; for the estimate.
    factors : int
        Group factors.
    name : str
        Of the module, for notes.
    draws, seed : int
    notes : list of str
        Is added to.

    Returns
    -------
    tuple of (float, ndarray) or None
        The estimate from minimum residuals (NaN where there is no solution) and draws; None where the items
        are too few for so many group factors.

    Notes
    -----
    Schmid & Leiman (1957, doi:10.1007/BF02289209) and Zinbarg, Revelle, Yovel & Li (2005,
    doi:10.1007/s11336-003-0974-7), at every draw of a Bayesian factor model of the items as continuous.
    """
    if not factors or most_factors(values.shape[1]) < factors:
        return None
    chains = 2
    wanted = -(-min(draws, MOST) // chains)
    drawn = factor_draws(values, factors, draws=wanted, chains=chains, seed=seed)
    loading, residual = drawn.standardised()
    sd = np.sqrt((drawn.loading**2).sum(axis=-1) + drawn.residual) * drawn.unit
    flat = [x.reshape(-1, *x.shape[2:]) for x in (loading, residual, sd)]
    found = omega_hierarchical(*flat)
    rhat = convergence(found.reshape(1, chains, -1))["r_hat"][0]
    if rhat > MOST_RHAT:
        notes.append(
            f"{name}: the chains disagree on omega hierarchical (R-hat {rhat:.2f}): the group factors are "
            "not told apart."
        )
    return _estimate(covariance, factors), found


def _estimate(covariance: np.ndarray, factors: int) -> float:
    try:
        plain = exploratory(to_correlation(covariance), factors, rotation="none")
    except FitError:
        return math.nan
    sd = np.sqrt(np.diag(covariance))[None]
    return float(omega_hierarchical(plain.loading[None], plain.uniqueness[None], sd)[0])
