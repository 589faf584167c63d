"""Bifactor and testlet models by dimension reduction (Gibbons & Hedeker, 1992, doi:10.1007/BF02295430).

Given the construct, specific factors are independent, so that each is summed out inside it:
p(y_i) = sum_g w_g prod_s [sum_u w_u prod_{j in s} P_j(y_ij | g, u)]. The cost is that of two dimensions per
specific factor, however many there are (Cai, Yang & Hansen, 2011, doi:10.1037/a0023350).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from medpsy.bind import ModelData
from medpsy.engines.base import Verdict
from medpsy.engines.grid import Grid, default_grid
from medpsy.engines.quadrature import MOST_FACTORS, Quadrature
from medpsy.families.nested import NODES, Nested

if TYPE_CHECKING:
    from medpsy.engines.bifactor_compiled import CompiledBifactor


@dataclass(frozen=True)
class NestedGrid(Grid):
    """Nodes of the constructs, and those of every specific factor.

    Parameters
    ----------
    specific : ndarray
        Equally spaced, in sds of a specific factor.
    """

    specific: np.ndarray

    def refined(self) -> NestedGrid:
        """Half the spacing everywhere, same ends."""
        size = 2 * len(self.specific) - 1
        return NestedGrid(super().refined().nodes, np.linspace(self.specific[0], self.specific[-1], size))

    def describe(self) -> str:
        """For the provenance."""
        gap = self.specific[1] - self.specific[0]
        return f"{super().describe()}; {len(self.specific)} nodes a specific factor, spacing {gap:.2f}"


class Bifactor(Quadrature):
    """The engine ``bifactor``: one to three constructs, at least one with specific factors."""

    name = "bifactor"
    order = 4

    def accepts(self, data: ModelData) -> Verdict:
        """Constructs with specific factors, all items categorical in those."""
        if not nested_families(data):
            return Verdict(False, "no construct has specific factors")
        if not 1 <= data.n_factor <= MOST_FACTORS:
            return Verdict(False, f"{data.n_factor} constructs; the grid takes one to {MOST_FACTORS}")
        if data.layout.not_normal:
            return Verdict(False, f"{data.layout.not_normal} and may depend on several constructs at once")
        count = sum(len(family.groups) for family in nested_families(data))
        return Verdict(True, f"{count} specific factor(s) summed out inside their construct")

    def settings(self, data: ModelData, size: int | None = None) -> NestedGrid:
        """A grid over +-6 sds of every construct and specific factor."""
        specific = NODES if size is None else np.linspace(NODES[0], NODES[-1], max(15, 2 * (size // 4) + 1))
        return NestedGrid(default_grid(data.n_factor, size).nodes, specific)

    def compiles(self, data: ModelData) -> Verdict:
        """One construct with specific factors whose family has kernels."""
        if data.n_factor > 1:
            return Verdict(False, "specific factors beside a second construct run in the PyMC model only")
        if not data.layout.latent.all():
            return Verdict(False, "explained observed variables are conditioned on in the PyMC model only")
        for family in nested_families(data):
            if family.base_kernels is None:
                return Verdict(False, f"family '{family.name}' has no compiled kernel")
        return Verdict(True, "every part has compiled kernels")

    def compiled(self, data: ModelData, settings: Grid) -> CompiledBifactor:  # type: ignore[override]
        """The same density in machine code."""
        from medpsy.engines.bifactor_compiled import CompiledBifactor

        assert isinstance(settings, NestedGrid)
        return CompiledBifactor(data, settings)


def nested_families(data: ModelData) -> list[Nested]:
    """Families of the constructs that have specific factors."""
    return [f for b in data.blocks if isinstance(f := data.model.families[b.name], Nested)]


ENGINE = Bifactor()
