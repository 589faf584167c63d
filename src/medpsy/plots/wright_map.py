"""Wright map: persons and the steps of the items on one axis (Wright & Stone, 1979, ISBN 9780941938013)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from medpsy.plots import style

#: How far the axis reaches at most, in sds of the construct.
_FAR = 4.5


@style.styled
def wright_map(persons: pd.DataFrame, locations: pd.DataFrame, *, construct: str = "construct") -> Figure:
    """Draw the distribution of the persons (left) beside the steps of every item (right).

    Parameters
    ----------
    persons : DataFrame
        Columns left, right, mean, lower, upper: shares of persons per bin, as
        :func:`medpsy.posterior.wright.persons` returns them.
    locations : DataFrame
        Columns item, step, label, location, lower, upper, as :func:`medpsy.posterior.wright.locations`
        returns them. Steps beyond the axis are drawn as arrows at its end.
    construct : str
        Name for the axis.

    Raises
    ------
    DataError
        If a column is missing or there is no row.
    """
    style.need(persons, ("left", "right", "mean", "lower", "upper"), figure="Wright map, persons")
    style.need(locations, ("item", "step", "label", "location", "lower", "upper"), figure="Wright map, items")
    names = list(dict.fromkeys(str(item) for item in locations["item"]))
    low, high = _axis(persons, locations)
    crowded = len(names) > 14 or max(map(len, names)) > 6
    figure = Figure(figsize=(style.WIDTH, 4.3 if crowded else 4.0), layout="constrained")
    left, right = (
        style.quiet(axes)
        for axes in figure.subplots(1, 2, sharey=True, gridspec_kw={"width_ratios": (1.0, 3.0)})
    )
    _persons(left, persons)
    _items(right, locations, names, (low, high))
    right.set_xticks(range(len(names)), [style.wrap(name, 14, 2) for name in names])
    if crowded:
        right.tick_params(axis="x", rotation=90)
    left.set(ylim=(low, high), ylabel=f"{construct} (standard deviations)", xlabel="share of persons")
    left.invert_xaxis()
    _legend(figure, locations)
    for axes in (left, right):
        axes.grid(axis="y", color=style.PALE, linewidth=0.4)
        axes.set_axisbelow(True)
    return figure


def _legend(figure: Figure, locations: pd.DataFrame) -> None:
    """Say what the steps are called, where all items call them alike."""
    pairs = locations[["step", "label"]].drop_duplicates().sort_values("step")
    if pairs["step"].duplicated().any():
        return
    colours = style.ordinal_colours(len(pairs))
    labels = [
        style.wrap(f"{step}  {label}", 30, 1)
        for step, label in zip(pairs["step"], pairs["label"], strict=True)
    ]
    columns, _ = style.legend_shape(labels, style.WIDTH - 0.6, style.TINY)
    figure.legend(
        [Line2D([], [], color=colour, linewidth=2) for colour in colours], labels, ncols=columns,
        loc="outside upper center", fontsize=style.TINY, handlelength=1.3, columnspacing=1.2,
    )  # fmt: skip


def _axis(persons: pd.DataFrame, locations: pd.DataFrame) -> tuple[float, float]:
    """Ends that hold the persons and, within reason, the steps."""
    seen = persons[persons["mean"] > 0.0005]
    values = locations["location"].to_numpy(dtype=float)
    values = values[np.isfinite(values)]
    low = min([float(seen["left"].min()), *values - 0.2])
    high = max([float(seen["right"].max()), *values + 0.2])
    return max(low, -_FAR), min(high, _FAR)


def _persons(axes: Axes, persons: pd.DataFrame) -> None:
    middle = (persons["left"] + persons["right"]).to_numpy() / 2
    height = (persons["right"] - persons["left"]).to_numpy()
    axes.barh(middle, persons["mean"], height=0.92 * height, color=style.SKY, linewidth=0)
    drawn = persons["upper"].to_numpy() > 0
    axes.hlines(
        middle[drawn], persons["lower"][drawn], persons["upper"][drawn], color=style.INK, linewidth=0.8
    )


def _items(axes: Axes, locations: pd.DataFrame, names: list[str], ends: tuple[float, float]) -> None:
    steps = sorted(set(locations["step"]))
    colours = dict(zip(steps, style.ordinal_colours(len(steps)), strict=True))
    low, high = ends
    for row in locations.to_dict("records"):
        x = names.index(str(row["item"])) + 0.5 * (
            list(steps).index(row["step"]) / max(len(steps) - 1, 1) - 0.5
        )
        colour, value = colours[row["step"]], float(row["location"])
        if np.isnan(value):
            continue
        bottom, top = np.clip([row["lower"], row["upper"]], low, high)
        axes.vlines(x, bottom, top, color=colour, linewidth=1.4)
        beyond = value > high or value < low
        marker = ("^" if value > high else "v") if beyond else "o"
        axes.plot(
            x, np.clip(value, low, high), marker, color="white" if not beyond else colour,
            markeredgecolor=colour, markersize=4.5, markeredgewidth=1.3, clip_on=False,
        )  # fmt: skip
        if len(names) <= 12:
            axes.annotate(
                str(row["step"]), (x, np.clip(value, low, high)), xytext=(4, 0), textcoords="offset points",
                fontsize=style.TINY - 1, va="center", color=style.INK,
            )  # fmt: skip
    axes.set_xlim(-0.6, len(names) - 0.3)
    axes.tick_params(labelleft=False)
