"""From a drawn figure to a block of the report."""

from __future__ import annotations

from typing import Any

from medpsy.plots.svg import to_svg
from medpsy.report.blocks import Figure


def drawn(figure: Any, *, name: str, caption: str, alt: str) -> Figure:
    """Return the block of a matplotlib figure.

    ``name`` is unique in the report: identifiers inside the drawing start with it. ``alt`` says in words what
    the figure shows, numbers included.
    """
    svg = to_svg(figure, title=caption, description=alt, prefix=f"fig-{name}")
    return Figure(caption, alt, svg)


def slug(text: str) -> str:
    """Return ``text`` as part of an identifier: letters and digits kept, the rest hyphens."""
    return "-".join("".join(c if c.isalnum() else " " for c in text.lower()).split()) or "x"
