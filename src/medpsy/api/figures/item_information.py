"""Information of every item."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medpsy.api.measured import Measured


class ItemInformation:
    """The figure ``item_information``."""

    name = "item_information"
    construct = True

    def draw(self, fit: Measured, construct: str, **options: Any) -> Any:
        """Return the figure."""
        from medpsy.plots.item_information import item_information

        return item_information(fit.information(construct, **options))


FIGURE = ItemInformation()
