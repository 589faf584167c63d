"""Simple slopes: one line per value of a moderator."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from medpsy.plots import style


@style.styled
def slope_lines(table: pd.DataFrame, *, source: str = "", target: str = "") -> Figure:
    """Draw expected values over a source, one line with its band per setting.

    Parameters
    ----------
    table : DataFrame
        Columns setting, value, mean, lower, upper, as :func:`medpsy.posterior.moderator_curves.slope_lines`
        makes it.
    source, target : str
        Names on the axes; those in ``table.attrs`` unless given.

    Raises
    ------
    DataError
        If a column is missing, there is no row, or there are more settings than lines can be told apart.
    """
    style.need(table, ("setting", "value", "mean", "lower", "upper"), figure="simple slopes")
    settings = list(dict.fromkeys(table["setting"].astype(str)))
    if len(settings) > len(style.CYCLE):
        from medpsy.errors import DataError

        raise DataError(
            f"simple slopes: {len(settings)} settings are too many for one figure",
            hint="Name fewer values of the moderators.",
        )
    figure = Figure(figsize=(4.9, 2.9), layout="constrained")
    axes = style.quiet(figure.add_subplot())
    strokes = ("-", (0, (5, 2)), (0, (1.5, 1.5)), "-.", (0, (8, 2, 2, 2)), (0, (3, 1, 1, 1, 1, 1)))
    for setting, colour, stroke in zip(settings, style.CYCLE, strokes, strict=False):
        own = table[table["setting"].astype(str) == setting]
        axes.fill_between(own["value"], own["lower"], own["upper"], color=colour, alpha=0.15, linewidth=0)
        axes.plot(
            own["value"], own["mean"], color=colour, linewidth=1.4, linestyle=stroke, label=setting or "all"
        )
    level = {"within": ", within clusters", "between": ", cluster mean"}.get(table.attrs.get("level", ""), "")
    axes.set_xlabel(source or str(table.attrs.get("source", "")) + level)
    axes.set_ylabel(target or str(table.attrs.get("target", "")) + level)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), borderaxespad=0.2, handlelength=2.4)
    return figure
