"""Groups of a linear model: the free numbers of all of them together, and those of each group's own model.

All groups are laid out as one linear model with a copy of every variable for each group (``whole``); labels
tie numbers within and between the copies alike. Only its numbers are computed, never its matrices: the
numbers of one group are handed to that group's own ordinary model.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from medpsy.groups.differences import Placing
from medpsy.groups.grouping import Grouping
from medpsy.latent.base import Layout, clique_name
from medpsy.latent.linear import HALF, LinearStructure, share_back
from medpsy.latent.linear_plan import whole_groups
from medpsy.latent.linear_rows import linear_rows
from medpsy.ops import Numpy
from medpsy.parameter import Parameter
from medpsy.spec.linear_groups import group_count, group_spec, joined_spec
from medpsy.spec.model_spec import ModelSpec
from medpsy.spec.parameters import ParameterRow, ParameterTable


@dataclass(frozen=True)
class Places:
    """Where the free numbers of one group's model stand among all numbers of the whole.

    ``cliques`` are pairs of names: of the group's Cholesky factor, of the same factor in the whole.
    """

    path: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    pair: np.ndarray
    cliques: tuple[tuple[str, str], ...]


class LinearOfGroups(LinearStructure):
    """The structure of the model before its groups part: it knows where to start and nothing to compute."""

    def __init__(self, spec: ModelSpec, whole: LinearStructure, layout: Layout) -> None:
        super().__init__(spec)
        self.whole, self.layout = whole, layout

    def start(self, layout: Layout) -> dict[str, np.ndarray]:
        """Where the numbers of all groups start."""
        return self.whole.start(self.layout)

    def coefficients(self, p: dict[str, Any], layout: Layout, xp: Any) -> Any:
        """None: every group has its own."""
        return None


@dataclass(frozen=True)
class LinearGrouping(Grouping):
    """As :class:`Grouping`; ``whole`` is the data of all groups as one model, ``places`` one per group."""

    whole: Any = None
    places: tuple[Places, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Latent variables."""
        return tuple(self.parts[0].model.spec.latents)

    @property
    def placed(self) -> np.ndarray:
        """Positions in ``names`` of those whose means are free in some group."""
        free = {
            part.layout.nodes[i]
            for part in self.parts
            for i in part.model.structure.plan(part.layout).mean.first
        }
        return np.array([i for i, name in enumerate(self.names) if name in free], dtype=int)

    def values(self, p: dict[str, Any], group: int, xp: Any = Numpy) -> dict[str, Any]:
        """Named values of one group's own model; leading axes are kept."""
        structure, layout, at = self.whole.model.structure, self.whole.layout, self.places[group]
        out: dict[str, Any] = {}
        if at.path.size:
            out["path"] = structure.coefficients(p, layout, xp)[..., at.path]
        if at.mean.size:
            out["intercept"] = structure.intercepts(p, layout, xp)[..., at.mean]
        if at.sd.size:
            out["residual_sd"] = structure.sds(p, layout, xp)[..., at.sd]
        if at.pair.size:
            out[HALF] = 0.5 + 0.5 * structure.correlations(p, layout, xp)[..., at.pair]
        return out | {own: p[name] for own, name in at.cliques}

    def tape(self, p: dict[str, np.ndarray]) -> Any:
        """Values of all groups at one point, with what their gradients need to come back."""
        return LinearTape(self, p)


class LinearTape:
    """One evaluation: the numbers of every group, and the way back.

    Parameters
    ----------
    groups : LinearGrouping
    p : dict of str to ndarray
        One value of every parameter.
    """

    def __init__(self, groups: LinearGrouping, p: dict[str, np.ndarray]) -> None:
        self.groups, self.p = groups, p

    def values(self) -> list[dict[str, np.ndarray]]:
        """Named values of every group's own model."""
        made = [self.groups.values(self.p, g) for g in range(len(self.groups.levels))]
        return [{name: np.ascontiguousarray(value) for name, value in own.items()} for own in made]

    def gradient(
        self, gradients: list[dict[str, np.ndarray]], shapes: dict[str, tuple[int, ...]]
    ) -> dict[str, np.ndarray]:
        """Gradient over the parameters, given that over the named values of every group."""
        data = self.groups.whole
        structure, layout, p = data.model.structure, data.layout, self.p
        plan, size = structure.plan(layout), len(layout.nodes)
        d_path, d_mean, d_sd = np.zeros(len(layout.coefficients)), np.zeros(size), np.zeros(size)
        d_r = np.zeros(len(plan.pairs))
        out = {name: np.zeros(shape) for name, shape in shapes.items()}
        for d, at in zip(gradients, self.groups.places, strict=True):
            for name, total, where in (
                ("path", d_path, at.path), ("intercept", d_mean, at.mean), ("residual_sd", d_sd, at.sd)
            ):  # fmt: skip
                if where.size:
                    total[where] += d[name]
            if at.pair.size:
                d_r[at.pair] += 0.5 * d[HALF]
            for own, name in at.cliques:
                out[name] += d[own]
        d_path += d_mean @ plan.shift
        if plan.pairs:
            sd, r = structure.sds(p, layout, Numpy), structure.correlations(p, layout, Numpy)
            share_back(plan, r, sd, d_r, d_sd)
            if plan.free_pairs.size:
                out[HALF] += 2.0 * d_r[plan.free_pairs]
        for name, ties, d_full in (
            ("path", plan.path, d_path), ("intercept", plan.mean, d_mean), ("residual_sd", plan.sd, d_sd)
        ):  # fmt: skip
            if ties.free:
                out[name] += ties.reverse(d_full)
        return out


def linear_group_rows(spec: ModelSpec, sketch: Layout) -> list[ParameterRow]:
    """Rows of the parameter table of a linear model with groups: what is free in any of them."""
    rows: dict[str, ParameterRow] = {}
    for g, cliques in enumerate(group_cliques(spec, sketch.nodes)):
        for row in linear_rows(group_spec(spec, g, 0), replace(sketch, cliques=cliques)):
            old = rows.get(row.target)
            if old is None or (row.free and not old.free):
                note = f"{old.note} in some groups" if old is not None else "0 in the reference group"
                rows[row.target] = replace(row, note=note if g else row.note)
    return list(rows.values())


def group_cliques(spec: ModelSpec, nodes: tuple[str, ...]) -> list[tuple[tuple[int, ...], ...]]:
    """Nodes of every group whose residuals correlate freely and unshared: positions in ``nodes``."""
    count, size = group_count(spec), len(nodes)
    mark = [_mark(g) for g in range(count)]
    joint = joined_spec([group_spec(spec, g, 0, tied=True) for g in range(count)], mark)
    found = whole_groups(
        joint, {name + end: g * size + i for g, end in enumerate(mark) for i, name in enumerate(nodes)}
    )
    return [
        tuple(tuple(i % size for i in clique) for clique in found if clique[0] // size == g)
        for g in range(count)
    ]


def regroup_linear(data: Any, levels: tuple[str, ...], rows: tuple[np.ndarray, ...], reference: int) -> Any:
    """Return the data of a linear model with groups: its structure, its parameters, and ``groups``.

    Parameters
    ----------
    data : ModelData
        Bound as if there were no groups.
    levels : tuple of str
    rows : tuple of ndarray
        Persons of every group.
    reference : int
    """
    spec: ModelSpec = data.model.spec
    count = len(levels)
    mark = tuple(map(_mark, range(count)))
    specs = tuple(group_spec(spec, g, reference) for g in range(count))
    tied = [group_spec(spec, g, reference, tied=True) for g in range(count)]
    joint = joined_spec(tied, mark)
    structure = LinearStructure(joint)
    layout = _whole_layout(data.layout, spec, tied, joint, mark)
    layout = structure.scaled(layout)
    known = {row.target: row.prior for row in data.model.table.rows if row.prior is not None}
    table = ParameterTable(tuple(_with_priors(linear_rows(joint, layout), known, count)))
    parameters = tuple(
        replace(q, coords=_called(q, structure, layout, levels)) for q in structure.parameters(layout, table)
    )
    model = replace(data.model, spec=joint, structure=structure, table=table)
    whole = replace(data, model=model, layout=layout, parameters=parameters)
    parts = tuple(_part(data, specs[g], g, layout, rows[g], known) for g in range(count))
    none = Placing(np.array([], dtype=int), 0, None)
    grouping = LinearGrouping(
        by=spec.groups.by if spec.groups is not None else "", levels=levels, reference=reference, rows=rows,
        parts=parts, changes=(), mean=none, log_sd=none, own={}, coordinates={}, roles={}, whole=whole,
        places=tuple(_places(part, g, whole, count) for g, part in enumerate(parts)),
    )  # fmt: skip
    model = replace(data.model, structure=LinearOfGroups(spec, structure, layout))
    return replace(data, model=model, groups=grouping, parameters=parameters)


def _mark(g: int) -> str:
    """What ends the names of the variables of one group; no name in a text holds such a character."""
    return f"\x00{g}\x00"


def _plain(text: str, count: int) -> str:
    """A name without the marks of groups."""
    for g in range(count):
        text = text.replace(_mark(g), "")
    return text


def _with_priors(rows: Iterable[ParameterRow], known: dict[str, Any], count: int = 0) -> list[ParameterRow]:
    """Rows with the priors of their numbers as ``known`` by names without the marks of groups."""
    return [
        replace(row, prior=known.get(_plain(row.target, count), row.prior)) if row.free else row
        for row in rows
    ]


def _whole_layout(
    base: Layout, spec: ModelSpec, specs: Sequence[ModelSpec], joint: ModelSpec, mark: Sequence[str]
) -> Layout:
    """A copy of every node and coefficient for each group."""
    size, count = len(base.nodes), len(mark)
    nodes = tuple(name + end for end in mark for name in base.nodes)
    where = {path: i for i, path in enumerate(spec.paths)}
    width = len(spec.paths)
    coefficients = []
    for g, end in enumerate(mark):
        for c in base.coefficients:
            path = joint.paths[g * width + where[c.path]]
            coefficients.append(
                replace(
                    c,
                    name=c.name + end,
                    target=c.target + g * size,
                    path=path,
                    label=path.label,
                    source=c.source if c.from_column else c.source + g * size,
                )
            )
    latent = np.array([name in spec.latents for name in base.nodes])
    return replace(
        base, nodes=nodes, latent=np.tile(base.latent, count), families=base.families * count,
        coefficients=tuple(coefficients),
        cliques=whole_groups(joint, {name: i for i, name in enumerate(nodes)}),
        unit=np.tile(np.where(latent, 1.0, base.unit), count),
        centre=np.tile(np.where(latent, 0.0, base.centre), count),
        categories=base.categories * count,
    )  # fmt: skip


def _part(data: Any, spec: ModelSpec, g: int, whole: Layout, rows: np.ndarray, known: dict[str, Any]) -> Any:
    """The ordinary model of one group."""
    size = len(data.layout.nodes)
    own = slice(g * size, (g + 1) * size)
    path = {old: new for old, new in zip(data.model.spec.paths, spec.paths, strict=True)}
    layout = replace(
        data.layout,
        unit=whole.unit[own],
        centre=whole.centre[own],
        coefficients=tuple(
            replace(c, path=path[c.path], label=path[c.path].label) for c in data.layout.coefficients
        ),
        cliques=tuple(
            tuple(i - g * size for i in clique) for clique in whole.cliques if clique[0] // size == g
        ),
    )
    structure = LinearStructure(spec)
    lines = _with_priors(linear_rows(spec, layout), known)
    # In the reference group means are not said, in the others they are free.
    there = {row.target for row in lines}
    lines += [
        replace(row, prior=None, free=False, note="fixed to 0")
        for row in data.model.table.rows
        if row.section == "Means" and row.target not in there
    ]
    lines.sort(key=lambda row: layout.nodes.index(row.lhs) if row.section == "Means" else -1)
    lines += [row for row in data.model.table.rows if row.op == ":="]
    table = ParameterTable(tuple(lines))
    return replace(
        data, model=replace(data.model, spec=spec, structure=structure, table=table), layout=layout,
        person=data.person[rows], design=data.design[rows], observed=data.observed[rows],
        parameters=tuple(structure.parameters(layout, table)),
    )  # fmt: skip


def _places(part: Any, g: int, whole: Any, count: int) -> Places:
    """Where the free numbers of a group stand."""
    plan = part.model.structure.plan(part.layout)
    size, width = len(part.layout.nodes), len(part.layout.coefficients)
    every = whole.model.structure.plan(whole.layout).pairs
    mark = _mark(g)
    place = {(c.left, c.right): i for i, c in enumerate(every)}
    pairs = [plan.pairs[i] for i in plan.free_pairs]
    inside = {clique: k for k, clique in enumerate(whole.layout.cliques)}
    cliques = [
        (clique_name(part.layout, k), clique_name(whole.layout, inside[tuple(i + g * size for i in clique)]))
        for k, clique in enumerate(part.layout.cliques)
    ]
    return Places(
        path=plan.path.first + g * width,
        mean=plan.mean.first + g * size,
        sd=plan.sd.first + g * size,
        pair=np.array([place[c.left + mark, c.right + mark] for c in pairs], dtype=int),
        cliques=tuple(cliques),
    )


def _called(
    parameter: Parameter, structure: LinearStructure, layout: Layout, levels: tuple[str, ...]
) -> tuple[tuple[str, ...], ...]:
    """Names of the entries: of a number of all groups its name, else with the group it is (first) free in."""
    count = len(levels)
    plan = structure.plan(layout)
    ties = {"path": plan.path, "intercept": plan.mean, "residual_sd": plan.sd}.get(parameter.name)
    if parameter.event == "correlation":
        return tuple(tuple(_plain(name, count) for name in names) for names in parameter.coords)
    out = []
    for k, name in enumerate(parameter.coords[0]):
        if ties is not None:
            users = np.flatnonzero((ties.index == k) & (ties.scale != 0)) // (len(ties.index) // count)
        else:
            i = int(plan.free_pairs[k])
            alike = (plan.like == i) | (np.arange(len(plan.pairs)) == i)
            users = plan.row[alike] // (len(layout.nodes) // count)
        shared = len(set(users.tolist())) == count
        plain = _plain(name, count)
        out.append(plain if shared else f"{plain}[{levels[users.min()]}]")
    return (tuple(out),)
