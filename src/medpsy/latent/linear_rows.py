"""The parameter table of a linear model: one row for every number, free, fixed or shared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from medpsy.spec.model_spec import Covariance, ModelSpec, Path
from medpsy.spec.parameters import ParameterRow
from medpsy.spec.priors import parse_prior

#: Priors on the internal scale, where observed variables are z-scored. A latent variable above constructs of
#: ordinal items is in the unit of what is left of the first of these, and may well be larger than that.
PRIORS = {
    "loading": "Normal(0.6, 0.6)",
    "first loading": "LogNormal(-0.5, 0.6)",
    "marked loading": "Normal(1, 1)",
    "path": "Normal(0, 0.5)",
    "covariate": "Normal(0, 1)",
    "intercept": "Normal(0, 1)",
    "residual_sd": "HalfNormal(1)",
    "construct_sd": "LogNormal(0, 0.5)",
    "latent_sd": "HalfNormal(2)",
    "residual_correlation": "Beta(2, 2)",
    "correlation": "LKJ(2)",
}


def linear_rows(spec: ModelSpec, layout: Any) -> list[ParameterRow]:
    """Loadings, paths, covariances, intercepts and variances, in this order."""
    seen: dict[tuple[str, str], str] = {}
    paths = [_settled(row, seen) for row in _paths(spec)]
    place = {name: i for i, name in enumerate(spec.latents)}
    paths.sort(key=lambda row: place[row.lhs] if row.op == "=~" else len(place))
    rest = [*_covariances(spec, layout), *_intercepts(spec, layout), *_variances(spec, layout)]
    return [*paths, *(_settled(row, seen) for row in rest)]


def _settled(row: ParameterRow, seen: dict[tuple[str, str], str]) -> ParameterRow:
    """A row whose label an earlier one of its kind has takes its value from there."""
    if row.label is None or not row.free:
        return row
    kind = "path" if row.target.startswith(("loading.", "path.")) else row.target.partition(".")[0]
    if (kind, row.label) in seen:
        return replace(row, prior=None, free=False, note=f"equal to {seen[kind, row.label]}")
    seen[kind, row.label] = f"{row.lhs} {row.op} {row.rhs}"
    return row


def _row(
    section: str, lhs: str, op: str, rhs: str, label: str | None, target: str, prior: str, value: float | None
) -> ParameterRow:
    if value is not None:
        note = f"fixed to {value:g}"
        return ParameterRow(section, lhs, op, rhs, label, target, None, free=False, note=note)
    return ParameterRow(section, lhs, op, rhs, label, target, parse_prior(prior))


def _paths(spec: ModelSpec) -> Iterator[ParameterRow]:
    marked = {p.source for p in spec.paths if p.measured and p.value}
    known = {*spec.latents, *(o.name for o in spec.observed), *(c.name for c in spec.constructs)}
    begun: set[str] = set()
    for path in spec.paths:
        if path.measured:
            first = path.source not in begun
            begun.add(path.source)
            kind = "marked loading" if path.source in marked else ("first loading" if first else "loading")
            place = ("Loadings", path.source, "=~", path.target, path.label, path_target(path))
        else:
            kind = "path" if path.source in known else "covariate"
            place = ("Paths", path.target, "~", path.term, path.label, path_target(path))
        yield _row(*place, PRIORS[kind], path.value)


def _covariances(spec: ModelSpec, layout: Any) -> Iterator[ParameterRow]:
    groups = [{layout.nodes[i] for i in clique} for clique in layout.cliques]
    for c in (c for c in spec.covariances if c.left != c.right):
        if not any({c.left, c.right} <= group for group in groups):
            target = f"residual_correlation.{c.left}~~{c.right}"
            place = ("Covariances", c.left, "~~", c.right, c.label, target)
            yield _row(*place, PRIORS["residual_correlation"], c.value)
    if groups:
        names = "; ".join(", ".join(sorted(group, key=layout.nodes.index)) for group in groups)
        yield _row("Covariances", names, "~~", names, None, "correlation", PRIORS["correlation"], None)


def _intercepts(spec: ModelSpec, layout: Any) -> Iterator[ParameterRow]:
    assert spec.linear is not None
    stated = {i.target: i for i in spec.linear.intercepts}
    for name in layout.nodes:
        one = stated.get(name)
        if one is None and name in {*spec.latents, *(c.name for c in spec.constructs)}:
            continue
        section = "Means" if name in spec.latents else "Intercepts"
        label, value = (one.label, one.value) if one is not None else (None, None)
        place = (section, name, "~", "1", label, f"intercept.{name}")
        yield _row(*place, PRIORS["intercept"], value)


def _variances(spec: ModelSpec, layout: Any) -> Iterator[ParameterRow]:
    own: dict[str, Covariance] = {c.left: c for c in spec.covariances if c.left == c.right}
    constructs = {c.name for c in spec.constructs}
    measured = {name for name in constructs if spec.same_as(name) is None}
    for name in layout.nodes:
        c = own.get(name)
        if c is None and name in measured:
            continue
        label, value = (c.label, c.value) if c is not None else (None, None)
        place = ("Variances", name, "~~", name, label, f"residual_sd.{name}")
        kind = "construct_sd" if name in constructs else _latent_kind(spec, name, constructs)
        yield _row(*place, PRIORS[kind], value)


def _latent_kind(spec: ModelSpec, name: str, constructs: set[str]) -> str:
    """Which prior the sd of a variable that is no construct has."""
    above = {p.target for p in spec.paths if p.measured and p.source == name} & constructs
    if not above:
        return "residual_sd"
    # A construct without a residual of its own is what its latent variables are: one of them stands for it.
    whole = {c.left for c in spec.covariances if c.left == c.right and c.value == 0}
    return "construct_sd" if len(above) == 1 and above <= whole else "latent_sd"


def path_target(path: Path) -> str:
    """What the prior of a coefficient is called."""
    return f"loading.{path.source}.{path.target}" if path.measured else f"path.{path.key}"
