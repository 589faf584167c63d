"""Where the boxes, arrows and labels of a path diagram go. Geometry in inches; nothing is drawn here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

import numpy as np

from medpsy.errors import SpecError, nearest

#: Least distance of an arrow from a node it does not belong to, in inches.
CLEAR = 0.08
#: Space between stacked nodes, and where covariances run between them.
_STACK, _STACK_COVARIANCE = 0.38, 0.62
#: Where along an arrow its label may sit, best first.
_ALONG = (0.5, 0.43, 0.57, 0.36, 0.64, 0.3, 0.7, 0.24, 0.76)
_BENDS = tuple(sign * size for size in (0.14, 0.26, 0.4, 0.55, 0.75, 1.0, 1.3) for sign in (1, -1))


@dataclass(frozen=True)
class Box:
    """A rectangle (or the oval inside it): centre ``x``, ``y`` and full size ``w``, ``h`` in inches."""

    x: float
    y: float
    w: float
    h: float
    oval: bool = False

    def overlap(self, other: Box, pad: float = 0.0) -> float:
        """Return the area shared with ``other`` when both stay ``pad`` apart."""
        wide = (self.w + other.w) / 2 + pad - abs(self.x - other.x)
        high = (self.h + other.h) / 2 + pad - abs(self.y - other.y)
        return max(wide, 0.0) * max(high, 0.0)

    def inside(self, points: np.ndarray, pad: float = 0.0) -> np.ndarray:
        """Return which of ``points``, shape (n, 2), lie in the shape grown by ``pad``."""
        u = np.abs(points[:, 0] - self.x) / (self.w / 2 + pad)
        v = np.abs(points[:, 1] - self.y) / (self.h / 2 + pad)
        return u**2 + v**2 < 1 if self.oval else np.maximum(u, v) < 1


@dataclass(frozen=True)
class Edge:
    """An arrow to be laid out; ``both`` for a covariance; ``label`` is (width, height) or None."""

    source: str
    target: str
    both: bool = False
    label: tuple[float, float] | None = None


@dataclass(frozen=True)
class Layout:
    """Boxes of nodes, Bezier control points (3, 2) of arrows and label boxes, in the order given."""

    nodes: dict[str, Box]
    curves: list[np.ndarray]
    labels: list[Box | None]

    @property
    def conflicts(self) -> int:
        """How many pairs of label and node, or of label and label, overlap."""
        boxes = [box for box in self.labels if box is not None]
        bad = sum(box.overlap(node) > 0 for box in boxes for node in self.nodes.values())
        return bad + sum(a.overlap(b) > 0 for i, a in enumerate(boxes) for b in boxes[:i])

    @property
    def crossings(self) -> int:
        """How many labels lie on an arrow, their own or another's."""
        lines = [bezier(curve) for curve in self.curves]
        return sum(bool(box.inside(line).any()) for box in self.labels if box for line in lines)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, bottom, right and top of everything."""
        boxes = [*self.nodes.values(), *(box for box in self.labels if box is not None)]
        points = [np.array([[b.x - b.w / 2, b.y - b.h / 2], [b.x + b.w / 2, b.y + b.h / 2]]) for b in boxes]
        every = np.vstack([*points, *(bezier(curve) for curve in self.curves)])
        (left, bottom), (right, top) = every.min(0), every.max(0)
        return float(left), float(bottom), float(right), float(top)


def bezier(curve: np.ndarray, n: int = 60) -> np.ndarray:
    """Return ``n`` points on the quadratic Bezier curve with control points ``curve`` (3, 2)."""
    t = np.linspace(0, 1, n)[:, None]
    return (1 - t) ** 2 * curve[0] + 2 * t * (1 - t) * curve[1] + t**2 * curve[2]


def layers(names: Sequence[str], edges: Sequence[Edge]) -> dict[str, int]:
    """Return the layer of each node: its longest chain of causes, final outcomes in the last layer.

    Raises
    ------
    SpecError
        If a path names an unknown variable, or the paths go in a circle.
    """
    directed = [edge for edge in edges if not edge.both]
    for edge in edges:
        for name in (edge.source, edge.target):
            if name not in names:
                raise SpecError(f"path diagram: no node '{name}'", hint=nearest(name, names))
    if not directed:
        return {name: at for at, name in enumerate(names)}
    before = {name: [edge.source for edge in directed if edge.target == name] for name in names}
    try:
        order = list(TopologicalSorter(before).static_order())
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        raise SpecError(f"the paths go in a circle: {circle}", hint="Remove one of these paths.") from None
    depth: dict[str, int] = {}
    for name in order:
        depth[name] = max((depth[cause] + 1 for cause in before[name]), default=0)
    last = max(depth.values())
    causes, effects = {e.source for e in directed}, {e.target for e in directed}
    return {name: last if name in effects - causes else depth[name] for name in names}


def arrange(
    sizes: Mapping[str, tuple[float, float]],
    edges: Sequence[Edge],
    *,
    ovals: frozenset[str],
    row: Sequence[str],
) -> Layout:
    """Lay out a diagram: causes left, mediators raised, outcomes right, ``row`` in a line beneath.

    The space between columns grows until no label touches a node or another label, and a little more
    where that also takes labels off arrows.

    Parameters
    ----------
    sizes : mapping of str to (float, float)
        Width and height of each node in inches, in reading order.
    edges : sequence of Edge
    ovals : frozenset of str
        Nodes drawn as ellipses.
    row : sequence of str
        Covariates.
    """
    tried: list[Layout] = []
    for spread in (1.0, 1.2, 1.45, 1.75, 2.1, 2.5):
        nodes = _place(sizes, edges, ovals=ovals, row=row, spread=spread)
        curves = _route(nodes, edges)
        tried.append(Layout(nodes, curves, _place_labels(nodes, curves, edges)))
        if not tried[-1].conflicts and (spread > 1.4 or not tried[-1].crossings):
            break
    return min(tried, key=lambda layout: (layout.conflicts, layout.crossings))


def _place(
    sizes: Mapping[str, tuple[float, float]],
    edges: Sequence[Edge],
    *,
    ovals: frozenset[str],
    row: Sequence[str],
    spread: float,
) -> dict[str, Box]:
    inner = [e for e in edges if e.source not in row and e.target not in row]
    depth = layers([name for name in sizes if name not in row], inner)
    layers(list(sizes), edges)  # the covariates' arrows must name known nodes too
    columns = [
        [name for name in depth if depth[name] == at] for at in range(max(depth.values(), default=-1) + 1)
    ]
    widths = [max((sizes[name][0] for name in column), default=0.0) for column in columns]
    label = max((e.label[0] for e in inner if e.label), default=0.5)
    gap = (label + 0.3 if len(columns) < 4 else 0.55 * label + 0.3) * spread
    left = np.cumsum([0.0, *(width + gap for width in widths)])
    middle = [float(at + width / 2) for at, width in zip(left, widths, strict=False)]
    stack = spread * (_STACK_COVARIANCE if any(e.both for e in inner) else _STACK)
    tried: list[tuple[int, int, dict[str, Box]]] = []
    for rise in np.arange(1.1 * spread, 3.2, 0.15):  # the lowest arch whose chords pass all nodes
        nodes = _columns(columns, middle, float(rise), sizes, ovals, stack)
        hits = sum(_hits(_straight(nodes, e), nodes, e) for e in inner if not e.both)
        tried.append((hits, len(tried), nodes))
        if not hits:
            break
    nodes = min(tried, key=lambda one: one[:2])[2]
    return nodes | _row(row, sizes, nodes, spread)


def _columns(
    columns: Sequence[Sequence[str]],
    middle: Sequence[float],
    rise: float,
    sizes: Mapping[str, tuple[float, float]],
    ovals: frozenset[str],
    stack: float,
) -> dict[str, Box]:
    """Place each column on an arch over the line from first to last, its nodes stacked upwards."""
    nodes: dict[str, Box] = {}
    for at, (x, column) in enumerate(zip(middle, columns, strict=True)):
        y = rise * float(np.sin(np.pi * at / max(len(columns) - 1, 1)))
        for name, below in zip(reversed(column), [None, *reversed(column)], strict=False):
            if below is not None:
                y += (sizes[below][1] + sizes[name][1]) / 2 + stack
            nodes[name] = Box(x, y, *sizes[name], oval=name in ovals)
    return {name: nodes[name] for column in columns for name in column}


def _row(
    row: Sequence[str], sizes: Mapping[str, tuple[float, float]], nodes: Mapping[str, Box], spread: float
) -> dict[str, Box]:
    if not row:
        return {}
    floor = min((box.y - box.h / 2 for box in nodes.values()), default=0.0)
    ends = [box.x for box in nodes.values()] or [0.0]
    widths = [sizes[name][0] for name in row]
    gap = max(0.25, min(0.9, (max(ends) - min(ends) - sum(widths)) / len(row)))
    at = (max(ends) + min(ends)) / 2 - (sum(widths) + gap * (len(row) - 1)) / 2
    y = floor - (0.75 if len(row) < 3 else 0.95) * spread
    placed = {}
    for name, width in zip(row, widths, strict=True):
        placed[name] = Box(at + width / 2, y - sizes[name][1] / 2, width, sizes[name][1])
        at += width + gap
    return placed


def _straight(nodes: Mapping[str, Box], edge: Edge, bend: float = 0.0) -> np.ndarray:
    """Return control points from centre to centre, bowed by ``bend`` of the length to the left."""
    start, end = nodes[edge.source], nodes[edge.target]
    p, q = np.array([start.x, start.y]), np.array([end.x, end.y])
    along = q - p
    return np.array([p, (p + q) / 2 + bend * np.array([-along[1], along[0]]), q])


def _hits(curve: np.ndarray, nodes: Mapping[str, Box], edge: Edge) -> int:
    points = bezier(curve, 80)
    others = (box for name, box in nodes.items() if name not in (edge.source, edge.target))
    return sum(bool(box.inside(points, CLEAR).any()) for box in others)


def _route(nodes: Mapping[str, Box], edges: Sequence[Edge]) -> list[np.ndarray]:
    """Return the visible part of each arrow: straight unless a node is in the way, covariances bowed."""
    curves = []
    for edge in edges:
        if edge.source == edge.target:
            raise SpecError(f"'{edge.source}' points at itself", hint="Remove this path.")
        bends = _BENDS if edge.both else (0.0, *_BENDS)
        costs = [(_hits(_straight(nodes, edge, bend), nodes, edge), abs(bend), bend) for bend in bends]
        _, _, bend = min(costs, key=lambda cost: cost[:2])
        curves.append(_clip(_straight(nodes, edge, bend), nodes[edge.source], nodes[edge.target], edge.both))
    return curves


def _clip(curve: np.ndarray, start: Box, end: Box, both: bool) -> np.ndarray:
    """Cut a curve where it leaves ``start`` and where it enters ``end`` (a hair before, for the head)."""
    points = bezier(curve, 800)
    t = np.linspace(0, 1, 800)
    leaving = np.flatnonzero(start.inside(points, 0.03 if both else 0.0))
    entering = np.flatnonzero(end.inside(points, 0.03))
    a = t[leaving[-1]] if leaving.size else 0.0
    b = t[entering[0]] if entering.size else 1.0
    if a >= b:  # nodes that touch: keep the middle, so that the arrow exists
        a, b = 0.45, 0.55

    def blossom(u: float, v: float) -> np.ndarray:
        middle = (1 - u) * v + u * (1 - v)
        return (1 - u) * (1 - v) * curve[0] + middle * curve[1] + u * v * curve[2]

    return np.array([blossom(a, a), blossom(a, b), blossom(b, b)])


def _place_labels(
    nodes: Mapping[str, Box], curves: Sequence[np.ndarray], edges: Sequence[Edge]
) -> list[Box | None]:
    """Put each label beside its arrow; start from the best free place, then improve one at a time."""
    lines = [bezier(curve) for curve in curves]
    choices = [_candidates(c, e.label) if e.label else [] for c, e in zip(curves, edges, strict=True)]
    fixed = [[own + _static(box, nodes, lines, at) for box, own in some] for at, some in enumerate(choices)]
    chosen: list[Box | None] = [None] * len(edges)
    for _ in range(6):
        before = list(chosen)
        for at, some in enumerate(choices):
            if not some:
                continue
            others = [box for other, box in enumerate(chosen) if box is not None and other != at]
            cost = [
                base + sum(1000.0 * (box.overlap(other, 0.04) > 0) for other in others)
                for (box, _), base in zip(some, fixed[at], strict=True)
            ]
            chosen[at] = some[int(np.argmin(cost))][0]
        if chosen == before:
            break
    return chosen


def _candidates(curve: np.ndarray, size: tuple[float, float]) -> list[tuple[Box, float]]:
    """Return places for a label with what each costs: beside the arrow is best, on it the last resort."""
    w, h = size
    found = []
    points = bezier(curve, 101)
    for rank, t in enumerate(_ALONG):
        at = points[round(t * 100)]
        step = points[min(round(t * 100) + 1, 100)] - points[max(round(t * 100) - 1, 0)]
        normal = np.array([-step[1], step[0]]) / max(float(np.hypot(*step)), 1e-9)
        reach = abs(normal[0]) * w / 2 + abs(normal[1]) * h / 2 + 0.03
        up = normal if normal[1] >= 0 else -normal
        for side, cost in ((1, 0.0), (-1, 1.0), (0, 12.0)):
            x, y = at + side * reach * up
            found.append((Box(float(x), float(y), w, h), cost + 0.5 * rank))
    return found


def _static(box: Box, nodes: Mapping[str, Box], lines: Sequence[np.ndarray], own: int) -> float:
    """Return what a place costs whatever the other labels do: nodes and foreign arrows beneath it."""
    cost = sum(1000.0 * (box.overlap(node, 0.03) > 0) for node in nodes.values())
    for at, line in enumerate(lines):
        if at != own and box.inside(line, 0.02).any():
            cost += 25.0
    return float(cost)
