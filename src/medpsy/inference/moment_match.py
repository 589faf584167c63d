"""Leave-one-person-out where plain importance sampling is not good enough.

Moment matching (Paananen, Piironen, Buerkner & Vehtari, 2021, doi:10.1007/s11222-020-09982-2): the draws
are moved to where the posterior without that person lies, by the weighted mean and then by the weighted
marginal sds, and weighted anew with exact densities.
"""

from __future__ import annotations

import numpy as np

from medpsy.inference.density import Density

#: Draws that are moved (evenly thinned): each costs one evaluation of the density.
MOST_DRAWS = 2000

#: More persons than this with a large Pareto k speak against the model, not against the draws.
MOST_PERSONS = 10


def threshold(draws: int) -> float:
    """Pareto k up to which importance sampling with that many draws is reliable (Vehtari et al., 2024)."""
    return min(1.0 - 1.0 / np.log10(draws), 0.7)


def smoothed(log_ratio: np.ndarray) -> tuple[np.ndarray, float]:
    """Pareto-smoothed normalised log-weights of log-ratios (draw,), and Pareto k."""
    from arviz_stats.base import array_stats

    weights, k = array_stats.psislw(-log_ratio)
    return np.asarray(weights), float(np.asarray(k))


def matched(density: Density, u: np.ndarray, terms: np.ndarray, person: int) -> tuple[float, float]:
    """Log predictive density of one person given the others, by moment matching.

    Parameters
    ----------
    density : Density
    u : ndarray, shape (draw, size)
        Unconstrained posterior draws.
    terms : ndarray, shape (draw,)
        Log-likelihood of the person at the draws.
    person : int

    Returns
    -------
    elpd : float
    k : float
        Pareto k after matching.
    """
    keep = np.unique(np.linspace(0, len(u) - 1, min(MOST_DRAWS, len(u))).round().astype(int))
    start, ell = u[keep], terms[keep]
    base = np.array([density.value_and_gradient(x)[0] for x in start])
    moved, jacobian = start, 0.0
    log_ratio = -ell
    weights, k = smoothed(log_ratio)
    for scale in (False, True, False):
        if k <= threshold(len(keep)):
            break
        w = np.exp(weights - weights.max())
        w /= w.sum()
        mean = moved.mean(0)
        target = w @ moved
        ratio = np.ones(u.shape[1])
        if scale:
            ratio = np.sqrt(np.clip(w @ (moved - target) ** 2 / moved.var(0), 0.1, 10.0))
        trial = (moved - mean) * ratio + target
        trial_jacobian = jacobian + np.log(ratio).sum()
        value = np.array([density.value_and_gradient(x)[0] for x in trial])
        trial_ell = np.array([_term(density, x, person) for x in trial])
        trial_ratio = value - trial_ell - base + trial_jacobian
        trial_weights, trial_k = smoothed(trial_ratio)
        if trial_k < k:
            moved, jacobian, ell, weights, k = trial, trial_jacobian, trial_ell, trial_weights, trial_k
    top = weights.max()
    norm = top + np.log(np.exp(weights - top).sum())
    joint = weights - norm + ell
    peak = joint.max()
    return float(peak + np.log(np.exp(joint - peak).sum())), k


def _term(density: Density, u: np.ndarray, person: int) -> float:
    """Log-likelihood of one person at one point."""
    return float(density.likelihood.per_person(density.space.constrain(u))[person])


def repair(density: Density, u: np.ndarray, terms: np.ndarray) -> dict[int, tuple[float, float]]:
    """Match the moments of every person whose Pareto k is too large: person -> (elpd, k).

    Parameters
    ----------
    u : ndarray, shape (draw, size)
    terms : ndarray, shape (draw, person)
    """
    out: dict[int, tuple[float, float]] = {}
    for person in range(terms.shape[1]):
        if len(out) == MOST_PERSONS:
            break
        column = terms[:, person]
        if np.ptp(column) < 1e-9 or not np.isfinite(column).all():
            continue
        if smoothed(-column)[1] > threshold(len(column)):
            out[person] = matched(density, u, column, person)
    return out
