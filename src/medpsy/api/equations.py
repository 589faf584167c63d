"""A composed model in formulas, in plain text."""

from __future__ import annotations

from medpsy.model import ComposedModel
from medpsy.spec.model_spec import Construct, Path


def equations(model: ComposedModel) -> list[str]:
    """Return measurement, structure, residuals and defined quantities, one formula a line.

    Constructs are in standard deviations (their residual sd is 1); slopes and thresholds in logits.
    """
    lines = [line for construct in model.spec.constructs for line in _measurement(model, construct)]
    families = dict(zip(model.sketch.nodes, model.sketch.observed, strict=True))
    latent, upper = model.structure.name == "correlated", _upper(model)
    for node in model.sketch.nodes:
        paths = [p for p in model.spec.paths if p.target == node and not set(p.variables) <= upper]
        pooled = [f"u[{one.variable}]" for one in model.spec.pooled if one.target == node]
        if not paths and not pooled:
            continue
        plain = (f"{_coefficient(path)} * {' * '.join(path.variables)}" for path in paths)
        terms = " + ".join((*plain, *pooled))
        family = families[node]
        if family is None:
            lines.append(f"{node} = {_mean(model, node)}{terms}{_left(model, node)}")
        else:
            lines.append(family.formula.format(name=node, terms=terms))
    lines += _residuals(model, latent)
    lines += [
        f"u[{one.variable}] of {one.target} ~ N(0, sd) with sum 0 over the levels of {one.variable}, sd ~ "
        f"{model.table.prior(f'level_sd.{one.target}.{one.variable}')}"
        for one in model.spec.pooled
    ]
    lines += _clusters(model)
    lines += [f"{d.name} = {d.expression}" for d in model.spec.definitions]
    return lines


def _clusters(model: ComposedModel) -> list[str]:
    """What clusters add to the formulas above."""
    clusters = model.spec.clusters
    if clusters is None:
        return []
    by, names = clusters.by, model.sketch.nodes
    lines = [f"{name} in {by} c: {name} + d_c, d_c ~ N(0, sd_{name})" for name in clusters.random]
    if not clusters.between:
        return [*lines, *(f"{n}: + u_{n}[{by}], u_{n} ~ N(0, sd_{n})" for n in names)]
    lines.insert(0, f"the formulas above are about deviations from the means of {by}; the means:")
    upper = _upper(model)
    for name in names:
        paths = [path for path in clusters.between if path.target == name]
        terms = "".join(
            f"{path.label or path.key} * {' * '.join((f'mean_{path.source}', *path.by))} + " for path in paths
        )
        own = (p for p in model.spec.paths if p.target == name and set(p.variables) <= upper)
        terms += "".join(f"{_coefficient(path)} * {' * '.join(path.variables)} + " for path in own)
        lines.append(f"mean_{name} = {terms}u_{name}[{by}], u_{name} ~ N(0, sd_{name})")
    return lines


def _upper(model: ComposedModel) -> set[str]:
    """Variables that belong to the clusters by what the model says of them, where means have paths."""
    clusters, design = model.spec.clusters, model.spec.design
    if clusters is None or not clusters.between:
        return set()
    named = {name for path in clusters.between for name in path.by}
    if design is not None:
        named |= {*design.moderators, *design.exposures}
    return named - set(model.sketch.nodes)


def _coefficient(path: Path) -> str:
    """The number, the label or the name of a coefficient."""
    return f"{path.value:g}" if path.value is not None else path.label or f"[{path.key}]"


def _measurement(model: ComposedModel, construct: Construct) -> list[str]:
    """One line for the items of a construct, or one for each specific factor and one for the rest."""
    text = model.families[construct.name].formula
    name, within = construct.name, {item for part in construct.specific for item in part.items}
    lines = []
    for part in construct.specific:
        both = f"({name} + testlet_sd * {part.name})" if construct.testlets else f"({name} + c * {part.name})"
        line = text.format(item="Y", name=both)
        lines.append(f"{line}   for Y = {_first_to_last(part.items)}")
    rest = tuple(item for item in construct.items if item not in within)
    if rest:
        lines.append(f"{text.format(item='Y', name=name)}   for Y = {_first_to_last(rest)}")
    if construct.properties is not None:
        terms = " + ".join(
            f"{prop} * effect" if construct.properties.is_number(prop) else f"effect of its {prop}"
            for prop in construct.properties.names
        )
        left = " + residual" if construct.properties.residual else ""
        lines.append(f"the location of an item of {name} = mean + {terms}{left}")
    home = {item: c.name for c in model.spec.constructs for item in c.items}
    for item in construct.cross:
        lines.append(f"the predictor of {item} adds cross_slope * {name} to slope * {home[item]}")
    if construct.specific:
        factors = f"{', '.join(part.name for part in construct.specific)} ~ N(0, 1), independent"
        lines.append(
            factors if construct.testlets else f"{factors}; c = specific_slope / slope, item by item"
        )
    return lines


def _first_to_last(items: tuple[str, ...]) -> str:
    return items[0] if len(items) == 1 else f"{items[0]}, ..., {items[-1]}"


def _residuals(model: ComposedModel, correlated: bool) -> list[str]:
    nodes = model.sketch.nodes
    latent = [c.name for c in model.constructs]
    prior = next((str(row.prior) for row in model.table if row.target == "correlation"), "")
    given = f", given {', '.join(model.covariates)}" if model.covariates else ""
    if model.spec.linear is not None:
        return _linear_residuals(model, prior)
    if model.spec.second_order is not None:
        higher = model.spec.second_order.name
        terms = f"loading * {higher} + sqrt(1 - loading^2) * e, e ~ N(0, 1)"
        explained = set(model.spec.targets)
        return [
            *(f"{f'e_{name}' if name in explained else name} = {terms}" for name in latent),
            f"{higher} ~ N(0, 1){given}",
        ]
    if correlated and len(latent) > 1:
        line = f"({', '.join(latent)}) ~ N(mean, R){given}, R ~ {prior}, every variance 1"
        paths = any(path.source in latent for path in model.spec.paths)
        return [line, "paths between constructs follow from R"] if paths else [line]
    lines = [
        f"residuals of ({', '.join(nodes[i] for i in clique)}) ~ N(0, R), R ~ {prior}, every variance 1"
        for clique in model.sketch.cliques
    ]
    joined = {nodes[i] for clique in model.sketch.cliques for i in clique}
    explained = set(model.spec.targets)
    alone = [name for name in latent if name not in joined]
    lines += [f"{f'e_{name}' if name in explained else name} ~ N(0, 1)" for name in alone]
    return lines


def _mean(model: ComposedModel, node: str) -> str:
    """The stated intercept of a latent variable of a linear model, as the first term."""
    stated = model.spec.linear.intercepts if model.spec.linear is not None else ()
    one = next((i for i in stated if i.target == node and i.value != 0), None)
    if one is None:
        return ""
    return f"{one.label or f'[{node}~1]' if one.value is None else f'{one.value:g}'} + "


def _left(model: ComposedModel, node: str) -> str:
    """The residual as the last term, where there is one."""
    none = model.spec.linear is not None and _variance(model, node) == "0"
    return "" if none else f" + e_{node}"


def _variance(model: ComposedModel, node: str) -> str:
    """The residual variance of a variable of a linear model: its value, label or name."""
    own = next((c for c in model.spec.covariances if c.left == c.right == node), None)
    if own is None:
        first = node in {c.name for c in model.spec.constructs} and model.spec.same_as(node) is None
        return "1" if first else f"[{node}~~{node}]"
    return f"{own.value:g}" if own.value is not None else own.label or f"[{node}~~{node}]"


def _linear_residuals(model: ComposedModel, prior: str) -> list[str]:
    """Of constructs and latent variables: variances free, fixed or shared, whole groups that correlate."""
    nodes, explained = model.sketch.nodes, set(model.spec.targets)
    names = {n: f"e_{n}" if n in explained else n for n in nodes}
    lines = []
    for clique in model.sketch.cliques:
        own = [nodes[i] for i in clique]
        sizes = ", ".join(_variance(model, name) for name in own)
        lines.append(
            f"({', '.join(names[n] for n in own)}) ~ N(0, R), variances ({sizes}), correlations {prior}"
        )
    joined = {nodes[i] for clique in model.sketch.cliques for i in clique}
    latent = [n for n, f in zip(nodes, model.sketch.observed, strict=True) if f is None and n not in joined]
    sizes_of = {name: _variance(model, name) for name in latent}
    return [*lines, *(f"{names[n]} ~ N(0, {size})" for n, size in sizes_of.items() if size != "0")]
