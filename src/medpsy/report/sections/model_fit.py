"""Does the model reproduce the answers?"""

from __future__ import annotations

from medpsy.plots.category_counts import category_counts
from medpsy.report.blocks import Block, Section
from medpsy.report.context import Context
from medpsy.report.figures import drawn, slug

ORDER = 70


def build(context: Context) -> Section | None:
    """Return observed and predicted counts, a figure per construct."""
    blocks: list[Block] = []
    if not context.predicted.empty:
        names = context.predicted["construct"].astype(str)
        for name in names.drop_duplicates():
            rows = context.predicted[names == name]
            outside = int(((rows["observed"] < rows["lower"]) | (rows["observed"] > rows["upper"])).sum())
            found = f"{outside} of {len(rows)} observed counts lie outside their {context.mass} interval"
            blocks.append(
                drawn(
                    category_counts(rows),
                    name=f"counts-{slug(name)}",
                    caption=f"Answers observed and predicted by the model, {name}: {found}.",
                    alt=f"Observed and predicted counts per item and category, {name}. {found}.",
                )
            )
    title = "Does the model fit the answers"
    return Section(title, "does-the-model-fit-the-answers", blocks) if blocks else None
