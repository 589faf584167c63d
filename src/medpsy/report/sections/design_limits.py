"""What no analysis of these data can decide."""

from __future__ import annotations

import pandas as pd

from medpsy.report.blocks import Block, Bullets, Section, Table, Text
from medpsy.report.context import Context
from medpsy.report.tables import table

ORDER = 30


def build(context: Context) -> Section | None:
    """Return the table of orders, the hypothesised one marked, and the assumptions."""
    blocks: list[Block] = []
    if context.orders is not None and not context.orders.empty:
        n = len(context.orders)
        orders = "all six orders of three constructs" if n == 6 else f"all {n} orders of the constructs"
        blocks.append(
            Text(
                [
                    f"Data of one occasion cannot order the constructs: {orders} fit these data equally "
                    "well. The order is what the hypothesis assumes, not what the data show. The same "
                    "posterior, read in each order, gives these indirect effects."
                ]
            )
        )
        blocks.append(_orders(context, context.orders))
    if context.assumptions:
        blocks.append(
            Text(["Read as causes and effects, the estimates rest on assumptions the data cannot check:"])
        )
        blocks.append(Bullets(list(context.assumptions)))
    return Section("What the design cannot say", "what-the-design-cannot-say", blocks) if blocks else None


def _orders(context: Context, orders: pd.DataFrame) -> Table:
    hypothesised = [bool(flag) for flag in orders["hypothesised"]]
    frame = orders.assign(mark=["hypothesised" if flag else "" for flag in hypothesised])
    columns = {
        "order": ("Order", "text"), "exposure": ("Exposure", "text"), "mediator": ("Mediator", "text"),
        "outcome": ("Outcome", "text"), "indirect_mean": ("Indirect effect", "estimate"),
        "lower": ("Lower", "estimate"), "upper": ("Upper", "estimate"), "mark": ("In this report", "text"),
    }  # fmt: skip
    return table(
        f"The indirect effect in every order of the constructs, with {context.mass} intervals; the "
        "hypothesised order is marked.",
        frame, columns, marked=[at for at, flag in enumerate(hypothesised) if flag],
    )  # fmt: skip
