"""Persons integrated out over equally spaced nodes (Bock & Aitkin, 1981, doi:10.1007/BF02293801).

p(y_i) = sum_q N(t_q; m_i, S) h^F prod_j P_j(y_ij | t_q): exact up to the grid error, missing answers simply
absent from the product. Explained normal variables and Gaussian items are conditioned on in closed form
first. A shift m_i of the mean enters as N(t; m, S) ~ N(t; 0, S) exp(t' S^-1 m), which factorises over the
constructs, so the weights over the grid are the same for everybody.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from medpsy.bind import ModelData, local
from medpsy.engines.base import Verdict, normal_given
from medpsy.engines.gaussian import moments, patterns, values
from medpsy.engines.grid import Grid, default_grid
from medpsy.engines.nested_sums import nested_sums
from medpsy.families.base import Block
from medpsy.families.composite import Composite
from medpsy.families.nested import NODES, Nested

if TYPE_CHECKING:
    from medpsy.engines.quadrature_compiled import CompiledQuadrature
    from medpsy.engines.quadrature_conditioned import ConditionedQuadrature

#: Most constructs a full grid is affordable for.
MOST_FACTORS = 3


class Quadrature:
    """The engine ``quadrature``: one to three constructs, simple structure."""

    name = "quadrature"
    order = 2
    unit = "person"
    least, most = 1, MOST_FACTORS

    def accepts(self, data: ModelData) -> Verdict:
        """One to three constructs, each item on one of them alone, explained variables normal."""
        if any(isinstance(family, Composite) for family in data.model.families.values()):
            return Verdict(False, "items measure more than their construct")
        if not self.least <= data.n_factor <= self.most:
            return Verdict(False, f"{data.n_factor} constructs; the grid takes {self.least} to {self.most}")
        if data.layout.not_normal:
            return Verdict(False, f"{data.layout.not_normal} and may depend on several constructs at once")
        return Verdict(True, f"{data.n_factor} construct(s) summed over a grid")

    def person_normals(self, data: ModelData) -> int:
        """None: the persons are integrated out."""
        return 0

    def settings(self, data: ModelData, size: int | None = None) -> Grid:
        """A grid over +-6 sds of every construct."""
        return default_grid(data.n_factor, size)

    def compiles(self, data: ModelData) -> Verdict:
        """Categorical families with kernels, beside items that are numbers."""
        if not any(block.n_categories for block in data.blocks):
            return Verdict(False, "no item is ordinal")
        for block in data.blocks:
            if block.n_categories and not hasattr(data.model.families[block.name], "kernels"):
                return Verdict(False, f"family '{block.construct.family}' has no compiled kernel")
        return Verdict(True, "every part has compiled kernels")

    def compiled(self, data: ModelData, settings: Grid) -> CompiledQuadrature | ConditionedQuadrature:
        """The same density in machine code."""
        from medpsy.engines.gaussian_compiled import SufficientStatistics
        from medpsy.engines.quadrature_compiled import CompiledQuadrature
        from medpsy.engines.quadrature_conditioned import ConditionedQuadrature

        normal, ordinal = apart(data)
        if not normal.blocks and not data.layout.measured.size:
            return CompiledQuadrature(data, settings)
        numbers = SufficientStatistics(normal)
        return ConditionedQuadrature(data, numbers, ordinal, grid_of(ordinal, settings))

    def log_likelihood(self, data: ModelData, p: dict[str, Any], xp: Any, settings: Grid) -> Any:
        """Marginal log-likelihood of every person.

        Parameters
        ----------
        p : dict
            Constrained parameter values, no leading axes.
        settings : Grid
            The nodes.

        Returns
        -------
        array, shape (person,)
        """
        normal, ordinal = apart(data)
        nodes = data.layout.factors[[block.factor for block in ordinal]]
        mean, covariance = moments(normal, p, xp, nodes)
        specific, grid = getattr(settings, "specific", NODES), grid_of(ordinal, settings)
        sums = [
            answer_sums(data, block, local(data, block, p), settings.nodes[block.factor], xp, specific)
            for block in ordinal
        ]
        y, pieces, rows = values(normal), [], []
        constructs = y.shape[1] + np.arange(nodes.size)
        for persons, numbers in patterns(normal):
            own, w = y[persons][:, numbers], data.design[persons]
            location, spread, term = normal_given(mean, covariance, constructs, numbers, own, w, xp)
            pieces.append(integrate_normal([s[persons] for s in sums], location, spread, grid, xp) + term)
            rows.append(persons)
        return xp.concatenate(pieces, axis=0)[np.argsort(np.concatenate(rows))]


def apart(data: ModelData) -> tuple[ModelData, tuple[Block, ...]]:
    """The data with the items that are numbers alone, and the constructs of the others: all, if of none."""
    ordinal = tuple(block for block in data.blocks if block.n_categories) or data.blocks
    names = {block.name for block in ordinal}
    return replace(data, blocks=tuple(block for block in data.blocks if block.name not in names)), ordinal


def grid_of(ordinal: tuple[Block, ...], settings: Grid) -> Grid:
    """The nodes of some constructs."""
    return Grid(tuple(settings.nodes[block.factor] for block in ordinal))


def answer_sums(
    data: ModelData,
    block: Block,
    p: dict[str, Any],
    nodes: np.ndarray,
    xp: Any,
    specific: np.ndarray = NODES,
) -> Any:
    """Log-probability of all answers of a person to one block at every node, shape (person, node).

    Specific factors, where the construct has any, are summed out over the nodes ``specific``.
    """
    family = data.model.families[block.name]
    if isinstance(family, Nested):
        return nested_sums(family, block, p, nodes, xp, specific)
    theta = xp.constant(nodes)
    values = block.values
    if family.categorical:
        table = family.log_prob(theta, p, xp)
        n_item, n_cat = values.shape[1], block.n_categories
        one_hot = (values[:, :, None] == np.arange(n_cat)).reshape(len(values), n_item * n_cat)
        return xp.constant(one_hot.astype(float)) @ table.reshape((n_item * n_cat, -1))
    mean, sd = family.log_prob(theta, p, xp)
    given = (~np.isnan(values)).astype(float)
    y = np.where(np.isnan(values), 0.0, values)
    precision = sd**-2.0
    quadratic = (
        xp.constant(y**2) @ precision
        - 2.0 * (xp.constant(y) @ (mean * precision))
        + xp.constant(given) @ (mean**2 * precision)
    )
    return -0.5 * quadratic - xp.constant(given) @ (xp.log(sd) + 0.5 * np.log(2 * np.pi))


def integrate_normal(sums: list[Any], location: Any, spread: Any, grid: Grid, xp: Any) -> Any:
    """log E exp(sum of ``sums``) over N(location, spread) of the constructs, shape (person,)."""
    n_factor = len(sums)
    eye = xp.constant(np.eye(n_factor))
    precision = xp.solve(spread, eye)
    tilt = location @ precision
    total = (
        -0.5 * xp.sum(tilt * location, axis=1)
        + 0.5 * _log_det(precision, xp)
        + float(np.log(grid.spacing).sum() - 0.5 * n_factor * np.log(2 * np.pi))
    )
    scaled = []
    for d, s in enumerate(sums):
        tilted = s + tilt[:, d, None] * xp.constant(grid.nodes[d])
        top = tilted.max(axis=1)
        total = total + top
        scaled.append(xp.exp(tilted - top[:, None]))
    mesh = np.meshgrid(*grid.nodes, indexing="ij")
    exponent = 0.0
    for a in range(n_factor):
        for b in range(n_factor):
            exponent = exponent - 0.5 * precision[a, b] * xp.constant(mesh[a] * mesh[b])
    # The exponent at the mode of the product may be far below zero; its maximum over the grid is 0.
    weight = xp.exp(exponent)
    if n_factor == 1:
        return total + xp.log(scaled[0] @ weight)
    left = scaled[0] @ weight.reshape((len(grid.nodes[0]), -1))
    for d in range(n_factor - 1, 1, -1):
        cube = left.reshape((left.shape[0], -1, len(grid.nodes[d])))
        left = xp.sum(cube * scaled[d][:, None, :], axis=2)
    return total + xp.log(xp.sum(left * scaled[1], axis=1))


def _log_det(precision: Any, xp: Any) -> Any:
    return 2.0 * xp.sum(xp.log(xp.diagonal(xp.cholesky(precision))), axis=-1)


ENGINE = Quadrature()
