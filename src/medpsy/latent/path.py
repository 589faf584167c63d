"""Recursive path model: residual sd 1 for constructs, free for observed variables.

eta = B eta + G w + D Z z with every path a free coefficient. Exogenous constructs correlate freely.
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

_NONE = np.empty(0, dtype=int)


class PathStructure:
    """Parameters ``path`` (coefficient,) and those of observed families (``intercept`` ...; variable,)."""

    name = "path"

    def rows(self, paths: tuple[Path, ...], layout: Any) -> list[ParameterRow]:
        """One row per path, per observed variable, and one for the correlations if there are any."""
        rows: list[ParameterRow] = []
        covariates = {path.source for path in paths if not path.by} - set(layout.nodes)
        for path in paths:
            if path.measured:
                rows.append(_loading(path, rows))
                continue
            prior = parse_prior("Normal(0, 1)" if path.source in covariates else "Normal(0, 0.5)")
            rows.append(
                ParameterRow("Paths", path.target, "~", path.term, path.label, f"path.{path.key}", prior)
            )
        for name, family in zip(layout.nodes, layout.observed, strict=True):
            for role in () if family is None else family.roles:
                place = (role.section, name, role.op, role.rhs or name)
                rows.append(ParameterRow(*place, None, f"{role.name}.{name}", parse_prior(role.prior)))
        if layout.cliques:
            names = "; ".join(", ".join(layout.nodes[i] for i in clique) for clique in layout.cliques)
            prior = parse_prior("LKJ(2)")
            rows.append(ParameterRow("Correlations", names, "~~", names, None, "correlation", prior))
        return rows

    def parameters(self, layout: Layout, table: ParameterTable) -> tuple[Parameter, ...]:
        """``path``, those of observed families and a Cholesky factor per clique, where they exist."""
        out = []
        if layout.coefficients:
            names = tuple(c.name for c in layout.coefficients)
            priors = tuple(table.prior(f"path.{c.path.key}") for c in layout.coefficients)
            out.append(Parameter("path", ("regression",), (names,), priors))
        for role, where in layout.roles.items():
            names = tuple(layout.nodes[i] for i in where)
            priors = tuple(table.prior(f"{role}.{name}") for name in names)
            dims: tuple[str, ...] = (f"{role}_of",)
            coords: tuple[tuple[str, ...], ...] = (names,)
            lengths = None
            if role in layout.by_category:
                lengths = tuple(len(layout.categories[i]) for i in where)
                dims, coords = (*dims, f"{role}_category"), (names, tuple(map(str, range(max(lengths)))))
            out.append(Parameter(role, dims, coords, priors, lengths))
        return (*out, *clique_parameters(layout, table))

    def equations(self, p: dict[str, Any], layout: Layout, xp: Any) -> Equations:
        """Place every coefficient where the layout says."""
        size, width = len(layout.nodes), 1 + len(layout.columns)
        constant, spread = layout.roles.get("intercept", _NONE), layout.roles.get("residual_sd", _NONE)
        path = p["path"] if layout.coefficients else xp.zeros((0,))
        b = xp.place((size, size), *layout.inner_cells, path[..., layout.inner])
        if layout.at is not None:
            for i, value in zip(layout.moderated, layout.at, strict=True):
                c = layout.coefficients[i]
                own = path[..., np.array([i])] * float(value)
                b = b + xp.place((size, size), np.array([c.target]), np.array([c.source]), own)
        rows, cols = layout.outer_cells
        g_values, g_rows, g_cols = [path[..., layout.outer]], [rows], [cols]
        if constant.size and not layout.coefficients:
            g_values, g_rows, g_cols = [], [], []  # nothing that has the leading axes of the draws
        if constant.size:
            g_values.append(p["intercept"])
            g_rows.append(constant)
            g_cols.append(np.zeros(constant.size, dtype=int))
        g = xp.place(
            (size, width), np.concatenate(g_rows), np.concatenate(g_cols), xp.concatenate(g_values, axis=-1)
        )
        latent = np.setdiff1d(np.arange(size), layout.measured)
        if spread.size:
            ones = xp.zeros((*p["residual_sd"].shape[:-1], latent.size)) + 1.0
            values = xp.concatenate([ones, p["residual_sd"]], axis=-1)
        else:
            values = xp.zeros((latent.size,)) + 1.0
        where = np.concatenate([latent, spread])
        d = xp.place((1, size), np.zeros(where.size, dtype=int), where, values)[..., 0, :]
        return Equations(b, g, d, residual_factor(p, layout, xp))

    def reverse(self, p: dict[str, np.ndarray], layout: Layout, d: Equations) -> dict[str, np.ndarray]:
        """Pick the gradient of every coefficient from where it was placed."""
        out = residual_factor_reverse(layout, d.z)
        if layout.coefficients:
            grad = np.zeros(len(layout.coefficients))
            grad[layout.inner] = d.b[layout.inner_cells]
            if layout.at is not None:
                for i, value in zip(layout.moderated, layout.at, strict=True):
                    c = layout.coefficients[i]
                    grad[i] = d.b[c.target, c.source] * value
            grad[layout.outer] = d.g[layout.outer_cells]
            out["path"] = grad
        if "intercept" in layout.roles:
            out["intercept"] = d.g[layout.roles["intercept"], 0]
        if "residual_sd" in layout.roles:
            out["residual_sd"] = d.d[layout.roles["residual_sd"]]
        return out

    def coefficients(self, p: dict[str, Any], layout: Layout, xp: Any) -> Any:
        """The parameters themselves."""
        return p["path"] if layout.coefficients else None


def _loading(path: Path, before: list[ParameterRow]) -> ParameterRow:
    """A construct on one of second order: the first slope is positive, which sets the sign."""
    first = not any(row.op == "=~" for row in before)
    prior = parse_prior("LogNormal(0, 0.6)" if first else "StudentT(4, 1, 1)")
    return ParameterRow("Second order", path.source, "=~", path.target, path.label, f"path.{path.key}", prior)


STRUCTURE = PathStructure()
