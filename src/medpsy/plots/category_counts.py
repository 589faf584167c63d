"""Answers counted and answers the model predicts, category by category."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from medpsy.plots import style
from medpsy.plots.panels import label_axes, sheet


@style.styled
def category_counts(table: pd.DataFrame) -> Figure:
    """Draw observed counts as bars and predicted counts as points with intervals, a panel per item.

    Parameters
    ----------
    table : DataFrame
        Columns construct, item, category, label, observed, predicted, lower, upper; counts of persons (or
        shares of persons). ``observed`` may be NaN, which draws no bar.

    Raises
    ------
    DataError
        If a column is missing or there is no row.
    """
    columns = ("construct", "item", "category", "label", "observed", "predicted", "lower", "upper")
    style.need(table, columns, figure="category counts")
    groups = style.groups_of(table)
    headings = [_heading(table[table["construct"].astype(str) == name], name) for name, _ in groups]
    figure, panels = sheet(groups, top=0.3, columns=5, headings=headings)
    key = list(zip(table["construct"].astype(str), table["item"].astype(str), strict=True))
    for (construct, item), axes in panels.items():
        rows = table[[pair == (construct, item) for pair in key]]
        x = rows["category"].to_numpy(dtype=float, copy=True)
        low, mid, high = (rows[c].to_numpy(dtype=float, copy=True) for c in ("lower", "predicted", "upper"))
        seen = rows["observed"].to_numpy(dtype=float, copy=True)
        axes.bar(x[~np.isnan(seen)], seen[~np.isnan(seen)], width=0.78, color=style.SKY, linewidth=0)
        axes.vlines(x, low, high, color=style.INK, linewidth=1.2)
        axes.plot(x, mid, "o", color="white", markeredgecolor=style.INK, markersize=3.2, markeredgewidth=1)
    for name, items in groups:
        codes = table.loc[table["construct"].astype(str) == name, "category"].unique()
        panels[name, items[0]].set_xticks(sorted(float(code) for code in codes), sorted(codes))
    tallest = float(np.nanmax(table[["observed", "predicted", "upper"]].to_numpy(dtype=float)))
    next(iter(panels.values())).set_ylim(0, 1.06 * tallest or 1)
    handles = [
        Patch(color=style.SKY),
        Line2D([], [], color=style.INK, marker="o", markersize=3.5, markerfacecolor="white", linewidth=1.2),
    ]
    shown = slice(None) if table["observed"].notna().any() else slice(1, None)
    figure.legend(
        handles[shown], ["observed", "predicted, with interval"][shown], loc="upper center", ncols=2,
        borderaxespad=0.1,
    )  # fmt: skip
    label_axes(figure, x="answer", y="persons" if tallest > 1 else "share of persons")
    return figure


def _heading(rows: pd.DataFrame, construct: str) -> str:
    """Return the construct and what its codes mean, once for all its panels."""
    pairs = rows[["category", "label"]].drop_duplicates()
    codes = [
        f"{code}\N{NO-BREAK SPACE}{label}"
        for code, label in zip(pairs["category"], pairs["label"], strict=True)
        if f"{label}"
    ]
    return style.wrap(f"{construct}: {', '.join(codes)}", 100, 3)
