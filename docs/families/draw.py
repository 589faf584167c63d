"""Draw the picture of every response family: ``python docs/families/draw.py``, or only of those named.

A picture shows items of the family's own model file (``models/family-*.toml``) at the values it simulates
with. The drawn curves are kept inside the file, so that a picture that no longer shows its family is noticed.
"""

from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import medpsy as mp
from medpsy.families.base import ResponseFamily, families
from medpsy.ops import Numpy
from medpsy.plots import style
from medpsy.plots.panels import label_axes, sheet
from medpsy.simulate import read_truth

HERE = Path(__file__).resolve().parent
MODELS = HERE.parent.parent / "models"
SCORES = np.linspace(-3.0, 3.0, 121)
#: Where the curves that a picture holds are read off.
HELD = slice(None, None, 20)
#: Numbers that are told over the panel of an item, where it has one.
SHOWN = (
    "slope", "spread", "location", "threshold", "score", "guessing", "upper", "loading", "residual_sd"
)  # fmt: skip
#: Half of the width of the band that holds 95 % of the answers to an item that is a number.
WIDE = 1.96


@dataclass(frozen=True)
class Drawn:
    """What a picture shows.

    Parameters
    ----------
    construct : str
    items : tuple of str
    titles : tuple of str
        What stands over each item: its parameters by name.
    labels : tuple of str
        Of the categories; empty for items that are numbers.
    curves : ndarray, shape (item, category or 2, score)
        Probabilities of the answers at ``SCORES``; mean and residual sd of numbers.
    """

    construct: str
    items: tuple[str, ...]
    titles: tuple[str, ...]
    labels: tuple[str, ...]
    curves: np.ndarray


def drawn(name: str) -> Drawn:
    """Return what the picture of a family shows: three items, or four with two answers."""
    model = mp.load_model(MODELS / f"family-{name.replace('_', '-')}.toml")
    instrument, (construct,) = model.file.instrument, model.spec.constructs
    p = read_truth(model.composed, instrument, model.file.truth).items[construct.name]
    family = model.composed.families[construct.name]
    if not family.categorical:
        labels: tuple[str, ...] = ()
        alike = range(len(construct.items))
        curves = np.stack(np.broadcast_arrays(*family.log_prob(SCORES, p, Numpy)), axis=1)
    else:
        modules = [instrument.module_of(item) for item in construct.items]
        labels = modules[0].labels
        alike = [j for j, module in enumerate(modules) if module is modules[0]]
        curves = np.exp(family.log_prob(SCORES, p, Numpy))[:, : len(labels)]
    number = 4 if len(labels) == 2 else 3
    chosen = [alike[j] for j in np.linspace(0, len(alike) - 1, number).round().astype(int)]
    items = tuple(construct.items[j] for j in chosen)
    titles = tuple(_title(family, p, j) for j in chosen)
    return Drawn(construct.name, items, titles, labels, curves[chosen])


def _title(family: ResponseFamily, p: dict[str, np.ndarray], item: int) -> str:
    """Return the numbers of an item that fit over a panel, as ``slope 1.4, guessing 0.2``."""
    values, texts = p | family.derived(p, Numpy), []
    for name in (name for name in SHOWN if name in values):
        own = np.atleast_1d(values[name][item if len(values[name]) > 1 else 0])
        if len(own) == 1 or name == "score":
            numbers = ", ".join(f"{value:g}" for value in own.round(2) + 0.0)
            texts.append(f"{name.replace('_', ' ')} {numbers}")
    return ", ".join(texts).replace("-", "\N{MINUS SIGN}")


def held(shown: Drawn) -> dict[str, Any]:
    """Return what a picture holds of its curves: items, titles and values at some scores."""
    values = shown.curves[..., HELD].round(5).tolist()
    return {"items": list(shown.items), "titles": list(shown.titles), "curves": values}


@style.styled
def picture(shown: Drawn) -> Figure:
    """Draw a panel per item, or items with two answers together."""
    if len(shown.labels) == 2:
        return _two_answers(shown)
    labels = list(shown.labels)
    columns, high = style.legend_shape(labels, style.WIDTH - 0.6) if labels else (1, 0.05)
    figure, panels = sheet([(shown.construct, shown.items)], top=high, columns=3, height=1.5)
    for axes, item, title, curves in zip(
        panels.values(), shown.items, shown.titles, shown.curves, strict=True
    ):
        axes.set_title(f"{item}: {title}" if title else item, fontsize=style.SMALL, pad=3)
        _probabilities(axes, curves) if labels else _numbers(axes, *curves)
    if labels:
        lines = [Line2D([], [], color=colour, linewidth=2) for colour in style.ordinal_colours(len(labels))]
        figure.legend(lines, labels, loc="upper center", ncols=columns, borderaxespad=0.1, handlelength=1.3)
    what = "probability of the answer" if labels else "answer: mean, and 95 %"
    label_axes(figure, x=f"{shown.construct} (standard deviations)", y=what)
    return figure


def _probabilities(axes: Axes, curves: np.ndarray) -> None:
    for curve, colour in zip(curves, style.ordinal_colours(len(curves)), strict=True):
        axes.plot(SCORES, curve, color=colour, linewidth=1.4)
    axes.set(xlim=(-3, 3), xticks=(-2, 0, 2), ylim=(0, 1), yticks=(0, 0.5, 1))
    axes.grid(color=style.PALE, linewidth=0.4)


def _numbers(axes: Axes, mean: np.ndarray, sd: np.ndarray) -> None:
    axes.fill_between(SCORES, mean - WIDE * sd, mean + WIDE * sd, color=style.BLUE, alpha=0.2, linewidth=0)
    axes.plot(SCORES, mean, color=style.BLUE, linewidth=1.4)
    axes.set(xlim=(-3, 3), xticks=(-2, 0, 2))
    axes.grid(color=style.PALE, linewidth=0.4)


def _two_answers(shown: Drawn) -> Figure:
    """Draw the probability of the second answer, all items in one panel."""
    names = [f"{item}: {title}" for item, title in zip(shown.items, shown.titles, strict=True)]
    columns, high = style.legend_shape(names, style.WIDTH - 0.6, style.TINY)
    figure, panels = sheet([(shown.construct, ("",))], top=high, columns=1, height=2.0)
    (axes,) = panels.values()
    for curve, colour, name in zip(shown.curves[:, 1], style.CYCLE, names, strict=False):
        axes.plot(SCORES, curve, color=colour, linewidth=1.4, label=name)
    axes.set(xlim=(-3, 3), xticks=range(-3, 4), ylim=(0, 1), yticks=(0, 0.25, 0.5, 0.75, 1))
    axes.grid(color=style.PALE, linewidth=0.4)
    figure.legend(loc="upper center", fontsize=style.TINY, ncols=columns, borderaxespad=0.1)
    x = f"{shown.construct} (standard deviations)"
    label_axes(figure, x=x, y=f"probability of '{shown.labels[1]}'")
    return figure


def main(names: list[str]) -> None:
    """Draw the pictures of the families named, or of all."""
    for name in names or families():
        shown = drawn(name)
        buffer = io.BytesIO()
        picture(shown).savefig(buffer, dpi=150)
        words = PngInfo()
        words.add_text("Description", json.dumps(held(shown)), zip=True)
        # A palette is a third of the size, and nothing is lost: there are few colours.
        few = Image.open(buffer).convert("RGB").quantize(64)
        few.save(HERE / f"{name}.png", optimize=True, pnginfo=words)


if __name__ == "__main__":
    main(sys.argv[1:])
