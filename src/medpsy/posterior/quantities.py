"""Which effects a model has, in words, and where their draws stand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from medpsy.bind import ModelData
from medpsy.spec.expressions import Binary, Name, Negative, Node, Number, parse_expression


@dataclass(frozen=True)
class Quantity:
    """One effect.

    Parameters
    ----------
    name : str
        Of the definition, the label of the path, or ``left ~~ right``.
    text : str
        The variables it runs through, or the expression that defines it.
    kind : str
        ``"definition"``, ``"path"`` or ``"correlation"``.
    variable, index : str, tuple of int
        Where its draws stand in the posterior.
    degree : float
        How many paths its smallest term multiplies: 1 for a path, a total effect or a correlation, 2 for a
        product of two paths; NaN where the arithmetic leaves the scale of effects (a ratio, a function).
    """

    name: str
    text: str
    kind: str
    variable: str
    index: tuple[int, ...] = ()
    degree: float = 1.0

    def draws(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """Its draws, shape of the leading axes of ``values``."""
        cell: Any = (..., *self.index)
        return values[self.variable][cell]

    def rope(self, half_width: float) -> float:
        """Half-width of its region of practical equivalence: doubled for anything but a product."""
        if math.isnan(self.degree):
            return math.nan
        return half_width if self.degree >= 2 else 2 * half_width


def quantities(data: ModelData) -> list[Quantity]:
    """Definitions, labelled paths and correlations; all correlations if there are no paths between nodes."""
    layout, spec = data.layout, data.model.spec
    labels = {c.label: 1.0 for c in layout.coefficients if c.label}
    labels |= {c.label: 1.0 for c in spec.covariances if c.label}
    chains = _chains(data)
    out, degrees = [], dict(labels)
    for definition in spec.definitions:
        expression = parse_expression(definition.expression)
        degree = _degree(expression.root, degrees)
        degrees[definition.name] = degree
        text = chains.get(definition.name, definition.expression)
        degree = degree if degree > 0 else math.nan
        out.append(Quantity(definition.name, text, "definition", definition.name, (), degree))
    for i, c in enumerate(layout.coefficients):
        if c.label:
            source = layout.columns[c.source - 1].name if c.from_column else layout.nodes[c.source]
            text = f"{source} -> {layout.nodes[c.target]}"
            out.append(Quantity(c.label, text, "path", "coefficient", (i,)))
    return out + _correlations(data, everything=not layout.inner.size)


def correlation_cells(data: ModelData) -> list[tuple[str, str, str, tuple[int, int]]]:
    """Free correlations below the diagonal: left, right, variable of the posterior, cell."""
    out = []
    for parameter in data.parameters:
        if parameter.event == "correlation":
            names = parameter.coords[0]
            variable = parameter.name.replace("correlation_chol", "correlation")
            pairs = [(i, j) for i in range(len(names)) for j in range(i + 1, len(names))]
            out += [(names[i], names[j], variable, (j, i)) for i, j in pairs]
    return out


def _correlations(data: ModelData, everything: bool) -> list[Quantity]:
    given = f", given {', '.join(data.model.covariates)}" if data.model.covariates else ""
    labels = {frozenset((c.left, c.right)): c.label for c in data.model.spec.covariances if c.label}
    out = []
    for left, right, variable, cell in correlation_cells(data):
        label = labels.get(frozenset((left, right)))
        if everything or label:
            name = label or f"{left} ~~ {right}"
            out.append(Quantity(name, f"{left} with {right}{given}", "correlation", variable, cell))
    return out


def _chains(data: ModelData) -> dict[str, str]:
    """Texts of the effects of a recognised mediation."""
    design = data.model.spec.design
    if design is None or design.kind != "simple":
        return {}
    x, m, y = design.exposure, design.mediators[0], design.outcome
    return {"indirect": f"{x} -> {m} -> {y}", "direct": f"{x} -> {y}", "total": f"{x} -> {y}"}


def _degree(node: Node, known: Mapping[str, float]) -> float:
    """Smallest number of labels multiplied in any term of a sum of products; NaN for other arithmetic."""
    match node:
        case Number():
            return 0.0
        case Name(name):
            return known[name]
        case Negative(operand):
            return _degree(operand, known)
        case Binary("+" | "-", left, right):
            return float(np.minimum(_degree(left, known), _degree(right, known)))
        case Binary("*", left, right):
            return _degree(left, known) + _degree(right, known)
    return math.nan
