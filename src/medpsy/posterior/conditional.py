"""Conditional effects: what an effect is at given values of its moderators, and where it excludes zero."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pandas as pd

from medpsy.errors import SpecError, nearest
from medpsy.posterior.intervals import bounds, check_interval, direction
from medpsy.posterior.level_pathways import LEVELS, on_levels
from medpsy.posterior.pathways import Pathways, Value, Way
from medpsy.result import Result

#: Most conditional effects that are put into sentences.
MOST_SAID = 6


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
        effect (``"indirect"``, ``"direct"``, ``"total"``; where variables are split into deviation and
        cluster mean followed by ``" within"`` or ``" between"``), text (the chain), one column per
        moderator, mean, median, sd, lower, upper, p_direction in raw units, std_mean, std_lower, std_upper in
        sds of exposure and outcome. One row per setting, chain and level of the exposure; a total where there
        is more than one chain. Without moderators one setting. Where slopes differ between clusters, averages
        over these.

    Raises
    ------
    SpecError
        An unknown variable, moderator, level or interval; a model without a mediation where none is named.
    """
    check_interval(interval, kind)
    rows = []
    for _, y, along, ways in chains(result, exposure, outcome):
        for setting in along.settings(along.moderators(ways), at):
            for name, text, start, draws in effects_at(along, ways, setting, y):
                scaled = draws * along.ratio(start, y)
                row = {"effect": name, "text": text, **setting, **numbers(draws, interval, kind)}
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
    one_at_a_time: bool = False,
) -> pd.DataFrame:
    """Differences of every conditional effect between all pairs of settings.

    Parameters as in :func:`conditional`; ``one_at_a_time`` keeps the pairs that differ in one moderator, the
    others at their first value. Effects that are the same at both settings have no row.

    Returns
    -------
    DataFrame
        effect, text, setting, minus, mean, median, sd, lower, upper, p_direction; raw units.
    """
    check_interval(interval, kind)
    rows, most = [], 0
    for _, y, along, ways in chains(result, exposure, outcome):
        settings = along.settings(along.moderators(ways), at)
        most = max(most, len(settings))
        found = [list(effects_at(along, ways, setting, y)) for setting in settings]
        for i, j in combinations(range(len(settings)), 2):
            if one_at_a_time and not _one_moves(settings[i], settings[j], settings[0]):
                continue
            for (name, text, _, one), (*_, other) in zip(found[j], found[i], strict=True):
                if np.array_equal(one, other):
                    continue
                pair = {"setting": in_words(settings[j]), "minus": in_words(settings[i])}
                rows.append({"effect": name, "text": text, **pair, **numbers(one - other, interval, kind)})
    if most < 2:
        raise SpecError(
            "there are no two settings to contrast", hint="No effect of this model has a moderator."
        )
    return pd.DataFrame(rows)


def _one_moves(left: Mapping[str, Value], right: Mapping[str, Value], first: Mapping[str, Value]) -> bool:
    """Whether two settings differ in one moderator only, the others at their first value."""
    moved = [name for name in left if left[name] != right[name]]
    return len(moved) == 1 and all(left[name] == first[name] for name in left if name not in moved)


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
    rows = []
    for x, y, along, ways in chains(result, exposure, outcome):
        levels = along.levels(x)
        if not levels or x in along.layout.nodes:
            raise SpecError(f"'{x}' is no category", hint="Relative effects compare levels of an exposure.")
        if along.moderators(ways):
            raise SpecError(
                "relative effects change with a moderator here", hint="Ask for conditional effects instead."
            )
        pairs = comparisons or {f"{b} - {a}": {a: -1.0, b: 1.0} for a, b in combinations(levels, 2)}
        of = {level: list(effects_at(along, [w for w in ways if w.stations[0] == f"{x}[{level}]"], {}, y))
              for level in levels[1:]}  # fmt: skip
        for name, weights in pairs.items():
            _check_weights(name, weights, levels)
            for k, (effect, text, start, draws) in enumerate(of[levels[1]]):
                total = sum((w * of[lv][k][3] for lv, w in weights.items() if lv != levels[0]), 0 * draws)
                chain = text.replace(start, x)
                row = {"comparison": name, "effect": effect, "text": chain}
                rows.append(row | numbers(total, interval, kind))
    return pd.DataFrame(rows)


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
        source, one column per moderator, mean, median, sd, lower, upper, p_direction; raw units. Where
        variables are split into deviation and cluster mean, ``level`` (``"within"``, ``"between"``)
        comes first.

    Raises
    ------
    SpecError
        No such path, an unknown moderator or value.
    """
    check_interval(interval, kind)
    rows = []
    for along in with_path(result, target, source):
        level = {"level": along.level} if along.level else {}
        for factor in along.factors(source):
            way = Way((factor, target))
            for setting in along.settings(along.moderators([way]), at):
                draws = along.effect(way, along.at(setting))
                rows.append({**level, "source": factor, **setting, **numbers(draws, interval, kind)})
    return pd.DataFrame(rows)


def said(result: Result, interval: float = 0.95) -> list[str]:
    """Conditional indirect effects of a moderated mediation in sentences, at most six; else nothing."""
    design = result.model.spec.design
    if design is None or not design.moderation:
        return []
    table = conditional(result, interval=interval)
    kind = "indirect" if design.mediators else "direct"
    wanted = table[table["effect"].str.removesuffix(" within").str.removesuffix(" between") == kind]
    names = [name for name in design.moderators if name in table.columns]
    varying = wanted.groupby(["effect", "text"], sort=False)["mean"].transform("nunique") > 1
    out = []
    rows = wanted[varying].to_dict("records")
    for row in rows[:MOST_SAID]:
        at = in_words({name: row[name] for name in names})
        first, *between, last = row["text"].split(" -> ")
        through = f" through {', '.join(between)}" if between else ""
        out.append(
            f"At {at}, the {spoken(row['effect'])} of {first} on {last}{through} is {row['mean']:.3g} "
            f"({100 * interval:g} % interval {row['lower']:.3g} to {row['upper']:.3g})."
        )
    more = len(rows) - MOST_SAID
    return [*out, f"The table of conditional effects has {more} more."] if more > 0 else out


def spoken(effect: str) -> str:
    """``indirect effect``, ``indirect effect within clusters``."""
    kind, _, level = effect.rpartition(" ")
    return f"{kind} effect {level} clusters" if level in LEVELS else f"{effect} effect"


def ends(result: Result, exposure: str | None, outcome: str | None) -> list[tuple[str, str]]:
    """Pairs of exposure and outcome: those named, else those of the mediation.

    Raises
    ------
    SpecError
        Neither is there.
    """
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


def chains(
    result: Result, exposure: str | None = None, outcome: str | None = None
) -> list[tuple[str, str, Pathways, list[Way]]]:
    """Exposure, outcome, paths of a level and chains on it, wherever there are some.

    Raises
    ------
    SpecError
        As :func:`ends`; no path leads from an exposure to an outcome on any level.
    """
    out, levels = [], on_levels(result)
    for x, y in ends(result, exposure, outcome):
        found = [(x, y, along, ways) for along in levels if (ways := along.ways(x, y))]
        if not found:
            raise SpecError(f"no path leads from '{x}' to '{y}'", hint="Look at the path diagram.")
        out += found
    return out


def with_path(result: Result, target: str, source: str) -> list[Pathways]:
    """The levels on which one variable has a path into another.

    Raises
    ------
    SpecError
        None of them.
    """
    found = [along for along in on_levels(result) if along.joined(source, target)]
    if not found:
        raise SpecError(f"the model has no path '{target} ~ {source}'", hint="Look at model.syntax.")
    return found


def effects_at(
    along: Pathways, ways: list[Way], setting: Mapping[str, Value], outcome: str
) -> list[tuple[str, str, str, np.ndarray]]:
    """Effect, text, start and draws of every chain and of their sums.

    Raises
    ------
    SpecError
        A chain runs through a variable that is binary or a count.
    """
    along.refuse_curved(ways)
    at = along.at(setting)
    out = []
    for start in dict.fromkeys(way.stations[0] for way in ways):
        own = [way for way in ways if way.stations[0] == start]
        draws = {way: along.effect(way, at) for way in own}
        through = [way for way in own if len(way.stations) > 2]
        both = f"{start} -> {outcome}"
        out += [("indirect", way.text, start, draws[way]) for way in through]
        if len(through) > 1:
            out.append(("total indirect", both, start, np.sum([draws[way] for way in through], axis=0)))
        out += [("direct", way.text, start, draws[way]) for way in own if len(way.stations) == 2]
        if len(own) > 1:
            out.append(("total", both, start, np.sum(list(draws.values()), axis=0)))
    tail = f" {along.level}" if along.level else ""
    return [(name + tail, text, start, draws) for name, text, start, draws in out]


def numbers(draws: np.ndarray, interval: float, kind: str) -> dict[str, float]:
    """Mean, median, sd, bounds and direction of the draws of one effect."""
    lower, upper = bounds(draws, interval, kind)
    return {
        "mean": float(draws.mean()), "median": float(np.median(draws)),
        "sd": float(draws.std(ddof=1)) if draws.size > 1 else float("nan"), "lower": float(lower),
        "upper": float(upper), "p_direction": float(direction(draws)),
    }  # fmt: skip


def in_words(setting: Mapping[str, Value]) -> str:
    """``w = 3.2, sex = f``."""
    return ", ".join(f"{k} = {v:.4g}" if isinstance(v, float) else f"{k} = {v}" for k, v in setting.items())


def _check_weights(name: str, weights: Mapping[str, float], levels: tuple[str, ...]) -> None:
    for level in weights:
        if level not in levels:
            raise SpecError(f"comparison '{name}': no level '{level}' occurs", hint=nearest(level, levels))
    if abs(sum(weights.values())) > 1e-9:
        raise SpecError(
            f"comparison '{name}': the weights sum to {sum(weights.values()):g}, not to zero",
            hint="Write for example {'treated': 1, 'control': -1}.",
        )
