"""What answers of one occasion would mean for effects that unfold over time.

Under a process (x, m, y)_t = A (x, m, y)_{t-1} + e in equilibrium, with independent shocks, stabilities on
the diagonal of A and the paths a (x to m), b (m to y), c (x to y) below it, the correlations of one occasion
determine a, b and c once the stabilities are assumed. Solving Sigma = A Sigma A' + Q cell by cell:

    a = r_xm (1 - s_x s_m) / s_x
    k = r_xy / s_x,  g = (r_my - a k) / s_m - s_y r_my,  h = k - s_y r_xy
    b = (g - h r_xm) / (1 - r_xm^2),  c = h - b r_xm

so the cross-sectional indirect effect may differ from a*b in size and sign (Maxwell & Cole, 2007,
doi:10.1037/1082-989X.12.1.23).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import pandas as pd

from medpsy.errors import SpecError
from medpsy.latent.base import system
from medpsy.ops import Numpy
from medpsy.posterior.intervals import bounds, check_interval
from medpsy.result import Result


def lagged_paths(
    r_xm: np.ndarray, r_xy: np.ndarray, r_my: np.ndarray, s_x: float, s_m: float, s_y: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Lagged standardised paths that equilibrium correlations and stabilities imply.

    Parameters
    ----------
    r_xm, r_xy, r_my : ndarray
        Correlations of one occasion.
    s_x, s_m, s_y : float
        Effect of every variable on itself over one lag, inside (0, 1).

    Returns
    -------
    a, b, c : ndarray
    possible : ndarray of bool
        Whether shocks with these paths have positive variances; without that no such process exists.
    """
    a = r_xm * (1 - s_x * s_m) / s_x
    k = r_xy / s_x
    g = (r_my - a * k) / s_m - s_y * r_my
    h = k - s_y * r_xy
    b = (g - h * r_xm) / (1 - r_xm**2)
    c = h - b * r_xm
    m_left = 1 - (a**2 + s_m**2 + 2 * a * s_m * r_xm)
    y_left = 1 - (c**2 + b**2 + s_y**2 + 2 * (c * b * r_xm + c * s_y * r_xy + b * s_y * r_my))
    return a, b, c, (m_left > 0) & (y_left > 0)


def stability_grid(
    result: Result, stabilities: Sequence[float] = (0.3, 0.5, 0.7), *, interval: float = 0.95
) -> pd.DataFrame:
    """Lagged indirect effects that the posterior would stand for under assumed stabilities.

    Parameters
    ----------
    result : Result
        Of a simple mediation without moderators whose variables are all numbers or constructs.
    stabilities : sequence of float
        Tried for each of the three variables, in all combinations.
    interval : float

    Returns
    -------
    DataFrame
        stability_x, stability_m, stability_y; a, b, c (posterior means), indirect (mean of a*b), lower,
        upper, p_direction of the indirect effect, possible (share of draws for which such a process exists;
        the numbers are over those draws). ``attrs``: cross_sectional, the mean standardised indirect effect
        of the fitted model.

    Raises
    ------
    SpecError
        Another design, a categorical exposure, stabilities outside (0, 1).
    """
    check_interval(interval)
    if not stabilities or not all(0 < s < 1 for s in stabilities):
        raise SpecError(
            f"stabilities {tuple(stabilities)} are not all between 0 and 1", hint="Try (0.3, 0.5, 0.7)."
        )
    r_xm, r_xy, r_my = _correlations(result)
    rows = []
    for s_x, s_m, s_y in product(stabilities, repeat=3):
        a, b, c, possible = lagged_paths(r_xm, r_xy, r_my, s_x, s_m, s_y)
        row: dict[str, float] = {"stability_x": s_x, "stability_m": s_m, "stability_y": s_y}
        indirect = (a * b)[possible]
        if indirect.size:
            lower, upper = bounds(indirect, interval)
            sign = max((indirect > 0).mean(), (indirect < 0).mean())
            row |= {
                "a": a[possible].mean(), "b": b[possible].mean(), "c": c[possible].mean(),
                "indirect": indirect.mean(), "lower": float(lower), "upper": float(upper),
                "p_direction": sign,
            }  # fmt: skip
        rows.append(row | {"possible": possible.mean()})
    columns = ["stability_x", "stability_m", "stability_y", "a", "b", "c", "indirect", "lower", "upper",
               "p_direction", "possible"]  # fmt: skip
    frame = pd.DataFrame(rows, columns=columns).astype(float)
    here = r_xm * (r_my - r_xm * r_xy) / (1 - r_xm**2)
    frame.attrs |= {"cross_sectional": float(here.mean()), "interval": float(interval)}
    return frame


def _correlations(result: Result) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Model-implied correlations (draw,) of exposure, mediator and outcome, given the covariates."""
    design = result.model.spec.design
    if design is None or design.kind != "simple" or design.moderation or len(design.exposures) > 1:
        raise SpecError(
            "the stability grid is for a simple mediation without moderators",
            hint="It asks what three variables of one occasion would mean over time.",
        )
    layout, structure = result.data.layout, result.model.structure
    p = {k: v.reshape(-1, *v.shape[2:]) for k, v in result.values().items()}
    mean, chol = system(structure.equations(p, layout, Numpy), layout, Numpy)
    covariance = chol @ np.swapaxes(chol, -1, -2)
    names = [design.exposure, design.mediators[0], design.outcome]
    families = dict(zip(layout.nodes, layout.families, strict=True))
    columns = [i + 1 for i, c in enumerate(layout.columns) if c.variable == design.exposure and not c.factors]
    indicator = any("[" in layout.columns[i - 1].name for i in columns)
    if indicator or "bernoulli" in (families.get(names[1]), families.get(names[2])):
        raise SpecError(
            "the stability grid needs numbers or constructs", hint="A category or binary outcome has none."
        )
    nodes = [layout.nodes.index(name) for name in names if name in layout.nodes]
    joint = covariance[..., nodes, :][..., :, nodes]
    if columns:
        joint = _with_exposure(joint, mean[..., nodes, :][..., columns[0]], layout.covariance, columns[0])
    sd = np.sqrt(np.diagonal(joint, axis1=-2, axis2=-1))
    r = joint / (sd[..., :, None] * sd[..., None, :])
    return r[..., 0, 1], r[..., 0, 2], r[..., 1, 2]


def _with_exposure(residual: np.ndarray, slope: np.ndarray, design: np.ndarray, column: int) -> np.ndarray:
    """Covariance of an observed exposure and two nodes, given the other columns of the design."""
    others = [i for i in range(1, len(design)) if i != column]
    variance = design[column, column]
    if others:
        cross = design[column, others]
        variance = variance - cross @ np.linalg.solve(design[np.ix_(others, others)], cross)
    out = np.empty((*residual.shape[:-2], 3, 3))
    out[..., 0, 0] = variance
    out[..., 0, 1:] = out[..., 1:, 0] = slope * variance
    out[..., 1:, 1:] = residual + variance * slope[..., :, None] * slope[..., None, :]
    return out
