"""The constructs that have items, alone: what is left of the reduced form without those of second order.

A construct of second order that takes part in paths is a node without answers. It is normal given the
covariates, so that leaving it out is to leave out its row and column of the covariance matrix.
"""

from __future__ import annotations

import numpy as np

from medpsy.latent.base import Equations, Layout, system, system_reverse
from medpsy.latent.second_order import cholesky_reverse
from medpsy.ops import Numpy


def construct_system(eq: Equations, layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    """Mean (construct, design) and lower Cholesky factor (construct, construct) of the constructs."""
    mean, chol = system(eq, layout, Numpy)
    if layout.latent.all():
        return mean, chol
    rows = chol[layout.factors]
    return mean[layout.factors], np.linalg.cholesky(rows @ rows.T)


def construct_system_reverse(
    eq: Equations, layout: Layout, d_mean: np.ndarray, d_chol: np.ndarray
) -> Equations:
    """Gradient with respect to B, G, D, Z given it with respect to :func:`construct_system`."""
    if layout.latent.all():
        return system_reverse(eq, d_mean, d_chol)
    mean, chol = system(eq, layout, Numpy)
    rows = chol[layout.factors]
    root = np.linalg.cholesky(rows @ rows.T)
    full_mean, full_chol = np.zeros_like(mean), np.zeros_like(chol)
    full_mean[layout.factors] = d_mean
    full_chol[layout.factors] = 2.0 * cholesky_reverse(root, d_chol) @ rows
    return system_reverse(eq, full_mean, full_chol)
