"""Constructs multiplied with each other: some held at nodes, the others integrated given them.

See :mod:`medpsy.engines.product_plan` for the sum.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from medpsy.bind import ModelData, local
from medpsy.engines.base import Verdict
from medpsy.engines.grid import Grid, default_grid
from medpsy.engines.product_plan import Plan, ProductGrid, loadings
from medpsy.engines.quadrature import answer_sums, integrate_normal
from medpsy.families.composite import Composite
from medpsy.latent.base import system

if TYPE_CHECKING:
    from medpsy.engines.products_compiled import CompiledProducts

#: Most constructs on the two grids together, and most that are held.
MOST_ON_GRID, MOST_HELD = 4, 2
#: Nodes per construct to begin with, by how many there are.
SIZES = {1: 41, 2: 31, 3: 19, 4: 13}


class Products:
    """The engine ``products``."""

    name = "products"
    order = 2
    unit = "person"
    #: Asked where constructs are multiplied, which most engines are not.
    products = True

    def accepts(self, data: ModelData) -> Verdict:
        """Up to four constructs on the grids, explained variables normal."""
        if not data.layout.products.size:
            return Verdict(False, "no constructs are multiplied with each other")
        if any(isinstance(family, Composite) for family in data.model.families.values()):
            return Verdict(False, "items measure more than their construct")
        if data.layout.not_normal:
            return Verdict(False, f"{data.layout.not_normal} and may depend on several constructs at once")
        plan = Plan(data)
        held, rest = len(plan.held), len(plan.rest)
        if held > MOST_HELD or held + rest > MOST_ON_GRID or rest > 3:
            return Verdict(
                False,
                f"{held} multiplied and {rest} other constructs with ordinal items; the grid takes "
                f"{MOST_ON_GRID} in all",
            )
        names = " and ".join(b.name for b in plan.held_blocks)
        inner = f"{rest} other construct(s) summed over a grid" if rest else "the others in closed form"
        return Verdict(True, f"{names} held at nodes, {inner} given them")

    def person_normals(self, data: ModelData) -> int:
        """None: the persons are integrated out."""
        return 0

    def settings(self, data: ModelData, size: int | None = None) -> ProductGrid:
        """Grids over +-6 sds of every construct."""
        plan = Plan(data)
        held, rest = len(plan.held), len(plan.rest)
        count = min(size or 99, SIZES[held + rest])
        return ProductGrid(default_grid(held, count), default_grid(rest, count) if rest else Grid(()))

    def compiles(self, data: ModelData) -> Verdict:
        """Categorical families need kernels; all else is in closed form."""
        for block in data.blocks:
            if block.n_categories and not hasattr(data.model.families[block.name], "kernels"):
                return Verdict(False, f"family '{block.construct.family}' has no compiled kernel")
        return Verdict(True, "every part has a gradient of its own")

    def compiled(self, data: ModelData, settings: ProductGrid) -> CompiledProducts:
        """The same density with the gradient of the E-step."""
        from medpsy.engines.products_compiled import CompiledProducts

        return CompiledProducts(data, settings)

    def log_likelihood(self, data: ModelData, p: dict[str, Any], xp: Any, settings: ProductGrid) -> Any:
        """Marginal log-likelihood of every person, shape (person,)."""
        plan, layout = Plan(data), data.layout
        base = data.model.structure.equations(p, layout, xp)
        coefficients = data.model.structure.coefficients(p, layout, xp)
        weight, nu, theta = loadings(plan, p, xp)
        sums = [
            answer_sums(data, block, local(data, block, p), settings.rest.nodes[d], xp)
            for d, block in enumerate(plan.rest_blocks)
        ]
        outer = [
            answer_sums(data, block, local(data, block, p), settings.held.nodes[d], xp)
            for d, block in enumerate(plan.held_blocks)
        ]
        first = np.zeros(data.design.shape[1])
        first[0] = 1.0
        every = np.arange(plan.size)
        factors = plan.multiplier(settings.points)
        terms = []
        for point, place, factor in zip(settings.points, settings.places, factors, strict=True):
            b = base.b
            for (i, target, source, _), value in zip(plan.cells, factor, strict=True):
                b = b + xp.place(b.shape, [target], [source], coefficients[..., [i]] * float(value))
            mean, chol = system(replace(base, b=b), layout, xp)
            spread = weight @ chol
            covariance = spread @ xp.swapaxes(spread, 0, 1) + xp.place(
                (plan.size, plan.size), every, every, theta
            )
            location = weight @ mean + nu[:, None] * xp.constant(first)
            term = self._at(plan, location, covariance, point, sums, settings.rest, xp)
            for d, own in enumerate(outer):
                term = term + own[:, int(place[d])]
            terms.append(term)
        constant = float(np.log(settings.held.spacing).sum())
        return xp.logsumexp(xp.stack(terms, axis=-1), axis=-1) + constant

    def _at(
        self, plan: Plan, mean: Any, covariance: Any, point: np.ndarray, sums: list[Any], grid: Grid, xp: Any
    ) -> Any:
        """Log of p(c, v_i) E[p_R(y_i | theta_R) | c, v_i] at one point c, shape (person,)."""
        data, rest = plan.data, plan.rest
        pieces, rows = [], []
        for pattern in plan.patterns:
            known = np.concatenate([plan.held, pattern.given])
            design = xp.constant(data.design[pattern.persons])
            values = plan.values[pattern.persons][:, pattern.given]
            fixed = np.broadcast_to(point, (len(values), len(point)))
            off = xp.constant(np.concatenate([fixed, values], axis=1)) - design @ xp.swapaxes(
                mean[known], 0, 1
            )
            chol = xp.cholesky(covariance[known][:, known])
            white = xp.solve(chol, xp.swapaxes(off, 0, 1))
            term = (
                -0.5 * xp.sum(white**2, axis=0)
                - xp.sum(xp.log(xp.diagonal(chol)), axis=-1)
                - 0.5 * known.size * np.log(2 * np.pi)
            )
            if rest.size:
                gain = xp.solve(chol, covariance[known][:, rest])
                location = design @ xp.swapaxes(mean[rest], 0, 1) + xp.swapaxes(white, 0, 1) @ gain
                spread = covariance[rest][:, rest] - xp.swapaxes(gain, 0, 1) @ gain
                term = term + integrate_normal([s[pattern.persons] for s in sums], location, spread, grid, xp)
            pieces.append(term)
            rows.append(pattern.persons)
        return xp.concatenate(pieces, axis=0)[np.argsort(np.concatenate(rows))]


ENGINE = Products()
