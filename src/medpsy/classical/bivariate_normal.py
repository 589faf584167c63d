"""Probabilities of the cells of a two-way table cut out of a bivariate normal distribution."""

from __future__ import annotations

import numpy as np

#: Thresholds beyond this stand for infinity.
FAR = 38.0
#: Correlations are kept inside this.
MOST = 0.9995

#: Largest absolute correlation that so many nodes a panel serve to ten digits.
NODES = ((0.5, 8), (0.85, 13), (1.0, 24))
_RULES = [(most, *np.polynomial.legendre.leggauss(nodes)) for most, nodes in NODES]


def corner_probabilities(x: np.ndarray, y: np.ndarray, rho: np.ndarray) -> np.ndarray:
    """P(X <= x, Y <= y) of standard normals with correlation ``rho``.

    Parameters
    ----------
    x : ndarray, shape (pair, k)
    y : ndarray, shape (pair, l)
    rho : ndarray, shape (pair,)
        Between -0.9995 and 0.9995.

    Returns
    -------
    ndarray, shape (pair, k, l)

    Notes
    -----
    P(x) P(y) plus the integral of the density over correlations from 0 to rho, in their arc sine (Drezner
    & Wesolowsky, 1990, doi:10.1080/00949659008811236), by Gauss-Legendre sums on two panels that meet where
    the integrand becomes steep.
    """
    from scipy.special import ndtr

    h, k = np.clip(x, -FAR, FAR)[:, :, None], np.clip(y, -FAR, FAR)[:, None, :]
    out = np.asarray(ndtr(h) * ndtr(k))
    done = np.zeros(len(rho), dtype=bool)
    for most, nodes, weights in _RULES:
        now = ~done & (np.abs(rho) <= most)
        done |= now
        if now.any():
            out[now] += _integral(h[now], k[now], np.arcsin(rho[now]), nodes, weights)
    return out


def _integral(
    h: np.ndarray, k: np.ndarray, angle: np.ndarray, nodes: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Integral of the density over correlations from 0 to sin(angle)."""
    # The integrand bends ever faster towards +-pi/2: the second panel covers the last quarter.
    panels = np.concatenate([0.375 * (1 + nodes), 0.75 + 0.125 * (1 + nodes)])
    t = angle[:, None] * panels
    sine, shrink = np.sin(t)[:, None, None, :], 1 / np.cos(t)[:, None, None, :] ** 2
    squares, product = ((h**2 + k**2) / 2)[..., None], (h * k)[..., None]
    height = np.exp((product * sine - squares) * shrink)
    width = np.concatenate([0.375 * weights, 0.125 * weights]) / (2 * np.pi)
    return np.asarray((height @ width) * angle[:, None, None])


def corner_densities(x: np.ndarray, y: np.ndarray, rho: np.ndarray) -> np.ndarray:
    """Density at the corners (pair, k, l): the derivative of the probabilities in ``rho``."""
    h, k = np.clip(x, -FAR, FAR)[:, :, None], np.clip(y, -FAR, FAR)[:, None, :]
    r = rho[:, None, None]
    rest = 1 - r**2
    return np.asarray(np.exp(-(h**2 + k**2 - 2 * r * h * k) / (2 * rest)) / (2 * np.pi * np.sqrt(rest)))


def cells(corners: np.ndarray, x_margin: np.ndarray, y_margin: np.ndarray) -> np.ndarray:
    """Cell values (pair, k + 1, l + 1) from values at the inner corners and the margins at infinity.

    Parameters
    ----------
    corners : ndarray, shape (pair, k, l)
    x_margin : ndarray, shape (pair, k + 1)
        Value at (x, infinity), the last entry that at (infinity, infinity).
    y_margin : ndarray, shape (pair, l + 1)
    """
    pairs, k, l_ = corners.shape
    full = np.zeros((pairs, k + 2, l_ + 2))
    full[:, 1:-1, 1:-1] = corners
    full[:, 1:, -1] = x_margin
    full[:, -1, 1:] = y_margin
    return np.diff(np.diff(full, axis=1), axis=2)
