"""Information of a module and its standard error of measurement along the construct."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from medpsy.plots import style

if TYPE_CHECKING:
    import xarray as xr


@style.styled
def information_curves(information: xr.Dataset) -> Figure:
    """Draw the test information (left) and the standard errors of scores (right), with their bands.

    Parameters
    ----------
    information : xarray.Dataset
        ``test``, ``error`` and ``posterior_sd`` (theta, bound) of
        :func:`medpsy.posterior.information.information`.

    Raises
    ------
    DataError
        If a variable or dimension is missing.
    """
    for name in ("test", "error", "posterior_sd"):
        style.need_variable(information, name, ("theta", "bound"), figure="information curves")
    construct = str(information.attrs.get("construct", "construct"))
    theta = np.asarray(information["theta"].values, dtype=float)
    figure = Figure(figsize=(style.WIDTH, 2.7), layout="constrained")
    left, right = (style.quiet(axes) for axes in figure.subplots(1, 2))
    curves = (
        (left, "test", style.BLUE, ""),
        (right, "error", style.VERMILION, "maximum-likelihood score"),
        (right, "posterior_sd", style.BLUE, "score that also uses the population"),
    )
    for axes, name, colour, label in curves:
        lower, mean, upper = (information[name].sel(bound=b).values for b in ("lower", "mean", "upper"))
        # Far out the error of a likelihood score has no bound.
        known = np.isfinite(mean) & np.isfinite(upper)
        axes.fill_between(theta[known], lower[known], upper[known], color=colour, alpha=0.25, linewidth=0)
        axes.plot(theta[known], mean[known], color=colour, linewidth=1.4, label=label or None)
        axes.set(xlim=(theta[0], theta[-1]))
        axes.grid(color=style.PALE, linewidth=0.4)
    left.set(ylabel="information of all items (per sd²)")
    left.set_ylim(bottom=0)
    right.set(ylabel="standard error (sd)", ylim=(0, 1.25))
    right.legend(fontsize=style.TINY, loc="upper right")
    figure.supxlabel(f"{construct} (standard deviations)", fontsize=style.SMALL)
    return figure
