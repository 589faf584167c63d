"""Expected answers and expected sum score."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medpsy.api.measured import Measured


class Expected:
    """The figure ``expected``."""

    name = "expected"
    construct = True

    def draw(self, fit: Measured, construct: str, **options: Any) -> Any:
        """Return the figure."""
        from medpsy.plots.expected_scores import expected_scores

        return expected_scores(fit.item_curves(construct, **options))


FIGURE = Expected()
