"""Standardised loadings, where items measure more than their construct."""

from __future__ import annotations

import pandas as pd

from medpsy.errors import SpecError
from medpsy.posterior.loadings import loadings, several_factors
from medpsy.report.blocks import Block, Section
from medpsy.report.context import Context
from medpsy.report.tables import table
from medpsy.result import Result

ORDER = 61
CAPTIONS = {
    "second order": "Standardised loadings of the constructs on the one of second order",
    "cross": "Standardised cross-loadings",
    "rest": "Standardised loadings of the items",
}


def gather(result: Result, interval: float) -> pd.DataFrame | None:
    """Return the loadings, where some item measures more than its construct."""
    if not several_factors(result):
        return None
    try:
        return loadings(result, interval=interval)
    except SpecError:
        return None  # families without standardised loadings


def build(context: Context) -> Section | None:
    """Return a table of the second order, one of cross-loadings, and one of everything else."""
    found = context.parts.get("loadings")
    if found is None:
        return None
    blocks: list[Block] = []
    for which, caption in CAPTIONS.items():
        kinds = found["kind"]
        own = (
            found[~kinds.isin([k for k in CAPTIONS if k != "rest"])]
            if which == "rest"
            else found[kinds == which]
        )
        if own.empty:
            continue
        columns: dict[str, tuple[str, str | None]] = {
            "item": ("Construct" if which == "second order" else "Item", None), "factor": ("Factor", None),
            "kind": ("Kind", None), "mean": ("Mean", "two"), "lower": ("Lower", "two"),
            "upper": ("Upper", "two"),
            "p_direction": ("P(direction)", "probability"), "p_relevant": ("P(relevant)", "probability"),
        }  # fmt: skip
        notes = [f"Relevant: at least {found.attrs.get('relevant', 0.3):g} in size."]
        if which == "rest" and (kinds == "indirect").any():
            notes.append(
                "Indirect: on the second-order construct, through the item's own. Beyond: on what the item's "
                "construct has beyond it. Squares of the two add up to that of the own loading."
            )
        if which != "rest":
            columns.pop("kind")
        blocks.append(table(f"{caption}, with {context.mass} intervals.", own, columns, notes=notes))
    return Section("Loadings", "loadings", blocks)
