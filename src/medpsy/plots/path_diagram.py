"""The path diagram: who explains whom, and by how much."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, PathPatch, Polygon, Rectangle
from matplotlib.path import Path as Outline
from matplotlib.text import Text

from medpsy.plots import style
from medpsy.plots.numbers import as_float, estimate, interval
from medpsy.plots.path_layout import Box, Edge, Layout, arrange, bezier

#: With more arrows from covariates than this, they share boxes and their estimates are left to the
#: table, which the figure says.
MAX_COVARIATE_LABELS = 4
_MARGIN = 0.1
_Row = dict[Any, Any]


@style.styled
def path_diagram(nodes: pd.DataFrame, edges: pd.DataFrame, *, note: str = "") -> Figure:
    """Draw constructs (ellipses), observed variables (boxes) and the paths between them.

    The layout follows the order of causes from left to right, mediators raised, covariates in a row
    beneath. A solid arrow has an interval that excludes zero; a dashed one with a hollow head has not.

    Parameters
    ----------
    nodes : DataFrame
        Columns name, title, kind (``"latent"``, ``"observed"`` or ``"covariate"``), n_items.
    edges : DataFrame
        Columns source, target, op (``"~"`` a path, ``"~~"`` a covariance; default path), label, and mean,
        lower, upper on the scale of the coefficient. A mean of NaN (before fitting) shows the label only.
    note : str
        A line beneath the figure.

    Returns
    -------
    matplotlib.figure.Figure
        Sized to its content, in inches.

    Raises
    ------
    SpecError
        If a path names an unknown variable, or the paths go in a circle.
    """
    style.need(nodes, ("name", "title", "kind", "n_items"), figure="path diagram")
    if len(edges):
        style.need(edges, ("source", "target", "label", "mean", "lower", "upper"), figure="path diagram")
    canvas = FigureCanvasAgg(Figure(dpi=100))
    people, arrows, merged = _merge(nodes.to_dict("records"), edges.to_dict("records"))
    row = [str(node["name"]) for node in people if node["kind"] == "covariate"]
    grey = [str(a["source"]) in row for a in arrows]
    texts = [_label(a) for a in arrows]
    captions = {str(node["name"]): _caption(node) for node in people}
    sizes = {str(node["name"]): _node_size(canvas, node, captions[str(node["name"])]) for node in people}
    laid = [
        Edge(str(a["source"]), str(a["target"]), a.get("op", "~") == "~~", _label_size(canvas, text))
        for a, text in zip(arrows, texts, strict=True)
    ]
    ovals = frozenset(str(node["name"]) for node in people if node["kind"] == "latent")
    layout = arrange(sizes, laid, ovals=ovals, row=row)
    key = _key(arrows, merged=merged, note=note)
    figure, axes = _paper(layout, key)
    for arrow, edge, curve, faint in zip(arrows, laid, layout.curves, grey, strict=True):
        _draw_arrow(axes, arrow, edge, curve, faint=faint)
    for node in people:
        name = str(node["name"])
        _draw_node(axes, layout.nodes[name], node, captions[name])
    for edge, text, box, faint in zip(laid, texts, layout.labels, grey, strict=True):
        if box is not None:
            _draw_label(axes, box, text, edge, colour=style.GREY if faint else style.INK)
    return figure


def _merge(people: list[_Row], arrows: list[_Row]) -> tuple[list[_Row], list[_Row], bool]:
    """Give covariates that explain the same variables one box where all their arrows would be a thicket."""
    covariates = [node for node in people if node["kind"] == "covariate"]
    targets = {
        str(node["name"]): [a["target"] for a in arrows if a["source"] == node["name"]] for node in covariates
    }
    if sum(map(len, targets.values())) <= MAX_COVARIATE_LABELS:
        return people, arrows, False
    kept = [node for node in people if node["kind"] != "covariate"]
    drawn = [a for a in arrows if str(a["source"]) not in targets]
    groups: dict[tuple[str, ...], list[_Row]] = {}
    for node in covariates:
        groups.setdefault(tuple(sorted(map(str, targets[str(node["name"])]))), []).append(node)
    for explained, members in groups.items():
        name = ", ".join(str(node["name"]) for node in members)
        title = ", ".join(str(node["title"] or node["name"]) for node in members)
        kept.append({"name": name, "title": title, "kind": "covariate", "n_items": math.nan})
        nothing = {"label": "", "mean": math.nan, "lower": math.nan, "upper": math.nan}
        drawn += [{"source": name, "target": target, "op": "~", **nothing} for target in explained]
    return kept, drawn, True


def _label(arrow: _Row) -> str:
    """Return ``a = 0.31`` over its interval; the name alone before fitting."""
    name = arrow.get("label")
    name = "" if name is None or (isinstance(name, float) and math.isnan(name)) else str(name)
    if math.isnan(as_float(arrow["mean"])):
        return name
    first = f"{name} = {estimate(arrow['mean'])}" if name else estimate(arrow["mean"])
    if not _has_interval(arrow):
        return first
    return f"{first}\n{interval(arrow['lower'], arrow['upper'])}"


def _has_interval(arrow: _Row) -> bool:
    lower, upper = as_float(arrow["lower"]), as_float(arrow["upper"])
    return not (math.isnan(lower) or math.isnan(upper) or lower == upper)


def _excludes_zero(arrow: _Row) -> bool | None:
    """Return whether the interval lies on one side of zero; None where there is no interval."""
    if not _has_interval(arrow):
        return None
    return as_float(arrow["lower"]) > 0 or as_float(arrow["upper"]) < 0


def _caption(node: _Row) -> tuple[str, str]:
    """Return the title, broken into lines, and how many items measure it."""
    title = node["title"] if isinstance(node["title"], str) and node["title"] else node["name"]
    n = as_float(node["n_items"])
    items = "" if math.isnan(n) or n < 1 else f"{n:.0f} item{'s' if n > 1 else ''}"
    return style.wrap(title, 44 if node["kind"] == "covariate" else 16, 4), items


def _measure(canvas: FigureCanvasAgg, text: str, size: float) -> tuple[float, float]:
    """Return width and height of ``text`` in inches."""
    artist = Text(0, 0, text, fontsize=size, linespacing=1.15)
    artist.set_figure(canvas.figure)
    extent = artist.get_window_extent(canvas.get_renderer())
    return extent.width / canvas.figure.dpi, extent.height / canvas.figure.dpi


def _node_size(canvas: FigureCanvasAgg, node: _Row, caption: tuple[str, str]) -> tuple[float, float]:
    small = node["kind"] == "covariate"
    w, h = _measure(canvas, caption[0], style.SMALL if small else style.TEXT)
    if caption[1]:
        w2, h2 = _measure(canvas, caption[1], style.TINY)
        w, h = max(w, w2), h + h2 + 0.04
    if node["kind"] == "latent":  # an ellipse around a rectangle of text
        return max(1.36 * w + 0.12, 1.05), max(1.36 * h + 0.08, 0.58)
    return w + (0.16 if small else 0.3), h + (0.12 if small else 0.24)


def _label_size(canvas: FigureCanvasAgg, text: str) -> tuple[float, float] | None:
    if not text:
        return None
    w, h = _measure(canvas, text, style.SMALL)
    return w + 0.06, h + 0.05


def _key(arrows: list[_Row], *, merged: bool, note: str) -> list[str]:
    lines = []
    if any(_has_interval(a) for a in arrows):
        lines.append(
            "Filled head: the interval excludes zero; hollow head: it includes zero (a path is dashed)."
        )
    if any(a.get("op", "~") == "~~" for a in arrows):
        lines.append("Double-headed, dashed: covariance.")
    if merged:
        lines.append("Grey: covariates; their estimates are in the table of parameters.")
    return [" ".join(lines)] * bool(lines) + [note] * bool(note)


def _paper(layout: Layout, key: list[str]) -> tuple[Figure, Axes]:
    """Make a figure that just holds the layout, with the key beneath; one data unit is one inch."""
    left, bottom, right, top = layout.bounds
    width = max(right - left + 2 * _MARGIN, 3.2)
    lines = [line for text in key for line in style.wrap(text, int(width / 0.062)).split("\n")]
    foot = 0.14 * len(lines) + 0.1 if lines else 0.0
    height = top - bottom + 2 * _MARGIN + foot
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    centre = (left + right) / 2
    axes.set(xlim=(centre - width / 2, centre + width / 2), ylim=(top + _MARGIN - height, top + _MARGIN))
    axes.set_axis_off()
    if lines:
        axes.text(
            centre - width / 2 + _MARGIN,
            bottom - 0.12,
            "\n".join(lines),
            va="top",
            fontsize=style.TINY,
            color=style.GREY,
            linespacing=1.2,
            label="note",
        )
    return figure, axes


def _draw_arrow(axes: Axes, arrow: _Row, edge: Edge, curve: np.ndarray, *, faint: bool) -> None:
    """Draw shaft and heads apart, so that a dashed shaft keeps a whole head."""
    hollow = _excludes_zero(arrow) is False
    colour = style.GREY if faint or edge.both else style.INK
    width = 0.8 if faint else 1.2
    name = f"{edge.target}{'~~' if edge.both else '~'}{edge.source}"
    points = bezier(curve, 120)
    tips = [(points[-1], curve[2] - curve[1])] + [(points[0], curve[0] - curve[1])] * edge.both
    for tip, direction in tips:
        head = _head(tip, direction, 0.085 if faint else 0.11)
        points = points[np.hypot(*(points - tip).T) > (0.075 if faint else 0.1)]
        face = "white" if hollow else colour
        axes.add_patch(
            Polygon(
                head,
                facecolor=face,
                edgecolor=colour,
                linewidth=width * 0.8,
                zorder=2.2,
                label=f"head:{name}",
            )
        )
    axes.add_patch(
        PathPatch(
            Outline(points),
            facecolor="none",
            edgecolor=colour,
            linewidth=width,
            capstyle="butt",
            linestyle=(0, (4, 2.5)) if edge.both or hollow else "solid",
            zorder=1 if faint else 2,
            label=f"edge:{name}",
        )
    )


def _head(tip: np.ndarray, direction: np.ndarray, length: float) -> np.ndarray:
    """Return the corners (3, 2) of an arrow head that ends at ``tip``."""
    along = direction / max(float(np.hypot(*direction)), 1e-9)
    across = np.array([-along[1], along[0]]) * length * 0.36
    return np.array([tip, tip - length * along + across, tip - length * along - across])


def _draw_node(axes: Axes, box: Box, node: _Row, caption: tuple[str, str]) -> None:
    kind = node["kind"]
    look: dict[str, Any] = {
        "facecolor": "white",
        "edgecolor": style.GREY if kind == "covariate" else style.INK,
    }
    label = f"node:{node['name']}"
    shape: Artist
    if box.oval:
        shape = Ellipse((box.x, box.y), box.w, box.h, linewidth=1.2, zorder=3, label=label, **look)
    else:
        corner = (box.x - box.w / 2, box.y - box.h / 2)
        thin = 0.7 if kind == "covariate" else 1.2
        shape = Rectangle(corner, box.w, box.h, linewidth=thin, zorder=3, label=label, **look)
    axes.add_artist(shape)
    size = style.SMALL if kind == "covariate" else style.TEXT
    shift = 0.075 if caption[1] else 0.0
    axes.text(
        box.x, box.y + shift, caption[0], ha="center", va="center", fontsize=size,
        linespacing=1.15, zorder=4, label=f"title:{node['name']}",
    )  # fmt: skip
    if caption[1]:
        below = box.y + shift - (caption[0].count("\n") + 1) * size * 1.15 / 144 - 0.03
        axes.text(
            box.x, below, caption[1], ha="center", va="top", fontsize=style.TINY, color=style.GREY, zorder=4
        )


def _draw_label(axes: Axes, box: Box, text: str, edge: Edge, *, colour: str) -> None:
    name = f"label:{edge.target}{'~~' if edge.both else '~'}{edge.source}"
    corner = (box.x - box.w / 2, box.y - box.h / 2)
    axes.add_patch(Rectangle(corner, box.w, box.h, facecolor="white", edgecolor="none", zorder=2.5))
    axes.text(
        box.x, box.y, text, ha="center", va="center", fontsize=style.SMALL, linespacing=1.15,
        color=colour, zorder=4, label=name,
    )  # fmt: skip
