"""Constructs with an unrestricted correlation matrix, R ~ LKJ (Lewandowski, Kurowicka & Joe, 2009,
doi:10.1016/j.jmva.2009.04.008).

Used for measurement models and for saturated recursive path models, whose paths are deterministic
functions of R: with R = L L' in topological order, B = I - diag(L) L^-1. All orders of the constructs
therefore have the same likelihood, which the report says. Covariates shift the means; their coefficients
``covariate_effect`` are total effects, the direct ones follow from B.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from medpsy.latent.base import (
    Equations,
    Layout,
    clique_parameters,
    residual_factor,
    residual_factor_reverse,
)
from medpsy.parameter import Parameter
from medpsy.spec.model_spec import Path
from medpsy.spec.parameters import ParameterRow, ParameterTable
from medpsy.spec.priors import parse_prior


class CorrelatedStructure:
    """Parameters: a Cholesky factor of R and ``covariate_effect`` (covariate coefficient,)."""

    name = "correlated"

    def rows(self, paths: tuple[Path, ...], layout: Any) -> list[ParameterRow]:
        """Correlation row, covariate rows, and the derived structural paths."""
        rows = []
        nodes = layout.nodes
        if layout.cliques:
            names = ", ".join(nodes)
            prior = parse_prior("LKJ(2)")
            rows.append(ParameterRow("Correlations", names, "~~", names, None, "correlation", prior))
        for path in paths:
            if path.source in nodes and not path.by:
                rows.append(
                    ParameterRow(
                        "Paths",
                        path.target,
                        "~",
                        path.source,
                        path.label,
                        f"path.{path.key}",
                        None,
                        free=False,
                        note="follows from the correlations",
                    )
                )
            else:
                prior = parse_prior("Normal(0, 1)")
                rows.append(
                    ParameterRow(
                        "Covariates", path.target, "~", path.term, path.label, f"path.{path.key}", prior
                    )
                )
        return rows

    def parameters(self, layout: Layout, table: ParameterTable) -> tuple[Parameter, ...]:
        """The Cholesky factor and the covariate effects, where they exist."""
        out = clique_parameters(layout, table)
        outer = [c for c in layout.coefficients if c.from_column]
        if outer:
            names = tuple(c.name for c in outer)
            priors = tuple(table.prior(f"path.{c.path.key}") for c in outer)
            out.append(Parameter("covariate_effect", ("covariate_regression",), (names,), priors))
        return tuple(out)

    def equations(self, p: dict[str, Any], layout: Layout, xp: Any) -> Equations:
        """B = 0, D = 1, Z the Cholesky factor of R."""
        size, width = len(layout.nodes), 1 + len(layout.columns)
        rows, cols = layout.outer_cells
        if rows.size:
            g = xp.place((size, width), rows, cols, p["covariate_effect"])
        else:
            g = xp.constant(np.zeros((size, width)))
        return Equations(
            xp.constant(np.zeros((size, size))), g, xp.constant(np.ones(size)), residual_factor(p, layout, xp)
        )

    def reverse(self, p: dict[str, np.ndarray], layout: Layout, d: Equations) -> dict[str, np.ndarray]:
        """Pick the gradients from where the parameters were placed."""
        out = residual_factor_reverse(layout, d.z)
        cells = layout.outer_cells
        if cells[0].size:
            out["covariate_effect"] = d.g[cells]
        return out

    def coefficients(self, p: dict[str, Any], layout: Layout, xp: Any) -> Any:
        """Structural paths from R, and direct effects of the covariates given the other constructs."""
        if not layout.coefficients:
            return None
        eq = self.equations(p, layout, xp)
        structural = any(not c.from_column for c in layout.coefficients)
        values = []
        if structural:
            eye = xp.constant(np.eye(len(layout.nodes)))
            keep = xp.diagonal(eq.z)[..., :, None] * xp.solve(eq.z, eye)
            b, g = eye - keep, keep @ eq.g
        else:
            b, g = eq.b, eq.g
        for c in layout.coefficients:
            values.append((g if c.from_column else b)[..., c.target, c.source])
        return xp.stack(values, axis=-1)


STRUCTURE = CorrelatedStructure()
