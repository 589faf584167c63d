"""Scores of the persons: where they are, and how surely each is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from medpsy.plots import style


@style.styled
def person_scores(table: pd.DataFrame, *, interval: float = 0.95) -> Figure:
    """Draw every person's score with an interval, in order of size (left), and its sd (right).

    Parameters
    ----------
    table : DataFrame
        Columns construct, mean, sd, lower, upper; one row per person and construct.
    interval : float
        Posterior mass between ``lower`` and ``upper``, for the axis.

    Raises
    ------
    DataError
        If a column is missing or there is no row.
    """
    style.need(table, ("construct", "mean", "sd", "lower", "upper"), figure="person scores")
    names = list(dict.fromkeys(str(name) for name in table["construct"]))
    figure = Figure(figsize=(style.WIDTH, 2.3 * len(names) + 0.2), layout="constrained")
    grid = np.atleast_2d(figure.subplots(len(names), 2, gridspec_kw={"width_ratios": (1.6, 1.0)}))
    highest = 1.08 * float(np.nanmax(table["sd"]))
    for (left, right), name in zip(grid, names, strict=True):
        rows = table[table["construct"].astype(str) == name].sort_values("mean")
        x = np.arange(1, len(rows) + 1)
        style.quiet(left).vlines(
            x, rows["lower"], rows["upper"], color=style.SKY, linewidth=max(0.25, min(2.0, 150 / len(rows))),
            rasterized=len(rows) > 2000,
        )  # fmt: skip
        left.plot(x, rows["mean"], color=style.BLUE, linewidth=1.3)
        left.set(xlim=(0, len(rows) + 1), ylabel=style.wrap(name, 30, 1))
        style.quiet(right).plot(
            rows["mean"], rows["sd"], "o", color=style.BLUE, markersize=2.2, alpha=0.45, markeredgewidth=0,
            rasterized=len(rows) > 2000,
        )  # fmt: skip
        right.set(ylim=(0, highest), ylabel="posterior sd")
        for axes in (left, right):
            axes.grid(color=style.PALE, linewidth=0.4)
            axes.set_axisbelow(True)
    grid[-1, 0].set_xlabel(f"persons in order of their score; bars: {100 * interval:g} % intervals")
    grid[-1, 1].set_xlabel("posterior mean")
    return figure
