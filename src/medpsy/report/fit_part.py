"""What the two sections on fit share: Gaussian models and ordinal ones are judged by different measures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pandas as pd

from medpsy.errors import MedpsyError
from medpsy.report.blocks import Block, Bullets, Section, Text
from medpsy.report.context import Context
from medpsy.report.tables import table

#: Residual correlations that are printed.
SHOWN = 15


@dataclass(frozen=True)
class FitPart:
    """Measures of fit and residual correlations, or why there are none."""

    refused: str = ""
    fit: pd.DataFrame = field(default_factory=pd.DataFrame)
    residuals: pd.DataFrame = field(default_factory=pd.DataFrame)


def gathered(fit: Callable[[], pd.DataFrame], residuals: Callable[[], pd.DataFrame]) -> FitPart:
    """Both tables, or the reason why they cannot be had."""
    try:
        return FitPart(fit=fit(), residuals=residuals())
    except MedpsyError as error:
        return FitPart(refused=f"Not computed: {error.message}. {error.hint}".strip())


def fit_section(
    part: FitPart, verdict: Callable[[pd.DataFrame], str], *tables: Callable[[], Block]
) -> Section:
    """Verdict, tables, and after the first of them what the reader has to know."""
    blocks: list[Block] = [Text([part.refused])]
    if not part.refused:
        blocks = [Text([verdict(part.fit)]), *(made() for made in tables)]
        if part.fit.attrs["notes"]:
            blocks.insert(2, Bullets(list(part.fit.attrs["notes"])))
    return Section("Fit of the model", "fit-of-the-model", blocks)


def residual_block(context: Context, residuals: pd.DataFrame, what: str, note: str) -> Block:
    """The largest residual correlations with their intervals."""
    columns = {
        "group": ("Group", "text"), "item_1": ("Item", "text"), "item_2": ("with", "text"),
        "observed": ("Observed r", "two"), "implied": ("Implied r", "two"), "residual": ("Residual", "two"),
        "lower": ("Lower", "two"), "upper": ("Upper", "two"), "p_relevant": ("P(beyond .10)", "probability"),
        "ppp": ("PPP", "probability"), "table_ppp": ("PPP table", "probability"),
    }  # fmt: skip
    worst = residuals.head(SHOWN)
    marked = [at for at, share in enumerate(worst["p_relevant"]) if share > 0.5]
    caption = (
        f"The {len(worst)} largest of {len(residuals)} residual {what}, with {context.mass} "
        "highest-density intervals."
    )
    return table(
        caption, worst, columns, notes=[f"Marked: more probably than not beyond .10. {note}"], marked=marked,
        optional=("group", "table_ppp"),
    )  # fmt: skip
