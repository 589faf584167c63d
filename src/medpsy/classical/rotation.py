"""Turning loadings: varimax, and the alignment of posterior draws by signs and order."""

from __future__ import annotations

import numpy as np


def varimax(loading: np.ndarray, *, steps: int = 200, tolerance: float = 1e-9) -> np.ndarray:
    """Turn loadings (..., item, factor) orthogonally to the largest variance of their squares.

    Rows are scaled to length one first (Kaiser, 1958, doi:10.1007/BF02289233). Broadcasts over draws.
    """
    factors = loading.shape[-1]
    if factors == 1:
        return loading.copy()
    length = np.sqrt((loading**2).sum(-1, keepdims=True))
    rows = loading / np.where(length > 0, length, 1.0)
    turn = np.broadcast_to(np.eye(factors), (*loading.shape[:-2], factors, factors)).copy()
    before = np.zeros(loading.shape[:-2])
    for _ in range(steps):
        turned = rows @ turn
        target = turned**3 - turned * (turned**2).mean(-2, keepdims=True)
        left, values, right = np.linalg.svd(np.swapaxes(rows, -1, -2) @ target)
        turn = left @ right
        now = values.sum(-1)
        if np.all(np.abs(now - before) <= tolerance * np.maximum(now, 1e-12)):
            break
        before = now
    return np.asarray(rows @ turn * length)


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
