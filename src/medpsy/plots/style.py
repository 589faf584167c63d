"""One look for every figure: fonts, colours and sizes, and what every figure asks of its table."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence
from functools import cache, wraps
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib import colormaps, font_manager
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from medpsy.errors import DataError, nearest

if TYPE_CHECKING:
    import xarray as xr

#: Width of a figure in inches: the text width of an A4 page.
WIDTH = 6.6
#: Text sizes in points.
TEXT, SMALL, TINY = 9.0, 8.0, 7.0

#: Colours that stay apart for colour-blind readers (Okabe & Ito, 2008, https://jfly.uni-koeln.de/color/).
BLUE, VERMILION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
SKY, PURPLE = "#56B4E9", "#CC79A7"
CYCLE = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)
INK, GREY, PALE = "#1A1A1A", "#6B6B6B", "#E4E4E4"
ROPE = "#F3E7C4"

#: Fonts asked for glyphs that the bundled DejaVu Sans lacks (Chinese, Japanese, Korean), where installed.
_FALLBACK = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Micro Hei", "Microsoft YaHei",
    "PingFang SC", "Hiragino Sans GB", "Arial Unicode MS", "Droid Sans Fallback",
)  # fmt: skip


@cache
def rc() -> Any:
    """Return the settings every figure is made and saved under."""
    installed = set(font_manager.get_font_names())
    return {
        "font.family": ["DejaVu Sans", *(name for name in _FALLBACK if name in installed)],
        "font.size": TEXT,
        "text.parse_math": False,
        "text.color": INK,
        "axes.titlesize": SMALL,
        "axes.labelsize": SMALL,
        "axes.labelcolor": INK,
        "axes.edgecolor": GREY,
        "axes.linewidth": 0.6,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.unicode_minus": True,
        "xtick.labelsize": TINY,
        "ytick.labelsize": TINY,
        "legend.frameon": False,
        "legend.fontsize": SMALL,
        "figure.facecolor": "white",
        "axes.facecolor": "white",
    }


def styled[**P](make: Callable[P, Figure]) -> Callable[P, Figure]:
    """Make a figure function work under the house style without touching the caller's settings."""

    @wraps(make)
    def inner(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with matplotlib.rc_context(rc()):
            return make(*args, **kwargs)

    return inner


def ordinal_colours(n: int) -> list[str]:
    """Return ``n`` colours from dark to light for ordered categories, apart in print and for every eye."""
    shades = np.linspace(0.06, 0.9, n) if n > 1 else [0.3]
    return [to_hex(colormaps["viridis"](shade)) for shade in shades]


def ink_on(colour: str) -> str:
    """Return white or near-black, whichever reads better on ``colour``."""
    red, green, blue = matplotlib.colors.to_rgb(colour)
    return INK if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.45 else "white"


def quiet(axes: Axes) -> Axes:
    """Fix tick sizes on the axes themselves, for ticks are made only when the figure is drawn."""
    axes.tick_params(labelsize=TINY, length=2.5, width=0.6, color=GREY, labelcolor=INK, pad=2)
    return axes


def wrap(text: object, width: int, lines: int | None = None) -> str:
    """Break ``text`` into lines of at most ``width`` characters; an ellipsis ends what exceeds ``lines``."""
    plain, joint = str(text), "_"
    if any(len(word) > width for word in plain.split()):  # long_item_names break after an underscore
        plain, joint = plain.replace("_", "_ "), "_ "
    broken = textwrap.fill(plain, width, max_lines=lines, placeholder=" \N{HORIZONTAL ELLIPSIS}")
    return broken.replace(joint, "_")


def arrows(text: object) -> str:
    """Write ``->`` as an arrow."""
    return str(text).replace("->", "\N{RIGHTWARDS ARROW}")


def need(table: pd.DataFrame, columns: Iterable[str], *, figure: str) -> None:
    """Raise DataError unless ``table`` has rows and all ``columns``."""
    for column in columns:
        if column not in table.columns:
            raise DataError(
                f"{figure}: the table has no column '{column}'",
                hint=nearest(column, [str(name) for name in table.columns]),
            )
    if table.empty:
        raise DataError(f"{figure}: the table has no rows", hint="There is nothing to draw; leave it out.")


def need_variable(data: xr.Dataset, name: str, dims: Sequence[str], *, figure: str) -> None:
    """Raise DataError unless ``data`` has a variable ``name`` with these dimensions, in this order."""
    if name not in data or tuple(data[name].dims) != tuple(dims):
        raise DataError(
            f"{figure}: no '{name}' with dimensions {', '.join(dims)}",
            hint="Pass the Dataset of one construct as the fit returns it.",
        )


def groups_of(table: pd.DataFrame) -> list[tuple[str, list[str]]]:
    """Return constructs and their items in the order in which the table first names them."""
    found: dict[str, list[str]] = {}
    pairs = table[["construct", "item"]].drop_duplicates()
    for construct, item in zip(pairs["construct"], pairs["item"], strict=True):
        found.setdefault(str(construct), []).append(str(item))
    return list(found.items())


def legend_shape(labels: Sequence[str], width: float, size: float = SMALL) -> tuple[int, float]:
    """Return how many legend columns fit ``width`` inches at a text size, and the height they take."""
    wide = [max(map(len, label.split("\n"))) * 0.0084 * size + 0.46 for label in labels]
    lines = max((label.count("\n") + 1 for label in labels), default=1)
    columns = max(1, len(labels))
    while columns > 1:
        rows = -(-len(labels) // columns)
        if sum(max(wide[at : at + rows]) for at in range(0, len(wide), rows)) <= width:
            break
        columns -= 1
    return columns, -(-len(labels) // columns) * (0.15 * lines + 0.04) + 0.06
