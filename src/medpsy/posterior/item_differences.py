"""Items compared between groups: how large the differences are, and what they do to scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from medpsy.bind import ModelData, local
from medpsy.errors import SpecError, nearest
from medpsy.families.base import Block
from medpsy.families.coordinates import Coordinate
from medpsy.groups.grouping import Grouping
from medpsy.ops import Numpy
from medpsy.posterior.by_group import joint_values
from medpsy.posterior.draws import population, thinned
from medpsy.posterior.intervals import bounds, check_interval, direction
from medpsy.result import Result

if TYPE_CHECKING:
    import xarray as xr

#: A large difference against a relevant one: as 0.64 to 0.43, classes C and B of the ETS on the logit scale.
LARGE = 0.64 / 0.43
COLUMNS = (
    "construct", "item", "coordinate", "cell", "group", "against", "mean", "sd", "lower", "upper",
    "p_direction", "relevant", "p_relevant", "p_large", "state",
)  # fmt: skip
#: Draws that expected scores are computed for; spacing and reach of the nodes in sds.
DRAWS, SPACING, REACH = 200, 0.1, 5.0


def item_differences(
    result: Result, *, interval: float = 0.95, relevant: Mapping[str, float] | None = None
) -> pd.DataFrame:
    """Differences of the items' coordinates between each group and the reference group.

    Parameters
    ----------
    result : Result
        Of a model with groups in which some items differ.
    interval : float
        Posterior mass of the equal-tailed intervals.
    relevant : mapping of str to float, optional
        Largest negligible difference by coordinate: 0.43 logits for ``location`` (class B of the ETS; Zwick,
        2012), 0.3 for logarithms of slopes, gaps and residual sds, 0.1 for loadings and 0.2 for intercepts
        of z-scored items unless given.

    Returns
    -------
    DataFrame
        One row per number that differs: ``coordinate`` (``location``: uniform difference, ``slope``:
        non-uniform; logarithm of the ratio for slopes, gaps and residual sds), ``cell`` (which gap, else 0),
        posterior ``mean`` to ``upper`` of group minus against, ``p_direction``, ``p_relevant`` and
        ``p_large`` (posterior probability that its size exceeds ``relevant``, and 1.49 times that: 0.64
        logits, class C), and whether it is ``free`` or ``shrunk``. Where items differ along a number, the
        difference per sd of it stands for all groups.

    Raises
    ------
    SpecError
        No groups, nothing that differs, an unknown coordinate.
    """
    check_interval(interval)
    groups = _groups(result)
    limits = _limits(groups, relevant or {})
    rows = []
    for block, part, item, cell, group, against, draws, state in _differences(result, groups):
        lower, upper = bounds(draws, interval)
        limit = limits[part.name]
        size = np.abs(draws)
        rows.append(
            (
                block.name, block.construct.items[item], part.name, cell, group, against,
                draws.mean(), draws.std(ddof=1), lower, upper, direction(draws), limit,
                (size > limit).mean(), (size > LARGE * limit).mean(), state,
            )
        )  # fmt: skip
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    numbers = dict.fromkeys(COLUMNS[6:-1], float)
    frame = frame.astype(numbers)
    frame.attrs |= {"interval": float(interval), "relevant": limits}
    return frame


def difference_draws(result: Result) -> dict[tuple[str, str, str, int, str], np.ndarray]:
    """Draws (draw,) of every row of :func:`item_differences`, by construct, item, coordinate, cell, group."""
    groups = _groups(result)
    return {
        (block.name, block.construct.items[item], part.name, cell, group): draws
        for block, part, item, cell, group, _, draws, _ in _differences(result, groups)
    }


def _differences(
    result: Result, groups: Grouping
) -> Iterator[tuple[Block, Coordinate, int, int, str, str, np.ndarray, str]]:
    """Block, coordinate, item, cell, group, reference, draws, state of every number that differs."""
    p = {name: value.reshape(-1, *value.shape[2:]) for name, value in joint_values(result).items()}
    reference = max(groups.reference, 0)
    for block in result.data.blocks:
        changes = [change for change in groups.changes if change.block == block.name]
        if not changes:
            continue
        each = [groups.item_coordinates(p, block.name, g) for g in range(len(groups.levels))]
        for change in changes:
            state = "shrunk" if change.held.spread else "free"
            for j, k in zip(change.item, change.cell, strict=True):
                values = [c[change.part.name].reshape(-1, *change.shape)[:, j, k] for c in each]
                if change.part.multiply:
                    values = [np.log(np.abs(value)) for value in values]
                cell = int(k) + 1 if change.shape[1] > 1 else 0
                if groups.along:
                    low, high = int(np.argmin(groups.along)), int(np.argmax(groups.along))
                    draws = (values[high] - values[low]) / (groups.along[high] - groups.along[low])
                    yield block, change.part, int(j), cell, f"per sd of {groups.by}", "", draws, state
                    continue
                for g, level in enumerate(groups.levels):
                    if g != reference:
                        draws = values[g] - values[reference]
                        against = groups.levels[reference]
                        yield block, change.part, int(j), cell, level, against, draws, state


def _groups(result: Result) -> Grouping:
    groups = result.data.groups
    if groups is None:
        raise SpecError("this model has no groups", hint='Fit one with groups: Model(..., groups="sex").')
    if result.model.spec.linear is not None:
        raise SpecError(
            "differences of items are for constructs, not for models with fixed numbers, shared labels or "
            "residual covariances",
            hint="Give what may differ a label in each group and define the difference: "
            "f =~ x1 + c(a, b)*x2; d := a - b.",
        )
    if not groups.changes:
        raise SpecError(
            "every item is equal in all groups", hint="Release or shrink something: shrink=('location',)."
        )
    return groups


def _limits(groups: Grouping, relevant: Mapping[str, float]) -> dict[str, float]:
    """Largest negligible difference of every coordinate."""
    limits = {change.part.name: change.part.relevant for change in groups.changes}
    for name, value in relevant.items():
        if name not in limits:
            raise SpecError(f"no coordinate '{name}' differs in this model", hint=nearest(name, limits))
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            raise SpecError(f"relevant['{name}'] = {value!r} is no size", hint="Give a positive number.")
        limits[name] = float(value)
    return limits


def score_impact(result: Result, *, interval: float = 0.95, draws: int = DRAWS) -> pd.DataFrame:
    """What the differences of items do to expected scores of each group.

    For the persons of a group, their expected score on every item with the group's own item parameters minus
    that with those of the reference group, at the same standing on the construct; averaged over the group
    (Raju, van der Linden & Fleer, 1995, doi:10.1177/014662169501900405; Meade, 2010, doi:10.1037/a0018966).

    Parameters
    ----------
    result : Result
    interval : float
        Posterior mass of the equal-tailed intervals.
    draws : int
        Posterior draws, at even distances.

    Returns
    -------
    DataFrame
        construct, item (empty: the whole module), group, against, mean, lower, upper (signed, in points of
        the item or the sum score; items with continuous answers in raw units), unsigned (mean absolute
        difference over the construct, which does not cancel), share (of the module's range, for sums of
        categories).

    Raises
    ------
    SpecError
        No groups, or nothing that differs.
    """
    check_interval(interval)
    groups = _groups(result)
    p = thinned(result, draws)
    size = len(next(iter(p.values())))
    reference = max(groups.reference, 0)
    rows: list[tuple[Any, ...]] = []
    for g, level in enumerate(groups.levels):
        if g == reference:
            continue
        own, other = groups.values(p, g), groups.values(p, reference)
        people = population(groups.parts[g], own)
        for block in result.data.blocks:
            if any(change.block == block.name for change in groups.changes):
                pair = level, groups.levels[reference]
                rows += _impact_rows(result.data, block, own, other, people, size, pair, interval)
    names = ["construct", "item", "group", "against", "mean", "lower", "upper", "unsigned", "share"]
    return pd.DataFrame(rows, columns=names).astype(dict.fromkeys(names[4:], float))


def _impact_rows(
    data: ModelData,
    block: Block,
    own: dict[str, np.ndarray],
    other: dict[str, np.ndarray],
    people: tuple[np.ndarray, np.ndarray, np.ndarray],
    size: int,
    pair: tuple[str, str],
    interval: float,
) -> Iterator[tuple[Any, ...]]:
    """Rows of the items of one block and of its sum, for one group."""
    weight, location, spread = people
    nodes, density = _nodes(weight, location[..., block.factor], spread[:, block.factor])
    gaps = np.stack(
        [
            expected(data, block, at_draw(own, s), theta) - expected(data, block, at_draw(other, s), theta)
            for s, theta in enumerate(nodes[:size])
        ]
    )
    gaps = np.concatenate([gaps, gaps.sum(1, keepdims=True)], axis=1)
    signed = np.einsum("sjq,sq->sj", gaps, density)
    unsigned = np.einsum("sjq,sq->sj", np.abs(gaps), density).mean(0)
    top = float((block.sizes - 1).sum()) if block.n_categories else np.nan
    for j, name in enumerate((*block.construct.items, "")):
        lower, upper = bounds(signed[:, j], interval)
        mean = signed[:, j].mean()
        share = np.nan if name else abs(mean) / top
        yield block.name, name, *pair, mean, lower, upper, unsigned[j], share


def at_draw(p: dict[str, np.ndarray], s: int) -> dict[str, np.ndarray]:
    """One draw; what does not vary is handed on."""
    return {name: value[s] if value.ndim and len(value) > s else value for name, value in p.items()}


def expected(data: ModelData, block: Block, p: dict[str, Any], theta: np.ndarray) -> np.ndarray:
    """Expected answer to every item at scores ``theta`` (node,), shape (item, node); numbers in raw units."""
    family = data.model.families[block.name]
    if not family.categorical:
        mean, _ = family.log_prob(theta, local(data, block, p), Numpy)
        return mean * block.unit[:, None] + block.centre[:, None]
    prob = np.exp(family.log_prob(theta, local(data, block, p), Numpy))
    return np.einsum("k,jkq->jq", np.arange(block.n_categories), prob)


def _nodes(weight: np.ndarray, location: np.ndarray, spread: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nodes (draw, node) and the density of the construct there, summing to one."""
    low = (location - REACH * spread[:, None]).min(-1)
    high = (location + REACH * spread[:, None]).max(-1)
    count = int(np.ceil(((high - low) / (SPACING * spread)).max())) + 1
    nodes = np.linspace(low, high, count, axis=-1)
    off = (nodes[:, None, :] - location[..., None]) / spread[:, None, None]
    density = np.einsum("r,srq->sq", weight, np.exp(-0.5 * off**2))
    return nodes, density / density.sum(-1, keepdims=True)


def expected_by_group(
    result: Result, item: str, *, interval: float = 0.95, points: int = 81, draws: int = DRAWS
) -> xr.Dataset:
    """Expected answer to one item in every group as the construct rises.

    Parameters
    ----------
    result : Result
        Of a model with groups.
    item : str
    interval : float
        Posterior mass of the bands.
    points, draws : int
        Values of the construct; posterior draws, at even distances.

    Returns
    -------
    xarray.Dataset
        ``expected`` (group, theta, bound: lower, mean, upper), on turned codes from 0, raw units for numbers;
        ``density`` (group, theta) of the construct; theta on the scale that the groups share. Attributes
        ``item``, ``construct``.

    Raises
    ------
    SpecError
        No groups, or no such item.
    """
    import xarray as xr

    check_interval(interval)
    groups = result.data.groups
    if groups is None:
        raise SpecError("this model has no groups", hint='Fit one with groups: Model(..., groups="sex").')
    owners = {name: block for block in result.data.blocks for name in block.construct.items}
    if item not in owners:
        raise SpecError(f"the model has no item '{item}'", hint=nearest(item, owners))
    block, j = owners[item], owners[item].construct.items.index(item)
    p = thinned(result, draws)
    size = len(next(iter(p.values())))
    people = [population(part, groups.values(p, g)) for g, part in enumerate(groups.parts)]
    theta = _reach(people, block.factor, points)
    bands, shares = [], []
    for g, (weight, location, spread) in enumerate(people):
        own = groups.values(p, g)
        draws_of = np.stack(
            [expected(result.data, block, at_draw(own, s), theta)[j] for s in range(size)], -1
        )
        lower, upper = bounds(draws_of, interval)
        bands.append(np.stack([lower, draws_of.mean(-1), upper], axis=-1))
        place, sd = location[..., block.factor].mean(0), spread[:, block.factor].mean()
        shares.append(weight @ np.exp(-0.5 * ((theta - place[:, None]) / sd) ** 2) / sd / np.sqrt(2 * np.pi))
    return xr.Dataset(
        {
            "expected": (("group", "theta", "bound"), np.stack(bands)),
            "density": (("group", "theta"), np.stack(shares)),
        },
        {"group": list(groups.levels), "theta": theta, "bound": ["lower", "mean", "upper"]},
        {"item": item, "construct": block.name, "by": groups.by},
    )


def _reach(people: list[tuple[np.ndarray, np.ndarray, np.ndarray]], factor: int, points: int) -> np.ndarray:
    """Values of a construct that hold three sds around the mean of every group."""
    places = [location[..., factor].mean() for _, location, _ in people]
    sds = [spread[:, factor].mean() for _, _, spread in people]
    low = min(m - 3 * s for m, s in zip(places, sds, strict=True))
    high = max(m + 3 * s for m, s in zip(places, sds, strict=True))
    return np.linspace(low, high, points)
