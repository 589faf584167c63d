"""Category curves: the probability of each answer as the construct rises, with its band."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from medpsy.errors import DataError, nearest
from medpsy.plots import style
from medpsy.plots.panels import inner_ticks, label_axes, sheet

if TYPE_CHECKING:
    import xarray as xr

#: Points of a curve that are drawn; more would only make the file larger.
_POINTS = 41


@style.styled
def category_curves(curves: xr.Dataset, *, items: Sequence[str] | None = None) -> Figure:
    """Draw category response curves of one construct, a panel per item.

    Parameters
    ----------
    curves : xarray.Dataset
        ``probability`` with dims (item, category, theta, bound), bound being lower, mean and upper; theta
        in standard deviations of the construct. Attributes ``construct`` and ``labels`` (one a category).
    items : sequence of str, optional
        Which items, in which order; by default all.

    Raises
    ------
    DataError
        If there is no item to draw, an item is unknown or a dimension is missing.

    References
    ----------
    Samejima, F. (1969). Estimation of latent ability using a response pattern of graded scores.
    Psychometrika Monograph Supplement, 17. doi:10.1007/BF03372160
    """
    order = ("item", "category", "theta", "bound")
    if "probability" not in curves or set(curves["probability"].dims) != set(order):
        raise DataError(
            "category curves: no 'probability' with dimensions item, category, theta and bound",
            hint="Pass the Dataset of curves of one construct.",
        )
    known = [str(item) for item in curves["item"].values]
    chosen = list(items) if items is not None else known
    for item in chosen:
        if item not in known:
            raise DataError(f"category curves: no item '{item}'", hint=nearest(item, known))
    if not chosen:
        raise DataError("category curves: no items to draw", hint="Name at least one item.")
    values = curves["probability"].transpose(*order)
    theta = np.asarray(curves["theta"].values, dtype=float)
    step = max(1, -(-len(theta) // _POINTS))
    n = values.sizes["category"]
    labels = [style.wrap(label, 26, 2) for label in curves.attrs.get("labels") or range(1, n + 1)]
    colours = style.ordinal_colours(n)
    columns, high = style.legend_shape(labels, style.WIDTH - 0.6)
    construct = str(curves.attrs.get("construct", ""))
    figure, panels = sheet([(construct, chosen)], top=high)
    lower, mean, upper = (values.sel(bound=b).values[..., ::step] for b in ("lower", "mean", "upper"))
    for (_, item), axes in panels.items():
        at = known.index(item)
        for k, colour in enumerate(colours):
            axes.fill_between(
                theta[::step], lower[at, k], upper[at, k], color=colour, alpha=0.25, linewidth=0
            )
            axes.plot(theta[::step], mean[at, k], color=colour, linewidth=1.1)
        axes.set(xlim=(theta[0], theta[-1]), ylim=(0, 1), yticks=(0, 0.5, 1))
        axes.grid(color=style.PALE, linewidth=0.4)
    inner_ticks(next(iter(panels.values())))
    figure.legend(
        [Line2D([], [], color=colour, linewidth=2) for colour in colours], labels, loc="upper center",
        ncols=columns, borderaxespad=0.1, handlelength=1.3, columnspacing=1.2,
    )  # fmt: skip
    label_axes(figure, x=f"{construct or 'construct'} (standard deviations)", y="probability of the answer")
    return figure
