"""What the designs about clusters share: paths within and between, and effects that keep them apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from medpsy.errors import SpecError
from medpsy.mediation.equations import (
    Edge,
    Expansion,
    design_edges,
    expansion,
    moderators_of,
    plain,
    product_label,
)
from medpsy.spec.clusters import Clusters
from medpsy.spec.model_spec import Definition, Design, Path


def stages_beside(design: Design) -> tuple[int, ...]:
    """One stage of one or more mediators.

    Raises
    ------
    SpecError
        No mediator, several exposures or outcomes.
    """
    if not design.mediators:
        raise SpecError(
            f"the design '{design.kind}' takes one mediator or more", hint="Name at least one mediator."
        )
    for what, names in (("exposure", design.exposures), ("outcome", design.outcomes)):
        if len(names) > 1:
            raise SpecError(
                f"the design '{design.kind}' takes one {what}, not {len(names)}",
                hint=f"Fit one model for each {what}, or write the model with levels as text.",
            )
    return (len(design.mediators),)


def within_paths(design: Design, latent: frozenset[str]) -> tuple[Expansion, list[Edge]]:
    """The ordinary expansion of the design, without its effects, and its labelled paths.

    Raises
    ------
    SpecError
        A moderator that varies within clusters by what it is, or roles that do not fit.
    """
    for name in design.moderators:
        if name in latent:
            raise SpecError(
                f"'{name}' varies within clusters and cannot moderate a path of the design '{design.kind}'",
                hint="Its moderators belong to the clusters: name an observed variable that is the same for "
                "all persons of a cluster, such as a cluster mean.",
            )
    made = expansion(design, stages_beside(design), latent)
    return replace(made, definitions=()), design_edges(design, stages_beside(design))


def between_paths(edge: Edge, design: Design) -> Iterator[Path]:
    """The path between clusters beside one within them, and its products with the moderators."""
    yield Path(edge.target, edge.source, f"{edge.label}_between")
    for by in moderators_of(edge, design):
        yield Path(edge.target, edge.source, changed(edge, by, "_between"), by)


def changed(edge: Edge, by: tuple[str, ...], level: str = "") -> str:
    """Label of the product of a path with moderators, on one level."""
    return product_label(replace(edge, label=edge.label + level), by)


def same_for_all(design: Design, *edges: Edge) -> bool:
    """Whether none of the paths changes with a moderator."""
    return not any(moderators_of(edge, design) for edge in edges)


def indices(name: str, design: Design, way: tuple[tuple[Edge, str], ...]) -> Iterator[Definition]:
    """Indices of moderated mediation on one level (Hayes, 2015, doi:10.1080/00273171.2014.962683).

    ``way`` holds every path with what its label has on that level. The slope of an indirect effect in its
    moderator, where exactly one path changes; a covariance of random slopes is the same at all values.
    """
    changing = [edge for edge, _ in way if moderators_of(edge, design)]
    if len(changing) != 1:
        return
    every = moderators_of(changing[0], design)
    largest = [by for by in every if not any(set(by) < set(other) for other in every)]
    for by in largest:
        own = name + (f"_{'_'.join(map(plain, by))}" if len(largest) > 1 else "")
        terms = (changed(e, by, tail) if e is changing[0] else e.label + tail for e, tail in way)
        yield Definition(own, "*".join(terms))


def contextual(edge: Edge, design: Design) -> Iterator[Definition]:
    """What the path between clusters has beyond the one within, or its products with moderators."""
    if same_for_all(design, edge):
        yield Definition(f"contextual_{edge.label}", f"{edge.label}_between - {edge.label}")
    for by in moderators_of(edge, design):
        label = changed(edge, by)
        yield Definition(f"contextual_{label}", f"{changed(edge, by, '_between')} - {label}")


def chosen_slopes(clusters: Clusters, edges: list[Edge], usual: list[Edge]) -> tuple[str, ...]:
    """Labels of the random slopes: those asked for by label or by ``y~x``, or the usual ones."""
    if clusters.slopes is None:
        return tuple(edge.label for edge in usual)
    called = {f"{edge.target}~{edge.source}": edge.label for edge in edges}
    return tuple(called.get(name, name) for name in clusters.slopes)


def ways(edges: list[Edge], design: Design) -> Iterator[tuple[str, Edge, Edge]]:
    """Suffix, first and second path of the way through every mediator."""
    for name in design.mediators:
        first = next(e for e in edges if e.target == name)
        second = next(e for e in edges if e.source == name)
        yield (f"_{plain(name)}" if len(design.mediators) > 1 else ""), first, second


def summed(name: str, parts: list[str]) -> Iterator[Definition]:
    """The sum over several mediators, where there are several."""
    if len(parts) > 1:
        yield Definition(name, " + ".join(parts))


def averaged(made: Expansion, clusters: Clusters) -> Expansion:
    """The expansion with products of random slopes replaced by their averages over clusters.

    For normal slopes the average of a product is the sum over all ways to pair some of them: a*b becomes
    a*b + cov_a_b, and a*d*b has one covariance times the third slope for each of three pairs (Isserlis, 1918,
    doi:10.2307/2331932; Kenny, Korchmaros & Bolger, 2003, doi:10.1037/1082-989X.8.2.115).
    """
    called = {p.label: p.label if p.label in clusters.random else p.key for p in made.paths if p.label}
    pairs = {frozenset(pair): name for name, pair in clusters.covariances.items()}
    definitions = []
    for definition in made.definitions:
        terms = []
        for term in definition.expression.split(" + "):
            labels = term.split("*")
            known = all(label in called for label in labels) and len(labels) > 1
            terms += list(_pairings(labels, called, pairs)) if known else [term]
        definitions.append(replace(definition, expression=" + ".join(terms)))
    return replace(made, definitions=tuple(definitions))


def _pairings(labels: list[str], called: dict[str, str], pairs: dict[frozenset[str], str]) -> Iterator[str]:
    """The product itself, then every product in which covariances stand for pairs of its factors."""
    if not labels:
        yield ""
        return
    first, *rest = labels
    for more in _pairings(rest, called, pairs):
        yield f"{first}*{more}".rstrip("*")
    for i, other in enumerate(rest):
        name = pairs.get(frozenset((called[first], called[other])))
        if name is not None:
            for more in _pairings(rest[:i] + rest[i + 1 :], called, pairs):
                yield f"{more}*{name}".lstrip("*")
