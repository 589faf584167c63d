"""Eigenvalues of the answers against those of permuted answers."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from medpsy.plots import style


@style.styled
def scree(table: pd.DataFrame, *, quantile: float = 0.95) -> Figure:
    """Draw observed eigenvalues and the threshold of parallel analysis.

    Parameters
    ----------
    table : DataFrame
        Columns number, observed, threshold; optionally mean (of permuted answers).
    quantile : float
        Of the permuted eigenvalues, for the legend.

    Raises
    ------
    DataError
        If a column is missing or there is no row.
    """
    style.need(table, ("number", "observed", "threshold"), figure="scree")
    figure = Figure(figsize=(style.WIDTH, 2.9))
    axes = style.quiet(figure.add_axes((0.08, 0.15, 0.9, 0.82)))
    axes.plot(
        table["number"], table["observed"], "o-", color=style.BLUE, markersize=4, linewidth=1.3,
        label="answers",
    )  # fmt: skip
    axes.plot(
        table["number"], table["threshold"], "--", color=style.VERMILION, linewidth=1.3,
        label=f"permuted answers, {100 * quantile:g}th percentile",
    )  # fmt: skip
    if "mean" in table.columns:
        axes.plot(
            table["number"], table["mean"], ":", color=style.GREY, linewidth=1.1, label="permuted, mean"
        )
    axes.set_xlabel("factor")
    axes.set_ylabel("eigenvalue")
    axes.set_ylim(bottom=min(0.0, float(table["observed"].min())))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="upper right")
    return figure
