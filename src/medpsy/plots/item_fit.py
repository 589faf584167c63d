"""Infit and outfit of every item."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from medpsy.plots import style
from medpsy.plots.numbers import probability

_LEFT, _RIGHT, _ROW, _HEAD, _BOTTOM, _LEGEND = 1.6, 0.75, 0.2, 0.3, 0.42, 0.34
#: A common rule of thumb for mean squares (Wright & Linacre, 1994).
BAND = (0.7, 1.3)


@style.styled
def item_fit(table: pd.DataFrame) -> Figure:
    """Draw infit and outfit as points, an item per row, with the p value of S-X2 at the right.

    Parameters
    ----------
    table : DataFrame
        Columns construct, item, infit, outfit, s_x2_ppp, flag. Names of flagged items are coloured.

    Raises
    ------
    DataError
        If a column is missing or there is no row.
    """
    style.need(table, ("construct", "item", "infit", "outfit", "s_x2_ppp", "flag"), figure="item fit")
    names = list(dict.fromkeys(table["construct"].astype(str)))
    sizes = [int((table["construct"].astype(str) == name).sum()) for name in names]
    total = _LEGEND + sum(_HEAD + _ROW * size + _BOTTOM for size in sizes)
    figure = Figure(figsize=(style.WIDTH, total))
    values = table[["infit", "outfit"]].to_numpy(dtype=float)
    low = min(BAND[0], float(np.nanmin(values, initial=1.0))) - 0.1
    high = max(BAND[1], float(np.nanmax(values, initial=1.0))) + 0.1
    y = total - _LEGEND
    for name, size in zip(names, sizes, strict=True):
        rows = table[table["construct"].astype(str) == name]
        y -= _HEAD + _ROW * size
        box = (
            _LEFT / style.WIDTH, y / total, (style.WIDTH - _LEFT - _RIGHT) / style.WIDTH,
            _ROW * size / total,
        )  # fmt: skip
        axes = style.quiet(figure.add_axes(box))
        _panel(axes, rows)
        axes.set(xlim=(low, high), ylim=(size - 0.5, -0.5))
        axes.set_title(name, loc="left", fontsize=style.SMALL)
        axes.set_xlabel("mean square (1 is expected)")
        y -= _BOTTOM
    figure.legend(
        [
            Line2D([], [], color=style.BLUE, marker="o", linestyle=""),
            Line2D([], [], color=style.BLUE, marker="o", markerfacecolor="white", linestyle=""),
            Patch(color=style.ROPE),
        ],
        ["infit", "outfit", f"rule of thumb, {BAND[0]} to {BAND[1]}"], loc="upper right", ncols=3,
        bbox_to_anchor=(1 - _RIGHT / style.WIDTH, 1.0),
    )  # fmt: skip
    return figure


def _panel(axes: Axes, rows: pd.DataFrame) -> None:
    at = np.arange(len(rows), dtype=float)
    axes.axvspan(*BAND, color=style.ROPE, linewidth=0, zorder=0)
    axes.axvline(1.0, color=style.GREY, linewidth=0.6, zorder=1)
    infit, outfit = (rows[c].to_numpy(dtype=float) for c in ("infit", "outfit"))
    axes.hlines(at, infit, outfit, color=style.GREY, linewidth=0.8)
    axes.plot(infit, at, "o", color=style.BLUE, markersize=4)
    axes.plot(outfit, at, "o", color=style.BLUE, markerfacecolor="white", markersize=4)
    axes.set_yticks(at, [style.wrap(item, 22, 1) for item in rows["item"]])
    for tick, flag in zip(axes.get_yticklabels(), rows["flag"], strict=True):
        tick.set_color(style.VERMILION if flag else style.INK)
    right = axes.get_yaxis_transform()
    axes.text(1.04, -0.75, "p (S-X2)", transform=right, fontsize=style.TINY, color=style.GREY, va="bottom")
    for y, value in zip(at, rows["s_x2_ppp"].to_numpy(dtype=float), strict=True):
        axes.text(1.04, y, probability(value), transform=right, fontsize=style.TINY, va="center")
