"""Estimates with and without something, side by side."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from medpsy.plots import style

_ROW, _EDGE = 0.32, 0.9


@style.styled
def with_without(table: pd.DataFrame, *, names: tuple[str, str] = ("without", "with")) -> Figure:
    """Draw two estimates with their intervals per row.

    Parameters
    ----------
    table : DataFrame
        Columns quantity, mean, lower, upper, with_mean, with_lower, with_upper.
    names : tuple of str
        What the first and the second are called in the legend.

    Raises
    ------
    DataError
        If a column is missing or there is no row.
    """
    columns = ("quantity", "mean", "lower", "upper", "with_mean", "with_lower", "with_upper")
    style.need(table, columns, figure="with and without")
    figure = Figure(figsize=(style.WIDTH, _EDGE + _ROW * len(table)), layout="constrained")
    axes = style.quiet(figure.add_subplot())
    axes.axvline(0, color=style.INK, linewidth=0.6)
    rows = range(len(table))
    for shift, prefix, name, colour, marker in (
        (-0.13, "", names[0], style.BLUE, "o"), (0.13, "with_", names[1], style.VERMILION, "D"),
    ):  # fmt: skip
        places = [at + shift for at in rows]
        low, high = table[f"{prefix}lower"].to_numpy(), table[f"{prefix}upper"].to_numpy()
        axes.hlines(places, low, high, color=colour, linewidth=1.6)
        axes.plot(table[f"{prefix}mean"], places, marker, color=colour, markersize=4, label=name)
    axes.set_yticks(list(rows), table["quantity"].astype(str).to_list())
    axes.set(ylim=(len(table) - 0.5, -0.5), xlabel="standardised, with intervals")
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(0, 1.0), ncols=2, borderaxespad=-1.6)
    return figure
