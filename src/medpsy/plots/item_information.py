"""Information of each item along the construct, with its band."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from medpsy.plots import style
from medpsy.plots.panels import inner_ticks, label_axes, sheet

if TYPE_CHECKING:
    import xarray as xr


@style.styled
def item_information(information: xr.Dataset) -> Figure:
    """Draw one panel per item on a common scale.

    Parameters
    ----------
    information : xarray.Dataset
        ``item`` (item_name, theta, bound) of :func:`medpsy.posterior.information.information`.

    Raises
    ------
    DataError
        If a variable or dimension is missing.
    """
    style.need_variable(information, "item", ("item_name", "theta", "bound"), figure="item information")
    construct = str(information.attrs.get("construct", "construct"))
    names = [str(item) for item in information["item_name"].values]
    theta = np.asarray(information["theta"].values, dtype=float)
    lower, mean, upper = (information["item"].sel(bound=b).values for b in ("lower", "mean", "upper"))
    figure, panels = sheet([(construct, names)], columns=5, height=0.8)
    for (_, item), axes in panels.items():
        at = names.index(item)
        axes.fill_between(theta, lower[at], upper[at], color=style.BLUE, alpha=0.25, linewidth=0)
        axes.plot(theta, mean[at], color=style.BLUE, linewidth=1.1)
        axes.grid(color=style.PALE, linewidth=0.4)
    first = next(iter(panels.values()))
    inner_ticks(first)
    first.set(xlim=(theta[0], theta[-1]), ylim=(0, 1.05 * float(np.nanmax(upper)) or 1))
    label_axes(figure, x=f"{construct} (standard deviations)", y="information (per sd²)")
    return figure
