"""The figures that ``fit.plot(name, construct)`` draws: one module each, with ``FIGURE``.

A new figure is a new file here, beside the one in ``plots`` that draws a table; nothing else needs to know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from medpsy.registry import parts

if TYPE_CHECKING:
    from medpsy.api.measured import Measured


class Drawing(Protocol):
    """What a module here offers.

    ``name`` is what users ask for; ``construct`` says whether the figure is of one construct.
    """

    name: str
    construct: bool

    def draw(self, fit: Measured, construct: str, **options: Any) -> Any:
        """Return the figure; ``construct`` is empty where the figure is of the whole fit."""
        ...


def figures() -> dict[str, Drawing]:
    """Return all registered figures by name."""
    return parts("medpsy.api.figures", "FIGURE")
