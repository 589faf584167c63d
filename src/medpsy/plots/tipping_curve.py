"""How an indirect effect fades with unmeasured confounding of mediator and outcome."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from medpsy.plots import style
from medpsy.plots.numbers import estimate, fixed


@style.styled
def tipping_curve(table: pd.DataFrame) -> Figure:
    """Draw the indirect effect over the residual correlation that an unmeasured cause brings about.

    Parameters
    ----------
    table : DataFrame
        Columns rho, mean, lower, upper, as :func:`medpsy.posterior.confounding.tipping_curve` makes it; its
        ``attrs`` hold tipping, tipping_lower, tipping_upper (shaded) and exposure, mediator, outcome.

    Raises
    ------
    DataError
        If a column is missing or there is no row.

    References
    ----------
    Imai, K., Keele, L. & Yamamoto, T. (2010), doi:10.1214/10-STS321.
    """
    style.need(table, ("rho", "mean", "lower", "upper"), figure="tipping curve")
    figure = Figure(figsize=(4.9, 2.9), layout="constrained")
    axes = style.quiet(figure.add_subplot())
    about = table.attrs
    if "tipping" in about:
        axes.axvspan(about["tipping_lower"], about["tipping_upper"], color=style.ROPE, linewidth=0)
        axes.axvline(about["tipping"], color=style.ORANGE, linewidth=1.0)
        span = f"{fixed(about['tipping_lower'], 2)} to {fixed(about['tipping_upper'], 2)}"
        axes.set_title(f"zero at a correlation of {fixed(about['tipping'], 2)} ({span})")
    axes.fill_between(table["rho"], table["lower"], table["upper"], color=style.BLUE, alpha=0.22, linewidth=0)
    axes.plot(table["rho"], table["mean"], color=style.BLUE, linewidth=1.4)
    axes.axhline(0, color=style.INK, linewidth=0.7)
    axes.axvline(0, color=style.INK, linewidth=0.4, linestyle=(0, (2, 2)))
    stations = [about[role] for role in ("exposure", "mediator", "outcome") if role in about]
    axes.set_xlabel("correlation of the residuals of mediator and outcome by a hidden cause")
    at = ", ".join(
        f"{k} = {estimate(v) if isinstance(v, float) else v}" for k, v in about.get("setting", {}).items()
    )
    level = f"{about['level']} clusters " if about.get("level") else ""
    label = f"indirect effect {level}" + " -> ".join(stations) + (f" at {at}" if at else "")
    axes.set_ylabel(style.wrap(style.arrows(label), 40))
    axes.set_xlim(table["rho"].iloc[0], table["rho"].iloc[-1])
    return figure
