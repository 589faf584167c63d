"""How the effects of a mediation change with their moderators."""

from __future__ import annotations

from typing import Any

import pandas as pd

from medpsy.plots.conditional_curve import conditional_curve
from medpsy.plots.numbers import estimate, with_interval
from medpsy.plots.slope_lines import slope_lines
from medpsy.posterior.conditional import conditional, contrasts, with_path
from medpsy.posterior.level_pathways import on_levels
from medpsy.posterior.moderator_curves import curve
from medpsy.posterior.moderator_curves import slope_lines as lines
from medpsy.posterior.natural import natural
from medpsy.posterior.pathways import Pathways
from medpsy.report.blocks import Block, Section, Text
from medpsy.report.context import Context
from medpsy.report.figures import drawn, slug
from medpsy.report.tables import table
from medpsy.result import Result

ORDER = 15
AVERAGED = (
    "Slopes differ between clusters beyond what moderators make of them: indirect effects through two such "
    "slopes are averages over clusters, the covariance of the slopes included."
)


def gather(result: Result, interval: float) -> dict[str, Any] | None:
    """Return conditional effects, contrasts, curves and lines of a moderated mediation."""
    design = result.model.spec.design
    if design is None or not design.moderation:
        return None
    levels = on_levels(result)
    along = levels[0]
    numbers = [w for w in design.moderators if not along.levels(w) and w not in design.exposures]
    found: dict[str, Any] = {
        "moderators": list(design.moderators),
        "conditional": conditional(result, interval=interval),
        "contrasts": contrasts(result, interval=interval, one_at_a_time=True),
        "curves": [],
        "lines": [],
        "natural": None,
        "over": f" over {along.of}" if along.level else "",
        "averaged": [AVERAGED] if along.random else [],
    }
    through = bool(design.mediators)
    for one in levels:
        ways = [w for w in one.ways(design.exposure, design.outcome) if (len(w.stations) > 2) == through]
        if len(design.mediators) <= 1 and not one.levels(design.exposure):
            effect = ("indirect" if through else "direct") + (f" {one.level}" if one.level else "")
            changing = one.moderators(ways)
            found["curves"] += [
                curve(result, w, effect=effect, interval=interval) for w in numbers if w in changing
            ]
    for target, source in _moderated_paths(result, along):
        found["lines"] += [
            lines(result, target, source, interval=interval, level=one.level or None)
            for one in with_path(result, target, source)
        ]
    clusters = result.model.spec.clusters
    apart = clusters is not None and bool(clusters.between or clusters.random)
    if design.mediators and set(design.moderators) & set(design.exposures) and not apart:
        found["natural"] = natural(result, interval=interval)
    return found


def _moderated_paths(result: Result, along: Pathways) -> list[tuple[str, str]]:
    """Labelled paths with one or two products, out of a number or construct that moderates nothing."""
    spec = result.model.spec
    assert spec.design is not None
    found = []
    for path in spec.paths:
        products = [p for p in spec.paths if p.target == path.target and p.by and path.source in p.variables]
        plain = path.label and not path.by and path.source not in spec.design.moderators
        if plain and 1 <= len(products) <= 2 and not along.levels(path.source):
            found.append((path.target, path.source))
    return found


def build(context: Context) -> Section | None:
    """Return conditional effects, their contrasts, curves and simple slopes."""
    parts = context.parts.get("conditional_effects")
    if not parts:
        return None
    names = parts["moderators"]
    blocks: list[Block] = [
        Text(
            [
                f"The effects change with {', '.join(names)}: each holds at the values beside it. Numbers "
                f"are probed at their 16th, 50th and 84th percentile{parts['over']} unless they have two "
                "values only.",
                *parts["averaged"],
            ]
        ),
        _effects(context, parts["conditional"], names),
    ]
    blocks += [_curve(context, one) for one in parts["curves"]]
    blocks += [_lines(context, one) for one in parts["lines"] if one["setting"].nunique() <= 6]
    blocks.append(_contrasts(context, parts["contrasts"]))
    if parts["natural"] is not None:
        blocks.append(_natural(context, parts["natural"]))
    return Section("Conditional effects", "conditional-effects", blocks)


def _effects(context: Context, frame: pd.DataFrame, names: list[str]) -> Any:
    moderators = [name for name in names if name in frame.columns]
    # What no moderator touches is told once.
    every = frame.groupby(["effect", "text"], sort=False)["mean"].transform("nunique") == 1
    keep = ~every | ~frame.duplicated(["effect", "text"])
    frame, every = frame[keep].reset_index(drop=True), every[keep].to_numpy()
    shown = frame.copy()
    for name in moderators:
        shown[name] = [
            "any" if same else value if isinstance(value, str) else estimate(value)
            for value, same in zip(frame[name], every, strict=True)
        ]
    triples = zip(frame["std_mean"], frame["std_lower"], frame["std_upper"], strict=True)
    shown["std"] = [with_interval(*triple) for triple in triples]
    columns = {"effect": ("Effect", "text"), "text": ("Path", "text")}
    columns |= {name: (name, "text") for name in moderators}
    columns |= {
        "mean": ("Mean", "estimate"), "sd": ("SD", "estimate"), "lower": ("Lower", "estimate"),
        "upper": ("Upper", "estimate"), "p_direction": ("P(direction)", "probability"),
        "std": ("Standardised", "numbers"),
    }  # fmt: skip
    return table(f"Conditional effects with {context.mass} intervals.", shown, columns)


def _contrasts(context: Context, frame: pd.DataFrame) -> Any:
    columns = {
        "effect": ("Effect", "text"), "text": ("Path", "text"), "setting": ("At", "text"),
        "minus": ("Minus at", "text"), "mean": ("Difference", "estimate"), "lower": ("Lower", "estimate"),
        "upper": ("Upper", "estimate"), "p_direction": ("P(direction)", "probability"),
    }  # fmt: skip
    caption = (
        f"Differences of the conditional effects with {context.mass} intervals; of several moderators one at "
        "a time, the others at their first value."
    )
    return table(caption, frame, columns)


def _natural(context: Context, frame: pd.DataFrame) -> Any:
    columns = {
        "effect": ("Effect", "text"), "mean": ("Mean", "estimate"), "sd": ("SD", "estimate"),
        "lower": ("Lower", "estimate"), "upper": ("Upper", "estimate"),
        "p_direction": ("P(direction)", "probability"),
    }  # fmt: skip
    low, high = (v if isinstance(v, str) else estimate(v) for v in (frame.attrs["low"], frame.attrs["high"]))
    return table(
        f"Natural and controlled effects of changing the exposure from {low} to {high}, averaged over the "
        "persons, "
        f"with {context.mass} intervals.",
        frame, columns,
        notes=[
            "Natural effects let the mediators be as they would be under the exposure; the controlled direct "
            "effect holds them at their means."
        ],
    )  # fmt: skip


def _curve(context: Context, frame: pd.DataFrame) -> Any:
    about = frame.attrs
    said = "; ".join(f"{estimate(a)} to {estimate(b)}" for a, b in about["regions"]) or "nowhere"
    caption = (
        f"The {about['spoken']} {about['text']} over {about['moderator']}, with its {context.mass} "
        "band: it "
        f"excludes zero {'at ' if about['regions'] else ''}{said}, where {100 * about['share']:.0f} % of the "
        f"{about['of']} lie."
    )
    level = about["effect"].partition(" ")[2]
    name = f"curve-{slug(about['moderator'])}" + (f"-{level}" if level else "")
    return drawn(conditional_curve(frame), name=name, caption=caption, alt=caption)


def _lines(context: Context, frame: pd.DataFrame) -> Any:
    about = frame.attrs
    level = about["level"]
    caption = (
        f"Simple slopes{f' {level} clusters' if level else ''}: expected {about['target']} over "
        f"{about['source']}, all else at its mean, with {context.mass} bands."
    )
    ends = frame.groupby("setting", sort=False)["mean"].agg(["first", "last"])
    alt = "; ".join(f"{s}: {estimate(r['first'])} to {estimate(r['last'])}" for s, r in ends.iterrows())
    name = f"slopes-{slug(about['target'])}-{slug(about['source'])}" + (f"-{level}" if level else "")
    return drawn(slope_lines(frame), name=name, caption=caption, alt=f"{caption} {alt}.")
