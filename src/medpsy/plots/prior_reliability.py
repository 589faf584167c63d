"""Reliability that the priors expect, and the posterior beside it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from medpsy.errors import DataError
from medpsy.plots import style

_HEIGHT, _LEFT, _RIGHT, _BOTTOM, _HEAD, _LEGEND = 0.85, 0.2, 0.2, 0.42, 0.24, 0.3


@style.styled
def prior_reliability(
    prior: Mapping[str, np.ndarray], posterior: Mapping[str, tuple[float, float, float]] | None = None
) -> Figure:
    """Draw the prior distribution of the reliability of every sum score.

    Parameters
    ----------
    prior : mapping of str to ndarray
        Draws by construct.
    posterior : mapping, optional
        Mean, lower and upper by construct.

    Raises
    ------
    DataError
        If there is no construct.
    """
    if not prior:
        raise DataError("prior reliability: there is no construct", hint="There is nothing to draw.")
    room = _HEAD + _HEIGHT + _BOTTOM
    total = _LEGEND + room * len(prior)
    figure = Figure(figsize=(style.WIDTH, total))
    for at, (name, draws) in enumerate(prior.items()):
        bottom = total - _LEGEND - room * at - _HEAD - _HEIGHT
        wide = (style.WIDTH - _LEFT - _RIGHT) / style.WIDTH
        axes = style.quiet(figure.add_axes((_LEFT / style.WIDTH, bottom / total, wide, _HEIGHT / total)))
        axes.hist(draws, bins=np.linspace(0, 1, 41).tolist(), color=style.PALE)
        found = (posterior or {}).get(name)
        if found is not None:
            y = 0.5 * axes.get_ylim()[1]
            mean, lower, upper = found
            axes.plot([lower, upper], [y, y], color=style.BLUE, linewidth=1.4)
            axes.plot([mean], [y], "o", color=style.BLUE, markersize=4)
        axes.set(xlim=(0, 1), yticks=[])
        axes.spines["left"].set_visible(False)
        axes.set_title(name, loc="left", fontsize=style.SMALL)
        axes.set_xlabel("reliability of the sum score")
    handles = [Patch(color=style.PALE), Line2D([], [], color=style.BLUE, marker="o", markersize=4)]
    shown = 2 if posterior else 1
    figure.legend(
        handles[:shown], ["prior", "posterior, with interval"][:shown], loc="upper right", ncols=2,
        bbox_to_anchor=(1 - _RIGHT / style.WIDTH, 1.0),
    )  # fmt: skip
    return figure
