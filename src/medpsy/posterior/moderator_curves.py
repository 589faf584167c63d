"""Effects over the range of a moderator, where they exclude zero, and simple slopes as lines."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from medpsy.errors import SpecError
from medpsy.posterior.conditional import chains, effects_at, ends, in_words, spoken, with_path
from medpsy.posterior.intervals import bounds, check_interval
from medpsy.posterior.pathways import Pathways, Value, Way
from medpsy.result import Result

#: Points of a curve over a moderator.
POINTS = 61


def curve(
    result: Result,
    moderator: str,
    *,
    effect: str = "indirect",
    text: str | None = None,
    at: Mapping[str, object] | None = None,
    interval: float = 0.95,
    kind: str = "eti",
) -> pd.DataFrame:
    """One effect over the observed range of a numeric moderator.

    Parameters
    ----------
    moderator : str
    effect, text : str
        Which row of :func:`conditional`: its effect and, where there are several, its chain. Of effects on
        two levels the one within clusters, where there is one, unless ``"indirect between"`` says otherwise.
    at : mapping, optional
        Values of the other moderators; their medians or reference levels unless given.

    Returns
    -------
    DataFrame
        value, mean, lower, upper, at 61 points. ``attrs``: effect, spoken (the same in words), text,
        moderator, interval, ``regions`` (list of (from, to) where the interval excludes zero, ends
        interpolated) and ``share`` (of the persons whose value lies in one of them; of a moderator of
        clusters, of these), ``of`` (what was counted).

    Raises
    ------
    SpecError
        The effect does not change with that variable, or it is a category.

    References
    ----------
    Johnson & Neyman (1936); Bauer & Curran (2005), doi:10.1207/s15327906mbr4003_5.
    """
    check_interval(interval, kind)
    along, ways, y = _level_of(result, effect)
    moderators = along.moderators(ways)
    if along.levels(moderator):
        raise SpecError(f"'{moderator}' is a category", hint="conditional() gives the effect at each level.")
    along.settings(moderators, {moderator: 0.0})
    fixed = {name: _middle(along, name) for name in moderators if name != moderator}
    fixed |= {name: value for name, value in (at or {}).items() if name != moderator}  # type: ignore[misc]
    values = along.numbers(moderator)
    grid = np.linspace(values.min(), values.max(), POINTS)
    draws = np.stack([_one(along, ways, {**fixed, moderator: v}, y, effect, text)[1] for v in grid])
    lower, upper = bounds(draws, interval, kind)
    regions = excluded(grid, lower, upper)
    inside = [(values >= low) & (values <= high) for low, high in regions]
    frame = pd.DataFrame({"value": grid, "mean": draws.mean(axis=1), "lower": lower, "upper": upper})
    chain, effect = _one(along, ways, {**fixed, moderator: grid[0]}, y, effect, text)[::2]
    frame.attrs |= {
        "effect": effect, "spoken": spoken(effect), "text": chain, "moderator": moderator,
        "interval": float(interval), "fixed": fixed, "regions": regions,
        "share": float(np.any(inside, axis=0).mean()) if inside else 0.0, "of": along.of,
    }  # fmt: skip
    return frame


def excluded(grid: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> list[tuple[float, float]]:
    """Stretches of a grid in which the interval excludes zero, their ends interpolated linearly."""
    clear = np.maximum(lower, -upper)  # positive where the interval is on one side of zero
    out: list[tuple[float, float]] = []
    start = float(grid[0]) if clear[0] > 0 else None
    for i in range(1, len(grid)):
        if (clear[i] > 0) == (clear[i - 1] > 0):
            continue
        crossing = float(grid[i - 1] + (grid[i] - grid[i - 1]) * clear[i - 1] / (clear[i - 1] - clear[i]))
        if start is None:
            start = crossing
        else:
            out.append((start, crossing))
            start = None
    return [*out, (start, float(grid[-1]))] if start is not None else out


def slope_lines(
    result: Result,
    target: str,
    source: str,
    *,
    at: Mapping[str, object] | None = None,
    interval: float = 0.95,
    kind: str = "eti",
    level: str | None = None,
) -> pd.DataFrame:
    """Expected values of one variable over another, one line per setting of the moderators of their path.

    Everything else is held at its mean. Where variables are split into deviation and cluster mean, ``level``
    says on which level (``"within"``, ``"between"``; the first that has the path unless given).

    Returns
    -------
    DataFrame
        setting, value (of the source: 21 points from its 5th to its 95th percentile), mean, lower, upper; raw
        units (constructs in residual sds; of a binary target the logit). ``attrs``: target, source, level,
        interval.

    Raises
    ------
    SpecError
        As :func:`simple_slopes`; the source is a category, there is no such level.
    """
    check_interval(interval, kind)
    found = with_path(result, target, source)
    if level not in (None, *(along.level for along in found)):
        raise SpecError(
            f"'{target} ~ {source}' is no path of a level '{level}'",
            hint=f"It stands {' and '.join(along.level for along in found)} clusters."
            if found[0].level else "This model has no levels.",
        )  # fmt: skip
    along = next(one for one in found if level in (None, one.level))
    if along.levels(source):
        raise SpecError(f"'{source}' is a category", hint="simple_slopes() gives its effects as a table.")
    low, high = np.percentile(along.numbers(source), (5, 95))
    grid = np.linspace(float(low), float(high), 21)
    rows = []
    for setting in along.settings(along.moderators([Way((source, target))]), at):
        held = along.at(setting)
        draws = np.stack([along.predicted(target, {**held, source: float(v)}) for v in grid])
        lower, upper = bounds(draws, interval, kind)
        columns = {"value": grid, "mean": draws.mean(axis=1), "lower": lower, "upper": upper}
        rows.append(pd.DataFrame({"setting": in_words(setting)} | columns))
    frame = pd.concat(rows, ignore_index=True)
    frame.attrs |= {"target": target, "source": source, "interval": float(interval), "level": along.level}
    return frame


def _level_of(result: Result, effect: str) -> tuple[Pathways, list[Way], str]:
    """The paths of the level that an effect is on, the chains there and the outcome: of the first pair of
    exposure and outcome."""
    x, y = ends(result, None, None)[0]
    found = chains(result, x, y)
    on = [one for one in found if one[2].level and effect.endswith(f" {one[2].level}")]
    _, outcome, along, ways = (on or found)[0]
    return along, ways, outcome


def _one(
    along: Pathways, ways: list[Way], setting: dict[str, Value], outcome: str, effect: str, text: str | None
) -> tuple[str, np.ndarray, str]:
    """Text, draws and name of one effect at one setting."""
    found = effects_at(along, ways, setting, outcome)
    for name, chain, _, draws in found:
        if effect in (name, name.removesuffix(f" {along.level}")) and text in (None, chain):
            return chain, draws, name
    known = ", ".join(f"{name} ({chain})" for name, chain, *_ in found)
    raise SpecError(
        f"there is no effect '{effect}'" + (f" along '{text}'" if text else ""), hint=f"Known: {known}."
    )


def _middle(along: Pathways, name: str) -> Value:
    levels = along.levels(name)
    return levels[0] if levels else float(np.median(along.numbers(name)))
