"""The model as text, as formulas and as its table of parameters."""

from __future__ import annotations

import pandas as pd

from medpsy.report.blocks import Block, Code, Section, Table
from medpsy.report.context import Context
from medpsy.report.tables import table

ORDER = 60


def build(context: Context) -> Section | None:
    """Return syntax, equations and one parameter table per group."""
    blocks: list[Block] = []
    if context.syntax:
        blocks.append(Code(context.syntax.strip("\n"), "model syntax"))
    if context.equations:
        blocks.append(Code("\n".join(context.equations), "equations"))
    if not context.summary.empty:
        groups = context.summary["section"].astype(str)
        blocks += [
            _parameters(context, name, context.summary[groups == name]) for name in groups.drop_duplicates()
        ]
    return Section("The model", "the-model", blocks) if blocks else None


def _parameters(context: Context, name: str, rows: pd.DataFrame) -> Table:
    names = [
        " ".join(str(part) for part in parts if isinstance(part, str) and part)
        for parts in zip(rows["lhs"], rows["op"], rows["rhs"], strict=True)
    ]
    columns = {
        "parameter": ("Parameter", "text"), "label": ("Label", "text"), "mean": ("Mean", "estimate"),
        "sd": ("SD", "estimate"), "lower": ("Lower", "estimate"), "upper": ("Upper", "estimate"),
        "prior": ("Prior", "text"), "r_hat": ("R-hat", "three"), "ess_bulk": ("ESS bulk", "count"),
        "ess_tail": ("ESS tail", "count"),
    }  # fmt: skip
    optional = ("label", "prior", "r_hat", "ess_bulk", "ess_tail")
    caption = f"Parameters: {name}, with {context.mass} intervals."
    return table(caption, rows.assign(parameter=names), columns, optional=optional)
