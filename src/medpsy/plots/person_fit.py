"""How unexpected the persons' answers are."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from medpsy.plots import style


@style.styled
def person_fit(table: pd.DataFrame) -> Figure:
    """Draw the distribution of lz* beside the standard normal, and that of the posterior predictive p.

    Parameters
    ----------
    table : DataFrame
        Columns ppp, lz_star, flag. Where there is no lz* only the p values are drawn.

    Raises
    ------
    DataError
        If a column is missing or there is no row.
    """
    style.need(table, ("ppp", "lz_star", "flag"), figure="person fit")
    ppp = table["ppp"].dropna().to_numpy(dtype=float)
    star = table["lz_star"].dropna().to_numpy(dtype=float)
    figure = Figure(figsize=(style.WIDTH, 2.3))
    if star.size:
        left, right = figure.subplots(1, 2)
        _normal(style.quiet(left), star)
    else:
        right = figure.subplots(1, 1)
    _uniform(style.quiet(right), ppp)
    figure.subplots_adjust(left=0.09, right=0.985, bottom=0.2, top=0.95, wspace=0.25)
    return figure


def _normal(axes: Axes, star: np.ndarray) -> None:
    edges = np.arange(np.floor(min(star.min(), -3.0) * 4) / 4, max(star.max(), 3.0) + 0.26, 0.25)
    axes.hist(star, bins=edges.tolist(), color=style.PALE)
    x = np.linspace(edges[0], edges[-1], 300)
    density = np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi)
    axes.plot(x, density * star.size * 0.25, color=style.BLUE, linewidth=1.2)
    below = int((star < -1.645).sum())
    axes.axvline(-1.645, color=style.VERMILION, linewidth=0.8)
    axes.text(
        0.02, 0.97, f"{below} below \N{MINUS SIGN}1.64\n{0.05 * star.size:.0f} expected", va="top",
        transform=axes.transAxes, fontsize=style.TINY, color=style.VERMILION,
    )  # fmt: skip
    axes.set_xlabel("lz* (line: expected)")
    axes.set_ylabel("persons")


def _uniform(axes: Axes, ppp: np.ndarray) -> None:
    axes.hist(ppp, bins=np.linspace(0, 1, 21).tolist(), color=style.PALE)
    axes.axhline(ppp.size / 20, color=style.BLUE, linewidth=1.2)
    axes.set(xlim=(0, 1))
    axes.set_xlabel("posterior predictive p (line: uniform)")
    axes.set_ylabel("persons")
