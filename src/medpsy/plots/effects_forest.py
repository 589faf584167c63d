"""Effects side by side: point, interval, zero line and region of practical equivalence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from medpsy.plots import style
from medpsy.plots.numbers import as_float, estimate, probability
from medpsy.plots.numbers import interval as bounds


@style.styled
def effects_forest(
    table: pd.DataFrame, *, rope: tuple[float, float] | None = None, interval: float = 0.95
) -> Figure:
    """Draw one row per effect, numbers at the right.

    Parameters
    ----------
    table : DataFrame
        Columns effect, text, mean, sd, lower, upper, p_direction; optionally rope_low, rope_high.
        Effects are on the scale of the table. A row of NaN is named and left empty.
    rope : (float, float), optional
        Region of practical equivalence for every row; by default each row's own rope_low and rope_high.
    interval : float
        Posterior mass between ``lower`` and ``upper``, for the heading. The thick bar is the posterior mean
        plus and minus one standard deviation, cut at the interval.

    Raises
    ------
    DataError
        If a column is missing or there is no row.
    """
    style.need(
        table, ("effect", "text", "mean", "sd", "lower", "upper", "p_direction"), figure="effects forest"
    )
    names = [style.wrap(name, 34) for name in table["effect"]]
    texts = ["" if pd.isna(text) else style.wrap(style.arrows(text), 44) for text in table["text"]]
    lines = [a.count("\n") + 1 + (b.count("\n") + 1 if b else 0) for a, b in zip(names, texts, strict=True)]
    heights = np.array([0.16 * n + 0.16 for n in lines])
    y = -(np.cumsum(heights) - heights / 2)  # inches below the top of the rows
    figure = Figure(figsize=(style.WIDTH, float(heights.sum()) + 0.95), layout="constrained")
    axes = style.quiet(figure.add_subplot())
    for at, row in enumerate(table.to_dict("records")):
        band = rope or (as_float(row.get("rope_low")), as_float(row.get("rope_high")))
        if not any(np.isnan(band)):
            axes.fill_between(
                band,
                y[at] - heights[at] / 2,
                y[at] + heights[at] / 2,
                color=style.ROPE,
                linewidth=0,
                zorder=0,
            )
        mean, sd, low, high = (as_float(row[c]) for c in ("mean", "sd", "lower", "upper"))
        colour = style.BLUE if low > 0 or high < 0 else style.GREY
        axes.hlines(y[at], low, high, color=colour, linewidth=1.2)
        axes.hlines(y[at], max(low, mean - sd), min(high, mean + sd), color=colour, linewidth=3.6)
        axes.plot(
            mean, y[at], "o", color="white", markeredgecolor=colour, markersize=5.5, markeredgewidth=1.4
        )
        _names(figure, names[at], texts[at], float(y[at]))
        values = (estimate(mean), bounds(low, high), probability(row["p_direction"]))
        _numbers(figure, values, float(y[at]))
    _numbers(figure, ("mean", f"{100 * interval:g} % interval", "P(direction)"), 0.12)
    axes.axvline(0, color=style.INK, linewidth=0.7, zorder=1)
    axes.set(
        ylim=(-float(heights.sum()), 0.0), yticks=[], xlabel="effect (thin: interval; thick: mean ± 1 sd)"
    )
    axes.spines["left"].set_visible(False)
    axes.margins(x=0.06)
    return figure


def _names(figure: Figure, name: str, text: str, y: float) -> None:
    axes = figure.axes[0]
    across = axes.get_yaxis_transform()
    first, second = (name.count("\n") + 1) * 0.16, (text.count("\n") + 1) * 0.14 if text else 0.0
    look: dict[str, Any] = {"transform": across, "ha": "right", "linespacing": 1.15}
    top = y + (first + second) / 2
    axes.text(-0.03, top - first / 2, name, va="center", fontsize=style.TEXT, **look)
    if text:
        axes.text(
            -0.03, top - first - second / 2, text, va="center", fontsize=style.TINY, color=style.GREY, **look
        )


def _numbers(figure: Figure, values: tuple[str, ...], y: float) -> None:
    axes = figure.axes[0]
    for at, (value, inches) in enumerate(zip(values, (0.5, 1.05, 1.85), strict=True)):
        axes.annotate(
            value, (1, y), xycoords=axes.get_yaxis_transform(), xytext=(72 * inches, 0),
            textcoords="offset points", ha="right" if at == 0 else "center", va="center",
            fontsize=style.TINY if y > 0 else style.SMALL, color=style.GREY if y > 0 else style.INK,
            annotation_clip=False,
        )  # fmt: skip
