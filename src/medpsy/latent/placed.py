"""A latent structure of one group among several: its constructs have their own means and spreads.

eta = alpha + B eta + G w + diag(s) D Z z: ``group_mean`` alpha (intercepts of explained constructs) and
``group_sd`` s (residual sds), on the scale that the items share with the other groups.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from medpsy.latent.base import Equations, LatentStructure, Layout
from medpsy.ops import Numpy
from medpsy.parameter import Parameter
from medpsy.spec.model_spec import Path
from medpsy.spec.parameters import ParameterRow, ParameterTable


class PlacedStructure:
    """Any structure, with ``group_mean`` and ``group_sd`` (factor,) beside its own parameters."""

    def __init__(self, inner: LatentStructure) -> None:
        self.inner = inner
        self.name = inner.name

    def __getattr__(self, name: str) -> Any:
        """Whatever else the structure offers."""
        if name == "inner" or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.inner, name)

    def rows(self, paths: tuple[Path, ...], layout: Any) -> list[ParameterRow]:
        """Rows of the structure itself."""
        return self.inner.rows(paths, layout)

    def parameters(self, layout: Layout, table: ParameterTable) -> tuple[Parameter, ...]:
        """Parameters of the structure itself."""
        return self.inner.parameters(layout, table)

    def equations(self, p: dict[str, Any], layout: Layout, xp: Any) -> Equations:
        """The equations of the structure, moved and stretched."""
        eq = self.inner.equations(p, layout, xp)
        size, width = len(layout.nodes), 1 + len(layout.columns)
        factors = layout.factors
        shift = xp.place((size, width), factors, np.zeros(factors.size, dtype=int), p["group_mean"])
        rows = np.zeros(factors.size, dtype=int)
        stretch = xp.place((1, size), rows, factors, p["group_sd"])[..., 0, :]
        stretch = stretch + xp.constant((~layout.latent).astype(float))
        return Equations(eq.b, eq.g + shift, eq.d * stretch, eq.z)

    def reverse(self, p: dict[str, np.ndarray], layout: Layout, d: Equations) -> dict[str, np.ndarray]:
        """Gradient with respect to all parameters."""
        eq = self.inner.equations(p, layout, Numpy)
        factors = layout.factors
        stretch = np.ones(len(layout.nodes))
        stretch[factors] = p["group_sd"]
        out = self.inner.reverse(p, layout, Equations(d.b, d.g, d.d * stretch, d.z))
        out["group_mean"] = d.g[factors, 0]
        out["group_sd"] = (d.d * eq.d)[factors]
        return out

    def coefficients(self, p: dict[str, Any], layout: Layout, xp: Any) -> Any:
        """Every coefficient, on the common scale of the groups."""
        return self.inner.coefficients(p, layout, xp)
