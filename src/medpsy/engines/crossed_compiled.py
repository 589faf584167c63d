"""The full grid by matrix products: same density, gradient by the E-step."""

from __future__ import annotations

from typing import Any

import numpy as np

from medpsy.bind import ModelData, local
from medpsy.engines.answer_tables import family_gradient, log_table
from medpsy.engines.composite_tables import (
    Direction,
    Kernels,
    composite,
    item_gradient,
    item_roles,
    item_table,
)
from medpsy.engines.crossed import mesh, one_hot
from medpsy.engines.grid import Grid, fitted_grid
from medpsy.families.base import Block
from medpsy.families.crossed import Crossed
from medpsy.jit import jit
from medpsy.latent.base import system, system_reverse
from medpsy.ops import Numpy


class CompiledCrossed:
    """Marginal log-likelihood of one model with cross-loadings and one survey on one grid.

    Tables come from the families' kernels, sums over persons from two matrix products with the answers as
    indicators. Identical rows (answers and covariates) are collapsed with their counts.

    Parameters
    ----------
    data : ModelData
    grid : Grid
    """

    def __init__(self, data: ModelData, grid: Grid) -> None:
        self.data, self.grid = data, grid
        rows = np.concatenate([*(block.values for block in data.blocks), data.design[:, 1:]], axis=1)
        _, first, inverse, count = np.unique(
            rows, axis=0, return_index=True, return_inverse=True, return_counts=True
        )
        self._inverse = inverse.ravel()
        self.answers, self.design = one_hot(data)[first], data.design[first]
        self.count = count.astype(float)
        self.points = np.stack(mesh(grid), axis=1)
        self._theta = {block.name: self.points[:, block.factor] for block in data.blocks}
        sizes = [len(t) for t in grid.nodes]
        self._shape = tuple(sizes)
        self._where = [w.ravel() for w in np.meshgrid(*map(np.arange, sizes), indexing="ij")]

    def _directions(self, block: Block, own: dict[str, np.ndarray], item: int) -> list[Direction]:
        """What the predictor of an item adds up."""
        family = self.data.model.families[block.name]
        assert isinstance(family, Crossed)
        found = [(float(own["slope"][item]), self._theta[block.name])]
        for entry in np.flatnonzero(family.members == item):
            found.append((float(own["cross_slope"][entry]), self._theta[family.pairs[entry][1]]))
        return found

    def _table(self, block: Block, p: dict[str, np.ndarray]) -> np.ndarray:
        """Log-probabilities (item x category, node) of one block over the full grid."""
        family, own = self.data.model.families[block.name], local(self.data, block, p)
        n_item, nodes = block.values.shape[1], self.grid.nodes[block.factor]
        if not isinstance(family, Crossed):
            table = log_table(self.data, block, p, nodes).reshape(-1, len(nodes))
            return table[:, self._where[block.factor]]
        total = family.total(own, Numpy)
        pieces = []
        for j in range(n_item):
            roles = item_roles(total, j)
            if j in family.alone:
                table = item_table(_kernels(family.family), roles, nodes, block.n_categories)
                pieces.append(table[:, self._where[block.factor]])
                continue
            t = composite(self._directions(block, own, j), float(roles["slope"][0]))
            pieces.append(item_table(_kernels(family.family), roles, t, block.n_categories))
        return np.concatenate(pieces)

    def _run(self, p: dict[str, np.ndarray]) -> dict[str, Any]:
        """Posterior of every row over the grid, and the log-likelihood."""
        data = self.data
        eq = data.model.structure.equations(p, data.layout, Numpy)
        mean, chol = system(eq, data.layout, Numpy)
        precision = np.linalg.inv(chol @ chol.T)
        location = self.design @ mean.T
        mass = self.answers @ np.concatenate([self._table(block, p) for block in data.blocks])
        mass += (location @ precision) @ self.points.T
        mass -= 0.5 * ((self.points @ precision) * self.points).sum(1)
        top = mass.max(axis=1, keepdims=True)
        np.exp(mass - top, out=mass)
        total = mass.sum(axis=1, keepdims=True)
        mass /= total
        ell = (np.log(total) + top)[:, 0] - 0.5 * ((location @ precision) * location).sum(1)
        ell -= np.log(np.diag(chol)).sum() + 0.5 * data.n_factor * np.log(2 * np.pi)
        ell += np.log(self.grid.spacing).sum()
        return {
            "eq": eq, "chol": chol, "precision": precision, "location": location, "mass": mass, "ell": ell,
        }  # fmt: skip

    def value_and_gradient(self, p: dict[str, np.ndarray]) -> tuple[float, dict[str, np.ndarray]]:
        """Log-likelihood and its gradient with respect to every named value."""
        data, run = self.data, self._run(p)
        precision, location = run["precision"], run["location"]
        weighted = self.count[:, None] * run["mass"]
        first = weighted @ self.points
        d_mean = ((first - self.count[:, None] * location) @ precision).T @ self.design
        cross = first.T @ location
        scatter = (self.points.T * weighted.sum(0)) @ self.points - cross - cross.T
        scatter += (self.count[:, None] * location).T @ location
        d_covariance = 0.5 * (precision @ scatter @ precision - self.count.sum() * precision)
        d_eq = system_reverse(run["eq"], d_mean, np.tril(2.0 * d_covariance @ run["chol"]))
        gradient = data.model.structure.reverse(p, data.layout, d_eq)
        counts = self.answers.T @ weighted
        at = 0
        for block in data.blocks:
            size = block.values.shape[1] * block.n_categories
            own = counts[at : at + size].reshape(-1, block.n_categories, len(self.points))
            for role, grad in self._block_gradient(block, p, own).items():
                gradient[f"{role}_{block.name}"] = grad
            at += size
        return float(self.count @ run["ell"]), gradient

    def _block_gradient(
        self, block: Block, p: dict[str, np.ndarray], counts: np.ndarray
    ) -> dict[str, np.ndarray]:
        """From expected counts (item, category, node) to the roles of one block."""
        family, own = self.data.model.families[block.name], local(self.data, block, p)
        nodes = self.grid.nodes[block.factor]
        others = tuple(2 + d for d in range(len(self._shape)) if d != block.factor)
        marginal = counts.reshape(*counts.shape[:2], *self._shape).sum(others)
        if not isinstance(family, Crossed):
            return family_gradient(self.data, block, p, nodes, marginal)
        out = {role: np.zeros_like(value) for role, value in own.items()}
        total = family.total(own, Numpy)
        for j in range(len(counts)):
            roles = item_roles(total, j)
            if j in family.alone:
                grads = {role: np.zeros_like(value) for role, value in roles.items()}
                reverse = jit(_kernels(family.family)[1])
                reverse(*roles.values(), nodes, np.ascontiguousarray(marginal[j])[None], *grads.values())
            else:
                directions = self._directions(block, own, j)
                t = composite(directions, float(roles["slope"][0]))
                grads, slopes = item_gradient(_kernels(family.family), roles, t, counts[j], directions)
                out["slope"][j] += slopes[0]
                out["cross_slope"][family.members == j] += slopes[1:]
            for role, grad in grads.items():
                out[role][j] += grad[0]
        return out

    def per_person(self, p: dict[str, np.ndarray]) -> np.ndarray:
        """Log-likelihood of every person, shape (person,)."""
        return self._run(p)["ell"][self._inverse]

    def person_mass(self, p: dict[str, np.ndarray]) -> np.ndarray:
        """Posterior probability of every combination of nodes (person, node)."""
        return self._run(p)["mass"][self._inverse]

    def adapted(self, p: dict[str, np.ndarray], fineness: float = 1.0) -> CompiledCrossed:
        """Nodes fitted to the posteriors of the persons at ``p``.

        Spacing is 1.4 times the second percentile of the persons' posterior sds, up to 4.3 sds beyond the
        outermost persons; ``fineness`` 2 halves the spacing and widens that by 40 %.
        """
        mass = self._run(p)["mass"]
        mean = mass @ self.points
        sd = np.sqrt(np.maximum(mass @ self.points**2 - mean**2, 1e-8))
        reach = 4.3 * fineness**0.5 * sd
        low, high = (mean - reach).min(0), (mean + reach).max(0)
        return CompiledCrossed(
            self.data, fitted_grid(low, high, np.quantile(sd, 0.02, axis=0), 1.4 / fineness)
        )

    def numerical_error(self, p: dict[str, np.ndarray]) -> float:
        """Log-likelihood minus that on half the spacing."""
        exact = CompiledCrossed(self.data, self.grid.refined()).per_person(p).sum()
        return float(self.per_person(p).sum() - exact)

    def describe(self) -> str:
        """For the provenance."""
        return f"full grid, {self.grid.describe()}"


def _kernels(family: Any) -> Kernels:
    """Forward and reverse function of a family that has them (see `FullGrid.compiles`)."""
    kernels: Kernels = family.kernels
    return kernels
