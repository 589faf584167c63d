"""How strong an unmeasured common cause of mediator and outcome must be, on each level, to undo a path.

Within clusters the cause makes deviations correlate, between them cluster means (a policy, a head teacher).
On either level the path b is zero at the correlation r = b s2 / sqrt(b^2 s2^2 + s^2) of the residuals, s2 and
s being the residual sds of mediator and outcome there (Imai, Keele & Yamamoto, 2010, doi:10.1214/10-STS321).
Where the path changes with a moderator, so does its tipping point.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from medpsy.errors import SpecError
from medpsy.latent.clustered import ClusteredStructure
from medpsy.ops import Numpy
from medpsy.posterior.clusters import clustered
from medpsy.posterior.confounding import robustness
from medpsy.posterior.intervals import bounds, check_interval
from medpsy.posterior.level_pathways import on_levels
from medpsy.posterior.pathways import Way
from medpsy.result import Result

if TYPE_CHECKING:
    import pandas as pd


def cluster_tipping(
    result: Result, *, at: Mapping[str, object] | None = None, interval: float = 0.95
) -> pd.DataFrame:
    """Tipping points within and between clusters.

    Parameters
    ----------
    result : Result
        Of a mediation with clusters.
    at : mapping, optional
        Value or values of what the paths out of the mediators change with, as in
        :func:`medpsy.posterior.conditional.conditional`.
    interval : float

    Returns
    -------
    DataFrame
        level, mediator, outcome, one column per moderator of their path, rho, lower, upper (correlation of
        the residuals that a common cause would have to bring about, other mediators given), robustness,
        robustness_lower, robustness_upper (share of
        the residual variance of both that it would have to explain). ``between`` only where cluster means
        have paths of their own. Random slopes are taken at their average.

    Raises
    ------
    SpecError
        No clusters, no mediation, or an impossible interval.
    """
    import pandas as pd

    check_interval(interval, "eti")
    structure, _ = clustered(result)
    design, layout = result.model.spec.design, result.data.layout
    if design is None or not design.mediators:
        raise SpecError("the model is no recognised mediation", hint="Write it as mp.Mediation(...).")
    place = {name: i for i, name in enumerate(layout.nodes)}
    inside = [place[name] for name in design.mediators]
    levels = on_levels(result)
    eq = structure.inner.equations(levels[0].values, layout, Numpy)
    spread = eq.d[..., :, None] * eq.z
    within = spread @ np.swapaxes(spread, -1, -2)
    rows = []
    for along in levels:
        above = along.level == "between"
        covariance = _between(structure, along.values, layout.nodes) if above else within
        precision = np.linalg.inv(covariance[..., inside, :][..., inside])
        for y in design.outcomes:
            left = covariance[..., place[y], place[y]]
            for k, name in enumerate(design.mediators):
                own, unit = 1.0 / precision[..., k, k], layout.unit[place[name]] / layout.unit[place[y]]
                for setting in along.settings(along.moderators([Way((name, y))]), at):
                    slope = along.slope(name, y, along.at(setting)) * unit
                    r = slope * np.sqrt(own) / np.sqrt(slope**2 * own + left)
                    where = {"level": along.level or "within", "mediator": name, "outcome": y}
                    rows.append({**where, **setting, **_told(r, interval)})
    return pd.DataFrame(rows)


def _told(r: np.ndarray, interval: float) -> dict[str, float]:
    """Means and intervals of a correlation and of the share of variance that goes with it."""
    out: dict[str, float] = {}
    for name, tail, draws in (("rho", "", r), ("robustness", "robustness_", robustness(r))):
        low, high = bounds(draws, interval)
        out |= {name: float(draws.mean()), f"{tail}lower": float(low), f"{tail}upper": float(high)}
    return out


def _between(structure: ClusteredStructure, p: dict[str, np.ndarray], nodes: tuple[str, ...]) -> np.ndarray:
    """Covariance (draw, node, node) of the residuals of the cluster means."""
    k = len(structure.clusters.random)
    factor = structure.factor(p, nodes, Numpy)[..., k:, :]
    return np.asarray(factor @ np.swapaxes(factor, -1, -2))
