"""Category curves: the probability of every answer as the construct rises."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np

from medpsy.bind import local
from medpsy.classical.describe import asked_order
from medpsy.errors import SpecError, nearest
from medpsy.families.base import Block
from medpsy.ops import Numpy
from medpsy.posterior.by_group import view
from medpsy.posterior.draws import at, population, thinned
from medpsy.posterior.intervals import bounds, check_interval
from medpsy.result import Result

if TYPE_CHECKING:
    import xarray as xr

#: Draws that a curve is averaged over, and how far the axis reaches in sds of the construct.
DRAWS, REACH = 400, 4.0


def category_curves(
    result: Result,
    construct: str,
    *,
    interval: float = 0.95,
    points: int = 121,
    group: str | None = None,
) -> xr.Dataset:
    """Probability of each answer to each item of a construct.

    Parameters
    ----------
    result : Result
    construct : str
        Name of a construct with categorical items.
    interval, points : float, int
        Posterior mass of the equal-tailed band; number of values of the construct, from -4 to 4 sds.
    group : str, optional
        In a model with groups, whose curves; those of the reference group (the first one) by default.

    Returns
    -------
    xarray.Dataset
        ``probability`` (item, category, theta, bound): bound is lower, mean, upper over at most 400 evenly
        spaced draws, NaN for categories that an item does not have; category in the order of the file's
        codes, also for turned items; theta in sds of the
        construct over the persons (covariates included), zero at their mean. Attributes ``construct`` and
        ``labels``, one label per category.

    Raises
    ------
    SpecError
        An unknown construct, one whose items are numbers, an impossible interval or number of points.
    """
    import xarray as xr

    check_interval(interval)
    if result.data.groups is not None:
        groups = result.data.groups
        result = view(result, group if group is not None else groups.levels[max(groups.reference, 0)])
    if isinstance(points, bool) or not isinstance(points, int | np.integer) or points < 2:
        raise SpecError(f"points = {points!r} draw no curve", hint="Ask for at least 2, better 121.")
    block = categorical_block(result, construct)
    theta = np.linspace(-REACH, REACH, points)
    table = _tables(result, block, theta)
    items = block.construct.items
    lower, upper = bounds(table, interval)
    values = np.stack([lower, table.mean(axis=-1), upper], axis=-1)
    return xr.Dataset(
        {"probability": (("item", "category", "theta", "bound"), values)},
        {
            "item": list(items),
            "category": np.arange(block.n_categories),
            "theta": theta,
            "bound": ["lower", "mean", "upper"],
        },
        {"construct": construct, "labels": category_labels(result, block)},
    )


def _tables(result: Result, block: Block, theta: np.ndarray) -> np.ndarray:
    """Probabilities (item, category as asked, theta, draw), theta in sds over the persons."""
    family = result.model.families[block.name]
    p = thinned(result, DRAWS)
    weight, location, spread = population(result.data, p)
    centre = location[..., block.factor] @ weight
    between = ((location[..., block.factor] - centre[:, None]) ** 2) @ weight
    sd = np.sqrt(between + spread[:, block.factor] ** 2)
    table = np.stack(
        [
            np.exp(family.log_prob(centre[s] + sd[s] * theta, local(result.data, block, at(p, s)), Numpy))
            for s in range(len(sd))
        ],
        axis=-1,
    )
    order = asked_order(result.survey, block.construct.items)
    table = np.take_along_axis(table, order[:, :, None, None], axis=1)
    # Categories that an item does not have, where others of its construct have them.
    table[np.arange(block.n_categories) >= block.sizes[:, None]] = np.nan
    return table


def categorical_block(result: Result, construct: str) -> Block:
    """The answers to a construct with categories, or SpecError."""
    blocks = {block.name: block for block in result.data.blocks}
    if construct not in blocks:
        raise SpecError(f"the model has no construct '{construct}'", hint=nearest(construct, blocks))
    if blocks[construct].n_categories == 0:
        raise SpecError(
            f"the items of '{construct}' are numbers and have no categories",
            hint="Category curves are for ordinal items.",
        )
    return blocks[construct]


def category_labels(result: Result, block: Block) -> list[str]:
    """Labels in the order of the file's codes; where modules word them differently, all wordings."""
    instrument = result.survey.instrument
    worded = [instrument.module_of(item).labels for item in block.construct.items]
    return [
        " / ".join(dict.fromkeys(label for label in labels if label))
        for labels in zip_longest(*worded, fillvalue="")
    ]
