"""The persons' scores, and what a sum score is worth."""

from __future__ import annotations

from typing import Any

import pandas as pd

from medpsy.errors import SpecError
from medpsy.plots.numbers import count, fixed
from medpsy.plots.person_scores import person_scores
from medpsy.plots.sum_to_score import sum_to_score
from medpsy.posterior.measurement import affordable, is_measurement, measured
from medpsy.posterior.person_table import person_table
from medpsy.posterior.score_table import score_table
from medpsy.report.blocks import Block, Section, Text
from medpsy.report.context import Context
from medpsy.report.figures import drawn, slug
from medpsy.report.tables import table
from medpsy.result import Result

ORDER = 66


def gather(result: Result, interval: float) -> dict[str, Any] | None:
    """Return the scores of the persons and the sum-score tables of a measurement model."""
    if not is_measurement(result):
        return None
    tables, refused = [], []
    for name, title, one in measured(result, independent=True):
        try:
            held = score_table(one, name, interval=interval, short_form=True)
        except SpecError as reason:
            refused.append(f"No sum-score table of {title}: {reason.message}.")
        else:
            tables.append((title, held))
    persons = person_table(result, interval=interval, draws=affordable(result))
    return {"persons": persons, "tables": tables, "refused": refused}


def build(context: Context) -> Section | None:
    """Return the scores of the persons in one figure, and from sum score to score."""
    part = context.parts.get("scores")
    if part is None:
        return None
    persons: pd.DataFrame = part["persons"]
    sentences = []
    for name, rows in persons.groupby("construct", sort=False):
        silent = int((rows["answered"] == 0).sum())
        some = int(((rows["answered"] > 0) & (rows["answered"] < rows["items"])).sum())
        sentences.append(
            f"{name}: {count(len(rows))} persons; standard errors from {fixed(rows['sd'].min(), 2)} to "
            f"{fixed(rows['sd'].max(), 2)}, median {fixed(rows['sd'].median(), 2)}. "
            + (
                f"{_people(some)} left some items out, {_people(silent)} all of them: they have scores, too, "
                "with larger standard errors."
                if some or silent
                else "Nobody left an item out."
            )
        )
    blocks: list[Block] = [
        Text(sentences),
        drawn(
            person_scores(persons, interval=context.interval),
            name="person-scores",
            caption=f"Scores of the persons: posterior mean with {context.mass} interval (left), and the "
            "posterior standard deviation, which is the standard error of the score (right).",
            alt=" ".join(sentences),
        ),
    ]
    for at, (title, held) in enumerate(part["tables"]):
        blocks += _sums(context, title, held, at)
    if part["refused"]:
        blocks.append(Text(part["refused"]))
    return Section("Scores", "scores", blocks)


def _people(number: int) -> str:
    return f"{count(number)} person{'' if number == 1 else 's'}"


def _sums(context: Context, title: str, held: pd.DataFrame, at: int) -> list[Block]:
    columns = {
        "sum_score": ("Sum score", "count"), "persons": ("Persons", "count"),
        "share": ("Expected", "percent"), "score": ("Score", "two"),
        "score_lower": ("Items: lower", "two"), "score_upper": ("Items: upper", "two"),
        "sd": ("SD", "two"), "lower": ("Lower", "two"), "upper": ("Upper", "two"),
    }  # fmt: skip
    missing = held.attrs["incomplete"]
    notes = [
        "Score: posterior mean of the construct given the sum, in standard deviations over the persons. "
        "Items: its "
        f"{context.mass} interval from not knowing the items. SD, lower, upper: of a person with that sum. "
        + (f"Without a sum score, because an answer is missing: {_people(missing)}." if missing else "")
    ]
    ends = held.iloc[[0, -1]]
    return [
        drawn(
            sum_to_score(held, construct=title),
            name=f"sums-{at}-{slug(title)}",
            caption=f"From the sum score to {title}: score with the {context.mass} interval from not "
            "knowing the "
            "items (thick) and that of a person (thin); below, how many persons have each sum.",
            alt=f"The sum {ends['sum_score'].iloc[0]} stands for {fixed(ends['score'].iloc[0], 2)} standard "
            f"deviations, the sum {ends['sum_score'].iloc[1]} for {fixed(ends['score'].iloc[1], 2)}.",
        ),
        table(f"From the sum score to {title}.", held, columns, notes=notes),
    ]
