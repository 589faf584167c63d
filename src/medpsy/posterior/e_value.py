"""How strong a hidden cause of mediator and outcome would have to be to explain away a natural effect.

On the risk-ratio scale: with RR the ratio of expected outcomes that a natural effect makes, a cause that is
associated with the mediator (given the exposure) and with the outcome (given exposure and mediator) by risk
ratios of RR + sqrt(RR (RR - 1)) each could do it, weaker ones could not (Smith & VanderWeele, 2019,
doi:10.1097/EDE.0000000000001064; VanderWeele & Ding, 2017, doi:10.7326/M16-2607).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from medpsy.errors import SpecError
from medpsy.posterior.intervals import bounds, check_interval
from medpsy.posterior.natural import expected_outcomes
from medpsy.result import Result


def e_value(ratio: np.ndarray | float) -> np.ndarray:
    """E-value of a risk ratio; below 1 that of its inverse."""
    above = np.maximum(ratio, 1.0 / np.asarray(ratio))
    return np.asarray(above + np.sqrt(above * (above - 1.0)))


def mediational_e_value(result: Result, *, interval: float = 0.95, **options: Any) -> pd.DataFrame:
    """Risk ratios of the natural effects on a binary or counted outcome, and their E-values.

    Parameters
    ----------
    result : Result
    interval : float
    **options
        low, high, at, exposure, outcome, category, draws, seed of :func:`medpsy.posterior.natural.natural`.

    Returns
    -------
    DataFrame
        effect, ratio (posterior median), lower, upper, e_value (of the median), e_value_limit (of the end of
        the interval next to 1; 1 where the interval includes 1).

    Raises
    ------
    SpecError
        The outcome is a number, an expected score or a construct, whose effects are differences.
    """
    check_interval(interval)
    means, about = expected_outcomes(result, **options)
    if about["scale"] in ("difference", "score"):
        raise SpecError(
            f"the outcome '{about['outcome']}' has no risk ratio",
            hint="E-values are for binary outcomes, counts and a category of an ordinal one (category=...), "
            "tipping_points() is for numbers and constructs.",
        )
    pairs = {"natural direct": ("10", "00"), "natural indirect": ("11", "10"), "total": ("11", "00")}
    rows = []
    for effect, (one, other) in pairs.items():
        ratio = means[one] / means[other]
        lower, upper = map(float, bounds(ratio, interval))
        middle = float(np.median(ratio))
        near = lower if middle > 1 else upper
        limit = 1.0 if lower <= 1.0 <= upper else float(e_value(near))
        row = {"effect": effect, "ratio": middle, "lower": lower, "upper": upper}
        rows.append(row | {"e_value": float(e_value(middle)), "e_value_limit": limit})
    frame = pd.DataFrame(rows)
    frame.attrs |= about | {"interval": float(interval)}
    return frame
