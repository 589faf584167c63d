"""Tables of items that see several latent variables at once, and the way back to their slopes."""

from __future__ import annotations

from typing import Any

import numpy as np

from medpsy.jit import jit

#: Step, in logits, of the central differences that give the slope of an item's table.
STEP = 1e-4

Kernels = tuple[Any, Any]
Direction = tuple[float, np.ndarray]


def item_roles(values: dict[str, np.ndarray], item: int) -> dict[str, np.ndarray]:
    """Roles of one item, as the kernels of a family take them."""
    return {role: np.ascontiguousarray(value[item : item + 1]) for role, value in values.items()}


def composite(directions: list[Direction], length: float) -> np.ndarray:
    """t = sum of slope times latent variable, over A, at every node."""
    return np.sum([slope * values for slope, values in directions], axis=0) / length


def item_table(kernels: Kernels, roles: dict[str, np.ndarray], t: np.ndarray, n_cat: int) -> np.ndarray:
    """Log-probabilities (category, node) of one item."""
    out = np.empty((1, n_cat, t.size))
    jit(kernels[0])(*roles.values(), t, out)
    return out[0]


def item_gradient(
    kernels: Kernels,
    roles: dict[str, np.ndarray],
    t: np.ndarray,
    counts: np.ndarray,
    directions: list[Direction],
) -> tuple[dict[str, np.ndarray], list[float]]:
    """Gradient of sum(counts * log P) of one item.

    Parameters
    ----------
    kernels : pair of functions
        Forward and reverse of the family.
    roles : dict
        Of the item; ``slope`` is A.
    t : ndarray, shape (node,)
        The composite.
    counts : ndarray, shape (category, node)
    directions : list of (slope, ndarray of shape (node,))
        What the predictor adds up. The table depends on these slopes through A and through t; d log P / d t
        comes from central differences of the family's own table.

    Returns
    -------
    roles : dict
        Gradient of the item's other roles.
    slopes : list of float
        Gradient of every slope.
    """
    grads = {role: np.zeros_like(value) for role, value in roles.items()}
    jit(kernels[1])(*roles.values(), t, np.ascontiguousarray(counts)[None], *grads.values())
    length = float(roles["slope"][0])
    step = STEP / length
    ahead, behind = (item_table(kernels, roles, t + s, len(counts)) for s in (step, -step))
    d_t = (counts * (ahead - behind)).sum(0) / (2 * step)
    along = float(grads.pop("slope")[0]) - float(d_t @ t) / length
    return grads, [(slope * along + float(d_t @ values)) / length for slope, values in directions]
