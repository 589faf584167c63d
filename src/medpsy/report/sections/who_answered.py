"""The flow of persons and answers, and the sample that remains."""

from __future__ import annotations

import pandas as pd

from medpsy.report.blocks import Block, Section, Table
from medpsy.report.context import Context
from medpsy.report.tables import table

ORDER = 40


def build(context: Context) -> Section | None:
    """Return the counted flow and the description of the sample."""
    blocks: list[Block] = []
    if not context.flow.empty:
        blocks.append(_flow(context.flow))
    if not context.sample.empty:
        blocks.append(_sample(context.sample))
    return Section("Who answered", "who-answered", blocks) if blocks else None


def _flow(flow: pd.DataFrame) -> Table:
    frame = flow.assign(places=[_places(value) for value in flow["places"]]) if "places" in flow else flow
    columns = {
        "rule": ("Rule", "text"), "text": ("What was done", "text"), "unit": ("Unit", "text"),
        "before": ("Before", "count"), "after": ("After", "count"), "removed": ("Removed", "count"),
        "only_this_rule": ("By this rule alone", "count"), "places": ("Where", "text"),
    }  # fmt: skip
    return table(
        "From the file to the analysis: every exclusion counted.", frame, columns,
        optional=("text", "only_this_rule", "places"),
    )  # fmt: skip


def _places(value: object) -> str:
    """Return the named places, the first twelve spelt out and the rest counted."""
    if isinstance(value, str) or not isinstance(value, (list, tuple)):
        return "" if value is None or value != value else str(value)
    shown = ", ".join(map(str, value[:12]))
    return f"{shown} and {len(value) - 12} more" if len(value) > 12 else shown


def _sample(sample: pd.DataFrame) -> Table:
    columns = {
        "variable": ("Variable", "text"), "level": ("Level", "text"), "n": ("n", "count"),
        "share": ("Share", "percent"), "mean": ("Mean", "estimate"), "sd": ("SD", "estimate"),
        "min": ("Lowest", "estimate"), "max": ("Highest", "estimate"),
    }  # fmt: skip
    return table(
        "The persons in the analysis.",
        sample,
        columns,
        optional=("level", "n", "share", "mean", "sd", "min", "max"),
    )
