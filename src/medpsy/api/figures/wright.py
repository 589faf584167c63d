"""Persons and steps of the items on one axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medpsy.api.measured import Measured


class Wright:
    """The figure ``wright``."""

    name = "wright"
    construct = True

    def draw(self, fit: Measured, construct: str, **options: Any) -> Any:
        """Return the figure."""
        from medpsy.plots.wright_map import wright_map

        return wright_map(*fit.wright(construct, **options), construct=construct)


FIGURE = Wright()
