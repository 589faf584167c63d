"""Test information and standard errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medpsy.api.measured import Measured


class Information:
    """The figure ``information``."""

    name = "information"
    construct = True

    def draw(self, fit: Measured, construct: str, **options: Any) -> Any:
        """Return the figure."""
        from medpsy.plots.information_curves import information_curves

        return information_curves(fit.information(construct, **options))


FIGURE = Information()
