"""Effects of levels around any linear structure, partially pooled (Gelman & Hill, 2007, ISBN 9780521686891).

The levels of a person variable (centre, year, major) shift a node by effects that sum to zero over the levels
and share a standard deviation: with orthonormal contrasts C (level, level - 1),

    effect = sd * C z,   z ~ N(0, I),

so that the difference of two levels has the sd sqrt(2) * sd a priori. The effects stand in G, in the columns
of the levels; everything else is that of the structure.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from medpsy.latent.base import Equations, LatentStructure, Layout
from medpsy.latent.levels import PooledLevels
from medpsy.ops import Numpy
from medpsy.parameter import Parameter, Scale, zero_sum_basis
from medpsy.spec.model_spec import Path
from medpsy.spec.parameters import ParameterRow, ParameterTable
from medpsy.spec.pooled import Pooled
from medpsy.spec.priors import parse_prior

#: About how far the answers of one person are from the mean of a level, residual sds of what is explained.
ERROR = 1.2


class PooledStructure:
    """Any structure, with ``level_sd`` (term,) and ``level_z`` (contrast,) beside its own parameters.

    Parameters
    ----------
    inner : LatentStructure
        What holds at the mean of the levels.
    pooled : tuple of Pooled
        Who is shifted by which variable.
    """

    def __init__(self, inner: LatentStructure, pooled: tuple[Pooled, ...]) -> None:
        self.inner, self.pooled = inner, pooled
        self.name = inner.name

    def __getattr__(self, name: str) -> Any:
        """Whatever else the structure offers."""
        if name in ("inner", "pooled") or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.inner, name)

    def rows(self, paths: tuple[Path, ...], layout: Any) -> list[ParameterRow]:
        """Rows of the structure, and the sd of the levels of every term."""
        out, prior = self.inner.rows(paths, layout), parse_prior("HalfNormal(0.5)")
        for one in self.pooled:
            target = f"level_sd.{one.target}.{one.variable}"
            out.append(ParameterRow("SDs of levels", one.target, "|", one.variable, None, target, prior))
        return out

    def parameters(self, layout: Layout, table: ParameterTable) -> tuple[Parameter, ...]:
        """Parameters of the structure and, once the levels are known, theirs."""
        out = self.inner.parameters(layout, table)
        if not layout.pooled:
            return out
        keys = tuple(one.key for one in layout.pooled)
        sds = tuple(table.prior(f"level_sd.{one.target}.{one.variable}") for one in self.pooled)
        names, index, error = [], [], []
        for k, one in enumerate(layout.pooled):
            names += [f"{one.key}_{i}" for i in range(1, len(one.labels))]
            index += [k] * (len(one.labels) - 1)
            error += [ERROR / float(np.sqrt(one.size.mean()))] * (len(one.labels) - 1)
        normal = (parse_prior("Normal(0, 1)"),) * len(names)
        scale = Scale("level_sd", tuple(index), tuple(error))
        return (
            *out,
            Parameter("level_sd", ("level_sd_of",), (keys,), sds),
            Parameter("level_z", ("level_contrast",), (tuple(names),), normal, scale=scale),
        )

    def effects(self, p: dict[str, Any], layout: Layout, xp: Any) -> list[Any]:
        """Effects (..., level) of every term, internal scale."""
        return [
            p["level_sd"][..., k : k + 1] * (p["level_z"][..., own] @ xp.constant(basis.T))
            for k, (own, basis) in enumerate(_contrasts(layout.pooled))
        ]

    def equations(self, p: dict[str, Any], layout: Layout, xp: Any) -> Equations:
        """The equations of the structure, with the effects in the columns of their levels."""
        eq = self.inner.equations(p, layout, xp)
        if not layout.pooled:
            return eq
        rows = np.concatenate([np.repeat(one.target, len(one.labels)) for one in layout.pooled])
        cols = np.concatenate([one.columns for one in layout.pooled])
        values = xp.concatenate(self.effects(p, layout, xp), axis=-1)
        shape = (len(layout.nodes), 1 + len(layout.columns))
        return Equations(eq.b, eq.g + xp.place(shape, rows, cols, values), eq.d, eq.z)

    def reverse(self, p: dict[str, np.ndarray], layout: Layout, d: Equations) -> dict[str, np.ndarray]:
        """Gradient with respect to all parameters."""
        out = self.inner.reverse(p, layout, d)
        if not layout.pooled:
            return out
        d_sd, d_z = np.zeros_like(p["level_sd"]), np.zeros_like(p["level_z"])
        for k, (own, basis) in enumerate(_contrasts(layout.pooled)):
            one = layout.pooled[k]
            back = d.g[one.target, one.columns] @ basis
            d_sd[k], d_z[own] = back @ p["level_z"][own], back * p["level_sd"][k]
        return out | {"level_sd": d_sd, "level_z": d_z}

    def coefficients(self, p: dict[str, Any], layout: Layout, xp: Any) -> Any:
        """Every coefficient of the paths."""
        return self.inner.coefficients(p, layout, xp)

    def reported(self, p: dict[str, Any], layout: Layout) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
        """``level_effect`` (level of a term,), in raw units of what is explained."""
        found = dict(self.inner.reported(p, layout)) if hasattr(self.inner, "reported") else {}
        if not layout.pooled:
            return found
        made = self.effects(p, layout, Numpy)
        raw = [effect * layout.unit[one.target] for one, effect in zip(layout.pooled, made, strict=True)]
        return found | {"level_effect": (("level_effect_of",), np.concatenate(raw, axis=-1))}


def effect_names(layout: Layout) -> list[str]:
    """Names of all effects of levels: ``anxiety~major[law]``."""
    return [f"{one.key}[{label}]" for one in layout.pooled for label in one.labels]


def _contrasts(pooled: tuple[PooledLevels, ...]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Positions of the contrasts of every term, and what every level has of them."""
    out, at = [], 0
    for one in pooled:
        size = len(one.labels) - 1
        out.append((np.arange(at, at + size), zero_sum_basis(size + 1)))
        at += size
    return out
