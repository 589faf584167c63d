"""An effect over the values of what it changes with, and where its interval excludes zero."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from medpsy.plots import style
from medpsy.plots.numbers import plain


@style.styled
def conditional_curve(table: pd.DataFrame, *, label: str = "", effect: str = "") -> Figure:
    """Draw a conditional effect with its band.

    Parameters
    ----------
    table : DataFrame
        Columns value, mean, lower, upper, as :func:`medpsy.posterior.moderator_curves.curve` makes it; its
        ``attrs`` may hold ``regions`` (shaded), ``moderator``, ``spoken`` (the effect in words) and ``text``.
    label : str
        Name of the moderator on the axis; that of the table unless given.
    effect : str
        Name of the effect on the axis; that of the table unless given.

    Raises
    ------
    DataError
        If a column is missing or there is no row.

    References
    ----------
    Bauer, D. J. & Curran, P. J. (2005), doi:10.1207/s15327906mbr4003_5.
    """
    style.need(table, ("value", "mean", "lower", "upper"), figure="conditional curve")
    figure = Figure(figsize=(4.9, 2.9), layout="constrained")
    axes = style.quiet(figure.add_subplot())
    axes.fill_between(
        table["value"], table["lower"], table["upper"], color=style.BLUE, alpha=0.22, linewidth=0
    )
    axes.plot(table["value"], table["mean"], color=style.BLUE, linewidth=1.4)
    axes.axhline(0, color=style.INK, linewidth=0.7)
    regions = table.attrs.get("regions", [])
    for low, high in regions:
        axes.axvspan(low, high, ymin=0, ymax=0.025, color=style.GREEN, linewidth=0)
    said = "; ".join(f"{plain(round(low, 2))} to {plain(round(high, 2))}" for low, high in regions)
    axes.set_title(f"interval excludes zero: {said or 'nowhere'}")
    text = style.arrows(table.attrs.get("text", ""))
    axes.set_xlabel(label or str(table.attrs.get("moderator", "")))
    axes.set_ylabel(style.wrap(effect or f"{table.attrs.get('spoken', '')} {text}".strip(), 40))
    axes.set_xlim(table["value"].iloc[0], table["value"].iloc[-1])
    return figure
