"""One rung per cluster: its indirect effect with interval, in order of size, and the average."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from medpsy.plots import style


@style.styled
def cluster_ladder(table: pd.DataFrame, *, average: float | None = None) -> Figure:
    """Draw indirect effects cluster by cluster.

    Parameters
    ----------
    table : DataFrame
        Columns text, cluster, n, mean, lower, upper, of one chain; ``attrs`` may hold
        ``interval``.
    average : float, optional
        Effect of an average cluster, drawn as a dashed line.

    Raises
    ------
    DataError
        A column is missing or there is no row.
    """
    style.need(table, ("text", "cluster", "n", "mean", "lower", "upper"), figure="cluster ladder")
    rows = table.sort_values("mean").reset_index(drop=True)
    step = 0.26 if len(rows) <= 30 else 0.13
    figure = Figure(figsize=(style.WIDTH, step * len(rows) + 0.95), layout="constrained")
    axes = style.quiet(figure.add_subplot())
    for y, (low, mean, high) in enumerate(rows[["lower", "mean", "upper"]].itertuples(index=False)):
        colour = style.BLUE if low > 0 or high < 0 else style.GREY
        filled = colour if low > 0 or high < 0 else "white"
        axes.hlines(y, low, high, color=colour, linewidth=1.4)
        axes.plot(mean, y, "o", color=filled, markeredgecolor=colour, markersize=5.0, markeredgewidth=1.3)
    names = [f"{name} (n = {n})" for name, n in zip(rows["cluster"], rows["n"], strict=True)]
    axes.set_yticks(range(len(rows)), names, fontsize=style.SMALL if len(rows) <= 30 else style.TINY)
    axes.axvline(0, color=style.INK, linewidth=0.7, zorder=0)
    if average is not None:
        axes.axvline(average, color=style.GREY, linewidth=0.9, linestyle="--", zorder=0)
    mass = 100 * float(table.attrs.get("interval", 0.95))
    text = style.arrows(str(rows["text"].iloc[0]))
    axes.set_xlabel(f"indirect effect {text}, {mass:g} % intervals (dashed: average cluster)")
    axes.set_ylim(-0.7, len(rows) - 0.3)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return figure
