"""Quantities that follow from the parameters, draw by draw: thresholds, correlations, paths, effects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from medpsy.bind import ModelData, local
from medpsy.errors import SpecError
from medpsy.groups.linear import LinearGrouping
from medpsy.latent.base import system, total_sd
from medpsy.latent.cluster_moderation import raw_within
from medpsy.latent.clustered import ClusteredStructure
from medpsy.latent.linear import LinearStructure
from medpsy.latent.linear_raw import labelled
from medpsy.latent.pooled import effect_names
from medpsy.latent.products import level_dim, level_names, raw_map
from medpsy.ops import Numpy
from medpsy.spec.expressions import parse_expression


def derived(data: ModelData, values: dict[str, np.ndarray]) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """Reported quantities in raw units, as (dimensions, array with the leading axes of ``values``).

    ``threshold_<construct>`` on the logit scale; ``correlation`` of the constructs given the covariates;
    ``coefficient`` of every path (constructs in their residual sd given covariates, observed variables in
    their own units); every defined effect. In a model with groups also ``latent_mean`` and ``latent_sd``;
    what differs between the groups has the group in its name (``threshold_<construct>[<level>]``).
    """
    if data.groups is not None:
        return _by_group(data, values, derived)
    out: dict[str, tuple[tuple[str, ...], np.ndarray]] = {}
    for block in data.blocks:
        kept = data.model.families[block.name].kept(block, local(data, block, values), Numpy)
        out |= {f"{name}_{block.name}": more for name, more in kept.items()}
    for name, cut in data.layout.thresholds(values, Numpy).items():
        out[f"threshold_{name}"] = ((f"step_{name}",), cut)
    for parameter in data.parameters:
        if parameter.event == "correlation":
            chol = values[parameter.name]
            name = parameter.name.replace("correlation_chol", "correlation")
            out[name] = (parameter.dims, chol @ np.swapaxes(chol, -1, -2))
    more = getattr(data.model.structure, "derived", None)
    if more is not None:
        out |= more(values, data.layout, Numpy)
    coefficients = raw_coefficients(data, values)
    if coefficients is not None:
        out["coefficient"] = (("regression",), coefficients)
    labels = _correlation_labels(data, values)
    structure = data.model.structure
    if isinstance(structure, ClusteredStructure):
        more = structure.labels(values, data.layout)
        labels |= more
        out |= _of_levels(data, more)
    if hasattr(structure, "reported"):
        out |= structure.reported(values, data.layout)
    return out | definitions(data, coefficients, labels)


def standardised(
    data: ModelData, values: dict[str, np.ndarray]
) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """Coefficients and defined effects with constructs, outcomes and numbers in units of their total sd.

    The sd of a node is the model-implied one, covariates included. A category keeps its own units (the
    contrast of a level with the reference), so its coefficients are partially standardised.
    """
    if data.groups is not None:
        return _by_group(data, values, standardised)
    eq = data.model.structure.equations(values, data.layout, Numpy)
    mean, chol = system(eq, data.layout, Numpy)
    sd = total_sd(mean, chol, data.layout, values)
    internal = data.model.structure.coefficients(values, data.layout, Numpy)
    out: dict[str, tuple[tuple[str, ...], np.ndarray]] = {}
    if internal is None:
        return out
    scale = np.empty((*sd.shape[:-1], internal.shape[-1]))
    # As a source, a binary variable or a count has the sd of its values; its sd above is that of its link.
    values_sd = sd.copy()
    for i, one in enumerate(data.layout.observed):
        if one is not None and not one.linear:
            values_sd[..., i] = np.nanstd(data.observed[:, i])
    for i, c in enumerate(data.layout.coefficients):
        source = 1.0 if c.from_column else values_sd[..., [c.source, *c.times]].prod(-1)
        scale[..., i] = source / sd[..., c.target]
    labels = _correlation_labels(data, values)
    structure = data.model.structure
    if isinstance(structure, ClusteredStructure):
        scale = structure.level_scale(values, data.layout) if structure.split else scale
        more = structure.labels(values, data.layout, scale)
        labels |= more
        out |= _of_levels(data, more)
    out["coefficient"] = (("regression",), internal * scale)
    return out | definitions(data, internal * scale, labels)


def _of_levels(
    data: ModelData, labels: dict[str, np.ndarray]
) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """Labelled quantities of clusters with their dimensions: one over levels, where the label has several."""
    over = level_names(data.layout)
    return {
        name: ((level_dim(data.layout, over[name]),) if over.get(name) else (), value)
        for name, value in labels.items()
    }


def raw_coefficients(data: ModelData, values: dict[str, np.ndarray]) -> np.ndarray | None:
    """Coefficients (..., coefficient) in raw units of observed variables."""
    internal = data.model.structure.coefficients(values, data.layout, Numpy)
    if internal is None:
        return None
    if data.layout.between:
        return raw_within(internal, values, data.layout)
    first = data.parameters[0]
    lead = values[first.name].shape[: values[first.name].ndim - len(first.shape)]
    return np.broadcast_to(internal @ raw_map(data.layout).T, (*lead, internal.shape[-1]))


def definitions(
    data: ModelData, coefficients: np.ndarray | None, labels: dict[str, np.ndarray]
) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """Every defined quantity, evaluated draw by draw over the labels.

    A definition over the label of a category with several levels has one value per level.

    Raises
    ------
    SpecError
        A definition mixes the levels of two categories.
    """
    levels: dict[str, tuple[str, ...]] = (
        dict.fromkeys(labels, ()) | level_names(data.layout) | definition_levels(data)
    )
    known: dict[str, Any] = dict(labels)
    firsts: dict[str, str] = {}  # a label on several paths makes them equal
    if coefficients is not None:
        own: dict[str, list[int]] = {}
        for i, c in enumerate(data.layout.coefficients):
            if c.label and c.path.key == firsts.setdefault(c.label, c.path.key):
                own.setdefault(c.label, []).append(i)
        known |= {
            name: coefficients[..., at] if levels[name] else coefficients[..., at[0]]
            for name, at in own.items()
        }
    out: dict[str, tuple[tuple[str, ...], np.ndarray]] = {}
    for definition in data.model.spec.definitions:
        expression = parse_expression(definition.expression)
        if not set(expression.names) <= known.keys():
            continue  # over labels of several groups, of which this is one
        over = levels[definition.name]
        used = {
            name: known[name][..., None] if over and not levels[name] else known[name]
            for name in expression.names
        }
        known[definition.name] = np.asarray(expression.evaluate(used))
        dims = (level_dim(data.layout, over),) if over else ()
        out[definition.name] = (dims, known[definition.name])
    return out


def definition_levels(data: ModelData) -> dict[str, tuple[str, ...]]:
    """Columns that the values of every definition stand for: none for a single value."""
    held = level_names(data.layout)
    out: dict[str, tuple[str, ...]] = {}
    for definition in data.model.spec.definitions:
        names = parse_expression(definition.expression).names
        found = {over for name in names if (over := (held | out).get(name, ()))}
        if len(found) > 1:
            raise SpecError(
                f"'{definition.name}' mixes the levels of two categories: "
                f"{' and '.join(', '.join(over) for over in sorted(found))}",
                hint="Define the quantities separately, or recode one category to two levels.",
            )
        out[definition.name] = found.pop() if found else ()
    return out


def level_coords(data: ModelData) -> dict[str, list[str]]:
    """Coordinates of the dimensions over levels."""
    found = {over for over in definition_levels(data).values() if over}
    out = {level_dim(data.layout, over): list(over) for over in found}
    if data.groups is not None:
        out["construct"] = [block.name for block in data.blocks]
    if data.layout.pooled:
        out["level_effect_of"] = effect_names(data.layout)
    return out


def _by_group(
    data: ModelData,
    values: dict[str, np.ndarray],
    compute: Callable[..., dict[str, tuple[tuple[str, ...], np.ndarray]]],
) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """The quantities of every group; what is the same in all of them stands there once."""
    groups, first = data.groups, data.parameters[0]
    assert groups is not None
    lead = values[first.name].shape[: values[first.name].ndim - len(first.shape)]
    each = []
    for g, part in enumerate(groups.parts):
        own = groups.values(values, g)
        found = dict(compute(part, own))
        if compute is derived and data.blocks:
            for name in ("mean", "sd"):
                value = np.broadcast_to(own[f"group_{name}"], (*lead, data.n_factor))
                found[f"latent_{name}"] = (("construct",), value)
        each.append(found)
    out: dict[str, tuple[tuple[str, ...], np.ndarray]] = {}
    for name in dict.fromkeys(name for found in each for name in found):
        held = {lev: found[name] for lev, found in zip(groups.levels, each, strict=True) if name in found}
        (dims, value), *rest = held.values()
        if len(held) == len(each) and all(np.array_equal(one, value) for _, one in rest):
            out[name] = (dims, value)
        else:
            out |= {f"{name}[{level}]": one for level, one in held.items()}
    return out | (_over_groups(groups.whole, values, each) if isinstance(groups, LinearGrouping) else {})


def _over_groups(
    whole: ModelData, values: dict[str, np.ndarray], each: list[dict[str, tuple[tuple[str, ...], np.ndarray]]]
) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """Definitions over labels of several groups, which no group has by itself."""
    own = [found["coefficient"][1] for found in each if "coefficient" in found]
    coefficients = np.concatenate(own, axis=-1) if own else None
    found = definitions(whole, coefficients, _correlation_labels(whole, values))
    return {name: one for name, one in found.items() if any(name not in part for part in each)}


def _correlation_labels(
    data: ModelData, values: dict[str, np.ndarray], standard: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Correlations that carry a label (``left ~~ label*right``); of linear models what else carries one."""
    out = {}
    structure = data.model.structure
    if isinstance(structure, LinearStructure):
        return labelled(structure, values, data.layout, standard=standard)
    for covariance in data.model.spec.covariances:
        if covariance.label:
            eq = data.model.structure.equations(values, data.layout, Numpy)
            i, j = data.layout.nodes.index(covariance.left), data.layout.nodes.index(covariance.right)
            out[covariance.label] = (eq.z[..., i, :] * eq.z[..., j, :]).sum(-1)
    return out
