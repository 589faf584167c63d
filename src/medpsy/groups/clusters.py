"""From the data of one model to clusters in it: who is in which, and what each has for itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from medpsy.errors import DataError, SpecError
from medpsy.latent.base import Column, Layout
from medpsy.latent.cells import Cells
from medpsy.latent.clustered import ClusteredStructure
from medpsy.latent.levels import Levels
from medpsy.survey.survey import Survey


def recluster(data: Any, survey: Survey) -> Any:
    """Return the data of a model with clusters.

    Parameters
    ----------
    data : ModelData
        Bound as if there were no clusters.
    survey : Survey

    Returns
    -------
    ModelData
        With a design column for every cluster, the parameters of the clusters, and, where slopes differ
        between clusters, one ordinary model for each.

    Raises
    ------
    DataError, SpecError
        The variable is missing for someone or has one value only; a variable that should vary within clusters
        is the same for all their persons, or the other way round.
    """
    structure = data.model.structure
    assert isinstance(structure, ClusteredStructure)
    labels, index = members(structure.clusters.by, survey)
    layout, design = _with_columns(data, structure.clusters.by, labels, index)
    _check_levels(data, layout, structure)
    own = {parameter.name for parameter in structure.inner.parameters(data.layout, data.model.table)}
    rest = tuple(parameter for parameter in data.parameters if parameter.name not in own)
    parameters = (*structure.parameters(layout, data.model.table), *rest)
    data = replace(data, layout=layout, design=design, parameters=parameters)
    moderators = [c.by for c in (*layout.coefficients, *layout.between) if c.by is not None]
    if not structure.clusters.random and not (structure.split and moderators):
        return data
    if layout.products.size:
        raise SpecError(
            "products of constructs with each other cannot stand beside slopes that differ between clusters",
            hint="Leave out the products, or the random slopes.",
        )
    for column in moderators:
        _same_in_clusters(layout, column, survey)
    return replace(data, cells=_apart(data, labels, index))


def _same_in_clusters(layout: Layout, column: int, survey: Survey) -> None:
    """Refuse a moderator that differs between persons of one cluster.

    Raises
    ------
    DataError
        Naming the variable, the first such cluster, and two of its values there.
    """
    levels = layout.levels
    assert levels is not None
    if column in levels.upper:
        return
    held = {c.name: c.variable for c in layout.columns}
    for factor in layout.columns[column - 1].factors or (layout.columns[column - 1].name,):
        name = held[factor]
        variable, values = survey.variable(name), survey.variables[name]
        for c, label in enumerate(levels.labels):
            found = np.unique(values[levels.index == c])
            if found.size > 1:
                words = [
                    variable.levels[int(v)] if variable.kind == "category" else f"{v:g}" for v in found[:2]
                ]
                raise DataError(
                    f"the moderator '{name}' differs between persons of the same '{levels.by}': in {label} "
                    f"it is {words[0]} and {words[1]}",
                    hint="Beside paths between clusters or random slopes of constructs, a moderator belongs "
                    f"to the clusters: use its mean over each {levels.by}, or random intercepts alone "
                    f'(clusters="{levels.by}" without design= and slopes=), where any observed variable '
                    "can moderate.",
                )


def members(by: str, survey: Survey, what: str = "cluster") -> tuple[tuple[str, ...], np.ndarray]:
    """Return the clusters (or levels) that occur, and which one every person is in.

    Raises
    ------
    DataError
        The variable is missing for someone, the same for everybody, or another one for every person.
    """
    variable = survey.variable(by)
    values = survey.variables[by]
    missing = values < 0 if variable.kind == "category" else np.isnan(values.astype(float))
    if missing.any():
        who = ", ".join(map(str, survey.person[missing][:5]))
        raise DataError(
            f"the {what} '{by}' is missing for {int(missing.sum())} persons ({who})",
            hint="Screen them out first: medpsy.screen(survey, require=[...]) counts them.",
        )
    found, index = np.unique(values, return_inverse=True)
    if variable.kind == "category":
        labels = tuple(variable.levels[int(code)] for code in found)
    else:
        labels = tuple(f"{value:g}" for value in found)
    if len(labels) < 2:
        raise DataError(
            f"everybody is in the same {what} of '{by}'",
            hint=f"One {what} says nothing about how {what}s differ: leave the {what}s out of the model.",
        )
    if len(labels) == survey.n_person:
        raise DataError(
            f"every person is a {what} of '{by}' of its own",
            hint=f"Within {what}s of one nothing varies: leave the {what}s out of the model.",
        )
    return labels, index.ravel()


def _with_columns(
    data: Any, by: str, labels: tuple[str, ...], index: np.ndarray
) -> tuple[Layout, np.ndarray]:
    """The layout and the design with a column for every cluster."""
    member = (index[:, None] == np.arange(len(labels))).astype(float)
    width = data.design.shape[1]
    upper = np.array([c for c in range(width) if _constant(data.design[:, c], index)], dtype=int)
    design = np.column_stack([data.design, member])
    first = np.unique(index, return_index=True)[1]
    values = np.full((len(labels), width), np.nan)
    values[:, upper] = data.design[first][:, upper]
    levels = Levels(by, labels, index, width + np.arange(len(labels)), upper, values=values)
    columns = (*data.layout.columns, *(Column(f"{by}[{label}]", by) for label in labels))
    covariance = np.atleast_2d(np.cov(design, rowvar=False, ddof=0))
    return replace(data.layout, columns=columns, covariance=covariance, levels=levels), design


def _constant(values: np.ndarray, index: np.ndarray) -> bool:
    """Whether all persons of every cluster have the same value, as far as they have one."""
    given = ~np.isnan(values)
    low, high = np.full(index.max() + 1, np.inf), np.full(index.max() + 1, -np.inf)
    np.minimum.at(low, index[given], values[given])
    np.maximum.at(high, index[given], values[given])
    return bool((high - low <= 1e-12).all())


def _check_levels(data: Any, layout: Layout, structure: ClusteredStructure) -> None:
    """Refuse variables that are on another level than their role."""
    assert layout.levels is not None
    by, index = layout.levels.by, layout.levels.index
    inside = {path.source for path in structure.clusters.between}
    design = data.model.spec.design
    for node in np.flatnonzero(~layout.latent):
        if _constant(data.observed[:, node], index):
            name = layout.nodes[node]
            exposure = design is not None and name in design.exposures
            hint = (
                "Use the design '2-1-1', whose exposure belongs to the cluster."
                if exposure and structure.split
                else "A variable of the clusters can be a covariate or the exposure of a '2-1-1' mediation."
            )
            raise DataError(f"'{name}' is the same for all persons of every '{by}'", hint=hint)
    if design is None or design.kind != "2-1-1":
        return
    names = [column.name for column in layout.columns]
    for i, name in enumerate(names):
        if layout.columns[i].variable == design.exposure and i + 1 not in layout.levels.upper:
            raise DataError(
                f"'{name}' differs between persons of the same '{by}'",
                hint="Use the design '1-1-1', which splits it into cluster mean and deviation.",
            )
    assert design.exposure not in inside


def _apart(data: Any, labels: tuple[str, ...], index: np.ndarray) -> Cells:
    """One ordinary model for every cluster, all over the same parameters."""
    rows = tuple(np.flatnonzero(index == c) for c in range(len(labels)))
    layout = data.layout
    by = [layout.coefficients[i].by for i in layout.moderated]
    parts = tuple(
        replace(
            data,
            person=data.person[row],
            blocks=tuple(replace(block, values=block.values[row]) for block in data.blocks),
            layout=replace(
                layout,
                levels=replace(layout.levels, own=c),
                at=layout.levels.values[c, by] if by else None,
            ),
            design=data.design[row],
            observed=data.observed[row],
        )
        for c, row in enumerate(rows)
    )
    return Cells(labels, rows, parts)
