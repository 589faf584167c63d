"""Probability of each answer or a further one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medpsy.api.measured import Measured


class Boundaries:
    """The figure ``boundaries``."""

    name = "boundaries"
    construct = True

    def draw(self, fit: Measured, construct: str, **options: Any) -> Any:
        """Return the figure."""
        from medpsy.plots.boundary_curves import boundary_curves

        return boundary_curves(fit.item_curves(construct, **options))


FIGURE = Boundaries()
