"""Whether the posterior can be trusted: the gate, the chains, cross-validation."""

from __future__ import annotations

import pandas as pd

from medpsy.plots.ranks import rank_plot
from medpsy.report.blocks import Block, Bullets, Section, Table, Text
from medpsy.report.context import Context
from medpsy.report.figures import drawn
from medpsy.report.tables import table

ORDER = 20


def build(context: Context) -> Section | None:
    """Return the verdict of the gate, its table, rank plots and leave-one-out cross-validation."""
    blocks: list[Block] = []
    if not context.trusted:
        blocks.append(Text(["The diagnostics gate failed. Do not use the numbers of this report because:"]))
        blocks.append(Bullets(list(context.gate_reasons) or ["no reason was recorded."]))
    elif not context.checks.empty:
        blocks.append(Text(["Every check of the diagnostics gate passed or was for information only."]))
    if not context.checks.empty:
        blocks.append(_gate(context.checks))
    if context.ranks is not None:
        draws, names = context.ranks
        blocks.append(
            drawn(
                rank_plot(draws, list(names)),
                name="ranks",
                caption="Agreement of chains: rank ECDF differences with 95 % simultaneous bands; a chain "
                "that samples the same distribution as the others stays in its band.",
                alt=f"Rank plots of {', '.join(map(str, names))}, one line a chain.",
            )
        )
    if context.loo is not None and not context.loo.empty:
        plain = isinstance(context.loo.index, pd.RangeIndex)
        frame = context.loo if plain else context.loo.rename_axis(context.loo.index.name or "").reset_index()
        formats = {name: "numbers" for name in ("Value", "Standard error") if name in frame.columns}
        caption = "Leave-one-person-out cross-validation, persons' scores integrated out."
        blocks.append(Table(caption, frame, formats))
    return Section("Can it be trusted", "can-it-be-trusted", blocks) if blocks else None


def _gate(checks: pd.DataFrame) -> Table:
    failed = [
        at
        for at, passed in enumerate(checks["passed"])
        if passed is not None and not pd.isna(passed) and not passed
    ]
    columns = {
        "check": ("Check", "text"), "passed": ("Passed", "yes_no"), "value": ("Value", "plain"),
        "threshold": ("Threshold", "plain"), "text": ("Finding", "text"), "cure": ("What to do", "text"),
        "code": ("Code", "text"),
    }  # fmt: skip
    return table(
        "The diagnostics gate.", checks, columns, marked=failed,
        optional=("text", "cure", "threshold", "code"), notes=["A dash under Passed: for information only."],
    )  # fmt: skip
