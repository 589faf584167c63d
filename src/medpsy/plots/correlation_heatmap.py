"""A correlation matrix in colours, with its numbers where they fit."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from medpsy.errors import DataError
from medpsy.plots import style
from medpsy.plots.numbers import MINUS

#: Numbers are written into matrices of at most so many variables.
WRITTEN = 16
_SPREAD = 0.98


@style.styled
def correlation_heatmap(matrix: pd.DataFrame) -> Figure:
    """Draw the lower triangle of a correlation matrix; green is positive, brown negative.

    Parameters
    ----------
    matrix : DataFrame
        Square, the same names in index and columns; NaN cells stay white.

    Raises
    ------
    DataError
        If the matrix is not square or has fewer than two variables.
    """
    names = [str(name) for name in matrix.columns]
    values = matrix.to_numpy(dtype=float, copy=True)
    if values.shape[0] != values.shape[1] or len(names) < 2:
        raise DataError(
            f"a correlation matrix of {values.shape[0]} x {values.shape[1]} cannot be drawn",
            hint="Pass a square one of at least two variables.",
        )
    size = len(names)
    left = min(1.9, 0.2 + 0.065 * max(map(len, names)))
    cell = min(0.55, (style.WIDTH - left - 0.5) / size)
    width, height = style.WIDTH, size * cell + left * 0.75 + 0.15
    figure = Figure(figsize=(width, height))
    box = (left / width, (left * 0.75) / height, size * cell / width, size * cell / height)
    axes = figure.add_axes(box)
    colours = colormaps["BrBG"]
    for i in range(size):
        for j in range(i + 1):
            value = values[i, j]
            if np.isnan(value):
                continue
            colour = to_hex(colours(0.5 + 0.5 * _SPREAD * float(np.clip(value, -1, 1))))
            axes.add_patch(Rectangle((j, i), 1, 1, facecolor=colour, edgecolor="white", linewidth=0.6))
            if size <= WRITTEN and i != j:
                text = f"{abs(value):.2f}".lstrip("0") if abs(value) < 0.995 else "1.0"
                sign = MINUS if value < 0 and text.strip("0.") else ""
                axes.text(
                    j + 0.5, i + 0.5, f"{sign}{text}", ha="center", va="center", fontsize=style.TINY,
                    color=style.ink_on(colour),
                )  # fmt: skip
    axes.set(xlim=(0, size), ylim=(size, 0))
    shown = [style.wrap(name, 26, 1) for name in names]
    axes.set_xticks(np.arange(size) + 0.5, shown, rotation=60, ha="right", fontsize=style.TINY)
    axes.set_yticks(np.arange(size) + 0.5, shown, fontsize=style.TINY)
    axes.tick_params(length=0, pad=2)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure
