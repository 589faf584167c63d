"""Where a composed model and a survey meet: the arrays that every engine works on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from medpsy.errors import DataError, SpecError
from medpsy.families.base import Block, a_number, unsuited
from medpsy.families.method import Moved, moved_by
from medpsy.groups.build import regroup
from medpsy.groups.clusters import recluster
from medpsy.groups.grouping import Grouping
from medpsy.groups.occasions import occasions
from medpsy.groups.pooled import with_pooled
from medpsy.latent.base import Coefficient, Column, Layout
from medpsy.latent.cells import Cells, split
from medpsy.latent.products import product_columns
from medpsy.model import ComposedModel
from medpsy.observed.base import has_categories
from medpsy.parameter import Parameter
from medpsy.spec.model_spec import Construct, Path
from medpsy.survey.ordered import ordered
from medpsy.survey.survey import Survey


@dataclass(frozen=True)
class ModelData:
    """One model with one survey.

    Parameters
    ----------
    model : ComposedModel
    person : ndarray of str, shape (person,)
    blocks : tuple of Block
        One per construct, in the order of the factors.
    layout : Layout
        Complete: columns and coefficients included.
    design : ndarray, shape (person, 1 + column)
        A one, then covariates: numbers z-scored, categories as centred indicators.
    observed : ndarray, shape (person, node)
        Values of explained observed variables, z-scored where their family is ``standardised``; NaN where
        missing and in the columns of constructs.
    parameters : tuple of Parameter
        Every free parameter, in sampling order.
    groups : Grouping, optional
        In a model with groups, what each of them has for itself.
    cells : Cells, optional
        Where paths of constructs change with an observed variable, the persons by its values.
    """

    model: ComposedModel
    person: np.ndarray
    blocks: tuple[Block, ...]
    layout: Layout
    design: np.ndarray
    observed: np.ndarray
    parameters: tuple[Parameter, ...]
    groups: Grouping | None = None
    cells: Cells | None = None
    method: Moved | None = None

    @property
    def undivided(self) -> bool:
        """Whether all persons share one model: no groups, no cells, no clusters."""
        return self.groups is None and self.cells is None and self.layout.levels is None

    @property
    def n_person(self) -> int:
        """Number of persons."""
        return len(self.person)

    @property
    def n_factor(self) -> int:
        """Number of constructs."""
        return len(self.blocks)


def bind(model: ComposedModel, survey: Survey) -> ModelData:
    """Collect the arrays of ``model`` from ``survey``.

    Raises
    ------
    DataError
        An item or variable is not in the survey, has no answer, or cannot be used by its family; a
        covariate is missing for someone (screen those persons out, so that they are counted).
    """
    if survey.n_person == 0:
        raise DataError("no person is left", hint="Look at the flow: which rule excluded them?")
    blocks = tuple(
        _block(construct, factor, model, survey) for factor, construct in enumerate(model.constructs)
    )
    fixed = {name for path in model.spec.paths for name in path.variables}
    columns, values = _columns(tuple(name for name in model.covariates if name in fixed), survey)
    layout, observed, values = _layout(model, survey, columns, values)
    _refuse_copies(layout, values, observed)
    parameters = list(model.structure.parameters(layout, model.table))
    for block in blocks:
        parameters += model.families[block.name].parameters(block, model.table)
    data = ModelData(model, survey.person, blocks, layout, values, observed, tuple(parameters))
    data = occasions(data)
    if model.spec.method is not None:
        moved, slopes = moved_by(model.spec.method, blocks, model.families, model.table)
        data = replace(data, method=moved, parameters=(*data.parameters, slopes))
    if model.spec.pooled:
        data = with_pooled(data, survey)
    if model.spec.clusters is not None:
        data = recluster(data, survey)
    if model.spec.groups is None:
        return split(data) if data.cells is None else data
    if layout.moderated.size:
        raise SpecError(
            "paths of constructs cannot change with a variable inside a model with groups",
            hint="In the groups all paths differ: leave the products out, or the groups.",
        )
    return regroup(data, survey)


def _refuse_copies(layout: Layout, design: np.ndarray, observed: np.ndarray) -> None:
    """Refuse an explained variable that is a straight-line copy of what explains it.

    Raises
    ------
    DataError
    """
    for c in layout.coefficients:
        family = layout.observed[c.target]
        held = c.from_column or layout.observed[c.source] is not None
        if family is None or not family.normal or not held:
            continue
        source = design[:, c.source] if c.from_column else observed[:, c.source]
        both = ~np.isnan(source) & ~np.isnan(observed[:, c.target])
        x, y = source[both], observed[both, c.target]
        if len(x) > 2 and x.std() > 0 and y.std() > 0 and abs(np.corrcoef(x, y)[0, 1]) > 1 - 1e-12:
            raise DataError(
                f"'{layout.nodes[c.target]}' is a copy of '{layout.term(c)}': their correlation is 1",
                hint="One variable under two names explains nothing: check the columns.",
            )


def local(data: ModelData, block: Block, p: dict[str, Any]) -> dict[str, Any]:
    """Role names of one block (``slope``) from global names (``slope_meaning``)."""
    family = data.model.families[block.name]
    return {role: p[f"{role}_{block.name}"] for role in family.roles}


def _block(construct: Construct, factor: int, model: ComposedModel, survey: Survey) -> Block:
    """The answers to one construct, checked against what its family can use."""
    family = model.families[construct.name]
    n_item = len(construct.items)
    if family.categorical:
        for item in construct.items:
            if item in survey.variables and item not in survey.instrument.items:
                raise a_number(construct, item)
        values = survey.item_codes(construct.items)
        labels = tuple(_labels(survey, item) for item in construct.items)
        sizes = [len(own) for own in labels]
        problem = unsuited(family, construct, sizes)
        if problem is not None:
            raise problem
        _check_answers(construct, values, values >= 0)
        return Block(construct, factor, values, max(sizes), labels, np.zeros(n_item), np.ones(n_item))
    columns = []
    for item in construct.items:
        columns.append(_answers(item, survey) if item in survey.instrument.items else _number(item, survey))
    raw = np.column_stack(columns)
    _check_answers(construct, raw, ~np.isnan(raw))
    centre, unit = np.nanmean(raw, axis=0), np.nanstd(raw, axis=0)
    return Block(construct, factor, (raw - centre) / unit, 0, (), centre, unit)


def _labels(survey: Survey, item: str) -> tuple[str, ...]:
    """Labels of the categories of an item, turned as its codes are."""
    module = survey.instrument.module_of(item)
    return module.labels[::-1] if module.turned(item) else module.labels


def _check_answers(construct: Construct, values: np.ndarray, given: np.ndarray) -> None:
    """Refuse items without answers or with a single one used, and fewer persons than items."""
    used = set()
    for j, item in enumerate(construct.items):
        seen = np.unique(values[given[:, j], j])
        if seen.size == 0:
            raise DataError(
                f"item '{item}' of '{construct.name}' has no answer at all",
                hint="Leave it out of the model, or check the column it is read from.",
            )
        if seen.size == 1 and values.dtype.kind == "f":
            raise DataError(
                f"item '{item}' of '{construct.name}' has the same value for everybody",
                hint="A constant says nothing about a factor: leave it out of the model.",
            )
        used.update(seen.tolist())
    if len(used) == 1:
        raise DataError(
            f"every answer to the items of '{construct.name}' is in one category",
            hint="Without variation nothing can be measured: check the coding of these columns.",
        )
    persons = int(given.any(axis=1).sum())
    # Items that are explained by their properties may be many: a rater and a task make one.
    if persons < len(construct.items) and construct.properties is None:
        raise DataError(
            f"'{construct.name}' has {len(construct.items)} items but only {persons} persons answered any",
            hint="Use fewer items, or collect more answers.",
        )


def _answers(item: str, survey: Survey) -> np.ndarray:
    """Codes of an item as numbers, NaN where there is no answer."""
    codes = survey.item_codes([item])[:, 0].astype(float)
    return np.where(codes < 0, np.nan, codes)


def _number(name: str, survey: Survey) -> np.ndarray:
    """Values of a numeric variable, as float with NaN."""
    variable = survey.variable(name)
    values = survey.variables[name].astype(float)
    if variable.kind == "category":
        values = np.where(values < 0, np.nan, values)
        if len(variable.levels) > 2:
            raise SpecError(
                f"'{name}' is a category with {len(variable.levels)} levels, which is no number",
                hint=f'If the levels are in order, say families={{"{name}": "ordinal"}} (or '
                f'mp.Observed("{name}", "ordinal")); a mediator or outcome without order is not available: '
                "recode it to two levels.",
            )
    return values


def _columns(covariates: tuple[str, ...], survey: Survey) -> tuple[tuple[Column, ...], np.ndarray]:
    """Design columns of the covariates, with the constant in front."""
    columns: list[Column] = []
    values = [np.ones(survey.n_person)]
    for name in covariates:
        variable = survey.variable(name)
        raw = survey.variables[name].astype(float)
        missing = (raw < 0) if variable.kind == "category" else np.isnan(raw)
        if missing.any():
            who = ", ".join(map(str, survey.person[missing][:5]))
            raise DataError(
                f"variable '{name}' is missing for {int(missing.sum())} persons ({who})",
                hint="Screen them out first: medpsy.screen(survey, require=[...]) counts them.",
            )
        if variable.kind == "category":
            # The reference is the first level that occurs.
            used = [level for level in range(len(variable.levels)) if (raw == level).any()]
            for level in used[1:]:
                text = variable.levels[level]
                indicator = (raw == level).astype(float)
                if not indicator.all():
                    columns.append(Column(f"{name}[{text}]", name, float(indicator.mean()), 1.0))
                    values.append(indicator - indicator.mean())
        else:
            unit = float(raw.std())
            if np.unique(raw).size < 2:
                raise DataError(
                    f"variable '{name}' has the same value for everybody",
                    hint="A constant cannot explain anything: leave it out of the model.",
                )
            columns.append(Column(name, name, float(raw.mean()), unit))
            values.append((raw - raw.mean()) / unit)
        if not any(column.variable == name for column in columns):
            raise DataError(
                f"everybody has the same level of '{name}'",
                hint="A constant cannot explain anything: leave it out of the model.",
            )
    return tuple(columns), np.column_stack(values)


def _layout(
    model: ComposedModel, survey: Survey, columns: tuple[Column, ...], values: np.ndarray
) -> tuple[Layout, np.ndarray, np.ndarray]:
    """Complete the layout with columns, products and coefficients, and z-score explained variables."""
    sketch = model.sketch
    observed, centre, unit, categories = _explained(model, survey)
    given = {
        name: (observed[:, i], float(centre[i]), float(unit[i]))
        for i, name in enumerate(sketch.nodes)
        if sketch.families[i] != "latent"
    }
    clusters = model.spec.clusters
    across = clusters.between if clusters is not None else ()
    # Split into cluster means and deviations, an observed variable has no product column either.
    latent = [n for n, f in zip(sketch.nodes, sketch.families, strict=True) if f == "latent" or across]
    more, products = product_columns(model.spec.paths, columns, values, given, latent)
    _check_products(more, products, survey)
    columns, values = (*columns, *more), np.column_stack([values, products])
    layout = replace(
        sketch,
        columns=columns,
        coefficients=_coefficients(model, columns, model.spec.paths, latent),
        between=_coefficients(model, columns, across, latent),
        unit=unit,
        centre=centre,
        categories=categories,
        covariance=np.atleast_2d(np.cov(values, rowvar=False, ddof=0)),
    )
    scaled = getattr(model.structure, "scaled", None)
    return (layout if scaled is None else scaled(layout)), observed, values


def _coefficients(
    model: ComposedModel, columns: tuple[Column, ...], paths: tuple[Path, ...], latent: list[str]
) -> tuple[Coefficient, ...]:
    """Every path, one coefficient for each level of a category; products with what is ``latent`` have no
    column."""
    place = {name: i for i, name in enumerate(model.sketch.nodes)}
    variable = {column.name: column.variable for column in columns}
    where: dict[frozenset[str], list[int]] = {}
    for c, column in enumerate(columns):
        names = column.factors or (column.name,)
        where.setdefault(frozenset(variable.get(name, name) for name in names), []).append(c)
    found: list[Coefficient] = []
    for path in paths:
        target, source = place[path.target], place.get(path.source, -1)
        if source >= 0 and not path.by:
            found.append(Coefficient(path.key, target, source, False, path.label, path))
        elif path.source in latent and set(path.by) & place.keys():
            times = tuple(place[name] for name in path.by)
            found.append(Coefficient(path.key, target, source, False, path.label, path, times=times))
        elif path.source in latent:
            for c in where[frozenset(path.by)]:
                name = f"{path.target}~{path.source}:{columns[c].name}"
                found.append(Coefficient(name, target, source, False, path.label, path, c + 1))
        else:
            for c in where[frozenset(path.variables)]:
                name = f"{path.target}~{columns[c].name}"
                found.append(Coefficient(name, target, c + 1, True, path.label, path))
    return tuple(found)


def _check_products(columns: tuple[Column, ...], values: np.ndarray, survey: Survey) -> None:
    """Refuse products that are missing for someone."""
    for column, value in zip(columns, values.T, strict=True):
        missing = np.isnan(value)
        if missing.any():
            who = ", ".join(map(str, survey.person[missing][:5]))
            raise DataError(
                f"the product '{column.variable}' is missing for {int(missing.sum())} persons ({who})",
                hint="Screen them out first: medpsy.screen(survey, require=[...]) counts them.",
            )


def _explained(
    model: ComposedModel, survey: Survey
) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[tuple[str, ...], ...]]:
    """Values (person, node), means, sds and categories of the explained observed variables."""
    sketch = model.sketch
    place = {name: i for i, name in enumerate(sketch.nodes)}
    observed = np.full((survey.n_person, len(sketch.nodes)), np.nan)
    centre, unit = np.zeros(len(sketch.nodes)), np.ones(len(sketch.nodes))
    categories: list[tuple[str, ...]] = [()] * len(sketch.nodes)
    for name, family in zip(sketch.nodes, sketch.observed, strict=True):
        if family is None:
            continue
        at = place[name]
        asked = model.spec.linear is not None and name in survey.instrument.items
        if has_categories(family):
            raw, categories[at], centre[at] = ordered(survey, name)
        else:
            raw = _answers(name, survey) if asked else _number(name, survey)
        if np.isnan(raw).all():
            raise DataError(
                f"explained variable '{name}' has no value at all", hint="Leave it out, or check its column."
            )
        family.check(name, raw)
        if np.unique(raw[~np.isnan(raw)]).size < 2:
            raise DataError(
                f"explained variable '{name}' has the same value for everybody",
                hint="There is nothing to explain: leave it out of the model.",
            )
        if family.standardised:
            centre[at], unit[at] = np.nanmean(raw), np.nanstd(raw)
            raw = (raw - centre[at]) / unit[at]
        observed[:, at] = raw
    return observed, centre, unit, tuple(categories)
