"""What the priors expect before any answer is seen, in the units of the questionnaire."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from medpsy.plots import style

_ROW, _TOP = 1.75, 0.32


@style.styled
def prior_predictive(category_table: pd.DataFrame, score_table: pd.DataFrame) -> Figure:
    """Draw, for each construct, the prior expected use of categories and the prior expected sum scores.

    Parameters
    ----------
    category_table : DataFrame
        Columns construct, item, category, label, observed, predicted, lower, upper; one thin line per item
        and category. ``observed`` may be NaN.
    score_table : DataFrame
        Columns construct, score, lower, mean, upper: share of persons with each sum score.

    Raises
    ------
    DataError
        If a column is missing or a table has no row.
    """
    columns = ("construct", "item", "category", "label", "observed", "predicted", "lower", "upper")
    style.need(category_table, columns, figure="prior predictive, categories")
    style.need(
        score_table, ("construct", "score", "lower", "mean", "upper"), figure="prior predictive, scores"
    )
    groups = style.groups_of(category_table)
    figure = Figure(figsize=(style.WIDTH, _TOP + _ROW * len(groups)), layout="constrained")
    top = _TOP / (_TOP + _ROW * len(groups))
    figure.get_layout_engine().set(rect=(0, 0, 1, 1 - top), h_pad=0.06, w_pad=0.05)  # type: ignore[union-attr, call-arg]
    grid = figure.subplots(len(groups), 2, squeeze=False, width_ratios=(3, 2))
    for (construct, items), (left, right) in zip(groups, grid, strict=True):
        rows = category_table[category_table["construct"].astype(str) == construct]
        _categories(style.quiet(left), rows, items)
        left.set_title(construct, loc="left", fontsize=style.TEXT)
        _scores(style.quiet(right), score_table[score_table["construct"].astype(str) == construct])
    grid[-1][0].set_xlabel("answer (one line an item)")
    grid[-1][1].set_xlabel("sum score")
    handles = [
        Line2D([], [], color=style.BLUE, linewidth=1, marker="o", markersize=3),
        Line2D([], [], color=style.VERMILION, linestyle="", marker="_", markersize=7, markeredgewidth=1.6),
    ]
    seen = bool(category_table["observed"].notna().any())
    figure.legend(
        handles[: 1 + seen], ["prior expectation, with interval", "observed"][: 1 + seen], ncols=2,
        loc="upper center", borderaxespad=0.2,
    )  # fmt: skip
    return figure


def _categories(axes: Axes, rows: pd.DataFrame, items: list[str]) -> None:
    place = {item: (at - (len(items) - 1) / 2) * 0.72 / max(len(items), 1) for at, item in enumerate(items)}
    codes = rows["category"].to_numpy(dtype=float, copy=True)
    x = codes + np.array([place[str(item)] for item in rows["item"]])
    low, mid, high, seen = (
        rows[c].to_numpy(dtype=float, copy=True) for c in ("lower", "predicted", "upper", "observed")
    )
    axes.vlines(x, low, high, color=style.BLUE, linewidth=0.8, alpha=0.7)
    axes.plot(x, mid, "o", color=style.BLUE, markersize=2.4)
    axes.plot(x, seen, "_", color=style.VERMILION, markersize=4.5, markeredgewidth=1.4)
    ticks = rows[["category", "label"]].drop_duplicates("category")
    axes.set_xticks(
        ticks["category"].to_numpy(dtype=float, copy=True),
        [f"{c}\n{style.wrap(t, 13, 2)}" for c, t in zip(ticks["category"], ticks["label"], strict=True)],
    )
    highest = float(np.nanmax(np.concatenate([mid, high, seen])))
    axes.set(ylim=(0, 1.08 * highest or 1), ylabel="persons" if highest > 1 else "share of persons")


def _scores(axes: Axes, rows: pd.DataFrame) -> None:
    rows = rows.sort_values("score")
    x, low, mean, high = (
        rows[c].to_numpy(dtype=float, copy=True) for c in ("score", "lower", "mean", "upper")
    )
    axes.fill_between(x, low, high, color=style.BLUE, alpha=0.22, linewidth=0, step="mid")
    axes.step(x, mean, color=style.BLUE, linewidth=1.2, where="mid")
    axes.set_ylim(bottom=0)
    axes.set_ylabel("share of persons")
