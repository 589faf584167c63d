"""What the designs about clusters share: paths within and between, and effects that keep them apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from medpsy.errors import SpecError
from medpsy.mediation.equations import Edge, Expansion, design_edges, expansion, plain
from medpsy.spec.clusters import Clusters
from medpsy.spec.model_spec import Definition, Design, Path


def stages_beside(design: Design) -> tuple[int, ...]:
    """One stage of one or more mediators.

    Raises
    ------
    SpecError
        No mediator, several exposures or outcomes, or moderators.
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
    if design.moderation:
        raise SpecError(
            f"the design '{design.kind}' has no moderators",
            hint="A variable of the clusters can be a covariate; moderation needs a design without levels.",
        )
    return (len(design.mediators),)


def within_paths(design: Design, latent: frozenset[str]) -> tuple[Expansion, list[Edge]]:
    """The ordinary expansion of the design, without its effects, and its labelled paths."""
    made = expansion(design, stages_beside(design), latent)
    return replace(made, definitions=()), design_edges(design, stages_beside(design))


def between_path(edge: Edge) -> Path:
    """The path between clusters beside one within them."""
    return Path(edge.target, edge.source, f"{edge.label}_between")


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
