"""A composed model in formulas, in plain text."""

from __future__ import annotations

from medpsy.model import ComposedModel
from medpsy.spec.model_spec import Construct

_MEASURED = {
    "graded": "P({item} >= k) = logistic(slope * {name} - threshold_k)",
    "bernoulli": "P({item} = 1) = logistic(slope * {name} - threshold)",
    "gaussian": "{item} = intercept + loading * {name} + residual_sd * e, e ~ N(0, 1)",
}


def equations(model: ComposedModel) -> list[str]:
    """Return measurement, structure, residuals and defined quantities, one formula a line.

    Constructs are in standard deviations (their residual sd is 1); slopes and thresholds in logits.
    """
    lines = [_measurement(construct) for construct in model.spec.constructs]
    families = dict(zip(model.sketch.nodes, model.sketch.families, strict=True))
    latent = model.structure.name == "correlated"
    for node in model.sketch.nodes:
        paths = [path for path in model.spec.paths if path.target == node]
        if not paths:
            continue
        terms = " + ".join(f"{path.label or f'[{path.key}]'} * {path.source}" for path in paths)
        if families[node] == "bernoulli":
            lines.append(f"P({node} = 1) = logistic(intercept + {terms})")
        elif families[node] == "gaussian":
            lines.append(f"{node} = intercept + {terms} + residual_sd * e, e ~ N(0, 1)")
        else:
            lines.append(f"{node} = {terms} + e_{node}")
    lines += _residuals(model, latent)
    lines += [f"{d.name} = {d.expression}" for d in model.spec.definitions]
    return lines


def _measurement(construct: Construct) -> str:
    text = _MEASURED.get(construct.family, "{item} ~ " + construct.family + "({name})")
    items = construct.items
    which = items[0] if len(items) == 1 else f"{items[0]}, ..., {items[-1]}"
    return f"{text.format(item='Y', name=construct.name)}   for Y = {which}"


def _residuals(model: ComposedModel, correlated: bool) -> list[str]:
    nodes = model.sketch.nodes
    latent = [c.name for c in model.constructs]
    prior = next((str(row.prior) for row in model.table if row.target == "correlation"), "")
    given = f", given {', '.join(model.covariates)}" if model.covariates else ""
    if correlated and len(latent) > 1:
        line = f"({', '.join(latent)}) ~ N(mean, R){given}, R ~ {prior}, every variance 1"
        paths = any(path.source in latent for path in model.spec.paths)
        return [line, "paths between constructs follow from R"] if paths else [line]
    lines = [
        f"residuals of ({', '.join(nodes[i] for i in clique)}) ~ N(0, R), R ~ {prior}, every variance 1"
        for clique in model.sketch.cliques
    ]
    joined = {nodes[i] for clique in model.sketch.cliques for i in clique}
    explained = {path.target for path in model.spec.paths}
    alone = [name for name in latent if name not in joined]
    lines += [f"{f'e_{name}' if name in explained else name} ~ N(0, 1)" for name in alone]
    return lines
