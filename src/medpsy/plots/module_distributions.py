"""How the scores of each module are distributed."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from medpsy.plots import style

_HEIGHT, _TOP, _BOTTOM, _LEFT, _RIGHT, _GAP = 1.05, 0.26, 0.3, 0.52, 0.1, 0.12


@style.styled
def module_distributions(table: pd.DataFrame) -> Figure:
    """Draw histograms of module scores, one below the other, each on its own scale.

    Parameters
    ----------
    table : DataFrame
        Columns module, low, high (limits of a bin, in item units), count (persons).

    Raises
    ------
    DataError
        If a column is missing or there is no row.
    """
    style.need(table, ("module", "low", "high", "count"), figure="module distributions")
    names = list(dict.fromkeys(table["module"].astype(str)))
    each = _HEIGHT + _TOP + _BOTTOM
    total = each * len(names) + _GAP
    figure = Figure(figsize=(style.WIDTH, total))
    for at, name in enumerate(names):
        rows = table[table["module"].astype(str) == name]
        bottom = total - at * each - _TOP - _HEIGHT
        box = (
            _LEFT / style.WIDTH, bottom / total, (style.WIDTH - _LEFT - _RIGHT) / style.WIDTH, _HEIGHT / total
        )  # fmt: skip
        axes = style.quiet(figure.add_axes(box))
        axes.bar(
            rows["low"], rows["count"], width=rows["high"] - rows["low"], align="edge", color=style.BLUE,
            edgecolor="white", linewidth=0.6,
        )  # fmt: skip
        axes.set_xlim(float(rows["low"].min()), float(rows["high"].max()))
        axes.set_title(
            f"{style.wrap(name, 70, 1)} (n = {int(rows['count'].sum()):,})", loc="left", fontsize=style.SMALL
        )
    figure.text(0.06 / style.WIDTH, 0.5, "persons", va="center", rotation=90, fontsize=style.SMALL)
    figure.text(0.5, 0.04 / total, "module score", ha="center", va="bottom", fontsize=style.SMALL)
    return figure
