"""Expected answers to the items and expected sum score as the construct rises, with their bands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from medpsy.plots import style

if TYPE_CHECKING:
    import xarray as xr


@style.styled
def expected_scores(curves: xr.Dataset) -> Figure:
    """Draw the expected answer to every item (left) and the expected sum score (right).

    Parameters
    ----------
    curves : xarray.Dataset
        ``expected`` (item_name, theta, bound) and ``expected_sum`` (theta, bound) of
        :func:`medpsy.posterior.item_curves.item_curves`.

    Raises
    ------
    DataError
        If a variable or dimension is missing.
    """
    style.need_variable(curves, "expected", ("item_name", "theta", "bound"), figure="expected scores")
    style.need_variable(curves, "expected_sum", ("theta", "bound"), figure="expected scores")
    construct = str(curves.attrs.get("construct", "construct"))
    theta = np.asarray(curves["theta"].values, dtype=float)
    figure = Figure(figsize=(style.WIDTH, 3.0), layout="constrained")
    left, right = (style.quiet(axes) for axes in figure.subplots(1, 2))
    values = curves["expected"].sel(bound="mean").values
    order = np.argsort(-values[:, len(theta) // 2])
    for rank, j in enumerate(order):
        colour = style.CYCLE[rank % len(style.CYCLE)]
        dash = ("-", (0, (5, 2)), (0, (1.5, 1.5)))[rank // len(style.CYCLE) % 3]
        name = style.wrap(str(curves["item_name"].values[j]), 18, 1)
        left.plot(theta, values[j], color=colour, linestyle=dash, linewidth=1.1, label=name)
    left.set(xlim=(theta[0], theta[-1]), ylabel="expected answer (code, turned)")
    left.legend(
        fontsize=style.TINY, ncols=1 if len(order) <= 10 else 2, loc="upper left", handlelength=1.8,
        labelspacing=0.25, borderaxespad=0.2, columnspacing=0.8,
    )  # fmt: skip
    lower, mean, upper = (curves["expected_sum"].sel(bound=b).values for b in ("lower", "mean", "upper"))
    right.fill_between(theta, lower, upper, color=style.BLUE, alpha=0.25, linewidth=0)
    right.plot(theta, mean, color=style.BLUE, linewidth=1.4)
    if {"lowest", "highest"} <= set(curves.attrs):
        right.set_ylim(curves.attrs["lowest"], curves.attrs["highest"])
    right.set(xlim=(theta[0], theta[-1]), ylabel="expected sum score")
    for axes in (left, right):
        axes.grid(color=style.PALE, linewidth=0.4)
    figure.supxlabel(f"{construct} (standard deviations)", fontsize=style.SMALL)
    return figure
