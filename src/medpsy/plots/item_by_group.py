"""One item in several groups: the expected answer as the construct rises, and where the groups stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from medpsy.plots import style

if TYPE_CHECKING:
    import xarray as xr


@style.styled
def item_by_group(curves: xr.Dataset) -> Figure:
    """Draw a curve with its band per group; below, the distribution of the construct in each.

    Parameters
    ----------
    curves : xarray.Dataset
        ``expected`` (group, theta, bound) and ``density`` (group, theta) of
        :func:`medpsy.posterior.item_differences.expected_by_group`.

    Raises
    ------
    DataError
        If a variable or dimension is missing.
    """
    style.need_variable(curves, "expected", ("group", "theta", "bound"), figure="item by group")
    style.need_variable(curves, "density", ("group", "theta"), figure="item by group")
    theta = np.asarray(curves["theta"].values, dtype=float)
    figure = Figure(figsize=(style.WIDTH * 0.72, 3.3), layout="constrained")
    upper, lower = (style.quiet(axes) for axes in figure.subplots(2, 1, sharex=True, height_ratios=[4, 1]))
    for at, group in enumerate(curves["group"].values):
        colour = style.CYCLE[at % len(style.CYCLE)]
        dash = ("-", (0, (5, 2)), (0, (1.5, 1.5)))[at % 3]
        low, mean, high = (
            curves["expected"].sel(group=group, bound=bound).values for bound in ("lower", "mean", "upper")
        )
        upper.fill_between(theta, low, high, color=colour, alpha=0.18, linewidth=0)
        label = style.wrap(group, 24, 1)
        upper.plot(theta, mean, color=colour, linestyle=dash, linewidth=1.4, label=label)
        density = curves["density"].sel(group=group).values
        lower.plot(theta, density, color=colour, linestyle=dash, linewidth=1.1)
    upper.legend(loc="upper left", title=style.wrap(str(curves.attrs.get("by", "")), 24, 1))
    upper.set(ylabel=f"expected answer to {curves.attrs.get('item', 'the item')}")
    lower.set(xlim=(theta[0], theta[-1]), yticks=[], ylabel="persons")
    lower.set_xlabel(str(curves.attrs.get("construct", "construct")))
    for axes in (upper, lower):
        axes.grid(color=style.PALE, linewidth=0.4)
    return figure
