"""From sum scores to scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medpsy.api.measured import Measured


class SumScores:
    """The figure ``sum_scores``."""

    name = "sum_scores"
    construct = True

    def draw(self, fit: Measured, construct: str, **options: Any) -> Any:
        """Return the figure."""
        from medpsy.plots.sum_to_score import sum_to_score

        return sum_to_score(fit.score_table(construct, **options), construct=construct)


FIGURE = SumScores()
