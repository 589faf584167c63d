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

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd

from medpsy.errors import SpecError
from medpsy.posterior.intervals import bounds, check_interval
from medpsy.posterior.pathways import Pathways
from medpsy.posterior.within import Within
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
    result: Result,
    stabilities: Sequence[float] = (0.3, 0.5, 0.7),
    *,
    at: Mapping[str, object] | None = None,
    interval: float = 0.95,
) -> pd.DataFrame:
    """Lagged indirect effects that the posterior would stand for under assumed stabilities.

    Parameters
    ----------
    result : Result
        Of a simple mediation whose variables are all numbers or constructs.
    stabilities : sequence of float
        Tried for each of the three variables, in all combinations.
    at : mapping, optional
        Value or values by moderator, as in :func:`medpsy.posterior.conditional.conditional`.
    interval : float

    Returns
    -------
    DataFrame
        One column per moderator; stability_x, stability_m, stability_y; here (mean standardised indirect
        effect of the one occasion); a, b, c (posterior means), indirect (mean of a*b), lower, upper,
        p_direction of the indirect effect, possible (share of draws for which such a process exists;
        the numbers are over those draws). ``attrs``: cross_sectional, ``here`` of the first setting;
        settings, their number.

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
    along = Pathways(result)
    within, names = Within(along), simple_variables(result)
    x, m, y = names
    rows, here = [], []
    for setting in along.settings(along.moderators(along.ways(x, y)), at):
        r = within.correlations(x, [m, y], setting)
        r_xm, r_xy, r_my = r[..., 0, 1], r[..., 0, 2], r[..., 1, 2]
        here.append(float((r_xm * (r_my - r_xm * r_xy) / (1 - r_xm**2)).mean()))
        for s in product(stabilities, repeat=3):
            row: dict[str, object] = dict(setting)
            row |= dict(zip(("stability_x", "stability_m", "stability_y"), s, strict=True))
            rows.append(row | {"here": here[-1]} | _lagged(r_xm, r_xy, r_my, s, interval))
    frame = pd.DataFrame(rows)
    frame.attrs |= {"cross_sectional": here[0], "interval": float(interval), "settings": len(here)}
    return frame


def _lagged(
    r_xm: np.ndarray, r_xy: np.ndarray, r_my: np.ndarray, s: tuple[float, ...], interval: float
) -> dict[str, float]:
    """Paths and indirect effect over the draws for which such a process exists."""
    a, b, c, possible = lagged_paths(r_xm, r_xy, r_my, *s)
    names = ("a", "b", "c", "indirect", "lower", "upper", "p_direction")
    row = dict.fromkeys(names, float("nan"))
    indirect = (a * b)[possible]
    if indirect.size:
        lower, upper = bounds(indirect, interval)
        sign = max((indirect > 0).mean(), (indirect < 0).mean())
        found = (
            a[possible].mean(),
            b[possible].mean(),
            c[possible].mean(),
            indirect.mean(),
            lower,
            upper,
            sign,
        )
        row = dict(zip(names, map(float, found), strict=True))
    return row | {"possible": float(possible.mean())}


def simple_variables(result: Result) -> tuple[str, str, str]:
    """Exposure, mediator and outcome.

    Raises
    ------
    SpecError
        Another design, or a variable that correlations do not describe.
    """
    design = result.model.spec.design
    several = design is not None and (design.other_exposures or design.other_outcomes)
    if design is None or design.kind != "simple" or several:
        raise SpecError(
            "the stability grid is for a simple mediation: one exposure, one mediator, one outcome",
            hint="It asks what three variables of one occasion would mean over time.",
        )
    x, m, y = design.exposure, design.mediators[0], design.outcome
    if x in design.moderators:
        raise SpecError(
            f"the path from '{m}' to '{y}' changes with '{x}' itself",
            hint="The stability grid is made of correlations, which such a model does not have.",
        )
    layout = result.data.layout
    normal = {n: one is None or one.normal for n, one in zip(layout.nodes, layout.observed, strict=True)}
    category = x not in layout.nodes and any("[" in c.name for c in layout.columns if c.variable == x)
    if category or not (normal[m] and normal[y]):
        raise SpecError(
            "the stability grid needs constructs, or numbers with normal residuals",
            hint="It is made of correlations, which do not tell all of a category, a count or heavy tails.",
        )
    return x, m, y
