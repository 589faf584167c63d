"""From sum score to score: what each sum says about the construct, and how surely."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from medpsy.plots import style


@style.styled
def sum_to_score(table: pd.DataFrame, *, construct: str = "construct") -> Figure:
    """Draw the score of every sum with two bars: the items' uncertainty (thick), a person's interval (thin).

    Parameters
    ----------
    table : DataFrame
        Columns sum_score, score, score_lower, score_upper, lower, upper, persons, as
        :func:`medpsy.posterior.score_table.score_table` returns them.
    construct : str
        Name for the axis.

    Raises
    ------
    DataError
        If a column is missing or there is no row.
    """
    columns = ("sum_score", "score", "score_lower", "score_upper", "lower", "upper", "persons")
    style.need(table, columns, figure="sum to score")
    figure = Figure(figsize=(style.WIDTH, 3.4), layout="constrained")
    upper, lower = (
        style.quiet(axes)
        for axes in figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": (3.2, 1.0)})
    )
    x = table["sum_score"]
    upper.vlines(
        x, table["lower"], table["upper"], color=style.SKY, linewidth=1.0, label="a person's interval"
    )
    upper.vlines(
        x, table["score_lower"], table["score_upper"], color=style.BLUE, linewidth=3.0,
        label="not knowing the items",
    )  # fmt: skip
    upper.plot(
        x, table["score"], "o", color="white", markeredgecolor=style.BLUE, markersize=2.2, label="score"
    )
    upper.set(ylabel=f"{style.wrap(construct, 28, 1)} (sd)")
    upper.legend(fontsize=style.TINY, loc="upper left", borderaxespad=0.2)
    lower.bar(x, table["persons"], width=0.8, color=style.GREY, linewidth=0)
    lower.set(ylabel="persons", xlabel="sum score")
    for axes in (upper, lower):
        axes.grid(axis="y", color=style.PALE, linewidth=0.4)
        axes.set_axisbelow(True)
    return figure
