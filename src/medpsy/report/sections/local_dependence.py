"""Pairs of items that go together more than their constructs explain."""

from __future__ import annotations

import pandas as pd

from medpsy.plots.local_dependence import local_dependence as figure
from medpsy.posterior.local_dependence import FAR, local_dependence
from medpsy.posterior.replicates import shared
from medpsy.report.blocks import Block, Section, Table, Text
from medpsy.report.context import Context
from medpsy.report.figures import drawn
from medpsy.report.tables import table
from medpsy.result import Result

ORDER = 72
#: Pairs that are printed.
SHOWN = 15


def gather(result: Result, interval: float) -> pd.DataFrame | None:
    """Return all pairs; nothing where there are not two items with categories."""
    n_item = sum(block.values.shape[1] for block in result.data.blocks if block.n_categories)
    return local_dependence(result, made=shared(result)) if n_item > 1 else None


def build(context: Context) -> Section | None:
    """Return how many pairs are flagged, the worst of them, and the figure."""
    pairs: pd.DataFrame | None = context.parts.get("local_dependence")
    if pairs is None:
        return None
    about = pairs.attrs
    told = [
        f"Q3 lies {FAR:g} above the mean in {about['flags']['Q3']} of {about['pairs']['Q3']} pairs "
        f"({about['by_chance']['Q3']:.1f} on average in answers made by the model); the two-way table is "
        f"unlike the expected one in {about['flags']['table']} of {about['pairs']['table']} pairs "
        f"(at most {about['by_chance']['table']:.1f} by chance).",
        "Items that go together too much say less than their number suggests: reliability is overstated. "
        "Look at their wording; model what they share (a testlet, a second construct) or leave one out.",
    ]
    blocks: list[Block] = [Text(told), _table(pairs)]
    blocks.append(
        drawn(
            figure(pairs),
            name="local-dependence",
            caption="Q3, correlations of residuals at plausible values (0 expected); framed: flagged.",
            alt=f"Q3 of {len(pairs)} pairs of items. {told[0]}",
        )
    )
    return Section("Local dependence", "local-dependence", blocks)


def _table(pairs: pd.DataFrame) -> Table:
    worst = pairs.reindex(pairs["q3"].abs().sort_values(ascending=False).index).head(SHOWN)
    columns = {
        "group": ("Group", "text"), "item_1": ("Item", "text"), "item_2": ("with", "text"),
        "n": ("n", "count"), "q3": ("Q3", "two"),
        "above_mean": ("Q3 less mean", "two"), "q3_ppp": ("PPP", "probability"),
        "table_ppp": ("PPP table", "probability"), "flag": ("Flag", "text"),
    }  # fmt: skip
    notes = [
        "PPP near 0: the answers go together more than the model says; near 1: less. PPP table near 0: the "
        "two-way table of the answers is unlike the expected one; only pairs within a construct have it."
    ]
    marked = [at for at, flag in enumerate(worst["flag"]) if flag]
    caption = f"The {len(worst)} largest of {len(pairs)} Q3, either sign."
    return table(caption, worst, columns, notes=notes, marked=marked, optional=("group", "table_ppp"))
