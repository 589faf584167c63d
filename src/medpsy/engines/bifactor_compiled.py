"""The bifactor engine in machine code: same density, gradient by the E-step."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from medpsy.bind import ModelData, local
from medpsy.engines.bifactor import NestedGrid
from medpsy.engines.bifactor_kernel import nested_integrate
from medpsy.engines.grid import fitted_grid
from medpsy.engines.quadrature_kernel import exponentiate
from medpsy.families.nested import Nested, node_weights
from medpsy.jit import jit
from medpsy.latent.base import system, system_reverse
from medpsy.ops import Numpy

#: Step, in logits, of the central differences that give the slope of an item's table.
STEP = 1e-4


class CompiledBifactor:
    """Marginal log-likelihood of one bifactor model and survey on one grid.

    Identical rows (answers and covariates) are collapsed with their counts. The gradient with respect to the
    table is the expected count; an item's two slopes share it through the slope A of their composite t and
    through t itself, for which d log P / d t comes from central differences of the family's own table.

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
        self.lo, self.hi = (
            (windows[0][first], windows[1][first])
            if windows is not None
            else (np.zeros(len(first), dtype=np.int64), np.full(len(first), len(nodes), dtype=np.int64))
        )
        family, self._width = self.family, nodes.size * grid.specific.size
        self._ends = np.cumsum([len(group) for group in family.groups])
        size = np.full(codes.shape[1], self.block.n_categories * nodes.size, dtype=np.int64)
        size[family.members] *= grid.specific.size
        self._start = np.concatenate([[0], np.cumsum(size)])
        self._weight = np.exp(node_weights(grid.specific))
        self._g = np.repeat(nodes, grid.specific.size)
        self._u = np.tile(grid.specific, nodes.size)

    def _items(self, p: dict[str, np.ndarray]) -> list[tuple[int, np.ndarray, dict[str, np.ndarray], float]]:
        """Per item: its place, the values that its family is asked at, its roles, its specific slope."""
        own = local(self.data, self.block, p)
        total = self.family.total(own, Numpy)
        specific = np.zeros(self.codes.shape[1])
        specific[self.family.members] = self.family.specific_slopes(own)
        out = []
        for j in range(self.codes.shape[1]):
            roles = {role: np.ascontiguousarray(value[j : j + 1]) for role, value in total.items()}
            t = self.grid.nodes[0]
            if j in self.family.members:
                t = (own["slope"][j] * self._g + specific[j] * self._u) / roles["slope"][0]
            out.append((j, t, roles, float(specific[j])))
        return out

    def _fill(self, j: int, t: np.ndarray, roles: dict[str, np.ndarray]) -> np.ndarray:
        """Log-probabilities (1, category, node) of item ``j``."""
        forward = jit(self._kernels[0])
        out = np.empty((1, self.block.n_categories, t.size))
        forward(*roles.values(), t, out)
        return out

    @property
    def _kernels(self) -> tuple[Any, Any]:
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
        table = np.empty(self._start[-1])
        items = self._items(p)
        for j, t, roles, _ in items:
            table[self._start[j] : self._start[j + 1]] = self._fill(j, t, roles).ravel()
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
            "eq": eq, "chol": chol, "variance": variance, "location": location, "ell": ell, "items": items,
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
        reverse = jit(self._kernels[1])
        for j, t, roles, slope in run["items"]:
            counts = run["counts"][self._start[j] : self._start[j + 1]].reshape(
                1, self.block.n_categories, -1
            )
            grads = {role: np.zeros_like(value) for role, value in roles.items()}
            reverse(*roles.values(), t, counts, *grads.values())
            for role in family.family.roles:
                if role != "slope" or j in family.alone:
                    out[role][j] += grads[role][0]
            if j in family.alone:
                continue
            length = float(roles["slope"][0])
            step = STEP / length
            table = self._fill(j, t + step, roles) - self._fill(j, t - step, roles)
            d_t = (counts * table).sum((0, 1)) / (2 * step)
            # A and t as functions of the two slopes.
            along = float(grads["slope"][0]) - float(d_t @ t) / length
            out["slope"][j] += (own["slope"][j] * along + d_t @ self._g) / length
            d_specific[j] = (slope * along + d_t @ self._u) / length
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
