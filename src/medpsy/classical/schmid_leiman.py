"""One general factor behind correlated group factors: quartimin, Schmid and Leiman, omega hierarchical."""

from __future__ import annotations

import numpy as np

from medpsy.classical.rotation import varimax

#: Steps of the oblique rotation and of the second-order factor, at most, and what counts as arrived.
STEPS, TOLERANCE = 300, 1e-5


def quartimin(
    loading: np.ndarray, *, steps: int = STEPS, tolerance: float = TOLERANCE
) -> tuple[np.ndarray, np.ndarray]:
    """Turn loadings obliquely so that items load on as few factors as can be (direct oblimin, gamma 0).

    Parameters
    ----------
    loading : ndarray, shape (draw, item, factor)
        On uncorrelated factors. Every draw is turned by varimax first.
    steps : int
    tolerance : float
        Length of the projected gradient at which a draw has arrived.

    Returns
    -------
    pattern : ndarray, shape (draw, item, factor)
        Each factor with a positive sum of loadings.
    phi : ndarray, shape (draw, factor, factor)
        Correlations of the factors.

    Notes
    -----
    Gradient projection (Jennrich, 2002, doi:10.1007/BF02294840; Bernaards & Jennrich, 2005,
    doi:10.1177/0013164404272507).
    """
    start = varimax(loading)
    factors = loading.shape[-1]
    turn = np.broadcast_to(np.eye(factors), (len(loading), factors, factors)).copy()
    size = np.ones(len(loading))
    moving = np.arange(len(loading))
    for _ in range(steps if factors > 1 else 0):
        here = turn[moving]
        value, pattern, slope = _criterion(start[moving], here)
        gradient = -np.swapaxes(np.swapaxes(pattern, -1, -2) @ slope @ np.linalg.inv(here), -1, -2)
        gradient -= here * (here * gradient).sum(axis=-2, keepdims=True)
        square = (gradient**2).sum(axis=(-2, -1))
        going = np.sqrt(square) > tolerance
        moving, here, value, gradient, square = (
            moving[going], here[going], value[going], gradient[going], square[going]
        )  # fmt: skip
        if not len(moving):
            break
        size[moving] *= 2
        open_ = np.arange(len(moving))
        for _ in range(30):
            step = size[moving[open_], None, None]
            tried = here[open_] - step * gradient[open_]
            tried /= np.sqrt((tried**2).sum(axis=-2, keepdims=True))
            better = value[open_] - _criterion(start[moving[open_]], tried)[0]
            turn[moving[open_]] = tried
            open_ = open_[better <= 0.5 * square[open_] * step[:, 0, 0]]
            if not len(open_):
                break
            size[moving[open_]] /= 2
        else:
            turn[moving[open_]] = here[open_]  # no step makes it better: arrived as far as rounding lets it
    pattern = start @ np.linalg.inv(np.swapaxes(turn, -1, -2))
    phi = np.swapaxes(turn, -1, -2) @ turn
    sign = np.where(pattern.sum(axis=-2) < 0, -1.0, 1.0)
    return pattern * sign[:, None, :], phi * sign[:, :, None] * sign[:, None, :]


def _criterion(loading: np.ndarray, turn: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sum of products of squared loadings over pairs of factors (draw,), the pattern, and its slope."""
    pattern = loading @ np.linalg.inv(np.swapaxes(turn, -1, -2))
    square = pattern**2
    others = square.sum(axis=-1, keepdims=True) - square
    return (square * others).sum(axis=(-2, -1)) / 4, pattern, pattern * others


def second_order(phi: np.ndarray, *, steps: int = STEPS) -> np.ndarray:
    """Loadings (draw, factor) of correlated factors on one general factor.

    Least squares by principal axes, no loading beyond one. Two factors, whose loadings one correlation cannot
    tell apart, get the same.
    """
    if phi.shape[-1] == 2:
        size = np.sqrt(np.abs(phi[:, 0, 1]))
        return np.stack([size, size * np.sign(phi[:, 0, 1])], axis=1)
    at = np.arange(phi.shape[-1])
    reduced = phi.copy()
    common = np.abs(phi - np.eye(len(at))).max(axis=-1)
    for _ in range(steps):
        reduced[:, at, at] = common
        value, vector = np.linalg.eigh(reduced)
        found = np.sqrt(np.maximum(value[:, -1:], 0.0)) * vector[:, :, -1]
        now = np.minimum(found**2, 1.0)
        moved = np.abs(now - common).max()
        common = now
        if moved < TOLERANCE:
            break
    return np.sign(found.sum(axis=1, keepdims=True)) * np.sign(found) * np.sqrt(common)


def general_loadings(loading: np.ndarray) -> np.ndarray:
    """Loadings (draw, item) on the general factor of Schmid and Leiman.

    Parameters
    ----------
    loading : ndarray, shape (draw, item, factor)
        Of standardised items on uncorrelated factors, turned in any way.

    Notes
    -----
    The factors are turned obliquely, their correlations get one factor, and what the items share through it
    is their general loading (Schmid & Leiman, 1957, doi:10.1007/BF02289209).
    """
    pattern, phi = quartimin(loading)
    return np.asarray(np.einsum("spk,sk->sp", pattern, second_order(phi)))


def omega_hierarchical(loading: np.ndarray, residual: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """Share of the variance of the sum of items that is due to one general factor.

    Parameters
    ----------
    loading : ndarray, shape (draw, item, factor)
        Of standardised items on uncorrelated factors.
    residual : ndarray, shape (draw, item)
        Residual variances of standardised items.
    sd : ndarray, shape (draw, item)
        Standard deviations of the items.

    Returns
    -------
    ndarray, shape (draw,)

    Notes
    -----
    Zinbarg, Revelle, Yovel & Li (2005, doi:10.1007/s11336-003-0974-7), with the general factor of Schmid and
    Leiman.
    """
    general = (general_loadings(loading) * sd).sum(axis=1)
    common = np.einsum("sp,spk->sk", sd, loading)
    total = (common**2).sum(axis=1) + (residual * sd**2).sum(axis=1)
    return np.asarray(general**2 / total)
