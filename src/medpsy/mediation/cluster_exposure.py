"""2-1-1 mediation: the exposure belongs to the cluster, mediator and outcome to the person.

What is the same for all persons of a cluster can only change the means of clusters, so that the indirect
effect is one between clusters: a*b_between, with b_between the path from the mediator's cluster mean to the
outcome's (Preacher, Zyphur & Zhang, 2010, doi:10.1037/a0020141). The path b within clusters is no part of it;
b_between - b is the contextual effect of the mediator. A moderator w of the clusters (or the exposure itself,
of the second path) makes a + a_w*w of the first path, and b + b_w*w within, b_between + b_between_w*w between
clusters of the second.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from medpsy.errors import SpecError
from medpsy.mediation.equations import Edge, Expansion
from medpsy.mediation.levels import (
    between_paths,
    chosen_slopes,
    contextual,
    indices,
    same_for_all,
    stages_beside,
    summed,
    ways,
    within_paths,
)
from medpsy.spec.clusters import Clusters
from medpsy.spec.model_spec import Definition, Design


class ClusterExposure:
    """An observed exposure of the clusters, one or more mediators beside each other, one outcome."""

    name = "2-1-1"

    def stages(self, design: Design) -> tuple[int, ...]:
        """One stage."""
        return stages_beside(design)

    def leveled(self, design: Design, latent: frozenset[str], clusters: Clusters) -> Expansion:
        """Paths on both levels, and their effects."""
        if design.exposure in latent:
            raise SpecError(
                f"'{design.exposure}' is a construct of persons, not a variable of clusters",
                hint="Use the design '1-1-1', which splits it into cluster mean and deviation.",
            )
        made, edges = within_paths(design, latent)
        second = [edge for edge in edges if edge.stage == "second"]
        slopes = chosen_slopes(clusters, edges, [])
        between = tuple(path for edge in second for path in between_paths(edge, design))
        own = replace(clusters, slopes=slopes, between=between)
        return replace(made, definitions=tuple(_effects(design, edges)), clusters=own)


def _effects(design: Design, edges: list[Edge]) -> Iterator[Definition]:
    """Effects between clusters; what changes with a moderator has an index instead of a value."""
    direct = next(e for e in edges if e.stage == "direct")
    parts: list[str] = []
    several: list[Definition] = []
    for suffix, first, second in ways(edges, design):
        if same_for_all(design, first, second):
            parts.append(f"indirect_between{suffix}")
            yield Definition(parts[-1], f"{first.label}*{second.label}_between")
        several += indices(f"index_between{suffix}", design, ((first, ""), (second, "_between")))
    whole = len(parts) == len(design.mediators)
    if whole:
        yield from summed("indirect_between", parts)
    if same_for_all(design, direct):
        yield Definition("direct_between", direct.label)
        if whole:
            yield Definition("total_between", f"indirect_between + {direct.label}")
    yield from several
    for _, _, second in ways(edges, design):
        yield from contextual(second, design)


DESIGN = ClusterExposure()
