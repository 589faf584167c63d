"""One factor within and one between clusters, by Gibbs sampling: the basis of multilevel omega."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medpsy.classical.factor_gibbs import INTERCEPT_SD, draw_regressions, draw_variances, z_scored
from medpsy.errors import DataError

#: Fewer clusters say next to nothing about how reliably clusters differ.
FEWEST_CLUSTERS = 10


@dataclass(frozen=True)
class TwoLevelDraws:
    """Posterior draws in units of the items, (chain, draw, item).

    ``within_loading`` and ``within_residual`` of persons inside clusters, ``between_loading`` and
    ``between_residual`` of the cluster means behind the items.
    """

    within_loading: np.ndarray
    within_residual: np.ndarray
    between_loading: np.ndarray
    between_residual: np.ndarray


def two_level_draws(
    values: np.ndarray,
    label: np.ndarray,
    *,
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 2,
    seed: int = 0,
) -> TwoLevelDraws:
    """Sample y = u[cluster] + lambda_w f + e and u = nu + lambda_b g + d, one factor on each level.

    Parameters
    ----------
    values : ndarray, shape (person, item)
        NaN is no answer; missing answers are drawn along.
    label : ndarray, shape (person,)
        Cluster of each person.
    draws, tune, chains, seed : int

    Returns
    -------
    TwoLevelDraws

    Raises
    ------
    DataError
        Fewer than ten clusters, or an item that does not vary.

    Notes
    -----
    The model of Geldhof, Preacher & Zyphur (2014, doi:10.1037/a0032138).
    """
    names, at, size = np.unique(label, return_inverse=True, return_counts=True)
    if len(names) < FEWEST_CLUSTERS:
        raise DataError(
            f"{len(names)} clusters cannot tell how reliably clusters differ",
            hint=f"Multilevel omega needs at least {FEWEST_CLUSTERS}; look at the omega of persons alone.",
        )
    y, _, unit = z_scored(values)
    missing = np.isnan(y)
    order = np.argsort(at, kind="stable")
    starts = np.concatenate([[0], np.cumsum(size)[:-1]])
    kept = np.empty((4, chains, draws, values.shape[1]))
    for chain, child in enumerate(np.random.SeedSequence(seed).spawn(chains)):
        rng = np.random.default_rng(child)
        filled = np.where(missing, rng.standard_normal(y.shape), y)
        state = _start(filled, at, order, starts, size)
        for s in range(-tune, draws):
            state = _sweep(filled, at, order, starts, size, state, rng)
            if missing.any():
                mean = state.u[at] + state.f[:, None] * state.lam_w
                filled = np.where(missing, mean + rng.standard_normal(y.shape) * np.sqrt(state.psi_w), y)
            if s >= 0:
                kept[:, chain, s] = (
                    _positive(state.lam_w) * unit, state.psi_w * unit**2,
                    _positive(state.lam_b) * unit, state.psi_b * unit**2,
                )  # fmt: skip
    return TwoLevelDraws(*kept)


@dataclass
class _State:
    u: np.ndarray
    f: np.ndarray
    nu: np.ndarray
    lam_w: np.ndarray
    psi_w: np.ndarray
    lam_b: np.ndarray
    psi_b: np.ndarray


def _positive(loading: np.ndarray) -> np.ndarray:
    return loading if loading.sum() >= 0 else -loading


def _start(y: np.ndarray, at: np.ndarray, order: np.ndarray, starts: np.ndarray, size: np.ndarray) -> _State:
    u = np.add.reduceat(y[order], starts, axis=0) / size[:, None]
    items = y.shape[1]
    return _State(
        u=u,
        f=(y - u[at]).mean(axis=1),
        nu=np.zeros(items),
        lam_w=np.full(items, 0.6),
        psi_w=np.full(items, 0.5),
        lam_b=np.full(items, 0.2),
        psi_b=np.full(items, 0.05),
    )


def _factor(y: np.ndarray, lam: np.ndarray, psi: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Scores (row,) on one standard normal factor."""
    precision = 1 + (lam**2 / psi).sum()
    return np.asarray(y @ (lam / psi) / precision + rng.standard_normal(len(y)) / np.sqrt(precision))


def _sweep(
    y: np.ndarray,
    at: np.ndarray,
    order: np.ndarray,
    starts: np.ndarray,
    size: np.ndarray,
    state: _State,
    rng: np.random.Generator,
) -> _State:
    items = y.shape[1]
    # Within: scores, loadings, residual variances, given the cluster means behind the items.
    f = _factor(y - state.u[at], state.lam_w, state.psi_w, rng)
    away = y - state.u[at]
    lam_w = draw_regressions(np.array([[f @ f]]), (f @ away)[None], state.psi_w, np.eye(1), rng)[:, 0]
    psi_w = draw_variances(((away - np.outer(f, lam_w)) ** 2).sum(axis=0), len(y), rng)
    # Cluster means: a normal each, from its persons and from the between model.
    g = _factor(state.u - state.nu, state.lam_b, state.psi_b, rng)
    sums = np.add.reduceat((y - np.outer(f, lam_w))[order], starts, axis=0)
    precision = size[:, None] / psi_w + 1 / state.psi_b
    mean = (sums / psi_w + (state.nu + np.outer(g, state.lam_b)) / state.psi_b) / precision
    u = mean + rng.standard_normal(mean.shape) / np.sqrt(precision)
    # Between: means, loadings, residual variances.
    x = np.column_stack([np.ones(len(u)), g])
    coefficient = draw_regressions(x.T @ x, x.T @ u, state.psi_b, np.diag([INTERCEPT_SD**-2, 1.0]), rng)
    # Clusters vary far less than persons: the prior scale of their residuals is a twentieth of one.
    squares = ((u - x @ coefficient.T) ** 2).sum(axis=0)
    psi_b = (0.025 + squares / 2) / rng.standard_gamma(1.0 + len(u) / 2, items)
    return _State(u, f, coefficient[:, 0], lam_w, psi_w, coefficient[:, 1], psi_b)
