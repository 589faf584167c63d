"""How each item was answered and how well the items measure their construct."""

from __future__ import annotations

from medpsy.plots.item_bars import item_bars
from medpsy.report.blocks import Block, Section
from medpsy.report.context import Context
from medpsy.report.figures import drawn
from medpsy.report.tables import table

ORDER = 50


def build(context: Context) -> Section | None:
    """Return bars of answers, the item table and reliability."""
    blocks: list[Block] = []
    if not context.items.empty:
        names = context.items["construct"].drop_duplicates()
        n = len(context.items[["construct", "item"]].drop_duplicates())
        blocks.append(
            drawn(
                item_bars(context.items),
                name="items",
                caption="Answers per item in percent of the answers given; n: answers given.",
                alt=f"Stacked bars of the answers to {n} items of {', '.join(map(str, names))}.",
            )
        )
    if not context.item_table.empty:
        columns = {
            "item": ("Item", "text"), "construct": ("Construct", "text"), "wording": ("Wording", "text"),
            "n": ("n", "count"), "missing": ("Missing", "count"), "mean": ("Mean", "two"),
            "sd": ("SD", "two"), "item_rest": ("Item-rest r", "two"),
        }  # fmt: skip
        note = "Item-rest r: correlation of the item with the sum of the other items of its construct."
        blocks.append(
            table(
                "Items. Means are on the codes of the file, item-rest correlations on turned ones.",
                context.item_table,
                columns,
                notes=[note],
                optional=("wording",),
            )
        )
    if not context.reliability.empty:
        columns = {
            "construct": ("Construct", "text"), "coefficient": ("Coefficient", "text"),
            "mean": ("Mean", "estimate"), "lower": ("Lower", "estimate"), "upper": ("Upper", "estimate"),
            "p_above_080": ("P(above .80)", "probability"),
        }  # fmt: skip
        caption = f"Reliability with {context.mass} intervals."
        blocks.append(table(caption, context.reliability, columns, optional=("p_above_080",)))
    return Section("The questionnaire", "the-questionnaire", blocks) if blocks else None
