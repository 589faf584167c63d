"""Do the chains agree? Where the draws of each chain rank among all draws."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from medpsy.errors import DataError
from medpsy.plots import style
from medpsy.plots.panels import label_axes, sheet

#: More variables than this are left out; the caller chooses the worst.
MAX_VARIABLES = 12
_GRID = np.linspace(0.02, 0.98, 49)


def fractional_ranks(draws: np.ndarray) -> np.ndarray:
    """Return the ranks of draws (chain, draw) among all draws, scaled into (0, 1); ties share their mean."""
    flat = draws.ravel()
    _, where, n = np.unique(flat, return_inverse=True, return_counts=True)
    last = np.cumsum(n)
    rank = last - (n - 1) / 2
    return ((rank[where.ravel()] - 0.5) / len(flat)).reshape(draws.shape)


def ecdf_difference(draws: np.ndarray) -> np.ndarray:
    """Return, per chain, the share of draws ranked below each grid point minus the share expected.

    Draws have shape (chain, draw); the result (chain, 49), on the grid from 0.02 to 0.98.
    """
    ranks = fractional_ranks(draws)
    return (ranks[:, :, None] <= _GRID).mean(1) - _GRID


def thinning(draws: np.ndarray) -> int:
    """Return the step at which draws (chain, draw) are nearly independent, at most a fiftieth of a chain.

    It is the integrated autocorrelation time of the ranks within chains, summed over the initial positive
    pairs of lags (Geyer, 1992, doi:10.1214/ss/1177011137).
    """
    ranks = fractional_ranks(draws)
    n = ranks.shape[1]
    centred = ranks - ranks.mean(1, keepdims=True)
    power = np.abs(np.fft.rfft(centred, 2 * n)) ** 2
    covariance = np.fft.irfft(power)[:, :n].mean(0)
    if covariance[0] <= 0:
        return 1
    rho = covariance / covariance[0]
    pairs = rho[: n - n % 2].reshape(-1, 2).sum(1)
    stop = int(np.argmax(pairs <= 0)) if (pairs <= 0).any() else len(pairs)
    time = 2 * pairs[:stop].sum() - 1
    return int(np.clip(np.ceil(time - 0.1), 1, max(1, n // 50)))


@cache
def band(chains: int, draws: int, *, mass: float = 0.95) -> np.ndarray:
    """Return the half-width, shape (49,), of a simultaneous band for independent draws of equal chains.

    Such chains are a random split of the pooled ranks: the pointwise standard error is widened until the
    share ``mass`` of 400 simulated splits stays inside at all grid points and in all chains (Säilynoja,
    Bürkner & Vehtari, 2022, doi:10.1007/s11222-022-10090-6).
    """
    rng = np.random.default_rng(1)
    below = np.floor(_GRID * chains * draws + 0.5).astype(int)
    error = np.sqrt(_GRID * (1 - _GRID) * (1 - 1 / chains) / draws)
    owners = np.repeat(np.arange(chains, dtype=np.int16), draws)
    worst = np.empty(400)
    for at in range(len(worst)):
        split = rng.permutation(owners)
        ecdf = np.array([np.cumsum(split == chain)[below - 1] for chain in range(chains)]) / draws
        worst[at] = np.max(np.abs(ecdf - _GRID) / error)
    return np.quantile(worst, mass) * error


def _checked(draws: np.ndarray, names: Sequence[str]) -> np.ndarray:
    draws = np.asarray(draws, dtype=float)
    if draws.ndim != 3 or draws.shape[2] != len(names) or len(set(names)) != len(names):
        raise DataError(
            f"rank plot: draws of shape {draws.shape} do not fit {len(names)} names",
            hint="Pass draws of shape (chain, draw, variable) and one name per variable, each once.",
        )
    if not 1 <= len(names) <= MAX_VARIABLES:
        raise DataError(
            f"rank plot: {len(names)} variables", hint=f"Choose between 1 and {MAX_VARIABLES} of them."
        )
    if draws.shape[0] < 2 or draws.shape[1] < 4:
        raise DataError(
            f"rank plot: {draws.shape[0]} chain(s) of {draws.shape[1]} draws",
            hint="Ranks compare chains: run two.",
        )
    return draws


@style.styled
def rank_plot(draws: np.ndarray, names: Sequence[str]) -> Figure:
    """Draw the rank ECDF difference of each chain with a 95 % simultaneous band, a panel per variable.

    A chain that mixes with the others stays in the band. Draws are thinned first to near independence,
    which the panel states, since the band holds for independent draws.

    Parameters
    ----------
    draws : ndarray, shape (chain, draw, variable)
        Posterior draws; at most 12 variables, at least two chains.
    names : sequence of str
        Names of the variables.

    Raises
    ------
    DataError
        If the shape and the names disagree, there is one chain only, or there are too many variables.

    References
    ----------
    Vehtari, A., Gelman, A., Simpson, D., Carpenter, B., & Bürkner, P.-C. (2021). Rank-normalization, folding,
    and localization: an improved R-hat. Bayesian Analysis, 16(2). doi:10.1214/20-BA1221
    """
    draws = _checked(draws, names)
    figure, panels = sheet([("", list(names))], top=0.3, height=0.9)
    widest = 0.0
    for at, axes in enumerate(panels.values()):
        step = thinning(draws[:, :, at])
        kept = draws[:, ::step, at]
        half = band(kept.shape[0], kept.shape[1])
        axes.fill_between(_GRID, -half, half, color=style.PALE, linewidth=0)
        lines = ecdf_difference(kept)
        widest = max(widest, float(np.abs(lines).max()), float(half.max()))
        for chain, line in enumerate(lines):
            axes.plot(_GRID, line, color=style.CYCLE[chain % len(style.CYCLE)], linewidth=1)
        if step > 1:
            axes.text(
                0.97, 0.05, f"every {step}", transform=axes.transAxes, ha="right", fontsize=style.TINY,
                color=style.GREY, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
            )  # fmt: skip
        axes.set(xlim=(0, 1), xticks=(0, 0.5, 1), xticklabels=("0", "0.5", "1"))
    next(iter(panels.values())).set_ylim(-1.15 * widest, 1.15 * widest)
    chains = range(draws.shape[0])
    handles = [Line2D([], [], color=style.CYCLE[c % len(style.CYCLE)]) for c in chains]
    figure.legend(
        handles, [f"chain {c + 1}" for c in chains], loc="upper center", ncols=min(6, len(handles)),
        borderaxespad=0.1, handlelength=1.3,
    )  # fmt: skip
    label_axes(figure, x="fractional rank among all draws", y="ECDF difference")
    return figure
