"""Turning loadings: varimax, and the alignment of posterior draws by signs and order."""

from __future__ import annotations

from itertools import combinations

import numpy as np


def varimax(loading: np.ndarray, *, sweeps: int = 100, tolerance: float = 1e-8) -> np.ndarray:
    """Turn loadings (..., item, factor) orthogonally to the largest variance of their squares.

    Rows are scaled to length one first; two factors at a time are turned by the best angle, until none turns
    any more (Kaiser, 1958, doi:10.1007/BF02289233). Broadcasts over draws.
    """
    length = np.sqrt((loading**2).sum(-1, keepdims=True))
    rows = loading / np.where(length > 0, length, 1.0)
    size, factors = loading.shape[-2:]
    for _ in range(sweeps):
        largest = 0.0
        for j, k in combinations(range(factors), 2):
            x, y = rows[..., j].copy(), rows[..., k].copy()
            u, v = x**2 - y**2, 2 * x * y
            a, b = u.sum(-1), v.sum(-1)
            top = 2 * (u * v).sum(-1) - 2 * a * b / size
            bottom = (u**2 - v**2).sum(-1) - (a**2 - b**2) / size
            angle = np.arctan2(top, bottom)[..., None] / 4
            rows[..., j] = np.cos(angle) * x + np.sin(angle) * y
            rows[..., k] = np.cos(angle) * y - np.sin(angle) * x
            largest = max(largest, float(np.abs(angle).max()))
        if largest < tolerance:
            break
    return np.asarray(rows * length)


def nearest_signed_order(loading: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Order and signs of the columns that bring loadings (item, factor) closest to a target.

    Returns
    -------
    order : ndarray of int, shape (factor,)
    sign : ndarray, shape (factor,)
        ``loading[:, order] * sign`` has the least sum of squared distances.
    """
    from scipy.optimize import linear_sum_assignment

    agreement = target.T @ loading
    _, order = linear_sum_assignment(-np.abs(agreement))
    sign = np.where(agreement[np.arange(len(order)), order] < 0, -1.0, 1.0)
    return order, sign


def align(draws: np.ndarray, *, rounds: int = 20) -> np.ndarray:
    """Give every draw of rotated loadings the order and signs that bring it closest to their common mean.

    Parameters
    ----------
    draws : ndarray, shape (draw, item, factor)
        Each rotated, for example by :func:`varimax`.
    rounds : int
        At most so many rounds of aligning and averaging.

    Returns
    -------
    ndarray, shape (draw, item, factor)
        Factors in the order of the variance that they explain, each with a positive sum of loadings.

    Notes
    -----
    Signed-permutation Procrustes to a running mean (Papastamoulis & Ntzoufras, 2022,
    doi:10.1007/s11222-022-10084-4).
    """
    out = draws.copy()
    target = draws[0]
    for _ in range(rounds):
        changed = False
        for s, draw in enumerate(out):
            order, sign = nearest_signed_order(draw, target)
            if (order != np.arange(len(order))).any() or (sign < 0).any():
                out[s] = draw[:, order] * sign
                changed = True
        target = out.mean(axis=0)
        if not changed:
            break
    mean = out.mean(axis=0)
    order = np.argsort(-(mean**2).sum(axis=0), kind="stable")
    return np.asarray(out[:, :, order] * np.where(mean.sum(axis=0) < 0, -1.0, 1.0)[order])
