"""Constructs beside observed variables of any family, persons integrated out over equally spaced nodes.

The values v of the observed variables are known, so that given the constructs every equation is a regression:

    p(y_i, v_i) = sum_q h^F N(u_q; 0, D Z Z' D) prod_d p_d(y_id | theta_qd) prod_j p_j(v_ij | theta_q, v_i),

u the residuals of the constructs at node q: what their equations leave over, products of constructs included
(I - B is triangular, so that the Jacobian is 1). The expected value of a binary variable or a count is no
straight line in the constructs, and neither product nor conditioning in closed form is needed for the sum:
marginal maximum likelihood with explained outcomes (Rabe-Hesketh, Skrondal & Pickles, 2004,
doi:10.1007/BF02295939) on the grid of Bock & Aitkin (1981, doi:10.1007/BF02293801).
"""

from __future__ import annotations

from functools import reduce
from operator import mul
from typing import TYPE_CHECKING, Any

import numpy as np

from medpsy.bind import ModelData, local
from medpsy.engines.base import Verdict
from medpsy.engines.grid import Grid, default_grid
from medpsy.engines.quadrature import answer_sums
from medpsy.families.composite import Composite

if TYPE_CHECKING:
    from medpsy.engines.outcomes_compiled import CompiledOutcomes

#: Most constructs, and nodes per construct to begin with, by how many there are.
SIZES = {1: 61, 2: 31, 3: 15}
#: With more persons the sum over three constructs takes longer than to sample the persons.
MOST_OF_THREE = 400


class Outcomes:
    """The engine ``outcomes``: one to three constructs, explained observed variables of any family."""

    name = "outcomes"
    order = 2
    unit = "person"
    #: Products of constructs enter the residuals as they are.
    products = True

    def accepts(self, data: ModelData) -> Verdict:
        """One to three constructs in simple structure, beside explained observed variables."""
        layout = data.layout
        if any(isinstance(family, Composite) for family in data.model.families.values()):
            return Verdict(False, "items measure more than their construct")
        if not layout.measured.size:
            return Verdict(False, "no observed variable is explained")
        if data.model.spec.linear is not None or layout.levels is not None:
            return Verdict(False, "linear models and clusters are integrated elsewhere")
        if not layout.not_normal:
            return Verdict(False, "explained variables are normal given the constructs")
        if not 1 <= data.n_factor <= max(SIZES):
            return Verdict(False, f"{data.n_factor} constructs; the grid takes one to {max(SIZES)}")
        if data.n_factor == 3 and data.n_person > MOST_OF_THREE:
            return Verdict(False, f"three constructs and more than {MOST_OF_THREE} persons: sampled sooner")
        if layout.measured.size + data.n_factor < len(layout.nodes):
            return Verdict(False, "there are latent variables without items")
        for node in layout.measured:
            missing = int(np.isnan(data.observed[:, node]).sum())
            if missing and any(node in sources_of(layout, target) for target in range(len(layout.nodes))):
                who = f"'{layout.nodes[node]}' explains another variable"
                return Verdict(False, f"{who} and is missing for {missing} persons")
        return Verdict(
            True, f"{data.n_factor} construct(s) summed over a grid, {layout.not_normal} given them"
        )

    def person_normals(self, data: ModelData) -> int:
        """None: the persons are integrated out."""
        return 0

    def settings(self, data: ModelData, size: int | None = None) -> Grid:
        """A grid over +-6 sds of every construct."""
        return default_grid(data.n_factor, min(size or 99, SIZES[data.n_factor]))

    def compiles(self, data: ModelData) -> Verdict:
        """Categorical families of items need kernels; all else has its derivatives."""
        for block in data.blocks:
            if block.n_categories and not hasattr(data.model.families[block.name], "kernels"):
                return Verdict(False, f"family '{block.construct.family}' has no compiled kernel")
        return Verdict(True, "every part has a gradient of its own")

    def compiled(self, data: ModelData, settings: Grid) -> CompiledOutcomes:
        """The same density with the gradient of the E-step."""
        from medpsy.engines.outcomes_compiled import CompiledOutcomes

        return CompiledOutcomes(data, settings)

    def log_likelihood(self, data: ModelData, p: dict[str, Any], xp: Any, settings: Grid) -> Any:
        """Marginal log-likelihood of every person, shape (person,).

        Parameters
        ----------
        p : dict
            Constrained parameter values, no leading axes.
        settings : Grid
            The nodes; every person is summed over all of them.
        """
        layout, size = data.layout, data.n_factor
        eq = data.model.structure.equations(p, layout, xp)
        known = {
            int(j): _column(xp.constant(np.nan_to_num(data.observed[:, j])), size) for j in layout.measured
        }
        theta = {
            int(node): xp.constant(along(settings.nodes[d][None, :], d, size))
            for d, node in enumerate(layout.factors)
        }
        values = known | theta
        base = xp.constant(data.design) @ xp.swapaxes(eq.g, 0, 1)
        total: Any = xp.constant(np.zeros((data.n_person, *(len(t) for t in settings.nodes))))
        residuals = []
        for node, family in enumerate(layout.observed):
            eta = _column(base[:, node], size)
            for source in plain_sources(layout, node):
                eta = eta + eq.b[node, source] * values[source]
            for i, factors in products_of(layout, node):
                eta = eta + p["path"][i] * reduce(mul, (values[f] for f in factors))
            if family is None:
                residuals.append(values[node] - eta)
                continue
            given = _column(xp.constant((~np.isnan(data.observed[:, node])).astype(float)), size)
            total = total + given * family.log_prob(values[node], eta, layout.own(node, p), xp)
        spread = eq.d[layout.factors][:, None] * eq.z[layout.factors][:, layout.factors]
        inverse = xp.solve(spread, xp.constant(np.eye(size)))
        for a in range(size):
            white = reduce(lambda x, y: x + y, (inverse[a, b] * residuals[b] for b in range(a + 1)))
            total = total - 0.5 * white**2
        for d, block in enumerate(data.blocks):
            own = answer_sums(data, block, local(data, block, p), settings.nodes[d], xp)
            total = total + along(own, d, size)
        for _ in range(size):
            total = xp.logsumexp(total, axis=-1)
        constant = float(np.log(settings.spacing).sum() - 0.5 * size * np.log(2 * np.pi))
        return total - xp.sum(xp.log(xp.diagonal(spread)), axis=-1) + constant


def along(values: Any, d: int, size: int) -> Any:
    """Values (person, node) with the nodes along dimension ``d`` of ``size``."""
    return values[(slice(None), *([None] * d), slice(None), *([None] * (size - d - 1)))]


def _column(values: Any, size: int) -> Any:
    """Values (person,) that are the same at all nodes."""
    return values[(slice(None), *([None] * size))]


def plain_sources(layout: Any, target: int) -> list[int]:
    """Nodes with a cell in the row of B of a target, in order of first mention."""
    found = [
        c.source for c in layout.coefficients
        if c.target == target and not (c.from_column or c.times) and (c.by is None or layout.at is not None)
    ]  # fmt: skip
    return list(dict.fromkeys(found))


def products_of(layout: Any, target: int) -> list[tuple[int, tuple[int, ...]]]:
    """Coefficients of products of constructs with other nodes, and their factors."""
    pairs = [(int(i), layout.coefficients[i]) for i in layout.products]
    return [(i, (c.source, *c.times)) for i, c in pairs if c.target == target]


def sources_of(layout: Any, target: int) -> set[int]:
    """Nodes that a target depends on, products included."""
    return {
        *plain_sources(layout, target),
        *(f for _, factors in products_of(layout, target) for f in factors),
    }


ENGINE = Outcomes()
