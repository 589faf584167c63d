"""The constructs alone, where the structure has a latent variable more: one of second order with paths."""

from __future__ import annotations

import numpy as np

from medpsy.latent.base import Layout
from medpsy.latent.second_order import cholesky_reverse


def all_latent(layout: Layout) -> bool:
    """Whether nothing observed is explained."""
    return all(family == "latent" for family in layout.families)


def on_factors(mean: np.ndarray, chol: np.ndarray, layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    """Means (factor, design) and a Cholesky factor (factor, factor) of the covariance of the constructs.

    Parameters
    ----------
    mean, chol : ndarray, shape (node, design) and (node, node)
        Of the reduced form.
    layout : Layout
    """
    factors = layout.factors
    if factors.size == len(layout.nodes):
        return mean, chol
    own = chol[factors]
    return mean[factors], np.linalg.cholesky(own @ own.T)


def on_factors_reverse(
    d_mean: np.ndarray, d_chol: np.ndarray, chol: np.ndarray, layout: Layout
) -> tuple[np.ndarray, np.ndarray]:
    """Gradient over the reduced form of all nodes, given it over what :func:`on_factors` returned."""
    factors, size = layout.factors, len(layout.nodes)
    if factors.size == size:
        return d_mean, d_chol
    own = chol[factors]
    back = cholesky_reverse(np.linalg.cholesky(own @ own.T), np.tril(d_chol))
    all_mean, all_chol = np.zeros((size, d_mean.shape[1])), np.zeros((size, size))
    all_mean[factors], all_chol[factors] = d_mean, 2.0 * back @ own
    return all_mean, all_chol
