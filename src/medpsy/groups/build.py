"""From the data of one model to the groups in it: joint parameters, and one ordinary model per group."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from medpsy.errors import DataError, SpecError, nearest
from medpsy.families.base import Block
from medpsy.families.coordinates import Coordinate, coordinates_of
from medpsy.groups.differences import Change, Contrasted, Placing, contrasts
from medpsy.groups.grouping import Grouping
from medpsy.groups.linear import regroup_linear
from medpsy.groups.rows import OWN, placed
from medpsy.latent.placed import PlacedStructure
from medpsy.ops import Numpy
from medpsy.parameter import Parameter, Scale
from medpsy.spec.groups import Groups
from medpsy.spec.model_spec import Each
from medpsy.spec.parameters import ParameterRow, ParameterTable
from medpsy.spec.priors import Prior, parse_prior
from medpsy.survey.survey import Survey

#: Words of ``equal`` by the beginning of the parameters of the structure; others are never equal.
STRUCTURE_WORDS = {
    "path": "regressions", "covariate_effect": "regressions", "level": "regressions",
    "correlation_chol": "correlations",
}  # fmt: skip


def regroup(data: Any, survey: Survey) -> Any:
    """Return the data of a model with groups.

    Parameters
    ----------
    data : ModelData
        Bound as if there were no groups.
    survey : Survey

    Returns
    -------
    ModelData
        With joint parameters and ``groups``.

    Raises
    ------
    DataError, SpecError
        The variable has no levels, is missing for someone, has one level only or a level with one person.
    """
    groups: Groups = data.model.spec.groups
    levels, rows = _members(groups, survey, data.model.covariates)
    reference = -1 if groups.pooled else levels.index(groups.reference or levels[0])
    if data.model.spec.linear is not None:
        _check_places(data.model.spec.linear.by_group, levels, groups.by)
        return regroup_linear(data, levels, rows, reference)
    families = data.model.families
    items = {f"{role}_{block.name}" for block in data.blocks for role in families[block.name].roles}
    own, structural = _structural(data, groups, items, levels, max(reference, 0))
    along = _places(groups, levels)
    changes, differences = _changes(data, groups, levels, reference, along)
    mean, log_sd, places = _placings(data, groups, levels, reference)
    base = tuple(parameter for parameter in data.parameters if parameter.name in items)
    grouping = Grouping(
        by=groups.by,
        levels=levels,
        reference=reference,
        rows=rows,
        parts=tuple(_part(data, row) for row in rows),
        changes=changes,
        mean=mean,
        log_sd=log_sd,
        own=own,
        coordinates={block.name: coordinates_of(families[block.name]) for block in data.blocks},
        roles={block.name: families[block.name].roles for block in data.blocks},
        along=along,
    )
    return replace(data, groups=grouping, parameters=(*structural, *base, *places, *differences))


def _members(
    groups: Groups, survey: Survey, covariates: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[np.ndarray, ...]]:
    """Levels that occur, and who is in each."""
    variable = survey.variable(groups.by)
    if variable.kind != "category":
        raise SpecError(
            f"'{groups.by}' is a number, not a variable with levels", hint="Groups need a category."
        )
    if groups.by in covariates:
        raise SpecError(
            f"'{groups.by}' makes the groups and is a covariate as well", hint="Keep one of the two."
        )
    codes = survey.variables[groups.by]
    if (codes < 0).any():
        who = ", ".join(map(str, survey.person[codes < 0][:5]))
        raise DataError(
            f"variable '{groups.by}' is missing for {int((codes < 0).sum())} persons ({who})",
            hint="Screen them out first: medpsy.screen(survey, require=[...]) counts them.",
        )
    used = [level for level in range(len(variable.levels)) if (codes == level).any()]
    levels = tuple(variable.levels[level] for level in used)
    if len(levels) < 2:
        raise DataError(
            f"everybody has the same level of '{groups.by}'", hint="Leave the groups out of the model."
        )
    rows = tuple(np.flatnonzero(codes == level) for level in used)
    for level, row in zip(levels, rows, strict=True):
        if row.size < 2:
            raise DataError(
                f"group '{level}' of '{groups.by}' has one person only",
                hint="Join it with another level, or screen it out.",
            )
    if groups.reference is not None and groups.reference not in levels:
        raise SpecError(
            f"no one is in the reference group '{groups.reference}'", hint=nearest(groups.reference, levels)
        )
    return levels, rows


def _check_places(by_group: tuple[tuple[str, Each], ...], levels: tuple[str, ...], by: str) -> None:
    """Refuse numbers by group that are not as many as the groups."""
    for name, each in by_group:
        if len(each) != len(levels):
            raise SpecError(
                f"'{name}' has {len(each)} places in c(...), and '{by}' has {len(levels)} groups: "
                f"{', '.join(levels)}",
                hint="Say one label or number for each, in this order.",
            )


def _places(groups: Groups, levels: tuple[str, ...]) -> tuple[float, ...]:
    """Where every group stands, if the groups say so."""
    held = dict(groups.along)
    absent = [level for level in levels if held and level not in held]
    if absent:
        raise SpecError(
            f"the groups stand along something, and '{absent[0]}' has no number",
            hint=nearest(absent[0], held),
        )
    return tuple(float(held[level]) for level in levels) if held else ()


def _part(data: Any, rows: np.ndarray) -> Any:
    """The ordinary model of one group."""
    model = data.model
    factors = tuple(block.name for block in data.blocks)
    kept = tuple(row for row in model.table.rows if row.target.partition(".")[0] not in OWN)
    kept += _placing_rows(model.table, factors)
    placing = tuple(
        Parameter(name, ("construct",), (factors,), (parse_prior(prior),) * len(factors))
        for name, prior in (("group_mean", "Normal(0, 1)"), ("group_sd", "LogNormal(0, 0.5)"))
    )
    return replace(
        data,
        model=replace(model, structure=PlacedStructure(model.structure), table=ParameterTable(kept)),
        person=data.person[rows],
        blocks=tuple(replace(block, values=block.values[rows]) for block in data.blocks),
        design=data.design[rows],
        observed=data.observed[rows],
        parameters=(*data.parameters, *placing),
    )


def _placing_rows(table: ParameterTable, factors: tuple[str, ...]) -> tuple[ParameterRow, ...]:
    """Mean and sd of every construct in one group, as rows of the table of its own model."""
    known = {row.target: row for row in table.rows}
    rows = []
    for section, op, role in (("Group means", "~", "mean"), ("Group SDs", "~~", "log_sd")):
        for name in factors:
            row = known.get(f"group_{role}.{name}")
            note = "fixed: the items do not tell the groups apart"
            if row is not None:
                note = "pooled over the groups" if f"group_{role}_sd.{name}" in known else str(row.prior)
                note += " of the logarithm" if role == "log_sd" else ""
            target = f"group_{role.removeprefix('log_')}.{name}"
            rhs = "1" if op == "~" else name
            rows.append(ParameterRow(section, name, op, rhs, None, target, None, free=False, note=note))
    return tuple(rows)


def _structural(
    data: Any, groups: Groups, items: set[str], levels: tuple[str, ...], first: int
) -> tuple[dict[str, tuple[str, ...]], list[Parameter]]:
    """Parameters of the structure: shared, or one vector for each group."""
    own: dict[str, tuple[str, ...]] = {}
    parameters: list[Parameter] = []
    for parameter in data.parameters:
        if parameter.name in items:
            continue
        word = next((w for head, w in STRUCTURE_WORDS.items() if parameter.name.startswith(head)), "")
        names = [parameter.name] * len(levels)
        if not word or word not in groups.equal:
            names = [
                parameter.name if g == first else f"{parameter.name}[{level}]"
                for g, level in enumerate(levels)
            ]
        own[parameter.name] = tuple(names)
        for name in dict.fromkeys(names):
            # Deviations of one group are in units of its own sd.
            scale = parameter.scale and replace(
                parameter.scale, name=parameter.scale.name + name.removeprefix(parameter.name)
            )
            parameters.append(replace(parameter, name=name, scale=scale))
    return own, parameters


def _changes(
    data: Any, groups: Groups, levels: tuple[str, ...], reference: int, along: tuple[float, ...]
) -> tuple[tuple[Change, ...], list[Parameter]]:
    """Differences of items: for every coordinate the free ones, and those that are shrunk."""
    changes: list[Change] = []
    parameters: list[Parameter] = []
    for block in data.blocks:
        for change, held in block_changes(data, block, groups, levels, reference, along):
            changes.append(change)
            parameters += held
    return tuple(changes), parameters


def block_changes(
    data: Any,
    block: Block,
    groups: Groups,
    levels: tuple[str, ...],
    reference: int,
    along: tuple[float, ...],
) -> Iterator[tuple[Change, list[Parameter]]]:
    """Differences of the items of one block, each with its parameters."""
    # What the items of a construct share (a spread, the steps of a rating scale) is not an item's own.
    shared = {q.name: q.dims[0] != block.item_dim for q in data.parameters}
    family = data.model.families[block.name]
    sample = coordinates_of(family).to(_example(data, block), Numpy)
    for part in coordinates_of(family).parts:
        if not shared.get(f"{part.name}_{block.name}", False):
            yield from _of_coordinate(data, block, part, sample[part.name], groups, levels, reference, along)


def _of_coordinate(
    data: Any,
    block: Block,
    part: Coordinate,
    example: np.ndarray,
    groups: Groups,
    levels: tuple[str, ...],
    reference: int,
    along: tuple[float, ...],
) -> Iterator[tuple[Change, list[Parameter]]]:
    items = block.construct.items
    cells = 1 if example.ndim == 1 else example.shape[1]
    for state in ("free", "shrunk"):
        which = [j for j, item in enumerate(items) if groups.state(item, part.word, part.name) == state]
        if not which or not cells:
            continue
        # What is shrunk treats the groups alike; free differences are those from the reference group.
        contrast = contrasts(len(levels), max(reference, 0) if state == "free" else -1)
        called = _contrast_names(levels, max(reference, 0) if state == "free" else -1)
        if along:
            contrast, called = np.array(along)[:, None], [f"per unit of {groups.by}"]
        name = f"{'difference' if state == 'free' else 'shrunk'}_{part.name}_{block.name}"
        absent = block.n_categories - block.sizes if cells > 1 else np.zeros(len(items), dtype=int)
        item = np.repeat(which, [cells - absent[j] for j in which])
        cell = np.concatenate([np.arange(cells - absent[j]) for j in which]).astype(int)
        if not cell.size:
            continue
        labels, priors = [], []
        for j, k in zip(item, cell, strict=True):
            place = items[j] if cells == 1 else f"{items[j]}.{k + 1}"
            labels += [f"{place}: {text}" for text in called]
            prior = data.model.table.prior(f"difference.{part.name}.{block.name}.{items[j]}")
            priors += [prior] * len(called)
        spread, scale = "", None
        if state == "shrunk":
            spread = f"difference_sd_{part.name}_{block.name}"
            # Deviations of one sign are walked in by their logarithms.
            if all(prior.support == "real" for prior in priors):
                scale = Scale(spread, (0,) * len(labels))
        held = [Parameter(name, (f"{name}_of",), (tuple(labels),), tuple(priors), scale=scale)]
        if state == "shrunk":
            prior = data.model.table.prior(f"difference_sd.{part.name}.{block.name}")
            held.append(Parameter(spread, (f"{spread}_of",), ((block.name,),), (prior,)))
        shape = (len(items), cells)
        yield Change(block.name, part, item, cell, shape, Contrasted(name, contrast, spread)), held


def _contrast_names(levels: tuple[str, ...], reference: int) -> list[str]:
    """What the columns of the contrasts compare."""
    if reference >= 0:
        return [f"{level} - {levels[reference]}" for g, level in enumerate(levels) if g != reference]
    if len(levels) == 2:
        return [f"{levels[1]} - {levels[0]}"]
    return [f"{level} - those before" for level in levels[1:]]


def _placings(
    data: Any, groups: Groups, levels: tuple[str, ...], reference: int
) -> tuple[Placing, Placing, list[Parameter]]:
    """Means and log sds of the constructs, where the items tell them apart."""
    contrast, called = contrasts(len(levels), reference), _contrast_names(levels, reference)
    found: list[Placing] = []
    parameters: list[Parameter] = []
    for at, role in enumerate(("group_mean", "group_log_sd")):
        free = [
            d
            for d, block in enumerate(data.blocks)
            if placed(groups, block.construct.items, data.model.families[block.name])[at]
        ]
        names = tuple(data.blocks[d].name for d in free)
        if not names:
            found.append(Placing(np.array([], dtype=int), len(data.blocks), None))
            continue
        labels = tuple(f"{name}: {text}" for name in names for text in called)
        priors: list[Prior] = []
        for name in names:
            own = parse_prior("Normal(0, 1)") if groups.pooled else data.model.table.prior(f"{role}.{name}")
            priors += [own] * len(called)
        parameters.append(Parameter(role, (f"{role}_of",), (labels,), tuple(priors)))
        spread = ""
        if groups.pooled:
            spread = f"{role}_sd"
            sds = tuple(data.model.table.prior(f"{spread}.{name}") for name in names)
            parameters.append(Parameter(spread, (f"{spread}_of",), (names,), sds))
        found.append(Placing(np.array(free), len(data.blocks), Contrasted(role, contrast, spread)))
    return found[0], found[1], parameters


def _example(data: Any, block: Block) -> dict[str, np.ndarray]:
    """Values of the right shapes for every role of a block."""
    family = data.model.families[block.name]
    shapes = {parameter.name: parameter for parameter in data.parameters}
    out = {}
    for role in family.roles:
        parameter = shapes[f"{role}_{block.name}"]
        value = np.full(parameter.shape, 0.5)
        out[role] = value / value.sum(-1, keepdims=True) if parameter.event == "simplex" else value
    return out
