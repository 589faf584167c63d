"""What properties do to the location of items, and how much of their differences they explain."""

from __future__ import annotations

import numpy as np
import pandas as pd

from medpsy.bind import local
from medpsy.errors import SpecError
from medpsy.families.explained import Explained
from medpsy.ops import Numpy
from medpsy.posterior.draws import thinned
from medpsy.posterior.intervals import bounds, check_interval
from medpsy.posterior.items_at import blocks_of
from medpsy.result import Result

COLUMNS = ["construct", "property", "level", "answers", "mean", "sd", "lower", "upper", "p_direction"]
NUMBERS = ["mean", "sd", "lower", "upper", "p_direction"]


def item_effects(result: Result, construct: str, *, interval: float = 0.95) -> pd.DataFrame:
    """Effects of item properties on the location of the items.

    Parameters
    ----------
    result : Result
    construct : str
        With ``properties``.
    interval : float
        Posterior mass of the equal-tailed intervals.

    Returns
    -------
    DataFrame
        construct, property, level (empty for a number), answers (how many the level rests on), mean, sd,
        lower, upper, p_direction. Logits of the location: higher is more difficult (of a rater: more severe).
        A number: per unit of the property. A level: distance from the mean of the levels. Then, per category,
        the sd of its levels (``level`` is ``"sd"``); ``residual sd``; and ``share explained``, the part of
        the variance of the locations that the properties explain.

    Raises
    ------
    SpecError
        The items of the construct have no properties.
    """
    check_interval(interval)
    block = blocks_of(result, construct)[0]
    family = result.model.families[block.name]
    if not isinstance(family, Explained) or block.construct.properties is None:
        raise SpecError(
            f"the items of '{construct}' have no properties",
            hint="Say which: mp.explain_items(construct, {...}).",
        )
    p, design = local(result.data, block, thinned(result, 10**9)), family.design
    given = (block.values >= 0).sum(axis=0)
    rows: list[tuple[str, str, int, np.ndarray]] = []
    for k, name in enumerate(design.numbers):
        rows.append((name, "", int(given.sum()), p["location_effect"][:, k] / design.unit[k]))
    held = dict(block.construct.properties.values)
    for c, name in enumerate(design.categories):
        effects = design.level_effects(p, c)
        for k, level in enumerate(design.levels[c]):
            own = np.array([str(value) == level for value in held[name]])
            rows.append((name, level, int(given[own].sum()), effects[:, k]))
    for c, name in enumerate(design.categories):
        rows.append((name, "sd", int(given.sum()), p["location_level_sd"][:, c]))
    if family.residual:
        rows.append(("residual sd", "", int(given.sum()), p["location_sd"][:, 0]))
        location = family.location(p, Numpy)
        left = p["location_sd"] * p["location_residual"]
        share = 1.0 - left.var(axis=1) / location.var(axis=1)
        rows.append(("share explained", "", int(given.sum()), np.clip(share, 0.0, 1.0)))
    made = []
    for name, level, count, draws in rows:
        lower, upper = bounds(draws, interval)
        sign = max((draws > 0).mean(), (draws < 0).mean())
        made.append((construct, name, level, count, draws.mean(), draws.std(ddof=1), lower, upper, sign))
    return pd.DataFrame(made, columns=COLUMNS).astype(dict.fromkeys(NUMBERS, float))
