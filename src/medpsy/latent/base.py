"""Latent structures: how independent normals and covariates become person scores.

Every structure here is linear. Nodes are the constructs and the explained observed variables, in
topological order; ``w`` is the design row of a person, a one followed by the covariate columns:

    eta = B eta + G w + D Z z,   z ~ N(0, I)

so that eta = M w + L z with A = (I - B)^-1, M = A G, L = A D Z. L is lower triangular.
A structure says which parameters fill B, G, D and Z; the rest is shared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from medpsy.errors import SpecError, nearest
from medpsy.latent.levels import Levels, PooledLevels
from medpsy.observed.base import ObservedFamily, has_categories, observed_family
from medpsy.parameter import Parameter
from medpsy.registry import parts
from medpsy.spec.model_spec import Path
from medpsy.spec.parameters import ParameterRow, ParameterTable


@dataclass(frozen=True)
class Column:
    """One column of the design: a number (z-scored), one level of a category (centred indicator), a product.

    ``unit`` is the sd a number was divided by (1 for an indicator); a product has the mean of the raw
    product, the product of the units, and the names of its ``factors``.
    """

    name: str
    variable: str
    centre: float = 0.0
    unit: float = 1.0
    factors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Coefficient:
    """One number of the path table: a path, or one level of a path from a category.

    ``by`` is the design column that the effect of a construct changes with, where it does; ``times`` are the
    nodes that it changes with.
    """

    name: str
    target: int
    source: int
    from_column: bool
    label: str | None
    path: Path
    by: int | None = None
    times: tuple[int, ...] = ()


@dataclass(frozen=True)
class Layout:
    """Who is who in the equations.

    Parameters
    ----------
    nodes : tuple of str
        Constructs and explained observed variables in topological order.
    latent : ndarray of bool, shape (node,)
        Which nodes are constructs.
    families : tuple of str
        ``"latent"``, or the observed family (:mod:`medpsy.observed`) of each node.
    columns : tuple of Column
        Covariate columns; design column 0 is the constant, column c + 1 is ``columns[c]``.
    coefficients : tuple of Coefficient
        Every path, expanded over columns. ``source`` is a node, or a design column.
    cliques : tuple of tuple of int
        Nodes whose residuals correlate freely (latent nodes, at least two each).
    unit : ndarray, shape (node,)
        Sd that observed nodes were z-scored with; 1 for constructs and families not standardised.
    covariance : ndarray, shape (1 + column, 1 + column)
        Sample covariance of the design rows.
    centre : ndarray, shape (node,)
        Mean that observed nodes were z-scored with; 0 where ``unit`` is 1 by definition.
    at : ndarray, shape (moderated coefficient,), optional
        Values of the columns that effects of constructs change with, where all persons have the same; their
        means (0) unless given.
    levels : Levels, optional
        The clusters of the persons, where there are any.
    categories : tuple of tuple of str
        Labels of the categories of every node, lowest first; none where its values are no categories.
    pooled : tuple of PooledLevels
        Person variables whose levels have effects from a common distribution.
    between : tuple of Coefficient
        Paths among the means of the clusters, where variables are split into these and deviations.
    """

    nodes: tuple[str, ...]
    latent: np.ndarray
    families: tuple[str, ...]
    columns: tuple[Column, ...]
    coefficients: tuple[Coefficient, ...]
    cliques: tuple[tuple[int, ...], ...]
    unit: np.ndarray
    covariance: np.ndarray
    centre: np.ndarray
    at: np.ndarray | None = None
    levels: Levels | None = None
    categories: tuple[tuple[str, ...], ...] = ()
    pooled: tuple[PooledLevels, ...] = ()
    between: tuple[Coefficient, ...] = ()

    @cached_property
    def factors(self) -> np.ndarray:
        """Positions of the constructs among the nodes."""
        return np.flatnonzero(self.latent)

    @cached_property
    def observed(self) -> tuple[ObservedFamily | None, ...]:
        """The family object of every explained observed variable, None for constructs."""
        return tuple(None if f == "latent" else observed_family(f) for f in self.families)

    @cached_property
    def measured(self) -> np.ndarray:
        """Positions of the observed nodes: neither constructs nor latent variables of a linear model."""
        return np.array([i for i, family in enumerate(self.families) if family != "latent"], dtype=int)

    @cached_property
    def normal(self) -> np.ndarray:
        """Which observed nodes have normal residuals: bool, shape (node,)."""
        return np.array([one is not None and one.normal for one in self.observed], dtype=bool)

    @cached_property
    def not_normal(self) -> str:
        """The first observed variable without normal residuals in words, or nothing."""
        pairs = zip(self.nodes, self.observed, strict=True)
        return next((f"'{n}' is {one.what}" for n, one in pairs if one is not None and not one.normal), "")

    @cached_property
    def roles(self) -> dict[str, np.ndarray]:
        """Positions of the observed nodes that have a parameter, by its name, in order of first mention."""
        found: dict[str, list[int]] = {}
        for i, one in enumerate(self.observed):
            for role in () if one is None else one.roles:
                found.setdefault(role.name, []).append(i)
        return {name: np.array(where, dtype=int) for name, where in found.items()}

    @cached_property
    def by_category(self) -> frozenset[str]:
        """Names of the parameters that have a value for each category."""
        roles = [role for one in self.observed if one is not None for role in one.roles]
        return frozenset(role.name for role in roles if role.per_category)

    def cell(self, name: str, node: int) -> tuple[Any, ...]:
        """Where a parameter of an observed node stands in its array (..., variable[, category])."""
        place = int(np.flatnonzero(self.roles[name] == node)[0])
        if name in self.by_category:
            return (..., place, slice(len(self.categories[node])))
        return (..., place)

    def own(self, node: int, p: Mapping[str, Any]) -> dict[str, Any]:
        """Parameters of the family of one observed node but its intercept, which eta holds: (...,), or
        (..., category)."""
        return {
            name: p[name][self.cell(name, node)]
            for name, where in self.roles.items()
            if name != "intercept" and node in where
        }

    def thresholds(self, p: Mapping[str, Any], xp: Any) -> dict[str, Any]:
        """Thresholds (..., K-1) of every node with categories, at the means of what explains it."""
        pairs: list[tuple[int, Any]] = [
            (i, one) for i, one in enumerate(self.observed) if one is not None and has_categories(one)
        ]
        return {
            self.nodes[i]: one.thresholds(p["category_prob"][self.cell("category_prob", i)], xp)
            for i, one in pairs
        }

    @cached_property
    def inner(self) -> np.ndarray:
        """Positions of the coefficients between nodes that are the same for everybody."""
        plain = [not (c.from_column or c.times) and c.by is None for c in self.coefficients]
        return np.flatnonzero(plain)

    @cached_property
    def products(self) -> np.ndarray:
        """Positions of the coefficients of products of constructs with other nodes."""
        return np.flatnonzero([bool(c.times) for c in self.coefficients])

    @cached_property
    def moderated(self) -> np.ndarray:
        """Positions of the coefficients by which effects of constructs change with a design column."""
        return np.array([i for i, c in enumerate(self.coefficients) if c.by is not None], dtype=int)

    def factors_of(self, c: Coefficient) -> tuple[str, ...]:
        """Names of the columns and nodes that a coefficient multiplies."""
        if not c.from_column:
            others = tuple(self.nodes[node] for node in c.times)
            return (self.nodes[c.source], *others, *(() if c.by is None else self._parts(c.by)))
        return self._parts(c.source)

    def term(self, c: Coefficient) -> str:
        """What stands right of ``~``, levels named: ``x``, ``sex[m]``, ``x:sex[m]``."""
        return ":".join(self.factors_of(c))

    def _parts(self, column: int) -> tuple[str, ...]:
        found = self.columns[column - 1]
        return found.factors or (found.name,)

    @cached_property
    def outer(self) -> np.ndarray:
        """Positions of the coefficients of covariate columns."""
        return np.array([i for i, c in enumerate(self.coefficients) if c.from_column], dtype=int)

    @cached_property
    def inner_cells(self) -> tuple[np.ndarray, np.ndarray]:
        """Cells of B that hold a coefficient, in the order of ``inner``."""
        return self._cells(self.inner)

    @cached_property
    def outer_cells(self) -> tuple[np.ndarray, np.ndarray]:
        """Cells of G that hold a coefficient, in the order of ``outer``."""
        return self._cells(self.outer)

    def _cells(self, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        target = np.array([self.coefficients[i].target for i in which], dtype=int)
        source = np.array([self.coefficients[i].source for i in which], dtype=int)
        return target, source

    @cached_property
    def alone(self) -> np.ndarray:
        """Nodes outside every clique."""
        within = {node for clique in self.cliques for node in clique}
        return np.array([i for i in range(len(self.nodes)) if i not in within], dtype=int)

    @cached_property
    def clique_cells(self) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray], ...]:
        """Per clique: lower-triangle rows and columns inside it, and where they stand among all nodes."""
        out = []
        for clique in self.cliques:
            row, col = np.tril_indices(len(clique))
            place = np.array(clique)
            out.append((row, col, place[row], place[col]))
        return tuple(out)


@dataclass(frozen=True)
class Equations:
    """B (node, node), G (node, design), D (node,), Z (node, node), each with any leading axes."""

    b: Any
    g: Any
    d: Any
    z: Any


class LatentStructure(Protocol):
    """Fills the equations from its parameters."""

    name: str

    def rows(self, paths: tuple[Path, ...], layout: Any) -> list[ParameterRow]:
        """Rows of the parameter table."""
        ...

    def parameters(self, layout: Layout, table: ParameterTable) -> tuple[Parameter, ...]:
        """Free parameters."""
        ...

    def equations(self, p: dict[str, Any], layout: Layout, xp: Any) -> Equations:
        """B, G, D, Z at parameter values ``p``."""
        ...

    def reverse(self, p: dict[str, np.ndarray], layout: Layout, d: Equations) -> dict[str, np.ndarray]:
        """Gradient with respect to the parameters, given it with respect to B, G, D, Z."""
        ...

    def coefficients(self, p: dict[str, Any], layout: Layout, xp: Any) -> Any:
        """Every coefficient of the layout (..., coefficient), on the internal (z-scored) scale."""
        ...


def system(eq: Equations, layout: Layout, xp: Any) -> tuple[Any, Any]:
    """Reduced form: M (..., node, design) and lower-triangular L (..., node, node)."""
    a = xp.constant(np.eye(len(layout.nodes))) - eq.b
    return xp.solve(a, eq.g), xp.solve(a, eq.d[..., :, None] * eq.z)


def system_reverse(eq: Equations, d_mean: np.ndarray, d_chol: np.ndarray) -> Equations:
    """Gradient with respect to B, G, D, Z given it with respect to M and L."""
    a = np.linalg.inv(np.eye(eq.b.shape[-1]) - eq.b)
    spread = eq.d[:, None] * eq.z
    d_a = d_mean @ eq.g.T + d_chol @ spread.T
    d_spread = a.T @ d_chol
    return Equations(
        b=a.T @ d_a @ a.T,
        g=a.T @ d_mean,
        d=(d_spread * eq.z).sum(-1),
        z=eq.d[:, None] * d_spread,
    )


def total_sd(mean: np.ndarray, chol: np.ndarray, layout: Layout, p: Mapping[str, np.ndarray]) -> np.ndarray:
    """Model-implied sd of every node (..., node), covariates included, internal scale.

    A binary or counted variable has it on the scale of its link (binary: the latent logistic response, with
    residual variance pi^2 / 3).
    """
    explained = np.einsum("...ni,ij,...nj->...n", mean, layout.covariance, mean)
    total = explained + (chol**2).sum(-1)
    for i, one in enumerate(layout.observed):
        if one is not None and not one.normal:
            # At the mean of the linear predictor: for counts, of the log.
            centre = np.broadcast_to(mean[..., i, 0], total.shape[:-1])
            total[..., i] += one.link_variance(centre, layout.own(i, p))
    return np.sqrt(total)


def residual_factor(p: dict[str, Any], layout: Layout, xp: Any) -> Any:
    """Z: identity outside the cliques, a Cholesky factor of a correlation matrix inside each."""
    size = len(layout.nodes)
    rows, cols, values = [layout.alone], [layout.alone], []
    for number, (inside_row, inside_col, row, col) in enumerate(layout.clique_cells):
        values.append(p[clique_name(layout, number)][..., inside_row, inside_col])
        rows.append(row)
        cols.append(col)
    if not values:
        return xp.constant(np.eye(size))
    ones = xp.zeros((*values[0].shape[:-1], len(layout.alone))) + 1.0
    return xp.place(
        (size, size), np.concatenate(rows), np.concatenate(cols), xp.concatenate([ones, *values], axis=-1)
    )


def residual_factor_reverse(layout: Layout, d_z: np.ndarray) -> dict[str, np.ndarray]:
    """Gradient with respect to the Cholesky factor of each clique."""
    out = {}
    for number, (inside_row, inside_col, row, col) in enumerate(layout.clique_cells):
        size = len(layout.cliques[number])
        grad = np.zeros((size, size))
        grad[inside_row, inside_col] = d_z[row, col]
        out[clique_name(layout, number)] = grad
    return out


def clique_name(layout: Layout, number: int) -> str:
    """Name of the free Cholesky factor of a clique."""
    return "correlation_chol" if len(layout.cliques) == 1 else f"correlation_chol_{number + 1}"


def clique_parameters(layout: Layout, table: ParameterTable) -> list[Parameter]:
    """One LKJ-distributed Cholesky factor per clique."""
    out = []
    for number, clique in enumerate(layout.cliques):
        names = tuple(layout.nodes[node] for node in clique)
        dims = (f"factor_{number + 1}a", f"factor_{number + 1}b") if number else ("factor", "factor_2")
        prior = table.prior("correlation")
        out.append(Parameter(clique_name(layout, number), dims, (names, names), (prior,)))
    return out


def structures() -> dict[str, LatentStructure]:
    """All registered latent structures by name."""
    return parts("medpsy.latent", "STRUCTURE")


def structure(name: str) -> LatentStructure:
    """Return the structure called ``name`` or raise SpecError naming the nearest."""
    known = structures()
    if name not in known:
        raise SpecError(f"there is no latent structure '{name}'", hint=nearest(name, known))
    return known[name]
