"""Differences of items between groups: one panel per coordinate, one row per item and group."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from medpsy.plots import style

#: How coordinates are called on the axes.
NAMES = {
    "location": "threshold (logits)", "slope": "log slope ratio", "gap": "log gap ratio",
    "loading": "loading", "intercept": "intercept (sds)", "residual_sd": "log residual sd ratio",
}  # fmt: skip


@style.styled
def item_differences(table: pd.DataFrame, *, interval: float = 0.95) -> Figure:
    """Draw posterior means and intervals beside the region of negligible differences.

    Parameters
    ----------
    table : DataFrame
        Columns item, coordinate, group, against, mean, lower, upper, relevant, p_relevant; coordinates of
        :func:`medpsy.posterior.item_differences.item_differences`.
    interval : float
        Posterior mass between ``lower`` and ``upper``, for the axis.

    Raises
    ------
    DataError
        If a column is missing or there is no row.
    """
    need = ("item", "coordinate", "group", "against", "mean", "lower", "upper", "relevant", "p_relevant")
    style.need(table, need, figure="item differences")
    coordinates = list(dict.fromkeys(table["coordinate"]))
    several = table["group"].nunique() > 1
    most = max(int((table["coordinate"] == name).sum()) for name in coordinates)
    figure = Figure(figsize=(style.WIDTH, 0.21 * most + 1.0), layout="constrained")
    panels = figure.subplots(1, len(coordinates), squeeze=False)[0]
    for axes, name in zip(panels, coordinates, strict=True):
        rows = table[table["coordinate"] == name].reset_index(drop=True)
        style.quiet(axes)
        y = -np.arange(len(rows), dtype=float)
        limit = float(rows["relevant"].iloc[0])
        axes.axvspan(-limit, limit, color=style.ROPE, linewidth=0, zorder=0)
        axes.axvline(0, color=style.INK, linewidth=0.7, zorder=1)
        likely = rows["p_relevant"].to_numpy() > 0.5
        colours = np.where(likely, style.BLUE, style.GREY)
        axes.hlines(y, rows["lower"], rows["upper"], colors=colours, linewidth=1.2)
        axes.scatter(rows["mean"], y, s=22, color="white", edgecolors=colours, linewidths=1.3, zorder=3)
        names = rows["item"] + (" [" + rows["group"] + "]" if several else "")
        axes.set_yticks(y, [style.wrap(text, 22, 1) for text in names])
        axes.set_ylim(y[-1] - 0.7, 0.7)
        axes.set_xlabel(NAMES.get(name, name))
        axes.margins(x=0.06)
    against = ", ".join(dict.fromkeys(table["against"]))
    groups = ", ".join(dict.fromkeys(table["group"]))
    # Along a number there is nothing to subtract: the difference is per sd of it.
    what = f"{groups} minus {against}" if against else groups
    figure.supxlabel(f"{what}, {100 * interval:g} % intervals; shaded: negligible", fontsize=style.TINY)
    return figure
