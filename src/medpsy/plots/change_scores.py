"""Change of persons between two occasions, reliable changes set off."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from medpsy.plots import style

_LOOK = {
    "up": (style.VERMILION, "reliably up"),
    "down": (style.BLUE, "reliably down"),
    "": (style.GREY, "no reliable change"),
}


@style.styled
def change_scores(persons: pd.DataFrame, *, construct: str = "construct", interval: float = 0.95) -> Figure:
    """Draw second against first scores (left) and every change with its interval (right).

    Parameters
    ----------
    persons : DataFrame
        Columns before, after, change, lower, upper, verdict, as
        :class:`medpsy.posterior.change.Change` holds them.
    construct : str
        Name for the axes.
    interval : float
        Posterior mass between ``lower`` and ``upper``, for the axis.

    Raises
    ------
    DataError
        If a column is missing or there is no row.
    """
    style.need(persons, ("before", "after", "change", "lower", "upper", "verdict"), figure="change scores")
    figure = Figure(figsize=(style.WIDTH, 3.1), layout="constrained")
    left, right = (style.quiet(axes) for axes in figure.subplots(1, 2))
    ordered = persons.sort_values("change").reset_index(drop=True)
    for verdict, (colour, label) in _LOOK.items():
        rows = ordered[ordered["verdict"] == verdict]
        left.plot(
            rows["before"], rows["after"], "o", color=colour, label=f"{label}: {len(rows)}", markersize=2.8,
            markeredgewidth=0, alpha=0.6,
        )  # fmt: skip
        right.vlines(rows.index + 1, rows["lower"], rows["upper"], color=colour, linewidth=0.5, alpha=0.6)
        right.plot(rows.index + 1, rows["change"], "o", color=colour, markersize=1.6, markeredgewidth=0)
    ends = np.nanmin(persons[["before", "after"]]), np.nanmax(persons[["before", "after"]])
    left.plot(ends, ends, color=style.INK, linewidth=0.7)
    left.set(
        xlabel=f"{style.wrap(construct, 24, 1)} before (sd)",
        ylabel=f"{style.wrap(construct, 24, 1)} after (sd)",
    )
    left.legend(fontsize=style.TINY, loc="upper left", borderaxespad=0.2)
    right.axhline(0, color=style.INK, linewidth=0.7)
    right.set(xlabel="persons in order of their change", ylabel=f"change, {100 * interval:g} % interval (sd)")
    for axes in (left, right):
        axes.grid(color=style.PALE, linewidth=0.4)
        axes.set_axisbelow(True)
    return figure
