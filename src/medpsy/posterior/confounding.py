"""What an unmeasured common cause of mediator and outcome would have to be like to undo an indirect effect.

With rho the correlation of the residuals of mediator and outcome that such a cause brings about, the path
from mediator to outcome is b(rho) = (s1/s2) [r - rho sqrt((1 - r^2) / (1 - rho^2))], where s1, s2 are the
residual sds of outcome and mediator given the exposure and r is their residual correlation there; it is zero
at rho = r (Imai, Keele & Yamamoto, 2010, doi:10.1214/10-STS321). With other mediators all is given those as
well.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np
import pandas as pd

from medpsy.errors import SpecError
from medpsy.posterior.intervals import bounds, check_interval
from medpsy.posterior.level_pathways import on_levels
from medpsy.posterior.pathways import Pathways, Value, Way
from medpsy.posterior.within import Within
from medpsy.result import Result

#: Correlations at which the curve is drawn.
RHO = np.round(np.linspace(-0.9, 0.9, 73), 3)


def confounded_slope(
    rho: np.ndarray, r: np.ndarray, sd_outcome: np.ndarray, sd_mediator: np.ndarray
) -> np.ndarray:
    """Slope of the outcome on the mediator if their residuals correlate by ``rho``.

    Parameters
    ----------
    rho : ndarray
        Correlation that the unmeasured cause brings about, inside (-1, 1).
    r : ndarray
        Residual correlation of outcome and mediator given the exposure.
    sd_outcome, sd_mediator : ndarray
        Residual sds given the exposure.
    """
    return sd_outcome / sd_mediator * (r - rho * np.sqrt((1 - r**2) / (1 - rho**2)))


def robustness(r: np.ndarray) -> np.ndarray:
    """Share of the residual variance of both mediator and outcome that a cause must explain to undo the path.

    Cinelli & Hazlett (2020, doi:10.1111/rssb.12348): with f^2 = r^2 / (1 - r^2) the robustness value is
    (sqrt(f^4 + 4 f^2) - f^2) / 2, the outcome's share counted given the mediator.
    """
    odds = r**2 / (1 - r**2)
    return (np.sqrt(odds**2 + 4 * odds) - odds) / 2


def tipping(
    result: Result, *, at: Mapping[str, object] | None = None, interval: float = 0.95
) -> pd.DataFrame:
    """Tipping point of every indirect effect of a mediation.

    Parameters
    ----------
    result : Result
    at : mapping, optional
        Value or values of what the paths out of the mediators change with, as in
        :func:`medpsy.posterior.conditional.conditional`.
    interval : float
        Posterior mass of the equal-tailed intervals.

    Returns
    -------
    DataFrame
        One row per mediator, outcome and setting: level (``"within"`` or ``"between"``, where variables are
        split into deviation and cluster mean); mediator, outcome; one column per moderator of their path;
        rho, rho_lower, rho_upper (correlation of the residuals at which the path from mediator to outcome
        would
        be zero); share, share_lower, share_upper (its absolute value: the part of both residual variances
        that one unmeasured cause would have to explain, its effects counted given the exposure); robustness,
        robustness_lower, robustness_upper (the same with its effect on the outcome counted given the mediator
        as well, see :func:`robustness`); p_sign (posterior probability of the sign of rho).

    Raises
    ------
    SpecError
        No recognised mediation, an unknown moderator or value, a binary or counted outcome.
    """
    check_interval(interval)
    rows = []
    levels = [Within(along) for along in on_levels(result)]
    for (mediator, outcome), within in product(_pairs(result), levels):
        along = within.along
        if not along.joined(mediator, outcome):
            continue
        level = {"level": along.level} if along.level else {}
        for setting in along.settings(along.moderators([Way((mediator, outcome))]), at):
            r, _, _ = _residual(within, mediator, outcome, setting)
            row: dict[str, object] = {**level, "mediator": mediator, "outcome": outcome, **setting}
            for name, draws in (("rho", r), ("share", np.abs(r)), ("robustness", robustness(r))):
                lower, upper = bounds(draws, interval)
                row |= {name: float(np.median(draws)), f"{name}_lower": lower, f"{name}_upper": upper}
            rows.append(row | {"p_sign": max((r > 0).mean(), (r < 0).mean())})
    return pd.DataFrame(rows)


def tipping_curve(
    result: Result,
    mediator: str | None = None,
    outcome: str | None = None,
    *,
    at: Mapping[str, object] | None = None,
    interval: float = 0.95,
    level: str | None = None,
) -> pd.DataFrame:
    """Indirect effect through one mediator over the correlation that an unmeasured cause brings about.

    Where slopes differ between clusters the effect is the average over them: the cause moves the path from
    mediator to outcome of every cluster alike, and leaves the covariance of the slopes.

    Parameters
    ----------
    mediator, outcome : str, optional
        The first ones unless given.
    at : mapping, optional
        Values of what the two paths change with; reference levels and lowest probed numbers unless given.
    level : str, optional
        ``"within"`` or ``"between"``, where variables are split into deviation and cluster mean; the first on
        which both paths stand unless given.

    Returns
    -------
    DataFrame
        rho, mean, lower, upper: the effect of the (first level of the) exposure through that mediator alone,
        raw units. ``attrs``: level, mediator, outcome, exposure, setting, interval, tipping (median of the
        correlation at which the effect is zero) and its bounds.

    Raises
    ------
    SpecError
        As :func:`tipping`; the two paths do not stand on that level.
    """
    check_interval(interval)
    pairs = _pairs(result)
    chosen = [(m, y) for m, y in pairs if mediator in (None, m) and outcome in (None, y)]
    if not chosen:
        raise SpecError(f"'{mediator}' is no mediator of '{outcome}'", hint=f"Pairs: {pairs}.")
    m, y = chosen[0]
    design = result.model.spec.design
    assert design is not None
    along = _on_level(result, (design.exposure, m, y), level)
    start = along.factors(design.exposure)[0]
    steps = [Way((start, m)), Way((m, y))]
    setting = along.settings(along.moderators(steps), at)[0]
    draws, zero = _confounded(along, steps, setting)
    lower, upper = bounds(draws, interval)
    frame = pd.DataFrame({"rho": RHO, "mean": draws.mean(axis=1), "lower": lower, "upper": upper})
    low, high = bounds(zero, interval)
    frame.attrs |= {
        "level": along.level, "mediator": m, "outcome": y, "exposure": start, "setting": setting,
        "interval": float(interval), "tipping": float(np.median(zero)), "tipping_lower": float(low),
        "tipping_upper": float(high),
    }  # fmt: skip
    return frame


def _on_level(result: Result, chain: tuple[str, str, str], level: str | None) -> Pathways:
    """The paths of the level that is asked for, or of the first on which both steps of a chain stand."""
    x, m, y = chain
    found = [one for one in on_levels(result) if one.joined(x, m) and one.joined(m, y)]
    on = [one for one in found if level in (None, one.level)]
    if not on:
        known = " and ".join(one.level for one in found if one.level)
        raise SpecError(
            f"there is no chain '{' -> '.join(chain)}'" + (f" on a level '{level}'" if level else ""),
            hint=f"It stands {known} clusters." if known else "Look at the path diagram.",
        )
    return on[0]


def _confounded(
    along: Pathways, steps: list[Way], setting: Mapping[str, Value]
) -> tuple[np.ndarray, np.ndarray]:
    """The effect along two steps at every correlation (rho, draw), and where it is zero (draw,)."""
    values, (m, y) = along.at(setting), steps[1].stations
    first, second = (along.effect(step, values) for step in steps)
    beyond = along.effect(Way((*steps[0].stations, y)), values) - first * second
    r, sd_y, sd_m = _residual(Within(along), m, y, setting)
    draws = first * confounded_slope(RHO[:, None], r, sd_y, sd_m) + beyond
    # Zero where the path is -beyond / first: there rho / sqrt(1 - rho^2) is what is left of r, over its root.
    left = (r + np.where(beyond == 0, 0.0, beyond / first) * sd_m / sd_y) / np.sqrt(1 - r**2)
    return draws, left / np.sqrt(1 + left**2)


def _pairs(result: Result) -> list[tuple[str, str]]:
    """Mediators with the outcomes they have a path to."""
    design = result.model.spec.design
    if design is None or not design.mediators:
        raise SpecError(
            "the model is no recognised mediation", hint="Write it as mp.Mediation(...), or label its paths."
        )
    layout = result.data.layout
    for name in (*design.mediators, *design.outcomes):
        family = layout.observed[layout.nodes.index(name)]
        if family is not None and not family.linear:
            raise SpecError(
                f"'{name}' is {family.what}: its residual has no correlation with others",
                hint="The tipping point is defined for numbers and constructs; natural_effects() and "
                "mediational_e_value() are for others.",
            )
    return [(m, y) for y in design.outcomes for m in design.mediators]


def _residual(
    within: Within, mediator: str, outcome: str, setting: Mapping[str, Value]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Correlation and sds (outcome, mediator; raw units) of the residuals given all else that explains the
    outcome.

    Observed exposures and covariates are given in the covariance already.
    """
    layout = within.layout
    covariance = within.covariance(setting)
    place = {name: i for i, name in enumerate(layout.nodes)}
    m, y = place[mediator], place[outcome]
    terms = [layout.factors_of(c) for c in within.along.steps if c.target == y]
    explains = {t for names in terms for t in names} - {mediator}
    given = [place[name] for name in layout.nodes if name in explains]
    pair = [m, y]
    left = covariance[..., pair, :][..., :, pair]
    if given:
        cross = covariance[..., pair, :][..., :, given]
        inner = covariance[..., given, :][..., :, given]
        left = left - cross @ np.linalg.solve(inner, np.swapaxes(cross, -1, -2))
    sd = np.sqrt(np.diagonal(left, axis1=-2, axis2=-1))
    return left[..., 0, 1] / (sd[..., 0] * sd[..., 1]), sd[..., 1], sd[..., 0]
