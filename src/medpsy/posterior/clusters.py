"""How much lies between clusters: sds, intraclass correlations, design effects, and what the prior said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from medpsy.errors import SpecError
from medpsy.latent.base import Layout
from medpsy.latent.clustered import ClusteredStructure
from medpsy.latent.levels import Levels
from medpsy.posterior.intervals import bounds, check_interval
from medpsy.result import Result
from medpsy.simulate.prior_draws import draw_prior

if TYPE_CHECKING:
    import pandas as pd

#: With fewer clusters the prior of an sd over them has a say.
FEW_CLUSTERS = 20
#: Overlap of prior and posterior from which on the answers have hardly moved the prior.
MUCH_OVERLAP = 0.7
COLUMNS = (
    "effect", "kind", "clusters", "size", "sd", "lower", "upper", "prior_overlap", "icc", "icc_lower",
    "icc_upper", "design_effect", "effective_n", "remark",
)  # fmt: skip


def clustered(result: Result) -> tuple[ClusteredStructure, Levels]:
    """Structure and clusters of a fit.

    Raises
    ------
    SpecError
        The model has no clusters.
    """
    structure, levels = result.model.structure, result.data.layout.levels
    if not isinstance(structure, ClusteredStructure) or levels is None:
        raise SpecError(
            "this model has no clusters", hint='Fit one with clusters: Mediation(..., clusters="school").'
        )
    return structure, levels


def cluster_table(result: Result, *, interval: float = 0.95) -> pd.DataFrame:
    """Table of everything that differs between clusters.

    Parameters
    ----------
    result : Result
    interval : float

    Returns
    -------
    DataFrame
        One row per random slope, then per construct and explained variable: ``sd`` over clusters in raw
        units with its interval; ``prior_overlap``, the area that prior and posterior density of the sd share
        (1: the answers have said nothing); of variables also ``icc``, the share of the model-implied variance
        that lies between clusters (covariates of persons counted within, of clusters between),
        ``design_effect`` 1 + (size - 1) icc at the mean ``size`` of the clusters, and the number of persons
        over it.

    Raises
    ------
    SpecError
        The model has no clusters, or an impossible interval.

    References
    ----------
    Kish, L. (1965). Survey sampling. ISBN 9780471109495.
    """
    import pandas as pd

    check_interval(interval, "eti")
    structure, levels = clustered(result)
    layout, values = result.data.layout, result.values()
    flat = {name: value.reshape(-1, *value.shape[2:]) for name, value in values.items()}
    within, between = structure.level_sds(flat, layout)
    icc = between**2 / (between**2 + within**2 + _latent_response(layout))
    names = structure.effects(layout.nodes)
    raw = structure.reported(flat, layout)["sd_over_clusters"][1]
    prior = draw_prior(result.data.parameters, np.random.default_rng(0), 4000)["cluster_sd"]
    size, n = result.data.n_person / len(levels.labels), result.data.n_person
    first = len(structure.clusters.random)
    rows = []
    for i, name in enumerate(names):
        shared = overlap(flat["cluster_sd"][:, i], prior[:, i])
        kind, own_sd = "slope" if i < first else "intercept", raw[:, i]
        row: list[Any] = [name, kind, len(levels.labels), size, own_sd.mean()]
        row += [*bounds(own_sd, interval), shared]
        if i < first:
            row += [np.nan] * 5
        else:
            own = icc[:, i - first]
            effect = float((1 + (size - 1) * own).mean())
            row += [own.mean(), *bounds(own, interval), effect, n / effect]
        rows.append((*row, _note(levels, shared)))
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    frame.attrs |= {"interval": interval, "by": levels.by, "singles": int((levels.size == 1).sum())}
    return frame


def _latent_response(layout: Layout) -> np.ndarray:
    """Variance (node,) of the residual of the latent response of what has categories; it lies within."""
    return np.array(
        [
            0.0 if one is None or one.kind != "categorical" else one.link_variance(np.zeros(()), {})
            for one in layout.observed
        ]
    )


def overlap(one: np.ndarray, two: np.ndarray, bins: int = 25) -> float:
    """Area under the smaller of two densities, from draws, over bins that hold equally many of both."""
    cuts = np.quantile(np.concatenate([one, two]), np.linspace(0, 1, bins + 1)[1:-1])
    shares = [np.bincount(np.searchsorted(cuts, x), minlength=bins) / x.size for x in (one, two)]
    return float(np.minimum(*shares).sum())


def _note(levels: Levels, shared: float) -> str:
    few = len(levels.labels) < FEW_CLUSTERS
    if shared >= MUCH_OVERLAP:
        return "the answers have hardly moved the prior"
    return f"fewer than {FEW_CLUSTERS} clusters: the prior has a say" if few else ""
