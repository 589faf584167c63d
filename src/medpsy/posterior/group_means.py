"""Groups compared on the latent scale: every pair, every construct."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from medpsy.errors import SpecError
from medpsy.posterior.by_group import joint_values
from medpsy.posterior.draws import population
from medpsy.posterior.intervals import bounds, check_interval, check_rope, direction, rope_share
from medpsy.result import Result

COLUMNS = (
    "construct", "group", "against", "n", "n_against", "difference", "d", "sd", "lower", "upper",
    "p_direction", "p_negligible", "sd_ratio",
)  # fmt: skip


def moments(result: Result) -> tuple[np.ndarray, np.ndarray]:
    """Means and sds of the constructs over the persons of every group, (draw, group, construct).

    On the scale that the groups share; covariates included. Latent variables of a linear model are in the
    unit that their loadings give them.

    Raises
    ------
    SpecError
        The model has no groups.
    """
    groups = result.data.groups
    if groups is None:
        raise SpecError("this model has no groups", hint='Fit one with groups: Model(..., groups="sex").')
    p = {name: value.reshape(-1, *value.shape[2:]) for name, value in joint_values(result).items()}
    mean, sd = [], []
    for g, part in enumerate(groups.parts):
        layout = part.layout
        nodes = np.array([layout.nodes.index(name) for name in groups.names], dtype=int)
        weight, location, spread = population(part, groups.values(p, g), nodes)
        location = layout.centre[nodes] + layout.unit[nodes] * location
        spread = layout.unit[nodes] * spread
        centre = np.einsum("r,srf->sf", weight, location)
        between = np.einsum("r,srf->sf", weight, (location - centre[:, None]) ** 2)
        mean.append(centre)
        sd.append(np.sqrt(between + spread**2))
    return np.stack(mean, axis=1), np.stack(sd, axis=1)


def group_means(
    result: Result, *, interval: float = 0.95, kind: str = "eti", rope: float = 0.1
) -> pd.DataFrame:
    """Differences of latent means between all pairs of groups.

    Parameters
    ----------
    result : Result
        Of a model with groups.
    interval, kind : float, str
        Posterior mass and kind of the intervals.
    rope : float
        Half-width of the region of negligible standardised differences.

    Returns
    -------
    DataFrame
        One row per construct and pair: ``difference`` (posterior mean of group minus against, on the scale
        of the reference group, or of the average group where they are pooled); ``d``, the same in pooled
        within-group sds with its ``sd``, ``lower``, ``upper``, ``p_direction`` (probability of the more
        probable sign) and ``p_negligible`` (of |d| below ``rope``); ``sd_ratio``, posterior mean of the ratio
        of the latent sds; sizes of both groups.

    Raises
    ------
    SpecError
        No groups, means that the model fixes to zero, an impossible interval or region.
    """
    check_interval(interval, kind)
    check_rope(rope)
    groups = result.data.groups
    mean, sd = moments(result)
    assert groups is not None
    names = groups.names
    known = groups.placed.tolist()
    if not known:
        raise SpecError(
            "latent means are fixed in every group: no item has its place in common",
            hint='Keep thresholds (or intercepts) equal: equal=["loadings", "thresholds"].',
        )
    sizes, rows = groups.sizes, []
    for d in known:
        for low, high in combinations(range(len(groups.levels)), 2):
            difference = mean[:, high, d] - mean[:, low, d]
            pooled = np.sqrt(
                (sizes[low] * sd[:, low, d] ** 2 + sizes[high] * sd[:, high, d] ** 2)
                / (sizes[low] + sizes[high])
            )
            effect = difference / pooled
            lower, upper = bounds(effect, interval, kind)
            rows.append(
                (
                    names[d], groups.levels[high], groups.levels[low], sizes[high], sizes[low],
                    difference.mean(), effect.mean(), effect.std(ddof=1), lower, upper, direction(effect),
                    rope_share(effect, -rope, rope), (sd[:, high, d] / sd[:, low, d]).mean(),
                )
            )  # fmt: skip
    frame = pd.DataFrame(rows, columns=list(COLUMNS)).astype(dict.fromkeys(COLUMNS[5:], float))
    frame.attrs |= {"interval": float(interval), "kind": kind, "rope": float(rope)}
    return frame


def icc(result: Result) -> np.ndarray:
    """Share of the latent variance that lies between the groups, (draw, construct).

    Variance of the group means (weighted by size) over that plus the mean variance within.
    """
    mean, sd = moments(result)
    groups = result.data.groups
    assert groups is not None
    weight = groups.sizes / groups.sizes.sum()
    centre = np.einsum("g,sgf->sf", weight, mean)
    between = np.einsum("g,sgf->sf", weight, (mean - centre[:, None]) ** 2)
    within = np.einsum("g,sgf->sf", weight, sd**2)
    return between / (between + within)
