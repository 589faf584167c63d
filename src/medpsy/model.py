"""From a specification to a composed model: names bound to objects, the parameter table complete, no data."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np

from medpsy.errors import SpecError
from medpsy.families.base import ResponseFamily, family
from medpsy.families.crossed import Crossed
from medpsy.families.explained import Explained, has_locations
from medpsy.families.method import method_rows
from medpsy.families.nested import Nested
from medpsy.groups.anchored import check_anchored
from medpsy.groups.linear import group_cliques, linear_group_rows
from medpsy.groups.occasions import occasion_rows, settled
from medpsy.groups.rows import group_rows
from medpsy.latent.base import LatentStructure, Layout, structure
from medpsy.latent.clustered import ClusteredStructure
from medpsy.latent.linear import LinearStructure
from medpsy.latent.linear_plan import whole_groups
from medpsy.latent.pooled import PooledStructure
from medpsy.latent.second_order import SecondOrderStructure
from medpsy.mediation.base import written_out
from medpsy.mediation.nonlinear import check_nonlinear
from medpsy.mediation.waves import from_waves
from medpsy.spec import graph
from medpsy.spec.check import check
from medpsy.spec.clusters import decomposed
from medpsy.spec.latent_products import check_latent_products
from medpsy.spec.linear import completed
from medpsy.spec.linear_groups import require_groups
from medpsy.spec.model_spec import Construct, ModelSpec, Observed, Path
from medpsy.spec.parameters import ParameterRow, ParameterTable
from medpsy.spec.presets import HIERARCHICAL, PRESET, with_priors
from medpsy.spec.second_order import with_loadings


@dataclass(frozen=True)
class ComposedModel:
    """A specification with its parts.

    Parameters
    ----------
    spec : ModelSpec
        Expanded: paths and definitions written out, the design recognised where there is one.
    structure : LatentStructure
        Fills the equations of the constructs.
    families : dict of str to ResponseFamily
        By construct.
    table : ParameterTable
        Every parameter with its prior.
    sketch : Layout
        Nodes, families and cliques; columns are known only with data.
    covariates : tuple of str
        Variables that are never explained.
    """

    spec: ModelSpec
    structure: LatentStructure
    families: dict[str, ResponseFamily]
    table: ParameterTable
    sketch: Layout
    covariates: tuple[str, ...]

    @property
    def constructs(self) -> tuple[Construct, ...]:
        """Constructs in topological order, the order of the factors."""
        by_name = {c.name: c for c in self.spec.constructs}
        return tuple(by_name[n] for n in self.sketch.nodes if n in by_name)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the specification and its priors, first 16 hex digits."""
        spec = replace(self.spec, name="", note="")
        text = repr((spec, [(row.target, str(row.prior)) for row in self.table.rows]))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def compose(spec: ModelSpec) -> ComposedModel:
    """Expand, check and complete a specification.

    Raises
    ------
    SpecError
        An item in two constructs, an undefined name, a cycle, an unknown family or design, a prior on a
        parameter that does not exist, an expression over unknown labels.
    """
    spec = settled(from_waves(spec))
    spec = completed(spec) if spec.linear is not None else written_out(spec)
    check(spec)
    require_groups(spec)
    check_anchored(spec)
    spec = with_loadings(spec)
    order = (*decomposed(spec), *graph.order(spec))
    spec = _canonical(spec, order)
    nodes = _nodes(spec, order)
    _refuse_redundant(spec)
    check_latent_products(spec)
    check_nonlinear(spec)
    covariates = graph.covariates(spec)
    kind = _structure_name(spec, nodes)
    sketch = _sketch(spec, nodes, kind)
    parts: dict[str, ResponseFamily] = {c.name: _measured(c, spec) for c in spec.constructs}
    rows: list[ParameterRow] = []
    chosen = _structure(kind, spec)
    if spec.pooled:
        chosen = PooledStructure(chosen, spec.pooled)
    if spec.clusters is not None:
        chosen = ClusteredStructure(chosen, spec.clusters)
    separate = spec.groups is not None and spec.linear is not None
    rows += linear_group_rows(spec, sketch) if separate else chosen.rows(spec.paths, sketch)
    for construct in spec.constructs:
        own = parts[construct.name]
        rows += occasion_rows(own.rows(construct), construct, own, spec)
    if spec.method is not None:
        rows += method_rows(spec.method, spec.constructs)
    if spec.groups is not None and not separate:
        rows += group_rows(spec.groups, spec.constructs, parts)
    for definition in spec.definitions:
        rows.append(
            ParameterRow(
                "Defined",
                definition.name,
                ":=",
                definition.expression,
                None,
                f"defined.{definition.name}",
                None,
                free=False,
            )
        )
    table = with_priors(ParameterTable(tuple(rows)), dict(spec.priors))
    return ComposedModel(spec, chosen, parts, table, sketch, covariates)


def _structure(kind: str, spec: ModelSpec) -> LatentStructure:
    """The structure, told what it needs of the specification."""
    if kind == "linear":
        return LinearStructure(spec)
    return SecondOrderStructure(spec.second_order) if kind == "second_order" else structure(kind)


def _measured(construct: Construct, spec: ModelSpec) -> ResponseFamily:
    """The family of a construct, aware of specific factors, cross-loadings and properties of its items."""
    chosen = family(construct.family)
    pairs = [(item, c.name) for item in construct.items for c in spec.constructs if item in c.cross]
    pooled = dict(spec.priors).get(PRESET) == HIERARCHICAL
    if pooled and construct.properties is None:
        # Constructs that the preset is not about keep their defaults, unless it is about none.
        suited = [c.name for c in spec.constructs if has_locations(family(c.family))]
        pooled = not suited or construct.name in suited
    if pooled or construct.properties is not None:
        others = {"specific factors": construct.specific, "cross-loadings": pairs}
        what = "a hierarchical prior over its items" if construct.properties is None else "item properties"
        for name, present in others.items():
            if present:
                raise SpecError(
                    f"'{construct.name}' has {what} and {name}, which cannot be combined",
                    hint="Leave one of the two out.",
                )
        return Explained(chosen, construct, pooled)
    if construct.specific:
        return Nested(chosen, construct)
    return Crossed(chosen, construct, tuple(pairs)) if pairs else chosen


def _canonical(spec: ModelSpec, order: tuple[str, ...]) -> ModelSpec:
    """Fill in observed variables that are explained, and put paths in topological order."""
    latent = {c.name for c in spec.constructs}
    declared = {o.name: o for o in spec.observed}
    means = decomposed(spec)
    explained = {*spec.targets, *means}
    targets = [name for name in order if name not in latent and name in explained]
    known = {*latent, *spec.latents}
    for name in declared:
        if name not in targets and spec.linear is None and name not in decomposed(spec):
            raise SpecError(
                f"observed variable '{name}' has a family but nothing explains it",
                hint="Only explained variables need one; covariates are taken as they are.",
            )
    targets = [*(name for name in declared if name not in targets), *targets]
    observed = tuple(declared.get(name, Observed(name)) for name in targets if name not in known)
    place = {name: i for i, name in enumerate(order)}
    first = {c.name: i for i, c in enumerate(spec.constructs)}

    def rank(path: Path) -> tuple[int, int, int, int, str]:
        structural = path.source in latent or path.source in targets
        labelled = path.label is None
        structural = structural or path.source in spec.latents
        return (place[path.target], len(path.by), int(not structural), int(labelled), path.key)

    labelled = {(p.target, p.source) for p in spec.paths if p.label and not p.by}

    def ordered(path: Path) -> Path:
        """Factors of a product: constructs, explained variables, sources of labelled paths, others."""
        first, *rest = sorted(
            path.variables,
            key=lambda n: (n not in latent, place.get(n, len(place)), (path.target, n) not in labelled, n),
        )
        return replace(path, source=first, by=tuple(rest))

    paths = tuple(sorted(map(ordered, spec.paths), key=rank))
    clusters = spec.clusters
    if clusters is not None:
        clusters = replace(clusters, between=tuple(map(ordered, clusters.between)))
    covariances = tuple(sorted(spec.covariances, key=lambda c: (first.get(c.left, 0), first.get(c.right, 0))))
    pooled = tuple(sorted(spec.pooled, key=lambda one: (place[one.target], one.variable)))
    return replace(
        spec, observed=observed, paths=paths, covariances=covariances, pooled=pooled, clusters=clusters
    )


def _nodes(spec: ModelSpec, order: tuple[str, ...]) -> tuple[str, ...]:
    """Constructs and explained variables: exogenous constructs first, then topological order."""
    means = decomposed(spec)
    explained = [name for name in order if name in means or name in spec.targets]
    latent = [c.name for c in spec.constructs]
    structural = {p.target for p in spec.paths if p.source in latent or p.source in explained}
    first = [name for name in latent if name not in structural]
    if spec.linear is not None:
        first = [n for n in (*latent, *spec.latents, *(o.name for o in spec.observed)) if n not in explained]
    return (*first, *(name for name in explained if name not in first))


def _structure_name(spec: ModelSpec, nodes: tuple[str, ...]) -> str:
    """``correlated`` for measurement models and saturated latent path models, else ``path``."""
    if spec.linear is not None:
        return "linear"
    if spec.second_order:
        return "path" if spec.latents else "second_order"
    if spec.observed or (spec.clusters is not None and (spec.clusters.between or spec.clusters.random)):
        return "path"
    between = {(p.target, p.source) for p in spec.paths if p.source in nodes}
    if any(p.by and set(p.variables) & set(nodes) for p in spec.paths):
        return "path"
    if not between:
        return "correlated"
    size = len(nodes)
    saturated = len(between) == size * (size - 1) // 2
    covariates = [
        {p.term for p in spec.paths if p.target == node and p.source not in nodes} for node in nodes
    ]
    # Groups have spreads of their own, in which paths from correlations would not be comparable.
    own_prior = (
        spec.groups is not None
        or bool(spec.pooled)
        or any(target.startswith("path") for target, _ in spec.priors)
    )
    same = all(c == covariates[0] for c in covariates)
    return "correlated" if saturated and same and not own_prior and not spec.covariances else "path"


def _refuse_redundant(spec: ModelSpec) -> None:
    """More paths and covariances among the constructs than they have correlations to explain."""
    latent = {c.name for c in spec.constructs}
    between = [f"{p.target} ~ {p.source}" for p in spec.paths if {p.target, p.source} <= latent and not p.by]
    between += [f"{c.left} ~~ {c.right}" for c in spec.covariances]
    pairs = len(latent) * (len(latent) - 1) // 2
    if len(between) > pairs and spec.linear is None:
        raise SpecError(
            f"{len(between)} coefficients ({', '.join(between)}) for {pairs} correlation(s) among constructs",
            hint="Leave out a path or a covariance: the answers cannot tell them apart.",
        )


def _sketch(spec: ModelSpec, nodes: tuple[str, ...], kind: str) -> Layout:
    """Nodes, families and cliques of freely correlated residuals."""
    latent = {c.name for c in spec.constructs}
    observed = {o.name: o.family for o in spec.observed}
    families = tuple(observed.get(n, "latent") for n in nodes)
    return Layout(
        nodes=nodes,
        latent=np.array([n in latent for n in nodes]),
        families=families,
        columns=(),
        coefficients=(),
        cliques=_cliques(spec, nodes, kind),
        unit=np.ones(len(nodes)),
        covariance=np.zeros((1, 1)),
        centre=np.zeros(len(nodes)),
    )


def _cliques(spec: ModelSpec, nodes: tuple[str, ...], kind: str) -> tuple[tuple[int, ...], ...]:
    """Sets of constructs whose residuals correlate: all of them, or the exogenous ones and declared pairs."""
    place = {name: i for i, name in enumerate(nodes)}
    if kind == "linear":
        return whole_groups(spec, place) if spec.groups is None else group_cliques(spec, nodes)[0]
    if kind == "second_order":
        return ()
    if kind == "correlated":
        return (tuple(range(len(nodes))),) if len(nodes) > 1 else ()
    latent = [c.name for c in spec.constructs]
    explained = {p.target for p in spec.paths if p.source in nodes}
    groups = [{name for name in latent if name not in explained}]
    for covariance in spec.covariances:
        pair = {covariance.left, covariance.right}
        touching = [group for group in groups if group & pair]
        groups = [group for group in groups if not group & pair] + [pair.union(*touching)]
    pairs = {frozenset((c.left, c.right)) for c in spec.covariances}
    for group in groups:
        free = [n for n in group if n in explained]
        missing = [
            (u, v)
            for u in sorted(group)
            for v in sorted(group)
            if u < v and (u in free or v in free) and frozenset((u, v)) not in pairs
        ]
        if missing:
            u, v = missing[0]
            raise SpecError(
                f"the residual covariances among {', '.join(sorted(group))} leave out {u} ~~ {v}",
                hint="Residual correlations are free for whole groups of constructs: add that pair.",
            )
    return tuple(tuple(sorted(place[n] for n in group)) for group in groups if len(group) > 1)
