"""Numbers of a linear model in the units of its variables: intercepts, variances, covariances."""

from __future__ import annotations

from typing import Any

import numpy as np

from medpsy.latent.base import Layout
from medpsy.latent.linear import LinearStructure
from medpsy.latent.products import raw_map
from medpsy.ops import Numpy


def variances(structure: LinearStructure, p: dict[str, Any], layout: Layout) -> np.ndarray:
    """Residual variance of every node (..., node), raw units."""
    return np.asarray((structure.sds(p, layout, Numpy) * layout.unit) ** 2)


def covariance(
    structure: LinearStructure, p: dict[str, Any], layout: Layout, left: str, right: str
) -> np.ndarray:
    """Residual covariance of two nodes (...), raw units."""
    i, j = layout.nodes.index(left), layout.nodes.index(right)
    eq = structure.equations(p, layout, Numpy)
    scale = eq.d[..., i] * eq.d[..., j] * layout.unit[i] * layout.unit[j]
    return np.asarray((eq.z[..., i, :] * eq.z[..., j, :]).sum(-1) * scale)


def intercepts(structure: LinearStructure, p: dict[str, Any], layout: Layout) -> np.ndarray:
    """Value of every node (..., node) where all that explains it is zero, raw units."""
    alpha = structure.intercepts(p, layout, Numpy)
    if not layout.coefficients:
        return np.asarray(layout.centre + layout.unit * alpha)
    raw = structure.coefficients(p, layout, Numpy) @ raw_map(layout).T
    lead = np.broadcast_shapes(alpha.shape[:-1], raw.shape[:-1])
    out = np.array(np.broadcast_to(layout.centre + layout.unit * alpha, (*lead, len(layout.nodes))))
    for k, c in enumerate(layout.coefficients):
        at = layout.columns[c.source - 1].centre if c.from_column else layout.centre[c.source]
        out[..., c.target] -= raw[..., k] * at
    return out


def labelled(
    structure: LinearStructure, p: dict[str, Any], layout: Layout, *, standard: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Variances, covariances and intercepts that carry a label.

    ``standard``, the total sds (..., node) on the internal scale, gives shares of variance, residual
    correlations and intercepts in total sds instead of raw units.
    """
    spec = structure.spec
    out: dict[str, np.ndarray] = {}
    if spec.linear is None:
        return out
    held = variances(structure, p, layout)
    for c in spec.covariances:
        if not c.label or c.label in out:
            continue
        i, j = layout.nodes.index(c.left), layout.nodes.index(c.right)
        value = held[..., i] if i == j else covariance(structure, p, layout, c.left, c.right)
        if standard is not None:
            scale = (
                (standard[..., i] * layout.unit[i]) ** 2 if i == j else np.sqrt(held[..., i] * held[..., j])
            )
            value = value / scale
        out[c.label] = value
    for one in spec.linear.intercepts:
        if one.label and one.label not in out:
            i = layout.nodes.index(one.target)
            value = intercepts(structure, p, layout)[..., i]
            out[one.label] = value if standard is None else value / (standard[..., i] * layout.unit[i])
    return out
