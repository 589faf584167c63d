"""Indirect effects cluster by cluster, under partial pooling: values, contrasts and ranks.

Where slopes differ, cluster g has a_g = a + u_g and b_g = b + v_g with (u, v) normal over clusters, so that
indirect effects of clusters with few persons are drawn towards the others, and comparisons need no further
correction (Gelman, Hill & Yajima, 2012, doi:10.1080/19345747.2011.618213).
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from medpsy.errors import SpecError
from medpsy.mediation.base import design as part_of
from medpsy.mediation.equations import chains, design_edges
from medpsy.posterior.clusters import clustered
from medpsy.posterior.draws import group
from medpsy.posterior.intervals import bounds, check_interval, direction
from medpsy.result import Result

if TYPE_CHECKING:
    import pandas as pd

#: Most clusters of which all pairs are compared.
MOST_COMPARED = 12


def cluster_draws(result: Result) -> dict[str, np.ndarray]:
    """Draws (draw, cluster) of the indirect effect along every chain, within clusters, in raw units.

    Raises
    ------
    SpecError
        The model has no clusters, is no mediation, or no slope differs between clusters.
    """
    structure, _ = clustered(result)
    design = result.model.spec.design
    if design is None or not design.mediators:
        raise SpecError("the model is no recognised mediation", hint="Write it as mp.Mediation(...).")
    if design.kind == "2-1-1":
        raise SpecError(
            "an exposure of the clusters has no effect within them: its indirect effect is one between means",
            hint="effects() has it; simple_slopes() has the path from mediator to outcome within clusters.",
        )
    if not structure.clusters.random:
        raise SpecError(
            "every cluster has the same effects: no slope differs between them",
            hint='Let slopes differ: Mediation(..., clusters="school", slopes=["a", "b"]).',
        )
    values, layout = group(result), result.data.layout
    own = values["effect_of_cluster"]
    paths = _within_clusters(result, values["coefficient"])

    def slope(label: str) -> np.ndarray:
        """One path in every cluster (chain, draw, cluster)."""
        average = paths[label]
        named = {c.label: c.path.key for c in layout.coefficients if c.label}
        for k, name in enumerate(structure.clusters.random):
            if name in (label, named[label]):
                return average + own[..., k]
        return average + np.zeros(own.shape[:-1])

    edges = design_edges(design, part_of(design.kind).stages(design))
    out: dict[str, np.ndarray] = {}
    for x in design.exposures:
        for y in design.outcomes:
            for way in (way for way in chains(edges, x, y) if len(way) > 1):
                name = " -> ".join([way[0].source, *(edge.target for edge in way)])
                product = np.prod([slope(edge.label) for edge in way], axis=0)
                out[name] = product.reshape(-1, product.shape[-1])
    return out


def _within_clusters(result: Result, coefficients: np.ndarray) -> dict[str, np.ndarray]:
    """Labelled paths (chain, draw, cluster) without what differs at random: what a moderator of the clusters
    makes of them there, or (chain, draw, 1)."""
    layout = result.data.layout
    assert layout.levels is not None
    out = {c.label: coefficients[..., [i]] for i, c in enumerate(layout.coefficients) if c.label}
    first = np.unique(layout.levels.index, return_index=True)[1]
    raw = {c.name: c.centre + c.unit * result.data.design[first, k + 1] for k, c in enumerate(layout.columns)}
    label = {(c.target, layout.factors_of(c)): c.label for c in layout.coefficients}
    for i, c in enumerate(layout.coefficients):
        name, *by = layout.factors_of(c)
        base = label.get((c.target, (name,)))
        if c.by is not None and base:
            out[base] = out[base] + coefficients[..., [i]] * np.prod([raw[one] for one in by], axis=0)
    return out


def by_cluster(result: Result, *, interval: float = 0.95) -> pd.DataFrame:
    """Indirect effect of every cluster, and where it may rank.

    Returns
    -------
    DataFrame
        text, cluster, n, mean, sd, lower, upper, p_direction, rank (posterior mean, 1 the largest),
        rank_lower, rank_upper (interval of the rank), p_largest.

    Raises
    ------
    SpecError
        As :func:`cluster_draws`, or an impossible interval.
    """
    import pandas as pd

    check_interval(interval, "eti")
    _, levels = clustered(result)
    rows = []
    for text, draws in cluster_draws(result).items():
        ranks = 1 + (-draws).argsort(axis=1).argsort(axis=1)
        for g, label in enumerate(levels.labels):
            own, rank = draws[:, g], ranks[:, g]
            low, high = (int(x) for x in bounds(rank.astype(float), interval))
            rows.append(
                (
                    text, label, int(levels.size[g]), own.mean(), own.std(ddof=1), *bounds(own, interval),
                    float(direction(own)), rank.mean(), low, high, (rank == 1).mean(),
                )
            )  # fmt: skip
    names = [
        "text", "cluster", "n", "mean", "sd", "lower", "upper", "p_direction", "rank", "rank_lower",
        "rank_upper", "p_largest",
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=names)
    frame.attrs |= {"interval": interval, "by": levels.by}
    return frame


def cluster_contrasts(result: Result, *, interval: float = 0.95) -> pd.DataFrame:
    """Differences of the indirect effects of all pairs of clusters.

    Returns
    -------
    DataFrame
        text, cluster, minus, mean, sd, lower, upper, p_direction.

    Raises
    ------
    SpecError
        As :func:`cluster_draws`, or more than twelve clusters, of which all pairs would be a lottery.
    """
    import pandas as pd

    check_interval(interval, "eti")
    _, levels = clustered(result)
    if len(levels.labels) > MOST_COMPARED:
        raise SpecError(
            f"{len(levels.labels)} clusters have {len(levels.labels) * (len(levels.labels) - 1) // 2} pairs",
            hint="Look at the ranks in by_cluster(), or at the sd over clusters in clusters().",
        )
    rows = []
    for text, draws in cluster_draws(result).items():
        for g, h in combinations(range(len(levels.labels)), 2):
            gap = draws[:, g] - draws[:, h]
            rows.append(
                (
                    text, levels.labels[g], levels.labels[h], gap.mean(), gap.std(ddof=1),
                    *bounds(gap, interval), float(direction(gap)),
                )
            )  # fmt: skip
    names = ["text", "cluster", "minus", "mean", "sd", "lower", "upper", "p_direction"]
    frame = pd.DataFrame(rows, columns=names)
    frame.attrs |= {"interval": interval, "by": levels.by}
    return frame
