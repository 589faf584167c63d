"""From draws to the few numbers that are reported: intervals, direction, region of practical equivalence."""

from __future__ import annotations

import math

import numpy as np

from medpsy.errors import SpecError, nearest

KINDS = ("eti", "hdi")


def check_interval(interval: float, kind: str = "eti") -> None:
    """Refuse a mass outside (0, 1) and an unknown kind of interval.

    Raises
    ------
    SpecError
    """
    number = isinstance(interval, int | float | np.number) and not isinstance(interval, bool)
    if not number or not 0 < interval < 1:
        raise SpecError(
            f"an interval cannot hold the posterior mass {interval!r}",
            hint="Give a number between 0 and 1, for example interval=0.95.",
        )
    if kind not in KINDS:
        raise SpecError(f"there is no interval of kind '{kind}'", hint=nearest(kind, KINDS))


def check_rope(rope: float) -> None:
    """Refuse a half-width of the region of practical equivalence that is not positive and finite.

    Raises
    ------
    SpecError
    """
    number = isinstance(rope, int | float | np.number) and not isinstance(rope, bool)
    if not number or not 0 < rope < math.inf:
        raise SpecError(
            f"the region of practical equivalence cannot have the half-width {rope!r}",
            hint="Give a positive number of standardised units, for example rope=0.05.",
        )


def bounds(draws: np.ndarray, interval: float, kind: str = "eti") -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper bound of the chosen kind of interval; see :func:`eti` and :func:`hdi`."""
    check_interval(interval, kind)
    return (eti if kind == "eti" else hdi)(draws, interval)


def eti(draws: np.ndarray, interval: float) -> tuple[np.ndarray, np.ndarray]:
    """Equal-tailed interval: as much posterior mass below it as above it.

    Parameters
    ----------
    draws : ndarray, shape (..., draw)
    interval : float
        Posterior mass inside, between 0 and 1.

    Returns
    -------
    lower, upper : ndarray, shape (...)
        In the units of the draws; NaN where a draw is NaN.

    Notes
    -----
    Quantiles interpolate linearly between order statistics (Hyndman & Fan, 1996,
    doi:10.2307/2684934, definition 7).
    """
    tail = (1.0 - interval) / 2.0
    with np.errstate(invalid="ignore"):
        lower, upper = np.quantile(draws, (tail, 1.0 - tail), axis=-1)
    return lower, upper


def hdi(draws: np.ndarray, interval: float) -> tuple[np.ndarray, np.ndarray]:
    """Highest-density interval: the shortest one that holds the mass; for a single mode.

    Parameters
    ----------
    draws : ndarray, shape (..., draw)
    interval : float
        Posterior mass inside, between 0 and 1.

    Returns
    -------
    lower, upper : ndarray, shape (...)
        In the units of the draws; NaN where a draw is NaN.

    Notes
    -----
    The shortest stretch between order statistics (Chen & Shao, 1999,
    doi:10.1080/10618600.1999.10474802).
    """
    ordered = np.sort(draws, axis=-1)
    size = ordered.shape[-1]
    within = min(math.floor(interval * size), size - 1)
    with np.errstate(invalid="ignore"):
        width = ordered[..., within:] - ordered[..., : size - within]
    width = np.where(np.isnan(width), np.inf, width)
    at = np.argmin(width, axis=-1)[..., None]
    lower = np.take_along_axis(ordered, at, axis=-1)[..., 0]
    upper = np.take_along_axis(ordered, at + within, axis=-1)[..., 0]
    unknown = np.isnan(draws).any(axis=-1)
    return np.where(unknown, np.nan, lower), np.where(unknown, np.nan, upper)


def direction(draws: np.ndarray) -> np.ndarray:
    """Probability of direction: posterior probability of the more probable sign.

    Parameters
    ----------
    draws : ndarray, shape (..., draw)

    Returns
    -------
    ndarray, shape (...)
        max(P(> 0), P(< 0)); NaN where a draw is NaN.

    Notes
    -----
    Makowski, Ben-Shachar, Chen & Luedecke (2019), doi:10.3389/fpsyg.2019.02767.
    """
    share = np.maximum((draws > 0).mean(axis=-1), (draws < 0).mean(axis=-1))
    return np.where(np.isnan(draws).any(axis=-1), np.nan, share)


def rope_share(draws: np.ndarray, low: float, high: float) -> np.ndarray:
    """Share of the whole posterior inside the region of practical equivalence, ends included.

    Parameters
    ----------
    draws : ndarray, shape (..., draw)
    low, high : float
        Ends of the region, in the units of the draws.

    Returns
    -------
    ndarray, shape (...)
        NaN where a draw or an end is NaN.

    Notes
    -----
    Kruschke (2018), doi:10.1177/2515245918771304, with the full posterior instead of its 95 % interval.
    """
    share = ((draws >= low) & (draws <= high)).mean(axis=-1)
    unknown = np.isnan(draws).any(axis=-1) | math.isnan(low) | math.isnan(high)
    return np.where(unknown, np.nan, share)
