"""What is summed over a grid and what is integrated in closed form where constructs are multiplied.

Let C be constructs such that every product has at most one factor outside C. Given theta_C = c the
equations are linear, so that

    p(y_i) = sum_c h p_C(y_i | c) p(c, v_i) E[p_R(y_i | theta_R) | c, v_i],

v the observed variables and the Gaussian items of other constructs, R the constructs with categorical items
outside C. The outer sum is over equally spaced nodes; p(c, v) and the distribution of theta_R given (c, v)
are
normal, with slopes that depend on c (Klein & Moosbrugger, 2000, doi:10.1007/BF02296338; exact up to the
error of the grid, where their method uses Gauss-Hermite nodes of normal scores).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np

from medpsy.bind import ModelData
from medpsy.engines.grid import Grid
from medpsy.latent.products import multipliers


@dataclass(frozen=True)
class ProductGrid:
    """Nodes of the constructs held (C) and of those summed given them (R)."""

    held: Grid
    rest: Grid

    def refined(self) -> ProductGrid:
        """Half the spacing, same ends."""
        return ProductGrid(self.held.refined(), self.rest.refined() if self.rest.nodes else self.rest)

    @cached_property
    def points(self) -> np.ndarray:
        """All combinations of the held nodes, shape (point, held)."""
        return np.array(list(product(*self.held.nodes)))

    @cached_property
    def places(self) -> np.ndarray:
        """Which node of each held construct a point stands for, shape (point, held)."""
        return np.array(list(product(*(range(len(t)) for t in self.held.nodes))))

    def describe(self) -> str:
        """For the provenance."""
        inner = f"; given them {self.rest.describe()}" if self.rest.nodes else "; the rest in closed form"
        return f"multiplied constructs: {self.held.describe()}{inner}"


@dataclass(frozen=True)
class Pattern:
    """Persons with the same observed values among those integrated in closed form.

    Parameters
    ----------
    persons : ndarray of int
    given : ndarray of int
        Positions among the extended variables.
    """

    persons: np.ndarray
    given: np.ndarray


class Plan:
    """Who is who for one model and survey.

    The extended variables are the nodes followed by the Gaussian items of constructs outside C.
    """

    def __init__(self, data: ModelData) -> None:
        layout = data.layout
        self.data = data
        self.held = multipliers(layout)
        place = {block.name: layout.nodes.index(block.name) for block in data.blocks}
        self.held_blocks = [next(b for b in data.blocks if place[b.name] == node) for node in self.held]
        others = [b for b in data.blocks if place[b.name] not in self.held]
        self.rest_blocks = [b for b in others if b.n_categories]
        self.rest = np.array([place[b.name] for b in self.rest_blocks], dtype=int)
        self.closed_blocks = [b for b in others if not b.n_categories]
        self.item_node = np.concatenate(
            [np.full(b.values.shape[1], place[b.name]) for b in self.closed_blocks] or [np.empty(0)]
        ).astype(int)
        self.size = len(layout.nodes) + self.item_node.size

    @cached_property
    def values(self) -> np.ndarray:
        """Extended variables (person, extended), NaN where latent or missing."""
        return np.column_stack([self.data.observed, *(b.values for b in self.closed_blocks)])

    @cached_property
    def patterns(self) -> list[Pattern]:
        """Persons by what is known of the extended variables."""
        kinds, which = np.unique(~np.isnan(self.values), axis=0, return_inverse=True)
        which = which.ravel()
        return [Pattern(np.flatnonzero(which == k), np.flatnonzero(kind)) for k, kind in enumerate(kinds)]

    @cached_property
    def cells(self) -> list[tuple[int, int, int, tuple[int, ...]]]:
        """Every product: coefficient, target, source outside C if any, and its factors in C (positions)."""
        held = {node: k for k, node in enumerate(self.held)}
        out = []
        for i in self.data.layout.products:
            c = self.data.layout.coefficients[i]
            factors = [c.source, *c.times]
            source = next((f for f in factors if f not in held), c.source)
            rest = list(factors)
            rest.remove(source)
            out.append((int(i), c.target, source, tuple(held[f] for f in rest)))
        return out

    def multiplier(self, points: np.ndarray) -> np.ndarray:
        """What every product's coefficient is multiplied with at the points (point, held) -> (point,
        product).
        """
        return np.stack([points[:, list(by)].prod(axis=1) for *_, by in self.cells], axis=1)


def loadings(plan: Plan, p: dict[str, Any], xp: Any) -> tuple[Any, Any, Any]:
    """W (extended, node), and intercepts and residual variances (extended,)."""
    n = len(plan.data.layout.nodes)
    zeros = xp.zeros((n,))
    lam = [p[f"loading_{b.name}"] for b in plan.closed_blocks]
    nu = [p[f"intercept_{b.name}"] for b in plan.closed_blocks]
    sd = [p[f"residual_sd_{b.name}"] ** 2 for b in plan.closed_blocks]
    rows = np.arange(plan.size)
    columns = np.concatenate([np.arange(n), plan.item_node])
    weight = xp.place((plan.size, n), rows, columns, xp.concatenate([zeros + 1.0, *lam], axis=0))
    return weight, xp.concatenate([zeros, *nu], axis=0), xp.concatenate([zeros, *sd], axis=0)
