"""Scores of all persons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medpsy.api.measured import Measured


class Scores:
    """The figure ``scores``."""

    name = "scores"
    construct = False

    def draw(self, fit: Measured, construct: str, **options: Any) -> Any:
        """Return the figure."""
        from medpsy.plots.person_scores import person_scores

        return person_scores(fit.person_table(**options), interval=fit.interval)


FIGURE = Scores()
