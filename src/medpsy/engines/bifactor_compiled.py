"""The bifactor engine in machine code: same density, gradient by the E-step."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from medpsy.bind import ModelData, local
from medpsy.engines.bifactor import NestedGrid
from medpsy.engines.bifactor_kernel import nested_integrate
from medpsy.engines.composite_tables import (
    Direction,
    Kernels,
    composite,
    item_gradient,
    item_roles,
    item_table,
)
from medpsy.engines.grid import fitted_grid
from medpsy.engines.quadrature_kernel import exponentiate
from medpsy.families.nested import Nested, node_weights
from medpsy.jit import jit
from medpsy.latent.base import system, system_reverse
from medpsy.ops import Numpy


class CompiledBifactor:
    """Marginal log-likelihood of one bifactor model and survey on one grid.

    Identical rows (answers and covariates) are collapsed with their counts. The gradient with respect to the
    table is the expected count, from which :mod:`medpsy.engines.composite_tables` goes back to the slopes.

    Parameters
    ----------
    data : ModelData
        One construct, with specific factors.
    grid : NestedGrid
    windows : tuple of ndarray, optional
        First and one-past-last node of the construct for every person, each (person,).
    """

    def __init__(
        self, data: ModelData, grid: NestedGrid, windows: tuple[np.ndarray, np.ndarray] | None = None
    ) -> None:
        self.data, self.grid = data, grid
        (self.block,) = data.blocks
        self.family = cast(Nested, data.model.families[self.block.name])
        codes = self.block.values.astype(np.int8)
        rows = [codes, data.design[:, 1:], *(w[:, None] for w in windows or ())]
        _, first, inverse, count = np.unique(
            np.concatenate(rows, axis=1), axis=0, return_index=True, return_inverse=True, return_counts=True
        )
        self._inverse = inverse.ravel()
        self.codes, self.design = np.ascontiguousarray(codes[first]), data.design[first]
        self.count = count.astype(float)
        nodes = grid.nodes[0]
        whole = (np.zeros(data.n_person, dtype=np.int64), np.full(data.n_person, len(nodes), dtype=np.int64))
        self.lo, self.hi = (end[first] for end in windows or whole)
        self._ends = np.cumsum([len(group) for group in self.family.groups])
        size = np.full(codes.shape[1], self.block.n_categories * nodes.size, dtype=np.int64)
        size[self.family.members] *= grid.specific.size
        self._start = np.concatenate([[0], np.cumsum(size)])
        self._weight = np.exp(node_weights(grid.specific))
        self._g = np.repeat(nodes, grid.specific.size)
        self._u = np.tile(grid.specific, nodes.size)

    def _directions(self, own: dict[str, np.ndarray], item: int) -> list[Direction]:
        """What the predictor of an item with a specific factor adds up."""
        (entry,) = np.flatnonzero(self.family.members == item)
        specific = float(self.family.further_slopes(own)[entry])
        return [(float(own["slope"][item]), self._g), (specific, self._u)]

    def _table(self, own: dict[str, np.ndarray], total: dict[str, np.ndarray]) -> np.ndarray:
        """Log-probabilities of all items, flat."""
        table = np.empty(self._start[-1])
        for j in range(self.codes.shape[1]):
            roles = item_roles(total, j)
            t = self.grid.nodes[0]
            if j in self.family.members:
                t = composite(self._directions(own, j), float(roles["slope"][0]))
            filled = item_table(self._kernels, roles, t, self.block.n_categories)
            table[self._start[j] : self._start[j + 1]] = filled.ravel()
        return table

    @property
    def _kernels(self) -> Kernels:
        kernels = self.family.base_kernels
        assert kernels is not None
        return kernels

    def _run(self, p: dict[str, np.ndarray]) -> dict[str, Any]:
        """Forward pass and E-step at ``p``."""
        data, family = self.data, self.family
        eq = data.model.structure.equations(p, data.layout, Numpy)
        mean, chol = system(eq, data.layout, Numpy)
        variance = float((chol[0] ** 2).sum())
        location = self.design @ mean[0]
        own = local(data, self.block, p)
        total = family.total(own, Numpy)
        table = self._table(own, total)
        prob = np.empty_like(table)
        exponentiate(table, prob)
        n_row, n_specific = len(self.count), len(family.groups)
        ell, counts = np.empty(n_row), np.zeros_like(table)
        moments, specific_moments = np.empty((n_row, 2)), np.empty((n_row, n_specific, 2))
        nested_integrate(
            self.codes, family.alone, family.members, self._ends, self._start, table, prob,
            self.grid.nodes[0], self.grid.specific, self._weight, self.lo, self.hi, location, 1.0 / variance,
            self.count, ell, counts, moments, specific_moments,
        )  # fmt: skip
        ell += np.log(self.grid.spacing[0]) - 0.5 * np.log(2 * np.pi * variance)
        return {
            "eq": eq, "chol": chol, "variance": variance, "location": location, "ell": ell, "total": total,
            "counts": counts, "moments": moments, "specific": specific_moments,
        }  # fmt: skip

    def value_and_gradient(self, p: dict[str, np.ndarray]) -> tuple[float, dict[str, np.ndarray]]:
        """Log-likelihood and its gradient with respect to every named value."""
        run = self._run(p)
        location, variance, (first, second) = run["location"], run["variance"], run["moments"].T
        d_mean = ((self.count * (first - location)) @ self.design)[None] / variance
        scatter = self.count @ (second - 2 * first * location + location**2)
        d_variance = 0.5 * (scatter / variance**2 - self.count.sum() / variance)
        d_eq = system_reverse(run["eq"], d_mean, 2.0 * d_variance * run["chol"])
        gradient = self.data.model.structure.reverse(p, self.data.layout, d_eq)
        own = local(self.data, self.block, p)
        for role, grad in self._item_gradient(own, run).items():
            gradient[f"{role}_{self.block.name}"] = grad
        return float((self.count * run["ell"]).sum()), gradient

    def _item_gradient(self, own: dict[str, np.ndarray], run: dict[str, Any]) -> dict[str, np.ndarray]:
        """From expected counts to the roles of the family and its specific slopes."""
        family = self.family
        out = {role: np.zeros_like(own[role]) for role in family.roles}
        d_specific = np.zeros(self.codes.shape[1])
        for j in range(self.codes.shape[1]):
            counts = run["counts"][self._start[j] : self._start[j + 1]].reshape(self.block.n_categories, -1)
            roles, nodes = item_roles(run["total"], j), self.grid.nodes[0]
            if j in family.alone:
                grads = {role: np.zeros_like(value) for role, value in roles.items()}
                jit(self._kernels[1])(*roles.values(), nodes, counts[None], *grads.values())
            else:
                directions = self._directions(own, j)
                t = composite(directions, float(roles["slope"][0]))
                grads, d_slopes = item_gradient(self._kernels, roles, t, counts, directions)
                out["slope"][j] += d_slopes[0]
                d_specific[j] = d_slopes[1]
            for role, grad in grads.items():
                out[role][j] += grad[0]
        d_member = d_specific[family.members]
        if family.extra == "specific_slope":
            out["specific_slope"] = d_member
        else:
            np.add.at(out["testlet_sd"], family.owner, d_member * own["slope"][family.members])
            out["slope"][family.members] += d_member * own["testlet_sd"][family.owner]
        return out

    def per_person(self, p: dict[str, np.ndarray]) -> np.ndarray:
        """Log-likelihood of every person, shape (person,)."""
        return self._run(p)["ell"][self._inverse]

    def adapted(self, p: dict[str, np.ndarray], fineness: float = 1.0) -> CompiledBifactor:
        """Nodes and windows fitted to the posteriors of the persons at ``p``.

        Spacing is 1.4 times the second percentile of the persons' posterior sds; a person is summed over 4.3
        sds of the construct to either side. ``fineness`` 2 halves the spacing and widens both by 40 %.
        """
        run = self._run(p)
        mean, sd = _spread(run["moments"][self._inverse])
        reach = 4.3 * fineness**0.5
        low, high = mean - reach * sd, mean + reach * sd
        ratio = 1.4 / fineness
        (nodes,) = fitted_grid(low.min(keepdims=True), high.max(keepdims=True), _small(sd), ratio).nodes
        own_mean, own_sd = _spread(run["specific"])
        ends = np.array([[(own_mean - reach * own_sd).min()], [(own_mean + reach * own_sd).max()]])
        (specific,) = fitted_grid(ends[0], ends[1], _small(own_sd), ratio).nodes
        first = np.clip(np.searchsorted(nodes, low) - 1, 0, None).astype(np.int64)
        last = np.minimum(np.searchsorted(nodes, high) + 1, len(nodes)).astype(np.int64)
        return CompiledBifactor(self.data, NestedGrid((nodes,), specific), (first, last))

    def numerical_error(self, p: dict[str, np.ndarray]) -> float:
        """Log-likelihood minus that on half the spacing over the whole grid."""
        exact = CompiledBifactor(self.data, self.grid.refined()).per_person(p).sum()
        return float(self.per_person(p).sum() - exact)

    def describe(self) -> str:
        """For the provenance."""
        return f"{self.grid.describe()}; {np.mean(self.hi - self.lo):.0f} nodes per person on average"


def _spread(moments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sd from first and second moments."""
    mean, square = moments[..., 0], moments[..., 1]
    return mean, np.sqrt(np.maximum(square - mean**2, 1e-8))


def _small(sd: np.ndarray) -> np.ndarray:
    """Second percentile over persons (and factors), as the sharpest that a grid must resolve."""
    return np.quantile(sd, 0.02, keepdims=True).ravel()
