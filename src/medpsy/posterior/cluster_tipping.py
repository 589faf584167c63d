"""How strong an unmeasured common cause of mediator and outcome must be, on each level, to undo a path.

Within clusters the cause makes deviations correlate, between them cluster means (a policy, a head teacher).
On either level the path b is zero at the correlation r = b s2 / sqrt(b^2 s2^2 + s^2) of the residuals, s2 and
s being the residual sds of mediator and outcome there (Imai, Keele & Yamamoto, 2010, doi:10.1214/10-STS321).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from medpsy.errors import SpecError
from medpsy.latent.clustered import ClusteredStructure
from medpsy.ops import Numpy
from medpsy.posterior.clusters import clustered
from medpsy.posterior.confounding import robustness
from medpsy.posterior.intervals import bounds, check_interval
from medpsy.result import Result

if TYPE_CHECKING:
    import pandas as pd


def cluster_tipping(result: Result, *, interval: float = 0.95) -> pd.DataFrame:
    """Tipping points within and between clusters.

    Parameters
    ----------
    result : Result
        Of a mediation with clusters.
    interval : float

    Returns
    -------
    DataFrame
        level, mediator, outcome, rho, lower, upper (correlation of the residuals that a common cause would
        have to bring about, other mediators given), robustness, robustness_lower, robustness_upper (share of
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
    p = {name: value.reshape(-1, *value.shape[2:]) for name, value in result.values().items()}
    place = {name: i for i, name in enumerate(layout.nodes)}
    inside = [place[name] for name in design.mediators]
    eq = structure.inner.equations(p, layout, Numpy)
    spread = eq.d[..., :, None] * eq.z
    covariances = {"within": (eq.b, spread @ np.swapaxes(spread, -1, -2))}
    if structure.split:
        covariances["between"] = structure.between(p, layout, Numpy), _between(structure, p, layout.nodes)
    rows = []
    for level, (b, covariance) in covariances.items():
        precision = np.linalg.inv(covariance[..., inside, :][..., inside])
        for y in design.outcomes:
            for k, name in enumerate(design.mediators):
                slope = b[..., place[y], place[name]]
                own = 1.0 / precision[..., k, k]
                r = slope * np.sqrt(own) / np.sqrt(slope**2 * own + covariance[..., place[y], place[y]])
                strength = robustness(r)
                rows.append(
                    (
                        level, name, y, r.mean(), *bounds(r, interval), strength.mean(),
                        *bounds(strength, interval),
                    )
                )  # fmt: skip
    names = [
        "level", "mediator", "outcome", "rho", "lower", "upper", "robustness", "robustness_lower",
        "robustness_upper",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=names)


def _between(structure: ClusteredStructure, p: dict[str, np.ndarray], nodes: tuple[str, ...]) -> np.ndarray:
    """Covariance (draw, node, node) of the residuals of the cluster means."""
    k = len(structure.clusters.random)
    factor = structure.factor(p, nodes, Numpy)[..., k:, :]
    return np.asarray(factor @ np.swapaxes(factor, -1, -2))
