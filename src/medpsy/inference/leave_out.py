"""Leave-one-person-out where plain importance sampling is not good enough.

Moment matching first (Paananen, Piironen, Buerkner & Vehtari, 2021, doi:10.1007/s11222-020-09982-2): the
draws are moved to where the posterior without that person lies, by the weighted mean and then by the
weighted marginal sds, and weighted anew with exact densities. Where that is not enough either, the
posterior without the person's answers is sampled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from medpsy.bind import ModelData
from medpsy.inference.density import Density
from medpsy.inference.native import pointwise
from medpsy.inference.workers import Line, forked, forks
from medpsy.latent.cells import split

#: Draws that are moved (evenly thinned): each costs one evaluation of the density.
MOST_DRAWS = 500

#: More persons than this with a large Pareto k speak against the model, not against the draws.
MOST_PERSONS = 10

#: Samples the posterior of a model: unconstrained draws (draw, size).
Sampler = Callable[[ModelData], np.ndarray]


def threshold(draws: int) -> float:
    """Pareto k up to which importance sampling with that many draws is reliable (Vehtari et al., 2024)."""
    return min(1.0 - 1.0 / np.log10(draws), 0.7)


def smoothed(log_ratio: np.ndarray, efficiency: float = 1.0) -> tuple[np.ndarray, float]:
    """Pareto-smoothed normalised log-weights of log-ratios (draw,), and Pareto k.

    ``efficiency``, effective draws per draw, decides how many of the largest weights are the tail.
    """
    from arviz_stats.base import array_stats

    weights, k = array_stats.psislw(-log_ratio, r_eff=efficiency)
    return np.asarray(weights), float(np.asarray(k))


def matched(
    density: Density, u: np.ndarray, log_density: np.ndarray, terms: np.ndarray, person: int
) -> tuple[float, float]:
    """Log predictive density of one person given the others, by moment matching.

    Parameters
    ----------
    density : Density
    u : ndarray, shape (draw, size)
        Unconstrained posterior draws.
    log_density : ndarray, shape (draw,)
        Log-posterior density there, up to a constant.
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
    start, ell, base = u[keep], terms[keep], log_density[keep]
    moved, jacobian = start, 0.0
    terms_at = pointwise(density, u[0])
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
        prior, each = terms_at(trial)
        trial_ell = each[:, person]
        trial_ratio = prior + each.sum(1) - trial_ell - base + trial_jacobian
        trial_weights, trial_k = smoothed(trial_ratio)
        if trial_k < k:
            moved, jacobian, ell, weights, k = trial, trial_jacobian, trial_ell, trial_weights, trial_k
    norm = np.logaddexp.reduce(weights)
    return float(np.logaddexp.reduce(weights - norm + ell)), k


def refitted(density: Density, person: int, sampler: Sampler) -> float:
    """Log predictive density of one person given the others, from the posterior without their answers."""
    data = density.data
    blocks = []
    for block in data.blocks:
        values = block.values.copy()
        values[person] = -1 if block.n_categories else np.nan
        blocks.append(replace(block, values=values))
    observed = data.observed.copy()
    observed[person] = np.nan
    u = sampler(split(replace(data, blocks=tuple(blocks), observed=observed, cells=None)))
    ell = pointwise(density, u[0])(u)[1][:, person]
    return float(np.logaddexp.reduce(ell) - np.log(len(ell)))


def by_coordinate(u: np.ndarray) -> np.ndarray:
    """Draws (chain, draw, size) with the coordinates first, side by side in memory: much is asked of each."""
    return np.ascontiguousarray(np.moveaxis(u, -1, 0))


def efficiency(u: np.ndarray) -> float:
    """Effective draws per draw, a mean over coordinates as `arviz.loo` takes it over parameters."""
    from arviz_stats.base import array_stats

    if u.shape[0] < 2 or u.shape[1] < 4:
        return 1.0
    ess = [array_stats.ess(x, chain_axis=0, draw_axis=1, method="mean") for x in by_coordinate(u)]
    return float(np.mean(ess)) / (u.shape[0] * u.shape[1])


def repair(
    density: Density,
    u: np.ndarray,
    prior: np.ndarray,
    terms: np.ndarray,
    efficiency: float,
    sampler: Sampler,
    cores: int,
    log: list[str],
) -> dict[int, tuple[float, float]]:
    """Leave out every person whose Pareto k is too large some better way: person -> (elpd, k).

    Parameters
    ----------
    u : ndarray, shape (draw, size)
    prior : ndarray, shape (draw,)
        Log-prior with Jacobian at the draws.
    terms : ndarray, shape (draw, person)
    efficiency : float
        Effective draws per draw.
    sampler : callable
        Samples the posterior of another ModelData.
    log : list of str
        Is told what was done.
    """
    bad = []
    for person, column in enumerate(np.ascontiguousarray(terms.T)):
        usable = np.ptp(column) > 1e-9 and np.isfinite(column).all()
        if usable and smoothed(-column, efficiency)[1] > threshold(len(column)):
            bad.append(person)
    if len(bad) > MOST_PERSONS:
        log.append(f"{len(bad)} persons with a large Pareto k: too many to leave out one by one")
        return {}
    log_density = prior + terms.sum(1)

    def work(number: int, _state: object = None) -> tuple[float, float, str]:
        person = bad[number]
        elpd, k = matched(density, u, log_density, terms[:, person], person)
        # Groups and clusters hold the persons in a way of their own; cells are made anew.
        apart = density.data.groups is not None or density.data.layout.levels is not None
        if k <= threshold(min(len(u), MOST_DRAWS)) or apart:
            return elpd, k, "moment matching"
        return refitted(density, person, sampler), 0.0, "sampling without the person's answers"

    if len(bad) > 1 and cores > 1 and forks():
        found, stopped = forked(work, len(bad), cores, Line("leaving persons out", len(bad), False))
        if stopped:
            return {}
    else:
        found = [work(number) for number in range(len(bad))]
    for person, (*_, how) in zip(bad, found, strict=True):
        log.append(f"leave-one-out of person {density.data.person[person]}: {how}")
    return {person: (elpd, k) for person, (elpd, k, _) in zip(bad, found, strict=True)}
