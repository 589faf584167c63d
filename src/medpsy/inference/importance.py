"""Many persons: the posterior by importance resampling around its mode.

With many persons the posterior is all but normal. Proposals from the normal at the mode are weighted by
the exact density and resampled; the Pareto k of the weights says whether that is right (Vehtari, Simpson,
Gelman, Yao & Gabry, 2024, Journal of Machine Learning Research, 25(72), 1-58). It is accepted only below
0.5, where the weights have a finite variance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medpsy.inference.density import Density
from medpsy.inference.leave_out import smoothed
from medpsy.inference.mode import Mode
from medpsy.inference.native import pointwise

#: From so many persons on it is tried before NUTS.
MANY_PERSONS = 2_000

#: Largest Pareto k of the weights.
MOST_K = 0.5

#: See :func:`resample`.
EFFICIENCY = 0.75

#: Proposals of a first look: hopeless cases end here.
FIRST_LOOK = 200

#: Log-likelihood terms (draws x persons) that are kept; beyond it leave-one-out is not available.
MOST_TERMS = 50_000_000


@dataclass(frozen=True)
class Resampled:
    """Draws (draw, size), their log-prior and log-likelihood terms (None if too many), and the weights' k."""

    u: np.ndarray
    log_prior: np.ndarray
    log_likelihood: np.ndarray | None
    k: float
    ess: float


def resample(
    density: Density, mode: Mode, draws: int, seed: int, efficiency: float = EFFICIENCY
) -> Resampled | float:
    """Draw from the posterior by importance resampling, or return the Pareto k that forbids it.

    Parameters
    ----------
    density : Density
    mode : Mode
    draws : int
        Draws to return; as many proposals are weighted, or twice as many where the weights are uneven.
    seed : int
    efficiency : float
        Share of the proposals that they are worth where the posterior is normal: a smaller one makes them
        wider, and weights less uneven where it is not.
    """
    rng = np.random.default_rng(seed)
    pool = _Pool(density, mode, draws * density.data.n_person <= MOST_TERMS, efficiency)
    for size in (min(FIRST_LOOK, draws), draws, 2 * draws):
        pool.propose(rng, size)
        share, k = pool.weights()
        # A short look sees k with an error; only clear cases end there.
        if k > (MOST_K if size >= draws else 0.9):
            return k
        ess = float(1.0 / (share**2).sum())
        if size >= draws and ess > 0.5 * draws:
            break
    # Systematic resampling, then a random order: neighbours in a chain are not copies of one another.
    place = np.searchsorted(np.cumsum(share), (np.arange(draws) + rng.random()) / draws)
    pick = rng.permutation(np.minimum(place, len(share) - 1))
    terms = np.array([pool.terms[i] for i in pick]) if pool.keep else None
    return Resampled(pool.u[pick], np.array(pool.prior)[pick], terms, k, ess)


class _Pool:
    """Proposals from the normal at the mode, with their exact log-densities."""

    def __init__(self, density: Density, mode: Mode, keep: bool, efficiency: float) -> None:
        self.density, self.mode, self.keep = density, mode, keep
        # Wider than the normal at the mode by as much as leaves that share of the draws if the posterior is
        # normal: a heavier tail than the proposal's is what makes weights explode.
        c = efficiency ** (-2.0 / density.size)
        self.variance = c + np.sqrt(c * c - c)
        self.u = np.empty((0, density.size))
        self.ratio: list[float] = []
        self.prior: list[float] = []
        self.terms: list[np.ndarray] = []
        self.terms_at = pointwise(density, mode.u)

    def propose(self, rng: np.random.Generator, size: int) -> None:
        """Add proposals until there are ``size``."""
        w = rng.standard_normal((size - len(self.u), self.density.size))
        bent = np.sqrt(self.variance) * w
        u, stretch = self.mode.place(bent), np.log(self.mode.straight(bent)[1]).sum(-1)
        for one, z, more in zip(u, w, stretch, strict=True):
            (prior,), (each,) = self.terms_at(one[None])
            value = prior + float(each.sum()) + 0.5 * float(z @ z) + more
            self.ratio.append(value if np.isfinite(value) else -np.inf)
            self.prior.append(prior)
            if self.keep:
                self.terms.append(each)
        self.u = np.concatenate([self.u, u])

    def weights(self) -> tuple[np.ndarray, float]:
        """Smoothed normalised weights, and their Pareto k."""
        ratio = np.array(self.ratio)
        ratio = np.maximum(ratio - ratio.max(), -700.0)
        weights, k = ratio, 0.0
        if np.ptp(ratio[ratio > -700.0]) > 1e-9:  # else the posterior is the proposal
            weights, k = smoothed(ratio)
        return np.exp(weights - np.logaddexp.reduce(weights)), k
