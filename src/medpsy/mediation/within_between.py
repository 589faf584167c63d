"""1-1-1 mediation: exposure, mediator and outcome all vary within clusters.

Every variable is split into the mean of its cluster and the deviation from it (Preacher, Zyphur & Zhang,
2010, doi:10.1037/a0020141). Deviations: m ~ a*x, y ~ b*m + c*x, with slopes that differ between clusters and
correlate. Means: the same paths with their own labels. The average indirect effect within clusters is
a*b + cov(a_c, b_c) (Kenny, Korchmaros & Bolger, 2003, doi:10.1037/1082-989X.8.2.115), the one between
clusters a_between*b_between; a contextual effect is what the second has beyond the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from medpsy.mediation.equations import Edge, Expansion
from medpsy.mediation.levels import between_path, chosen_slopes, stages_beside, summed, ways, within_paths
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
        own = replace(clusters, slopes=slopes, between=tuple(map(between_path, edges)))
        exposure = () if design.exposure in latent else (Observed(design.exposure),)
        definitions = tuple(_effects(design, edges, own))
        return replace(made, definitions=definitions, observed=exposure, clusters=own)


def _effects(design: Design, edges: list[Edge], clusters: Clusters) -> Iterator[Definition]:
    direct = next(e.label for e in edges if e.stage == "direct")
    within, between = [], []
    for suffix, first, second in ways(edges, design):
        product = f"{first.label}*{second.label}"
        both = {(first.label, second.label), (second.label, first.label)}
        product += "".join(f" + {name}" for name, pair in clusters.covariances.items() if pair in both)
        yield Definition(f"indirect_within{suffix}", product)
        product = f"{first.label}_between*{second.label}_between"
        yield Definition(f"indirect_between{suffix}", product)
        within.append(f"indirect_within{suffix}")
        between.append(f"indirect_between{suffix}")
    yield from summed("indirect_within", within)
    yield from summed("indirect_between", between)
    yield Definition("direct_within", direct)
    yield Definition("direct_between", f"{direct}_between")
    yield Definition("total_within", f"indirect_within + {direct}")
    yield Definition("total_between", f"indirect_between + {direct}_between")
    for edge in edges:
        yield Definition(f"contextual_{edge.label}", f"{edge.label}_between - {edge.label}")
    yield Definition("contextual_indirect", "indirect_between - indirect_within")


DESIGN = WithinBetween()
