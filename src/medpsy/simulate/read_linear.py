"""The truth of a linear model, every number in raw units::

    [truth.paths]
    a = 0.3                       # by label, or by name: "y2~x1"; loadings as "f=~y1"
    [truth.variances]
    x1 = 2.0                      # residual variances, by label or variable; 1 unless said
    [truth.covariances]
    "x1~~y1" = 0.5                # by label or pair; 0 unless said
    [truth.means]
    x1 = 10                       # intercepts and means; 0 unless said

What the model fixes needs no mention. Loadings are 1 unless said, other paths 0. Ordinal items have tables
``[truth.items.NAME]`` as elsewhere, with shares as of a construct of mean 0 and sd 1; a construct at a later
occasion that has none is asked with the items of the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from medpsy.errors import nearest
from medpsy.model import ComposedModel
from medpsy.simulate.read_items import real
from medpsy.simulate.read_paths import _expand
from medpsy.simulate.spread import Spread
from medpsy.simulate.truth import Equation, Term
from medpsy.spec.model_spec import Covariance
from medpsy.spec.toml_table import TomlTable


def read_linear(
    top: TomlTable,
    model: ComposedModel,
    variables: Mapping[str, Spread],
    levels: Mapping[str, tuple[str, ...]],
) -> tuple[tuple[Equation, ...], np.ndarray]:
    """Equations in raw units, and the correlations of their residuals (node, node).

    Raises
    ------
    SpecError
        A name that is no number of the model, a fixed number said otherwise, an impossible covariance.
    """
    spec, nodes = model.spec, model.sketch.nodes
    assert spec.linear is not None
    names: dict[str, tuple[str | None, float | None, float]] = {}
    for path in spec.paths:
        key = f"{path.source}=~{path.target}" if path.measured else path.key
        names[key] = (path.label, path.value, 1.0 if path.measured else 0.0)
    paths = _numbers(top.table("paths"), names)
    own = {c.left: c for c in spec.covariances if c.left == c.right}
    fixed = {c.name: 1.0 for c in spec.constructs if spec.same_as(c.name) is None}
    latent = {*spec.latents, *(c.name for c in spec.constructs)}
    variance = _numbers(
        top.table("variances"),
        {n: (own[n].label, own[n].value, 1.0) if n in own else (None, fixed.get(n), 1.0) for n in nodes},
    )
    pairs = {f"{c.left}~~{c.right}": c for c in spec.covariances if c.left != c.right}
    covariance = _numbers(top.table("covariances"), {k: (c.label, c.value, 0.0) for k, c in pairs.items()})
    stated = {i.target: (i.label, i.value, 0.0) for i in spec.linear.intercepts}
    mean = _numbers(
        top.table("means"),
        {n: stated.get(n, (None, None, 0.0)) for n in nodes if n in stated or n not in latent},
    )
    for name, value in variance.items():
        if value < 0:
            raise top.table("variances").fail(
                f"the variance of '{name}' is {value:g}", "It is at least 0.", name
            )
    matrix = _correlations(top, pairs, variance, covariance, nodes)
    families = dict(zip(nodes, model.sketch.families, strict=True))
    equations = []
    for node in nodes:
        terms, shift = [], mean.get(node, 0.0)
        for path in (p for p in spec.paths if p.target == node):
            value = paths[f"{path.source}=~{path.target}" if path.measured else path.key]
            for term in _expand(path, model, levels):
                own_term, more = _raw(term, value, variables)
                terms.append(own_term)
                shift += more
        equations.append(
            Equation(node, families[node], tuple(terms), float(np.sqrt(variance[node])), shift=shift)
        )
    return tuple(equations), matrix


def _correlations(
    top: TomlTable,
    pairs: Mapping[str, Covariance],
    variance: Mapping[str, float],
    covariance: Mapping[str, float],
    nodes: tuple[str, ...],
) -> np.ndarray:
    """Correlations of the residuals (node, node)."""
    matrix = np.eye(len(nodes))
    for key, c in pairs.items():
        i, j = nodes.index(c.left), nodes.index(c.right)
        scale = np.sqrt(variance[c.left] * variance[c.right])
        matrix[i, j] = matrix[j, i] = covariance[key] / scale if scale > 0 else 0.0
    if np.linalg.eigvalsh(matrix).min() < 1e-9:
        raise top.table("covariances").fail(
            "no persons can have these covariances: they are too large for the variances",
            "Make them smaller.",
        )
    return matrix


def _raw(term: Term, value: float, variables: Mapping[str, Spread]) -> tuple[Term, float]:
    """A term with a coefficient in raw units; covariates are z-scored when persons are drawn."""
    if term.source not in variables or term.by:
        return replace(term, coefficient=value), 0.0
    spread = variables[term.source]
    if term.level is not None:
        share = float(spread.mass[spread.values == term.level].sum())
        return replace(term, coefficient=value), value * share
    return replace(term, coefficient=value * spread.sd), value * spread.mean


def _numbers(
    table: TomlTable, names: Mapping[str, tuple[str | None, float | None, float]]
) -> dict[str, float]:
    """Every number by name: said under its name or label, fixed by the model, or the default."""
    labels = {label for label, _, _ in names.values() if label}
    said: dict[str, float] = {}
    for key in table.values:
        name = key.replace(" ", "")
        if name not in names and name not in labels:
            raise table.fail(f"'{key}' is no number of the model", nearest(name, [*names, *labels]), key)
        said[name] = real(table, key)
    out = {}
    for name, (label, value, default) in names.items():
        given = said.get(name, said.get(label or "", default if value is None else value))
        if value is not None and given != value:
            raise table.fail(f"'{name}' is fixed to {value:g} by the model", "Leave it out here.", name)
        out[name] = given
    return out
