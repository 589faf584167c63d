"""Q3 of all pairs of items: a triangle of coloured cells."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, Normalize, to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from medpsy.plots import style
from medpsy.plots.style import ink_on

_LEFT, _BOTTOM, _TOP, _RIGHT = 0.9, 0.9, 0.3, 0.9
#: Q3 at which the colour is deepest.
_DEEPEST = 0.4


@style.styled
def local_dependence(table: pd.DataFrame) -> Figure:
    """Draw Q3 of every pair; a frame marks flagged pairs, numbers stand where there is room.

    Where a pair has several rows (one a group) the largest is drawn.

    Parameters
    ----------
    table : DataFrame
        Columns item_1, item_2, q3, flag.

    Raises
    ------
    DataError
        If a column is missing or there is no row.
    """
    style.need(table, ("item_1", "item_2", "q3", "flag"), figure="local dependence")
    strength = table["q3"].abs().sort_values(ascending=False, kind="stable").index
    table = table.loc[strength].drop_duplicates(["item_1", "item_2"])
    items = _items(table)
    size = min(0.42, (style.WIDTH - _LEFT - _RIGHT) / len(items))
    wide = size * len(items)
    total = wide + _BOTTOM + _TOP
    figure = Figure(figsize=(style.WIDTH, total))
    box = (_LEFT / style.WIDTH, _BOTTOM / total, wide / style.WIDTH, wide / total)
    axes = style.quiet(figure.add_axes(box))
    place = {item: at for at, item in enumerate(items)}
    norm, colours = Normalize(-_DEEPEST, _DEEPEST), colormaps["PuOr_r"]
    for one, two, value, flag in zip(
        table["item_1"], table["item_2"], table["q3"], table["flag"], strict=True
    ):
        x, y = sorted((place[str(one)], place[str(two)]))
        if np.isnan(value):
            continue
        colour = to_hex(colours(norm(value)))
        axes.add_patch(
            Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=colour, edgecolor="white", linewidth=0.5)
        )
        if flag:
            frame = Rectangle((x - 0.45, y - 0.45), 0.9, 0.9, fill=False, edgecolor=style.INK, linewidth=1.1)
            axes.add_patch(frame)
        if size > 0.27:
            text = f"{abs(value):.2f}"[1:]
            sign = "\N{MINUS SIGN}" if value < -0.005 else ""
            axes.text(x, y, sign + text, ha="center", va="center", fontsize=6, color=ink_on(colour))
    axes.set(xlim=(-0.5, len(items) - 0.5), ylim=(len(items) - 0.5, -0.5))
    axes.set_xticks(range(len(items) - 1), items[:-1], rotation=90)
    axes.set_yticks(range(1, len(items)), items[1:])
    small = min(style.TINY, 72 * size * 0.85)
    axes.tick_params(length=0, labelsize=small)
    axes.spines[["left", "bottom"]].set_visible(False)
    _bar(figure, wide, total, colours, norm)
    return figure


def _items(table: pd.DataFrame) -> list[str]:
    """All items, by construct and in the order of the model as far as the pairs tell it."""
    second = set(table["item_2"].astype(str))
    first = [name for name in dict.fromkeys(table["item_1"].astype(str))]
    before = table.groupby(table["item_1"].astype(str), sort=False).size()
    # An item stands first in as many pairs as items follow it.
    ordered = sorted(first, key=lambda name: -int(before[name]))
    return ordered + sorted(second - set(first))


def _bar(figure: Figure, wide: float, total: float, colours: Colormap, norm: Normalize) -> None:
    tall = min(1.4, wide * 0.6)
    left = _LEFT + wide * 0.78
    box = (left / style.WIDTH, (total - _TOP - tall) / total, 0.11 / style.WIDTH, tall / total)
    axes = figure.add_axes(box)
    bar = figure.colorbar(ScalarMappable(norm, colours), cax=axes)
    bar.outline.set_visible(False)
    axes.tick_params(labelsize=style.TINY, length=2)
    axes.set_title("Q3", fontsize=style.SMALL, loc="left")
