"""What makes items difficult, and how severe raters are."""

from __future__ import annotations

import pandas as pd

from medpsy.families.explained import Explained
from medpsy.posterior.item_effects import item_effects
from medpsy.report.blocks import Block, Section
from medpsy.report.context import Context
from medpsy.report.tables import table
from medpsy.result import Result

ORDER = 63


def gather(result: Result, interval: float) -> dict[str, pd.DataFrame] | None:
    """Return the effects of the properties of every construct whose items have some."""
    found = {
        name: item_effects(result, name, interval=interval)
        for name, family in result.model.families.items()
        if isinstance(family, Explained) and family.construct.properties is not None
    }
    return found or None


def build(context: Context) -> Section | None:
    """Return one table per construct."""
    part = context.parts.get("item_properties")
    if part is None:
        return None
    blocks: list[Block] = []
    for name, effects in part.items():
        few = effects[(effects["level"] != "") & (effects["level"] != "sd") & (effects["answers"] < 10)]
        notes = [
            "Logits of the location: higher is more difficult, of a rater more severe. A number: per unit. A "
            "level: distance from the mean of the levels, drawn towards it where answers are few."
        ]
        if len(few):
            levels = ", ".join(f"{p} '{lev}'" for p, lev in zip(few["property"], few["level"], strict=True))
            notes.append(f"Fewer than ten answers, so that little but the other levels is known: {levels}.")
        columns = {
            "property": ("Property", None), "level": ("Level", None), "answers": ("Answers", "count"),
            "mean": ("Mean", "two"), "sd": ("SD", "two"),
            "lower": ("Lower", "two"), "upper": ("Upper", "two"),
        }  # fmt: skip
        caption = f"Effects on the location of the items of {name}, with {context.mass} intervals."
        blocks.append(table(caption, effects, columns, notes=notes))
    return Section("What makes items difficult", "what-makes-items-difficult", blocks)
