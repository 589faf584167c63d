"""A sheet of small panels, one per item, grouped by construct, laid out in inches so that nothing shifts."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from medpsy.plots import style

_LEFT, _RIGHT, _BOTTOM, _GAP, _BETWEEN = 0.52, 0.08, 0.44, 0.12, 0.3


def sheet(
    groups: Sequence[tuple[str, Sequence[str]]],
    *,
    top: float = 0.05,
    columns: int = 4,
    height: float = 0.95,
    headings: Sequence[str] | None = None,
) -> tuple[Figure, dict[tuple[str, str], Axes]]:
    """Return a figure and its panels by (construct, item), sharing y throughout and x within a construct.

    Parameters
    ----------
    groups : sequence of (construct, items)
        Each construct starts a new row.
    top : float
        Inches left free at the top for a legend.
    columns, height : int, float
        Panels in a row (fewer if no construct has so many items), and the height of one in inches.
    headings : sequence of str, optional
        A line of text over each construct; empty for none.
    """
    columns = max(1, min(columns, max(len(items) for _, items in groups)))
    title = 0.32 if any(len(item) > _letters(columns) for _, items in groups for item in items) else 0.2
    heads = list(headings) if headings is not None else ["" for _ in groups]
    rooms = [0.2 * (head.count("\n") + 1) + 0.04 if head else 0.0 for head in heads]
    rows = [-(-len(items) // columns) for _, items in groups]
    total = top + sum(rooms) + sum(rows) * (height + title) + _BETWEEN * (len(groups) - 1) + _BOTTOM
    figure = Figure(figsize=(style.WIDTH, total))
    wide = (style.WIDTH - _LEFT - _RIGHT - _GAP * (columns - 1)) / columns
    panels: dict[tuple[str, str], Axes] = {}
    y = total - top
    for (construct, items), head, room in zip(groups, heads, rooms, strict=True):
        if head:
            figure.text(
                _LEFT / style.WIDTH, (y - 0.02) / total, head, va="top", fontsize=style.SMALL,
                linespacing=1.25,
            )  # fmt: skip
        y -= room
        for at, item in enumerate(items):
            bottom = y - (at // columns + 1) * (height + title)
            left = _LEFT + (at % columns) * (wide + _GAP)
            box = (left / style.WIDTH, bottom / total, wide / style.WIDTH, height / total)
            kin = panels.get((construct, items[0]))
            axes = figure.add_axes(box, sharex=kin, sharey=next(iter(panels.values()), None))
            style.quiet(axes)
            axes.set_title(style.wrap(item, _letters(columns), 2), fontsize=style.SMALL, pad=2.5)
            axes.tick_params(labelleft=at % columns == 0, labelbottom=at + columns >= len(items))
            panels[construct, item] = axes
        y -= -(-len(items) // columns) * (height + title) + _BETWEEN
    return figure, panels


def inner_ticks(axes: Axes) -> None:
    """Leave out the ticks at the ends of a panel, where the numbers of neighbours would meet."""
    axes.xaxis.set_major_locator(MaxNLocator(4, prune="both", integer=True))


def _letters(columns: int) -> int:
    """Return how many letters of a title fit over one panel."""
    return int((style.WIDTH - _LEFT) / columns / 0.072)


def label_axes(figure: Figure, *, x: str, y: str) -> None:
    """Name the shared axes once, at the foot and at the left edge of the sheet."""
    height = float(figure.get_size_inches()[1])
    centre = (_LEFT + (style.WIDTH - _LEFT - _RIGHT) / 2) / style.WIDTH
    figure.text(centre, 0.06 / height, x, ha="center", va="bottom", fontsize=style.SMALL)
    figure.text(0.06 / style.WIDTH, 0.5, y, ha="left", va="center", rotation=90, fontsize=style.SMALL)
