"""From roles to equations: the one table of paths and estimands that all designs share.

Exposures x, mediators m in stages, outcomes y. Every mediator is explained by all exposures (labels a) and by
all mediators of earlier stages (d, target first), every outcome by all mediators (b) and all exposures (c).
A path that changes with w gets a product labelled ``<label>_<w>``. Effects are sums of products of labels
along the chains (Alwin & Hauser, 1975, doi:10.2307/2094445).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from medpsy.errors import SpecError
from medpsy.spec.clusters import Clusters
from medpsy.spec.model_spec import Covariance, Definition, Design, Observed, Path

#: Which paths a moderator can act on, in causal order.
STAGES = ("first", "between", "second", "direct")
#: Most chains whose indirect effects are contrasted pair by pair.
MOST_CONTRASTED = 4


@dataclass(frozen=True)
class Expansion:
    """What a design stands for; in designs about clusters also variables that nothing explains but whose
    cluster means count, and what differs between clusters."""

    paths: tuple[Path, ...]
    covariances: tuple[Covariance, ...]
    definitions: tuple[Definition, ...]
    observed: tuple[Observed, ...] = ()
    clusters: Clusters | None = None


@dataclass(frozen=True)
class Edge:
    """A labelled path of a design; ``stage`` is one of :data:`STAGES`."""

    source: str
    target: str
    label: str
    stage: str


def expansion(design: Design, stages: tuple[int, ...], latent: frozenset[str]) -> Expansion:
    """Paths, residual covariances and effects of a design whose mediators stand in ``stages``.

    Latent exposures and moderators are regressed on the observed ones and on covariates, so that they may
    correlate with them. Latent
    mediators of one stage have correlated residuals, and so have latent outcomes: nothing in the design
    says that what explains them is all they share.

    Raises
    ------
    SpecError
        A variable with two roles, a path that nothing stands for, names that would clash.
    """
    _check_roles(design, stages)
    edges = design_edges(design, stages)
    paths: list[Path] = []
    paths += _exogenous(design, latent)
    for target in (*design.mediators, *design.outcomes):
        paths += _equation([e for e in edges if e.target == target], design)
    covariances = [
        Covariance(left, right)
        for group in (*grouped(design.mediators, stages), design.outcomes)
        for left, right in combinations([name for name in group if name in latent], 2)
    ]
    definitions = tuple(_effects(design, edges))
    _check_names(paths, definitions)
    return Expansion(tuple(paths), tuple(covariances), definitions)


def _exogenous(design: Design, latent: frozenset[str]) -> list[Path]:
    """Latent exposures and moderators on the observed variables that they may correlate with."""
    beside = [name for name in design.moderators if name not in (*design.exposures, *design.mediators)]
    paths = []
    for name in dict.fromkeys((*design.exposures, *beside)):
        if name in latent:
            known = dict.fromkeys((*design.covariates, *beside))
            if name in beside:
                known |= dict.fromkeys(design.exposures)
            paths += [Path(name, other) for other in known if other != name and other not in latent]
    return [
        path for path in paths if not (path.target in design.exposures and path.source in design.exposures)
    ]


def grouped(mediators: tuple[str, ...], stages: tuple[int, ...]) -> list[tuple[str, ...]]:
    """The mediators, stage by stage."""
    out, at = [], 0
    for size in stages:
        out.append(mediators[at : at + size])
        at += size
    return out


def design_edges(design: Design, stages: tuple[int, ...]) -> list[Edge]:
    """Every labelled path between exposures, mediators and outcomes."""
    groups = grouped(design.mediators, stages)
    number = {name: str(i) for i, name in enumerate(design.mediators, 1)}
    if len(number) == 1:
        number = dict.fromkeys(number, "")
    gap = "_" if len(number) > 9 else ""
    of = {name: f"_{plain(name)}" if design.other_exposures else "" for name in design.exposures}
    on = {name: f"_{plain(name)}" if design.other_outcomes else "" for name in design.outcomes}
    edges = []
    for stage, group in enumerate(groups):
        for m in group:
            edges += [Edge(x, m, f"a{number[m]}{of[x]}", "first") for x in design.exposures]
            before = [u for earlier in groups[:stage] for u in earlier]
            edges += [Edge(u, m, f"d{number[m]}{gap}{number[u]}", "between") for u in before]
    for y in design.outcomes:
        edges += [Edge(m, y, f"b{number[m]}{on[y]}", "second") for m in design.mediators]
        edges += [Edge(x, y, f"c{of[x]}{on[y]}", "direct") for x in design.exposures]
    return edges


def moderators_of(edge: Edge, design: Design) -> list[tuple[str, ...]]:
    """Products that the path has: ``("w",)``, and ``("w", "z")`` for moderated moderation."""
    found: dict[tuple[str, ...], None] = {}
    for stage, *names in design.moderation:
        if stage == edge.stage and edge.source not in names:
            sizes = range(1, len(names) + 1)
            found |= dict.fromkeys(part for size in sizes for part in combinations(names, size))
    return list(found)


def plain(name: str) -> str:
    """A name as part of a label: letters, digits and underscores."""
    return re.sub(r"\W", "_", name)


def product_label(edge: Edge, by: tuple[str, ...]) -> str:
    """Label of the product of a path with its moderators."""
    return "_".join([edge.label, *map(plain, by)])


def chains(edges: list[Edge], source: str, target: str) -> Iterator[tuple[Edge, ...]]:
    """All ways along the edges from ``source`` to ``target``, short ones first."""
    ways: list[tuple[Edge, ...]] = [(e,) for e in edges if e.source == source]
    while ways:
        yield from (way for way in ways if way[-1].target == target)
        ways = [(*way, e) for way in ways for e in edges if e.source == way[-1].target]


def _equation(edges: list[Edge], design: Design) -> list[Path]:
    """The terms of one explained variable: paths, moderators, products, covariates."""
    target = edges[0].target
    terms: dict[frozenset[str], Path] = {}

    def add(path: Path) -> None:
        terms.setdefault(frozenset(path.variables), path)

    for edge in edges:
        add(Path(target, edge.source, edge.label))
    for edge in edges:
        for first, *rest in moderators_of(edge, design):
            add(Path(target, first, None, tuple(rest)))
    for edge in edges:
        for by in moderators_of(edge, design):
            add(Path(target, edge.source, product_label(edge, by), by))
    for name in design.covariates:
        add(Path(target, name))
    return list(terms.values())


def _effects(design: Design, edges: list[Edge]) -> Iterator[Definition]:
    """The estimands of every pair of exposure and outcome."""
    for x in design.exposures:
        for y in design.outcomes:
            ends = f"_{plain(x)}" if design.other_exposures else ""
            ends += f"_{plain(y)}" if design.other_outcomes else ""
            yield from _effects_between(design, edges, x, y, ends)


def _effects_between(design: Design, edges: list[Edge], x: str, y: str, ends: str) -> Iterator[Definition]:
    """Specific and total indirect effects, direct, total, contrasts, indices of moderated mediation."""
    moderated = {e.label for e in edges if moderators_of(e, design)}
    direct = next(e for e in edges if (e.source, e.target) == (x, y))
    ways = [way for way in chains(edges, x, y) if len(way) > 1]
    specific = []
    for way in ways:
        if not moderated & {e.label for e in way}:
            name = f"indirect_{_through(way)}{ends}" if len(ways) > 1 else f"indirect{ends}"
            specific.append(Definition(name, "*".join(e.label for e in way)))
    yield from specific
    whole = len(specific) == len(ways) and bool(ways)
    if whole and len(ways) > 1:
        yield Definition(f"indirect{ends}", " + ".join(d.name for d in specific))
    if direct.label not in moderated:
        if ways:
            yield Definition(f"direct{ends}", direct.label)
        if whole:
            # One chain is written out, so that the text reads as everybody writes it.
            head = specific[0].expression if len(ways) == 1 else f"indirect{ends}"
            yield Definition(f"total{ends}", f"{head} + {direct.label}")
    if 1 < len(specific) <= MOST_CONTRASTED:
        for one, other in combinations(specific, 2):
            pair = "_minus_".join(d.name.removeprefix("indirect_") for d in (one, other))
            yield Definition(f"contrast_{pair}", f"{one.name} - {other.name}")
    for way in ways:
        yield from _indices(design, way, ends, len(ways) > 1)


def _indices(design: Design, way: tuple[Edge, ...], ends: str, several: bool) -> Iterator[Definition]:
    """Indices of moderated mediation (Hayes, 2015, doi:10.1080/00273171.2014.962683): slopes of an indirect
    effect in its moderator, where exactly one path of the chain changes with it."""
    changing = [e for e in way if moderators_of(e, design)]
    if len(changing) != 1:
        return
    (edge,) = changing
    all_of = moderators_of(edge, design)
    largest = [by for by in all_of if not any(set(by) < set(other) for other in all_of)]
    for by in largest:
        name = "index" + (f"_{_through(way)}" if several else "")
        name += f"_{'_'.join(map(plain, by))}" if len(largest) > 1 else ""
        terms = (product_label(e, by) if e is edge else e.label for e in way)
        yield Definition(f"{name}{ends}", "*".join(terms))


def _through(way: tuple[Edge, ...]) -> str:
    return "_".join(plain(e.target) for e in way[:-1])


def _check_roles(design: Design, stages: tuple[int, ...]) -> None:
    names = [*design.exposures, *design.mediators, *design.outcomes, *design.covariates]
    for name in names:
        if names.count(name) > 1:
            raise SpecError(
                f"'{name}' has two roles in the mediation",
                hint="Exposure, mediator, outcome and covariates are different variables.",
            )
    usable = {edge.stage for edge in design_edges(design, stages)}
    for stage, *moderators in design.moderation:
        if stage not in usable:
            raise SpecError(
                f"the design '{design.kind}' has no '{stage}' paths that could change with "
                f"{', '.join(moderators)}",
                hint=f"It has: {', '.join(s for s in STAGES if s in usable)}.",
            )
        if not 1 <= len(moderators) <= 2 or len(set(moderators)) != len(moderators):
            raise SpecError(
                f"the '{stage}' paths cannot change with {len(moderators)} moderators at once",
                hint="Name one moderator, or two different ones whose product counts as well.",
            )
        for name in moderators:
            if name in (*design.mediators, *design.outcomes):
                raise SpecError(
                    f"'{name}' is mediator or outcome and cannot moderate the '{stage}' paths",
                    hint="A product of exposure and mediator is written with the exposure as the moderator "
                    "of the second stage.",
                )
            if stage in ("first", "direct") and design.exposures == (name,):
                raise SpecError(
                    f"the effect of '{name}' cannot change with '{name}' itself",
                    hint="Curved effects are not available.",
                )


def _check_names(paths: list[Path], definitions: tuple[Definition, ...]) -> None:
    names = [path.label for path in paths if path.label] + [d.name for d in definitions]
    for name in names:
        if names.count(name) > 1:
            raise SpecError(
                f"two paths or effects of the mediation would be called '{name}'",
                hint="Give the variables names that differ in letters and digits.",
            )
