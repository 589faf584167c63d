"""What the levels of person variables do: effects, their spread, and every pair of levels."""

from __future__ import annotations

import pandas as pd

from medpsy.plots.effects_forest import effects_forest
from medpsy.plots.numbers import estimate
from medpsy.posterior.level_effects import has_levels, level_contrasts, level_effects
from medpsy.report.blocks import Block, Section, Text
from medpsy.report.context import Context
from medpsy.report.figures import drawn
from medpsy.report.tables import table
from medpsy.result import Result

ORDER = 13
#: With more levels the table of pairs is left to the reader's own ``fit.level_contrasts()``.
MOST = 8
WORDS = (
    "The levels come from a common distribution: each is drawn towards the mean of all, the more the fewer "
    "persons it has. Comparing all pairs therefore needs no further correction for their number (Gelman, "
    "Hill & Yajima, 2012). Effects are distances from the mean of the levels, of a construct in its sd given "
    "what explains it, of an observed variable in its own units."
)


def gather(result: Result, interval: float) -> dict[str, pd.DataFrame] | None:
    """Return the tables of a model with pooled levels."""
    if not has_levels(result):
        return None
    return {
        "effects": level_effects(result, interval=interval),
        "contrasts": level_contrasts(result, interval=interval),
    }


def build(context: Context) -> Section | None:
    """Return a figure and a table for each variable, and the pairs of those with few levels."""
    part = context.parts.get("levels")
    if part is None:
        return None
    blocks: list[Block] = [Text([WORDS])]
    every, pairs = part["effects"], part["contrasts"]
    keys = [key for key in ("group", "target", "variable") if key in every]
    for number, (at, own) in enumerate(every.groupby(keys, sort=False)):
        target, variable = at[-2:]
        levels = own[own["level"] != "sd"]
        caption = f"Effects of the levels of {variable} on {target}, with {context.mass} intervals."
        rows = levels.assign(effect=levels["level"], text=[f"{n} persons" for n in levels["n"]])
        told = [f"{r.level}: {estimate(r.mean)}" for r in levels.itertuples()]
        figure = effects_forest(rows, interval=context.interval)
        blocks.append(drawn(figure, name=f"levels-{number}", caption=caption, alt=f"{'; '.join(told)}."))
        columns = {
            "level": ("Level", None), "n": ("Persons", "count"), "mean": ("Mean", "two"), "sd": ("SD", "two"),
            "lower": ("Lower", "two"), "upper": ("Upper", "two"),
            "p_direction": ("P(direction)", "probability"),
        }  # fmt: skip
        blocks.append(table(caption, own, columns, notes=["Row sd: the standard deviation of the levels."]))
        chosen = pairs[(pairs[keys] == list(at)).all(axis=1)]
        if len(levels) <= MOST:
            blocks.append(_pairs(context, str(target), str(variable), chosen))
    return Section("Levels of person variables", "levels-of-person-variables", blocks)


def _pairs(context: Context, target: str, variable: str, pairs: pd.DataFrame) -> Block:
    columns = {
        "level": ("Level", None), "against": ("Against", None), "difference": ("Difference", "two"),
        "lower": ("Lower", "two"), "upper": ("Upper", "two"), "p_direction": ("P(direction)", "probability"),
        "p_negligible": ("P(negligible)", "probability"),
    }  # fmt: skip
    rope = pairs.attrs.get("rope", 0.1)
    return table(
        f"Differences in {target} between all pairs of levels of {variable}, with {context.mass} intervals.",
        pairs,
        columns,
        notes=[f"Negligible: less than {rope:g} sd."],
    )
