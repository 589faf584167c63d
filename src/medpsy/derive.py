"""Quantities that follow from the parameters, draw by draw: thresholds, correlations, paths, effects."""

from __future__ import annotations

from typing import Any

import numpy as np

from medpsy.bind import ModelData, local
from medpsy.latent.base import system, total_sd
from medpsy.ops import Numpy
from medpsy.spec.expressions import parse_expression


def derived(data: ModelData, values: dict[str, np.ndarray]) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """Reported quantities in raw units, as (dimensions, array with the leading axes of ``values``).

    ``threshold_<construct>`` on the logit scale; ``correlation`` of the constructs given the covariates;
    ``coefficient`` of every path (constructs in their residual sd given covariates, observed variables in
    their own units); every defined effect.
    """
    out: dict[str, tuple[tuple[str, ...], np.ndarray]] = {}
    for block in data.blocks:
        more = data.model.families[block.name].derived(local(data, block, values), Numpy)
        if "threshold" in more:
            out[f"threshold_{block.name}"] = ((block.item_dim, f"step_{block.name}"), more["threshold"])
    for parameter in data.parameters:
        if parameter.event == "correlation":
            chol = values[parameter.name]
            name = parameter.name.replace("correlation_chol", "correlation")
            out[name] = (parameter.dims, chol @ np.swapaxes(chol, -1, -2))
    coefficients = raw_coefficients(data, values)
    if coefficients is not None:
        out["coefficient"] = (("regression",), coefficients)
    for name, value in definitions(data, coefficients, _correlation_labels(data, values)).items():
        out[name] = ((), value)
    return out


def standardised(
    data: ModelData, values: dict[str, np.ndarray]
) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """Coefficients and defined effects with constructs, outcomes and numbers in units of their total sd.

    The sd of a node is the model-implied one, covariates included. A category keeps its own units (the
    contrast of a level with the reference), so its coefficients are partially standardised.
    """
    eq = data.model.structure.equations(values, data.layout, Numpy)
    mean, chol = system(eq, data.layout, Numpy)
    sd = total_sd(mean, chol, data.layout)
    internal = data.model.structure.coefficients(values, data.layout, Numpy)
    out: dict[str, tuple[tuple[str, ...], np.ndarray]] = {}
    if internal is None:
        return out
    scaled = np.empty_like(internal)
    for i, c in enumerate(data.layout.coefficients):
        source = 1.0 if c.from_column else sd[..., c.source]
        scaled[..., i] = internal[..., i] * source / sd[..., c.target]
    out["coefficient"] = (("regression",), scaled)
    for name, value in definitions(data, scaled, _correlation_labels(data, values)).items():
        out[name] = ((), value)
    return out


def raw_coefficients(data: ModelData, values: dict[str, np.ndarray]) -> np.ndarray | None:
    """Coefficients (..., coefficient) in raw units of observed variables."""
    internal = data.model.structure.coefficients(values, data.layout, Numpy)
    if internal is None:
        return None
    unit = data.layout.unit
    factor = []
    for c in data.layout.coefficients:
        source = data.layout.columns[c.source - 1].unit if c.from_column else unit[c.source]
        factor.append(unit[c.target] / source)
    return internal * np.array(factor)


def definitions(
    data: ModelData, coefficients: np.ndarray | None, labels: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Every defined quantity, evaluated draw by draw over the labels."""
    known: dict[str, Any] = dict(labels)
    if coefficients is not None:
        known |= {c.label: coefficients[..., i] for i, c in enumerate(data.layout.coefficients) if c.label}
    out = {}
    for definition in data.model.spec.definitions:
        expression = parse_expression(definition.expression)
        out[definition.name] = known[definition.name] = np.asarray(expression.evaluate(known))
    return out


def _correlation_labels(data: ModelData, values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Correlations that carry a label (``left ~~ label*right``)."""
    out = {}
    for covariance in data.model.spec.covariances:
        if covariance.label:
            eq = data.model.structure.equations(values, data.layout, Numpy)
            i, j = data.layout.nodes.index(covariance.left), data.layout.nodes.index(covariance.right)
            out[covariance.label] = (eq.z[..., i, :] * eq.z[..., j, :]).sum(-1)
    return out
