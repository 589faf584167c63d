"""Conditional effects: what an effect is at given values of its moderators, and where it excludes zero."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pandas as pd

from medpsy.errors import SpecError
from medpsy.posterior.intervals import bounds, check_interval, direction
from medpsy.posterior.pathways import Pathways, Value, Way
from medpsy.result import Result

#: Points of a curve over a moderator.
POINTS = 61


def conditional(
    result: Result,
    *,
    at: Mapping[str, object] | None = None,
    exposure: str | None = None,
    outcome: str | None = None,
    interval: float = 0.95,
    kind: str = "eti",
) -> pd.DataFrame:
    """Table of the indirect, direct and total effects at values of their moderators.

    Parameters
    ----------
    result : Result
    at : mapping, optional
        Value or values by moderator: numbers in their own units, levels by name. Left out: every level, or
        the 16th, 50th and 84th percentile.
    exposure, outcome : str, optional
        Those of the mediation unless given.
    interval, kind
        As in :func:`medpsy.posterior.effects.effects`.

    Returns
    -------
    DataFrame
        effect (``"indirect"``, ``"direct"``, ``"total"``), text (the chain), one column per moderator, mean,
        median, sd, lower, upper, p_direction in raw units, std_mean, std_lower, std_upper in sds of exposure
        and outcome. One row per setting, chain and level of the exposure; a total where there is more than
        one chain. Without moderators one setting.

    Raises
    ------
    SpecError
        An unknown variable, moderator, level or interval; a model without a mediation where none is named.
    """
    check_interval(interval, kind)
    along = Pathways(result)
    rows = []
    for x, y in _ends(result, exposure, outcome):
        ways = along.ways(x, y)
        if not ways:
            raise SpecError(f"no path leads from '{x}' to '{y}'", hint="Look at the path diagram.")
        for setting in along.settings(along.moderators(ways), at):
            for name, text, start, draws in _effects(along, ways, setting, y):
                scaled = draws * along.ratio(start, y)
                row = {"effect": name, "text": text, **setting, **_numbers(draws, interval, kind)}
                low, high = bounds(scaled, interval, kind)
                rows.append(row | {"std_mean": scaled.mean(), "std_lower": low, "std_upper": high})
    frame = pd.DataFrame(rows)
    frame.attrs |= {"interval": float(interval), "kind": kind}
    return frame


def contrasts(
    result: Result,
    *,
    at: Mapping[str, object] | None = None,
    exposure: str | None = None,
    outcome: str | None = None,
    interval: float = 0.95,
    kind: str = "eti",
) -> pd.DataFrame:
    """Differences of every conditional effect between all pairs of settings.

    Parameters as in :func:`conditional`.

    Returns
    -------
    DataFrame
        effect, text, setting, minus, mean, median, sd, lower, upper, p_direction; raw units.
    """
    check_interval(interval, kind)
    along = Pathways(result)
    rows = []
    for x, y in _ends(result, exposure, outcome):
        ways = along.ways(x, y)
        settings = along.settings(along.moderators(ways), at)
        if len(settings) < 2:
            raise SpecError(
                "there are no two settings to contrast", hint="No effect of this model has a moderator."
            )
        found = [list(_effects(along, ways, setting, y)) for setting in settings]
        for i, j in combinations(range(len(settings)), 2):
            for (name, text, _, one), (*_, other) in zip(found[j], found[i], strict=True):
                pair = {"setting": _said(settings[j]), "minus": _said(settings[i])}
                rows.append({"effect": name, "text": text, **pair, **_numbers(one - other, interval, kind)})
    return pd.DataFrame(rows)


def relative(
    result: Result,
    comparisons: Mapping[str, Mapping[str, float]] | None = None,
    *,
    exposure: str | None = None,
    outcome: str | None = None,
    interval: float = 0.95,
    kind: str = "eti",
) -> pd.DataFrame:
    """Relative effects of a categorical exposure for chosen comparisons of its levels.

    Parameters
    ----------
    comparisons : mapping of str to mapping of level to weight, optional
        Weights that sum to zero, such as ``{"any": {"none": -1, "individual": 0.5, "collective": 0.5}}``.
        Left out: all pairs of levels.
    exposure, outcome, interval, kind
        As in :func:`conditional`.

    Returns
    -------
    DataFrame
        comparison, effect, text, mean, median, sd, lower, upper, p_direction; raw units of the outcome.

    Raises
    ------
    SpecError
        The exposure is no category, an unknown level, weights that do not sum to zero, a moderated effect.

    References
    ----------
    Hayes, A. F. & Preacher, K. J. (2014), doi:10.1111/bmsp.12028.
    """
    check_interval(interval, kind)
    along = Pathways(result)
    rows = []
    for x, y in _ends(result, exposure, outcome):
        levels = along.levels(x)
        if not levels or x in along.layout.nodes:
            raise SpecError(f"'{x}' is no category", hint="Relative effects compare levels of an exposure.")
        ways = along.ways(x, y)
        if along.moderators(ways):
            raise SpecError(
                "relative effects change with a moderator here", hint="Ask for conditional effects instead."
            )
        pairs = comparisons or {f"{b} - {a}": {a: -1.0, b: 1.0} for a, b in combinations(levels, 2)}
        of = {level: list(_effects(along, [w for w in ways if w.stations[0] == f"{x}[{level}]"], {}, y))
              for level in levels[1:]}  # fmt: skip
        for name, weights in pairs.items():
            _check_weights(name, weights, levels)
            for k, (effect, text, start, draws) in enumerate(of[levels[1]]):
                total = sum((w * of[lv][k][3] for lv, w in weights.items() if lv != levels[0]), 0 * draws)
                chain = text.replace(start, x)
                row = {"comparison": name, "effect": effect, "text": chain}
                rows.append(row | _numbers(total, interval, kind))
    return pd.DataFrame(rows)


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
        Which row of :func:`conditional`: its effect and, where there are several, its chain.
    at : mapping, optional
        Values of the other moderators; their medians or reference levels unless given.

    Returns
    -------
    DataFrame
        value, mean, lower, upper, at 61 points. ``attrs``: effect, text, moderator, interval, ``regions``
        (list of (from, to) where the interval excludes zero, ends interpolated) and ``share`` (of the persons
        whose value lies in one of them).

    Raises
    ------
    SpecError
        The effect does not change with that variable, or it is a category.

    References
    ----------
    Johnson & Neyman (1936); Bauer & Curran (2005), doi:10.1207/s15327906mbr4003_5.
    """
    check_interval(interval, kind)
    along = Pathways(result)
    x, y = next(iter(_ends(result, None, None)))
    ways = along.ways(x, y)
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
    chain = _one(along, ways, {**fixed, moderator: grid[0]}, y, effect, text)[0]
    frame.attrs |= {
        "effect": effect, "text": chain, "moderator": moderator, "interval": float(interval), "fixed": fixed,
        "regions": regions, "share": float(np.any(inside, axis=0).mean()) if inside else 0.0,
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


def simple_slopes(
    result: Result,
    target: str,
    source: str,
    *,
    at: Mapping[str, object] | None = None,
    interval: float = 0.95,
    kind: str = "eti",
) -> pd.DataFrame:
    """Slope of one path at values of its moderators (Aiken & West, 1991, ISBN 9780803936058).

    Returns
    -------
    DataFrame
        source, one column per moderator, mean, median, sd, lower, upper, p_direction; raw units.

    Raises
    ------
    SpecError
        No such path, an unknown moderator or value.
    """
    check_interval(interval, kind)
    along = Pathways(result)
    rows = []
    for factor in along.factors(source):
        way = Way((factor, target))
        if target not in along.layout.nodes or (factor,) not in along._of(target):
            raise SpecError(f"the model has no path '{target} ~ {source}'", hint="Look at model.syntax.")
        for setting in along.settings(along.moderators([way]), at):
            draws = along.effect(way, along.at(setting))
            rows.append({"source": factor, **setting, **_numbers(draws, interval, kind)})
    return pd.DataFrame(rows)


def slope_lines(
    result: Result,
    target: str,
    source: str,
    *,
    at: Mapping[str, object] | None = None,
    interval: float = 0.95,
    kind: str = "eti",
) -> pd.DataFrame:
    """Expected values of one variable over another, one line per setting of the moderators of their path.

    Everything else is held at its mean.

    Returns
    -------
    DataFrame
        setting, value (of the source: 21 points from its 5th to its 95th percentile), mean, lower, upper; raw
        units (constructs in residual sds; of a binary target the logit). ``attrs``: target, source, interval.

    Raises
    ------
    SpecError
        As :func:`simple_slopes`; the source is a category.
    """
    check_interval(interval, kind)
    along = Pathways(result)
    if along.levels(source):
        raise SpecError(f"'{source}' is a category", hint="simple_slopes() gives its effects as a table.")
    simple_slopes(result, target, source, at=at, interval=interval, kind=kind)  # refuses what is no path
    grid = np.linspace(*np.percentile(along.numbers(source), (5, 95)), 21)
    rows = []
    for setting in along.settings(along.moderators([Way((source, target))]), at):
        held = along.at(setting)
        draws = np.stack([along.predicted(target, {**held, source: float(v)}) for v in grid])
        lower, upper = bounds(draws, interval, kind)
        columns = {"value": grid, "mean": draws.mean(axis=1), "lower": lower, "upper": upper}
        rows.append(pd.DataFrame({"setting": _said(setting)} | columns))
    frame = pd.concat(rows, ignore_index=True)
    frame.attrs |= {"target": target, "source": source, "interval": float(interval)}
    return frame


def said(result: Result, interval: float = 0.95) -> list[str]:
    """Conditional indirect effects of a moderated mediation in sentences, at most six; else nothing."""
    design = result.model.spec.design
    if design is None or not design.moderation:
        return []
    table = conditional(result, interval=interval)
    wanted = table[table["effect"] == ("indirect" if design.mediators else "direct")]
    names = [name for name in design.moderators if name in table.columns]
    varying = wanted.groupby("text", sort=False)["mean"].transform("nunique") > 1
    out = []
    for row in wanted[varying].to_dict("records")[:6]:
        at = _said({name: row[name] for name in names})
        first, *between, last = row["text"].split(" -> ")
        through = f" through {', '.join(between)}" if between else ""
        out.append(
            f"At {at}, the {row['effect']} effect of {first} on {last}{through} is {row['mean']:.3g} "
            f"({100 * interval:g} % interval {row['lower']:.3g} to {row['upper']:.3g})."
        )
    return out


def _ends(result: Result, exposure: str | None, outcome: str | None) -> list[tuple[str, str]]:
    design = result.model.spec.design
    if exposure is not None and outcome is not None:
        return [(exposure, outcome)]
    if design is None:
        raise SpecError(
            "the model is no recognised mediation", hint="Name exposure= and outcome= of the effects."
        )
    exposures = design.exposures if exposure is None else (exposure,)
    outcomes = design.outcomes if outcome is None else (outcome,)
    return [(x, y) for x in exposures for y in outcomes]


def _effects(
    along: Pathways, ways: list[Way], setting: Mapping[str, Value], outcome: str
) -> list[tuple[str, str, str, np.ndarray]]:
    """Effect, text, start and draws of every chain and of their sums."""
    at = along.at(setting)
    out = []
    for start in dict.fromkeys(way.stations[0] for way in ways):
        own = [way for way in ways if way.stations[0] == start]
        draws = {way: along.effect(way, at) for way in own}
        through = [way for way in own if len(way.stations) > 2]
        ends = f"{start} -> {outcome}"
        out += [("indirect", way.text, start, draws[way]) for way in through]
        if len(through) > 1:
            out.append(("total indirect", ends, start, np.sum([draws[way] for way in through], axis=0)))
        out += [("direct", way.text, start, draws[way]) for way in own if len(way.stations) == 2]
        if len(own) > 1:
            out.append(("total", ends, start, np.sum(list(draws.values()), axis=0)))
    return out


def _one(
    along: Pathways, ways: list[Way], setting: dict[str, Value], outcome: str, effect: str, text: str | None
) -> tuple[str, np.ndarray]:
    """Text and draws of one effect at one setting."""
    found = _effects(along, ways, setting, outcome)
    for name, chain, _, draws in found:
        if name == effect and text in (None, chain):
            return chain, draws
    known = ", ".join(f"{name} ({chain})" for name, chain, *_ in found)
    raise SpecError(
        f"there is no effect '{effect}'" + (f" along '{text}'" if text else ""), hint=f"Known: {known}."
    )


def _middle(along: Pathways, name: str) -> Value:
    levels = along.levels(name)
    return levels[0] if levels else float(np.median(along.numbers(name)))


def _numbers(draws: np.ndarray, interval: float, kind: str) -> dict[str, float]:
    lower, upper = bounds(draws, interval, kind)
    return {
        "mean": float(draws.mean()), "median": float(np.median(draws)),
        "sd": float(draws.std(ddof=1)) if draws.size > 1 else float("nan"), "lower": float(lower),
        "upper": float(upper), "p_direction": float(direction(draws)),
    }  # fmt: skip


def _said(setting: Mapping[str, Value]) -> str:
    return ", ".join(f"{k} = {v:.4g}" if isinstance(v, float) else f"{k} = {v}" for k, v in setting.items())


def _check_weights(name: str, weights: Mapping[str, float], levels: tuple[str, ...]) -> None:
    from medpsy.errors import nearest

    for level in weights:
        if level not in levels:
            raise SpecError(f"comparison '{name}': no level '{level}' occurs", hint=nearest(level, levels))
    if abs(sum(weights.values())) > 1e-9:
        raise SpecError(
            f"comparison '{name}': the weights sum to {sum(weights.values()):g}, not to zero",
            hint="Write for example {'treated': 1, 'control': -1}.",
        )
