"""Intraclass correlations and design effects of groups, latent and observed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from medpsy.classical.group_scores import design_effect
from medpsy.classical.icc import clusters, icc_draws
from medpsy.posterior.group_means import icc
from medpsy.posterior.intervals import bounds
from medpsy.result import Result

if TYPE_CHECKING:
    import pandas as pd


def cluster_table(
    result: Result, scores: Mapping[str, np.ndarray], *, interval: float, draws: int, seed: int
) -> pd.DataFrame:
    """Share of the variance that lies between the groups, and what it does to standard errors.

    Parameters
    ----------
    result : Result
        Of a model with groups.
    scores : mapping of str to ndarray, shape (person,)
        Observed score of every construct.
    interval : float
    draws, seed : int
        Of the posterior of the observed intraclass correlation.

    Returns
    -------
    DataFrame
        construct, scale (``latent``: of these groups; ``observed``: of a population of groups, one-way random
        effects), icc, lower, upper, size (mean persons per group), design_effect, effective_n, note.
    """
    import pandas as pd

    groups = result.data.groups
    assert groups is not None
    latent = icc(result)
    label = np.empty(result.data.n_person, dtype=int)
    for g, rows in enumerate(groups.rows):
        label[rows] = g
    rng = np.random.default_rng(seed)
    note = "fewer than 10 groups: the prior has a say" if len(groups.levels) < 10 else ""
    rows_out = []
    for d, block in enumerate(result.data.blocks):
        known = ~np.isnan(scores[block.name])
        found = icc_draws(clusters(scores[block.name], label), draws, rng)
        for scale, values, n in (
            ("latent", latent[:, d], result.data.n_person),
            ("observed", found, int(known.sum())),
        ):
            lower, upper = bounds(values, interval)
            size = n / len(groups.levels)
            effect = design_effect(size, values).mean()
            rows_out.append((block.name, scale, values.mean(), lower, upper, size, effect, n / effect, note))
    names = ["construct", "scale", "icc", "lower", "upper", "size", "design_effect", "effective_n", "note"]
    return pd.DataFrame(rows_out, columns=names)
