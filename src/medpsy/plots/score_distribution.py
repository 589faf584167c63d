"""Sum scores counted and predicted."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from medpsy.plots import style

_HEIGHT, _LEFT, _RIGHT, _BOTTOM, _HEAD, _LEGEND = 1.5, 0.55, 0.12, 0.5, 0.26, 0.3


@style.styled
def score_distribution(table: pd.DataFrame) -> Figure:
    """Draw counts of sum scores as bars and predictions as a line with a band, a panel per construct.

    Parameters
    ----------
    table : DataFrame
        Columns construct, score, observed, predicted, lower, upper; counts of persons.

    Raises
    ------
    DataError
        If a column is missing or there is no row.
    """
    style.need(
        table, ("construct", "score", "observed", "predicted", "lower", "upper"), figure="score distribution"
    )
    names = list(dict.fromkeys(table["construct"].astype(str)))
    room = _HEAD + _HEIGHT + _BOTTOM
    total = _LEGEND + room * len(names)
    figure = Figure(figsize=(style.WIDTH, total))
    for at, name in enumerate(names):
        rows = table[table["construct"].astype(str) == name].sort_values("score")
        bottom = total - _LEGEND - room * at - _HEAD - _HEIGHT
        box = (
            _LEFT / style.WIDTH, bottom / total, (style.WIDTH - _LEFT - _RIGHT) / style.WIDTH,
            _HEIGHT / total,
        )  # fmt: skip
        axes = style.quiet(figure.add_axes(box))
        score, low, mean, high = (
            rows[c].to_numpy(dtype=float, copy=True) for c in ("score", "lower", "predicted", "upper")
        )
        axes.bar(score, rows["observed"].to_numpy(dtype=float), width=0.86, color=style.PALE)
        axes.fill_between(score, low, high, color=style.BLUE, alpha=0.22, linewidth=0)
        axes.plot(score, mean, color=style.BLUE, linewidth=1.2)
        axes.set(xlim=(score[0] - 0.7, score[-1] + 0.7), ylim=(0, None))
        axes.set_xlabel("sum score")
        axes.set_ylabel("persons")
        axes.set_title(name, loc="left", fontsize=style.SMALL)
        axes.set_xticks(_ticks(score))
    figure.legend(
        [Patch(color=style.PALE), Line2D([], [], color=style.BLUE), Patch(color=style.BLUE, alpha=0.22)],
        ["observed", "predicted", "predictive interval"], loc="upper right", ncols=3,
        bbox_to_anchor=(1 - _RIGHT / style.WIDTH, 1.0),
    )  # fmt: skip
    return figure


def _ticks(score: np.ndarray) -> np.ndarray:
    """Whole scores, at most about twelve of them."""
    step = max(1, int(np.ceil(len(score) / 12)))
    return np.arange(score[0], score[-1] + 1, step)
