"""1-1-1 mediation: exposure, mediator and outcome all vary within clusters.

Every variable is split into the mean of its cluster and the deviation from it (Preacher, Zyphur & Zhang,
2010, doi:10.1037/a0020141). Deviations: m ~ a*x, y ~ b*m + c*x, with slopes that differ between clusters and
correlate. Means: the same paths with their own labels. The average indirect effect within clusters is
a*b + cov(a_c, b_c) (Kenny, Korchmaros & Bolger, 2003, doi:10.1037/1082-989X.8.2.115), the one between
clusters a_between*b_between; a contextual effect is what the second has beyond the first. A moderator w of
the clusters makes the paths a + a_w*w within and a_between + a_between_w*w between them, and acts on cluster
means itself (Preacher, Zhang & Zyphur, 2016, doi:10.1037/met0000052).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

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
from medpsy.spec.model_spec import Definition, Design, Observed


class WithinBetween:
    """One exposure, one or more mediators beside each other, one outcome, all at the first level."""

    name = "1-1-1"

    def stages(self, design: Design) -> tuple[int, ...]:
        """One stage."""
        return stages_beside(design)

    def leveled(self, design: Design, latent: frozenset[str], clusters: Clusters) -> Expansion:
        """Paths on both levels, and their effects."""
        made, edges = within_paths(design, latent | {design.exposure})
        slopes = chosen_slopes(clusters, edges, edges)
        between = tuple(path for edge in edges for path in between_paths(edge, design))
        own = replace(clusters, slopes=slopes, between=between)
        exposure = () if design.exposure in latent else (Observed(design.exposure),)
        definitions = tuple(_effects(design, edges, own))
        return replace(made, definitions=definitions, observed=exposure, clusters=own)


def _effects(design: Design, edges: list[Edge], clusters: Clusters) -> Iterator[Definition]:
    """Effects on both levels; what changes with a moderator has an index instead of a value."""
    direct = next(e for e in edges if e.stage == "direct")
    found: dict[str, list[str]] = {"within": [], "between": []}
    several: list[Definition] = []
    for suffix, first, second in ways(edges, design):
        both = {(first.label, second.label), (second.label, first.label)}
        covariance = "".join(f" + {name}" for name, pair in clusters.covariances.items() if pair in both)
        for level, tail, more in (("within", "", covariance), ("between", "_between", "")):
            if same_for_all(design, first, second):
                found[level].append(f"indirect_{level}{suffix}")
                yield Definition(found[level][-1], f"{first.label}{tail}*{second.label}{tail}{more}")
            several += indices(f"index_{level}{suffix}", design, ((first, tail), (second, tail)))
    whole = len(found["within"]) == len(design.mediators)
    for level in found if whole else ():
        yield from summed(f"indirect_{level}", found[level])
    if same_for_all(design, direct):
        yield Definition("direct_within", direct.label)
        yield Definition("direct_between", f"{direct.label}_between")
        if whole:
            yield Definition("total_within", f"indirect_within + {direct.label}")
            yield Definition("total_between", f"indirect_between + {direct.label}_between")
    yield from several
    for edge in edges:
        yield from contextual(edge, design)
    if whole:
        yield Definition("contextual_indirect", "indirect_between - indirect_within")


DESIGN = WithinBetween()
