"""Levels of invariance: what each costs in prediction, and the latent mean differences under it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from medpsy.plots import style


@style.styled
def invariance(table: pd.DataFrame, means: pd.DataFrame, *, interval: float = 0.95) -> Figure:
    """Draw differences of elpd from the first level (left) and latent mean differences (right).

    Parameters
    ----------
    table : DataFrame
        level, elpd_diff and se_diff (to the level before); least equal first.
    means : DataFrame
        level, construct, group, against, d, lower, upper; without rows the right panel is left out.
    interval : float
        Posterior mass of the intervals of ``means``.

    Raises
    ------
    DataError
        If a column is missing or there is no level.
    """
    style.need(table, ("level", "elpd_diff", "se_diff"), figure="invariance")
    pairs = []
    if not means.empty:
        style.need(
            means, ("level", "construct", "group", "against", "d", "lower", "upper"), figure="invariance"
        )
        pairs = list(dict.fromkeys(zip(means["construct"], means["group"], means["against"], strict=True)))
    rows = max(len(table), 3)
    height = 0.3 * rows + 1.0 + 0.13 * min(len(pairs), 12)
    figure = Figure(figsize=(style.WIDTH, height), layout="constrained")
    panels = figure.subplots(1, 2 if pairs else 1, squeeze=False)[0]
    left = style.quiet(panels[0])
    y = -np.arange(len(table), dtype=float)
    value = table["elpd_diff"].fillna(0.0).to_numpy(dtype=float)
    error = table["se_diff"].fillna(0.0).to_numpy(dtype=float)
    left.axvspan(-4, 4, color=style.ROPE, linewidth=0, zorder=0)
    left.axvline(0, color=style.INK, linewidth=0.7)
    left.hlines(y, value - 2 * error, value + 2 * error, colors=style.BLUE, linewidth=1.2)
    left.plot(value, y, "o", color="white", markeredgecolor=style.BLUE, markersize=5.5)
    left.set_yticks(y, [style.wrap(text, 20) for text in table["level"]])
    left.set_ylim(y[-1] - 0.6, 0.6)
    left.set_xlabel("elpd minus that of the level before (± 2 se)")
    if pairs:
        right = style.quiet(panels[1])
        levels = [level for level in dict.fromkeys(means["level"])]
        step = 0.7 / len(pairs)
        for at, (construct, group, against) in enumerate(pairs):
            own = means[
                (means["construct"] == construct) & (means["group"] == group) & (means["against"] == against)
            ]
            place = np.array([-levels.index(level) for level in own["level"]]) + 0.35 - step * (at + 0.5)
            colour = style.CYCLE[at % len(style.CYCLE)]
            right.hlines(place, own["lower"], own["upper"], colors=colour, linewidth=1.2)
            label = style.wrap(f"{construct}: {group} − {against}", 34)
            right.plot(own["d"], place, "o", color=colour, markersize=3.5, label=label)
        right.axvline(0, color=style.INK, linewidth=0.7)
        right.set_yticks(-np.arange(len(levels), dtype=float), [style.wrap(text, 20) for text in levels])
        right.set_ylim(-len(levels) + 0.4, 0.6)
        right.set_xlabel(f"latent mean difference (sds), {100 * interval:g} % intervals")
        figure.legend(loc="outside lower center", ncols=min(len(pairs), 2), fontsize=style.TINY)
    return figure
