"""Boundary curves: the probability of each answer or a further one as the construct rises, with its band."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from medpsy.plots import style
from medpsy.plots.panels import inner_ticks, label_axes, sheet

if TYPE_CHECKING:
    import xarray as xr


@style.styled
def boundary_curves(curves: xr.Dataset) -> Figure:
    """Draw P(answer k or further) of one construct, a panel per item, a line per step.

    Parameters
    ----------
    curves : xarray.Dataset
        ``boundary`` (item_name, step, theta, bound) of :func:`medpsy.posterior.item_curves.item_curves`.

    Raises
    ------
    DataError
        If a variable or dimension is missing.
    """
    style.need_variable(curves, "boundary", ("item_name", "step", "theta", "bound"), figure="boundary curves")
    construct = str(curves.attrs.get("construct", "construct"))
    names = [str(item) for item in curves["item_name"].values]
    theta = np.asarray(curves["theta"].values, dtype=float)
    steps = curves.sizes["step"]
    worded = curves.attrs.get("labels") or []
    labels = [
        style.wrap(f"{worded[k]} or further" if worded else f"step {k + 1}", 30, 2) for k in range(steps)
    ]
    colours = style.ordinal_colours(steps)
    columns, high = style.legend_shape(labels, style.WIDTH - 0.6)
    figure, panels = sheet([(construct, names)], top=high)
    lower, mean, upper = (curves["boundary"].sel(bound=b).values for b in ("lower", "mean", "upper"))
    for (_, item), axes in panels.items():
        at = names.index(item)
        for k, colour in enumerate(colours):
            axes.fill_between(theta, lower[at, k], upper[at, k], color=colour, alpha=0.25, linewidth=0)
            axes.plot(theta, mean[at, k], color=colour, linewidth=1.1)
        axes.axhline(0.5, color=style.GREY, linewidth=0.5, linestyle=(0, (4, 3)))
        axes.set(xlim=(theta[0], theta[-1]), ylim=(0, 1), yticks=(0, 0.5, 1))
        axes.grid(color=style.PALE, linewidth=0.4)
    inner_ticks(next(iter(panels.values())))
    figure.legend(
        [Line2D([], [], color=colour, linewidth=2) for colour in colours], labels, loc="upper center",
        ncols=columns, borderaxespad=0.1, handlelength=1.3, columnspacing=1.2,
    )  # fmt: skip
    label_axes(
        figure, x=f"{construct} (standard deviations)", y="probability of that answer or a further one"
    )
    return figure
