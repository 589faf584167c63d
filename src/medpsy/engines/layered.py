"""Four or five constructs: persons integrated out over an inner grid of three and nodes of the others.

The sum of :mod:`medpsy.engines.quadrature`, in an order that makes it affordable: given the outer constructs
the inner ones are normal with the same precision for everybody. See :mod:`medpsy.engines.layered_kernel`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from medpsy.bind import ModelData
from medpsy.engines.base import Verdict
from medpsy.engines.grid import Grid, default_grid
from medpsy.engines.quadrature import MOST_FACTORS, Quadrature

if TYPE_CHECKING:
    from medpsy.engines.layered_compiled import CompiledLayered

#: Most constructs; each more multiplies the work by the nodes of its window.
MOST_LAYERED = 5

#: Nodes per construct that the search for the mode opens with; they are looked at one construct at a time.
OPENING = 41


class Layered(Quadrature):
    """The engine ``layered``: four or five constructs with categorical items, simple structure."""

    name = "layered"
    order = 2
    #: The sum over the whole grid, which a PyMC model would have to hold, is too large.
    compiled_only = True
    most, least = MOST_LAYERED, MOST_FACTORS + 1

    def accepts(self, data: ModelData) -> Verdict:
        """Four or five constructs whose families have kernels, and no explained observed variable."""
        verdict = super().accepts(data)
        if verdict.accepted:
            verdict = self.compiles(data)
        if not verdict.accepted:
            return verdict
        return Verdict(True, f"{data.n_factor} constructs summed over a grid, three of them at once")

    def settings(self, data: ModelData, size: int | None = None) -> Grid:
        """A grid over +-6 sds of every construct."""
        return default_grid(data.n_factor, size or OPENING)

    def compiled(self, data: ModelData, settings: Any) -> CompiledLayered:  # type: ignore[override]
        """The same density in machine code."""
        from medpsy.engines.layered_compiled import CompiledLayered

        return CompiledLayered(data, settings)


ENGINE = Layered()
