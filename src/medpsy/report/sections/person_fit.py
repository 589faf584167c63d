"""Persons whose answers do not go with their scores."""

from __future__ import annotations

import pandas as pd

from medpsy.plots.person_fit import person_fit as figure
from medpsy.posterior.person_fit import person_fit
from medpsy.posterior.replicates import shared
from medpsy.report.blocks import Block, Section, Table, Text
from medpsy.report.context import Context
from medpsy.report.figures import drawn
from medpsy.report.tables import table
from medpsy.result import Result

ORDER = 73
#: Persons that are printed.
SHOWN = 15


def gather(result: Result, interval: float) -> pd.DataFrame | None:
    """Return the fit of every person; nothing for models without items that have categories."""
    if not any(block.n_categories for block in result.data.blocks):
        return None
    return person_fit(result, made=shared(result))


def build(context: Context) -> Section | None:
    """Return how many persons are flagged, the worst of them and why, and the figure."""
    persons: pd.DataFrame | None = context.parts.get("person_fit")
    if persons is None or persons["ppp"].isna().all():
        return None
    about = persons.attrs
    told = [
        f"{about['flags']} of {about['persons']} persons are flagged at {about['alpha']:g}; at most "
        f"{about['by_chance']:.1f} would be by chance if the model were true.",
        "A flag is a reason to look at the answers, not to exclude the person: unexpected answers may be "
        "careless ones, or those of somebody whom the construct does not fit.",
    ]
    blocks: list[Block] = [Text(told), _table(persons)]
    blocks.append(
        drawn(
            figure(persons),
            name="person-fit",
            caption="Left: lz* (log-probability of a person's answers, standardised) beside the standard "
            "normal. Right: posterior predictive p values; below 0.05 is flagged.",
            alt=f"Distributions of lz* and of posterior predictive p values. {told[0]}",
        )
    )
    return Section("Persons who answered unexpectedly", "persons-who-answered-unexpectedly", blocks)


def _table(persons: pd.DataFrame) -> Table:
    worst = persons.sort_values(["ppp", "lz_star"], kind="stable").head(SHOWN)
    columns = {
        "person": ("Person", "text"), "group": ("Group", "text"), "answers": ("Answers", "count"),
        "ppp": ("PPP", "probability"),
        "lz": ("lz", "two"), "lz_star": ("lz*", "two"), "unlikely": ("Least likely answers", "text"),
    }  # fmt: skip
    notes = [
        "PPP: share of posterior draws in which new answers of the same person are no more probable. Least "
        "likely answers with their probability at the person's score."
    ]
    return table(
        f"The {len(worst)} persons with the most unexpected answers.", worst, columns, notes=notes,
        optional=("group", "lz", "lz_star"),
    )  # fmt: skip
