"""Which effects a model has, in words, and where their draws stand."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from medpsy.bind import ModelData
from medpsy.derive import definition_levels
from medpsy.latent.base import Coefficient
from medpsy.latent.products import level_names
from medpsy.spec.expressions import Binary, Name, Negative, Node, Number, parse_expression
from medpsy.spec.model_spec import Definition, Path


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
        product of two paths; NaN where the arithmetic leaves the scale of effects (a ratio, a function), and
        for a covariance.
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
    """Definitions, labelled paths and correlations; all correlations if there are no paths between nodes.

    A path that a definition repeats (``direct := c``) has no row of its own.
    """
    layout, spec = data.layout, data.model.spec
    # Definitions of one group may be over labels of others.
    degrees: defaultdict[str, float] = defaultdict(lambda: 1.0)
    degrees |= {c.label: 1.0 for c in layout.coefficients if c.label}
    degrees |= {c.label: 1.0 for c in spec.covariances if c.label}
    degrees |= {i.label: 1.0 for i in (spec.linear.intercepts if spec.linear is not None else ()) if i.label}
    leveled = _between(data)
    degrees |= {quantity.variable: quantity.degree for quantity in leveled}
    chains, over = _chains(data), definition_levels(data)
    out, repeated = [], set()
    for definition in spec.definitions:
        expression = parse_expression(definition.expression)
        degree = _degree(expression.root, degrees)
        degrees[definition.name] = degree
        if isinstance(expression.root, Name):
            repeated.add(expression.root.name)
        text = chains.get(definition.name, definition.expression)
        degree = degree if degree > 0 and not _across(definition, leveled) else math.nan
        for k, level in enumerate(over[definition.name] or ("",)):
            name = level_name(definition.name, level)
            index = (k,) if level else ()
            out.append(Quantity(name, _at(text, level), "definition", definition.name, index, degree))
    levels = level_names(layout)
    firsts: dict[str, str] = {}  # a label on several paths makes them equal: the first stands for all
    for i, c in enumerate(layout.coefficients):
        if c.label and c.label not in repeated and firsts.setdefault(c.label, c.path.key) == c.path.key:
            text = f"{layout.term(c)} -> {layout.nodes[c.target]}{_where(data, c)}"
            several = [name for name in levels[c.label] if name in layout.factors_of(c)]
            name = level_name(c.label, several[0]) if several else c.label
            out.append(Quantity(name, text, "path", "coefficient", (i,)))
    out += [quantity for quantity in leveled if quantity.name not in repeated]
    return out + _correlations(data, everything=not layout.inner.size and not spec.definitions)


def _between(data: ModelData) -> list[Quantity]:
    """Labelled paths between clusters, and covariances of slopes that differ between them."""
    clusters = data.model.spec.clusters
    if clusters is None:
        return []
    out, layout, over = [], data.layout, level_names(data.layout)
    for c in layout.between:
        if c.label:
            text = f"{layout.term(c)} -> {layout.nodes[c.target]}, means of {clusters.by}{_where(data, c)}"
            several = [name for name in over[c.label] if name in layout.factors_of(c)]
            name = level_name(c.label, several[0]) if several else c.label
            index = (over[c.label].index(several[0]),) if several else ()
            out.append(Quantity(name, text, "path", c.label, index))
    for name, (first, second) in clusters.covariances.items():
        text = f"covariance of {first} and {second} over {clusters.by}"
        out.append(Quantity(name, text, "correlation", name, degree=math.nan))
    return out


def _across(definition: Definition, leveled: list[Quantity]) -> bool:
    """Whether a difference is one of effects on two levels, which have no common standardised scale."""
    return bool(leveled) and definition.name.startswith("contextual_")


def _where(data: ModelData, c: Coefficient) -> str:
    """At which values of its moderators a path is what its coefficient says."""
    if c.path.by:
        return ""
    paths = [p for p in data.model.spec.paths if p.target == c.path.target and c.path.source in p.variables]
    others = dict.fromkeys(name for p in paths for name in p.variables if name != c.path.source)
    categories = {column.variable for column in data.layout.columns if "[" in column.name}
    said = [f"{name}: reference" if name in categories else f"{name} = 0" for name in others]
    return f" ({', '.join(said)})" if said else ""


def level_name(name: str, column: str) -> str:
    """Name of one value of a quantity over levels: ``indirect[woman]`` for the column ``gender[woman]``."""
    return f"{name}[{column.partition('[')[2] or f'{column}]'}" if column else name


def _at(text: str, level: str) -> str:
    """A chain with the compared level in the place of the category."""
    first, arrow, rest = text.partition(" -> ")
    return f"{level}{arrow}{rest}" if level.startswith(f"{first}[") else text


def correlation_cells(data: ModelData) -> list[tuple[str, str, str, tuple[int, int]]]:
    """Free correlations below the diagonal: left, right, variable of the posterior, cell."""
    out = []
    for parameter in data.parameters:
        if parameter.event == "correlation" and not parameter.name.startswith("cluster_"):
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
    """Texts of the effects of a recognised mediation: the variables that they run through."""
    design = data.model.spec.design
    if design is None:
        return {}
    out = {}
    sources = {path.label: path for path in data.model.spec.paths if path.label and not path.by}
    known = {definition.name: definition for definition in data.model.spec.definitions}
    for name, definition in known.items():
        leveled = _way_on_level(data, name)
        if leveled:
            out[name] = leveled
            continue
        head, *_ = name.split("_")
        # With random slopes covariances follow the product.
        first, *rest = definition.expression.split(" + ")
        averaged = rest and all("cov_" in term for term in rest)
        labels = (first if averaged else definition.expression).split("*")
        if head in ("indirect", "direct") and all(label in sources for label in labels):
            way = [sources[label] for label in labels]
            out[name] = " -> ".join([way[0].source, *(path.target for path in way)])
        elif head == "total" or head == "indirect":
            last = definition.expression.split(" + ")[-1]
            path = sources.get(last) or _first_and_last(known.get(last), sources)
            if path is not None:
                out[name] = f"{path.source} -> {path.target}"
    return out


def _way_on_level(data: ModelData, name: str) -> str:
    """The variables that an effect within or between clusters runs through."""
    design, clusters = data.model.spec.design, data.model.spec.clusters
    if design is None or clusters is None or design.kind not in ("1-1-1", "2-1-1"):
        return ""
    head, _, rest = name.partition("_")
    level, _, through = rest.partition("_")
    if head not in ("indirect", "direct", "total") or level not in ("within", "between"):
        return ""
    middle = [through] if through else list(design.mediators) if len(design.mediators) == 1 else []
    way = [design.exposure, *(middle if head == "indirect" else []), design.outcome]
    return f"{' -> '.join(way)}, {'deviations within' if level == 'within' else 'means of'} {clusters.by}"


def _first_and_last(definition: Definition | None, sources: Mapping[str, Path]) -> Path | None:
    """From the first variable to the last of a chain."""
    if definition is None:
        return None
    labels = definition.expression.split("*")
    if not all(label in sources for label in labels):
        return None
    return Path(sources[labels[-1]].target, sources[labels[0]].source)


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
