"""Effects: definitions, paths and correlations, with interval, direction and practical equivalence."""

from __future__ import annotations

import numpy as np
import pandas as pd

from medpsy.posterior.by_group import each_group, views
from medpsy.posterior.draws import STANDARDISED, group
from medpsy.posterior.intervals import bounds, check_interval, check_rope, direction, rope_share
from medpsy.posterior.quantities import Quantity, quantities
from medpsy.posterior.sentences import sentences
from medpsy.result import Result

__all__ = ["effect_draws", "effects", "sentences"]

COLUMNS = (
    "effect", "text", "mean", "median", "sd", "lower", "upper", "p_direction", "rope_low", "rope_high",
    "in_rope", "std_mean", "std_lower", "std_upper",
)  # fmt: skip


@each_group
def effects(result: Result, *, interval: float = 0.95, kind: str = "eti", rope: float = 0.05) -> pd.DataFrame:
    """Table of the effects of a model.

    Parameters
    ----------
    result : Result
    interval : float
        Posterior mass between ``lower`` and ``upper``.
    kind : str
        ``"eti"`` (equal-tailed) or ``"hdi"`` (highest density).
    rope : float
        Half-width of the region of practical equivalence of a product of paths, on the standardised scale;
        single paths, direct and total effects and correlations get twice that (their usual 0.1; Kruschke,
        2018, doi:10.1177/2515245918771304).

    Returns
    -------
    DataFrame
        One row per definition (a recognised mediation: indirect, direct, total), then per labelled path or
        residual correlation; in a model without paths between constructs, every correlation of two
        constructs given the covariates. ``mean`` to ``upper`` are in raw units (constructs in their residual
        sd, observed variables in their own units); ``std_`` columns in total sds of the variables at the
        ends. ``p_direction`` is the posterior probability of the more probable sign; ``in_rope`` the share
        of the whole standardised posterior inside the region, NaN for quantities that are no effects
        (ratios, functions). ``attrs`` holds ``interval``, ``kind`` and ``rope``.

    Raises
    ------
    SpecError
        An impossible interval, kind or region.
    """
    check_interval(interval, kind)
    check_rope(rope)
    found, raw, scaled = _draws(result)
    rows = []
    for quantity in found:
        own, std = raw[quantity.name], scaled[quantity.name]
        lower, upper = bounds(own, interval, kind)
        std_lower, std_upper = bounds(std, interval, kind)
        half = quantity.rope(rope)
        with np.errstate(invalid="ignore"):
            rows.append(
                {
                    "effect": quantity.name, "text": quantity.text, "mean": own.mean(),
                    "median": np.median(own),
                    "sd": own.std(ddof=1) if own.size > 1 else np.nan, "lower": lower, "upper": upper,
                    "p_direction": direction(own), "rope_low": -half, "rope_high": half,
                    "in_rope": rope_share(std, -half, half), "std_mean": std.mean(),
                    "std_lower": std_lower, "std_upper": std_upper,
                }
            )  # fmt: skip
    frame = pd.DataFrame(rows, columns=list(COLUMNS)).astype(dict.fromkeys(COLUMNS[2:], float))
    frame.attrs |= {"interval": float(interval), "kind": kind, "rope": float(rope)}
    return frame


def effect_draws(result: Result) -> dict[str, np.ndarray]:
    """Standardised draws (draw,) of every row of :func:`effects`, chains joined, by name."""
    if result.data.groups is not None:
        return {
            f"{name} [{level}]": draws
            for level, one in views(result).items()
            for name, draws in effect_draws(one).items()
        }
    return _draws(result)[2]


def _draws(result: Result) -> tuple[list[Quantity], dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The quantities with raw and standardised draws (draw,)."""
    found = quantities(result.data)
    raw = group(result)
    # Correlations, and what is defined over them, have no units: they stand in the posterior only.
    scaled = raw | group(result, STANDARDISED)
    return (
        found,
        {q.name: q.draws(raw).ravel() for q in found},
        {q.name: q.draws(scaled).ravel() for q in found},
    )
