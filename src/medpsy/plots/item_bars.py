"""How each item was answered: stacked bars, one an item."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from medpsy.plots import style

_LEFT, _RIGHT, _BOTTOM = 2.55, 0.5, 0.36
#: Shares below this are drawn but not written: the number would not fit its piece.
_WRITTEN = 0.065


@style.styled
def item_bars(table: pd.DataFrame) -> Figure:
    """Draw the share of each answer per item, grouped by construct, the number of answers at the right.

    Parameters
    ----------
    table : DataFrame
        Columns construct, item, wording (may be empty), category, label, count (answers given).

    Raises
    ------
    DataError
        If a column is missing or there is no row.
    """
    style.need(table, ("construct", "item", "wording", "category", "label", "count"), figure="item bars")
    groups = style.groups_of(table)
    parts = []
    for construct, items in groups:
        rows = table[table["construct"].astype(str) == construct]
        codes = list(dict.fromkeys(rows.sort_values("category")["category"]))
        labels = rows.drop_duplicates("category").set_index("category")["label"]
        written = [style.wrap(labels[code], 24, 2) for code in codes]
        columns, high = style.legend_shape(written, style.WIDTH - 0.2, style.TINY)
        texts = [_text(rows, item) for item in items]
        heights = [max(0.24, 0.135 * (text.count("\n") + 1) + 0.09) for text in texts]
        parts.append((construct, items, rows, codes, written, columns, high + 0.22, texts, heights))
    total = sum(part[6] + sum(part[8]) + _BOTTOM for part in parts)
    figure = Figure(figsize=(style.WIDTH, total))
    y = total
    for construct, items, rows, codes, written, columns, head, texts, heights in parts:
        colours = style.ordinal_colours(len(codes))
        figure.text(0.1 / style.WIDTH, (y - 0.05) / total, construct, va="top", fontsize=style.TEXT)
        figure.legend(
            [Patch(color=colour) for colour in colours], written, loc="upper center", ncols=columns,
            bbox_to_anchor=(0.5, (y - 0.2) / total), borderaxespad=0.0, borderpad=0.2, handlelength=1.0,
            handleheight=0.9, columnspacing=1.1, fontsize=style.TINY,
        )  # fmt: skip
        tall = sum(heights)
        box = (
            _LEFT / style.WIDTH, (y - head - tall) / total,
            (style.WIDTH - _LEFT - _RIGHT) / style.WIDTH, tall / total,
        )  # fmt: skip
        axes = style.quiet(figure.add_axes(box))
        counts = _counts(rows, items, codes)
        _bars(axes, counts, heights, colours)
        middles = -(np.cumsum(heights) - np.array(heights) / 2)
        axes.set_yticks(middles, texts, linespacing=1.1)
        axes.tick_params(axis="y", length=0)
        y -= head + tall + _BOTTOM
    return figure


def _text(rows: pd.DataFrame, item: str) -> str:
    wording = rows.loc[rows["item"].astype(str) == item, "wording"].iloc[0]
    text = f"{item}  {wording}" if isinstance(wording, str) and wording else item
    return style.wrap(text, 42, 3)


def _counts(rows: pd.DataFrame, items: list[str], codes: list[object]) -> np.ndarray:
    """Return counts (item, category); a category without a row counts zero."""
    counts = np.zeros((len(items), len(codes)))
    for item, code, n in zip(rows["item"], rows["category"], rows["count"], strict=True):
        counts[items.index(str(item)), codes.index(code)] += n
    return counts


def _bars(axes: Axes, counts: np.ndarray, heights: list[float], colours: list[str]) -> None:
    n = counts.sum(1)
    shares = counts / np.maximum(n, 1)[:, None]
    middles = -(np.cumsum(heights) - np.array(heights) / 2)
    thick = np.array(heights) - 0.06
    left = np.zeros(len(counts))
    for k, colour in enumerate(colours):
        axes.barh(
            middles, shares[:, k], height=thick, left=left, color=colour, edgecolor="white", linewidth=0.5
        )
        for y, x, share in zip(middles, left, shares[:, k], strict=True):
            if share >= _WRITTEN:
                axes.text(
                    x + share / 2, y, f"{100 * share:.0f}", ha="center", va="center", fontsize=style.TINY,
                    color=style.ink_on(colour),
                )  # fmt: skip
        left += shares[:, k]
    for y, total in zip(middles, n, strict=True):
        axes.text(1.015, y, f"{total:,.0f}", va="center", fontsize=style.TINY, color=style.GREY)
    axes.text(1.015, 0.04, "n", va="bottom", fontsize=style.TINY, color=style.GREY)
    axes.set(xlim=(0, 1), ylim=(-sum(heights), 0), xticks=(0, 0.25, 0.5, 0.75, 1))
    axes.set_xticklabels(["0", "25", "50", "75", "100 %"])
    axes.spines["left"].set_visible(False)
