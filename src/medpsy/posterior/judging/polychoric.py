"""Polychoric correlations as a table."""

from __future__ import annotations

import pandas as pd

from medpsy.classical.inputs import Answers, check_varying
from medpsy.classical.polychoric import polychoric as estimate
from medpsy.posterior.judging.findings import Findings, Sheet


def polychoric(answers: Answers) -> Findings:
    """Polychoric correlations of all items, with thresholds and numbers of persons.

    Returns
    -------
    Findings
        ``correlations``, ``n``: one row per item, columns item and every item. ``thresholds``: item,
        threshold, value (sd of the normal variable behind the answer).

    Raises
    ------
    DataError
        A constant item, one with more than 20 different answers, two items that nobody answered together.
    """
    check_varying(answers, answers.items)
    found = estimate(answers.values, answers.items)
    items = list(answers.items)

    def square(values: object, kind: str, name: str, caption: str) -> Sheet:
        frame = pd.DataFrame(values, columns=items)
        frame.insert(0, "item", items)
        printed = {"item": ("Item", "text")} | {item: (item, kind) for item in items}
        return Sheet(name, caption, frame, printed)

    rows = [
        (item, k + 1, float(value))
        for item, own in zip(items, found.thresholds, strict=True)
        for k, value in enumerate(own)
    ]
    thresholds = pd.DataFrame(rows, columns=["item", "threshold", "value"])
    sheets = (
        square(found.matrix, "two", "correlations", "Polychoric correlations."),
        square(found.n, "count", "n", "Persons who answered both."),
        Sheet(
            "thresholds",
            "Thresholds, in sds of the normal variable behind the answer.",
            thresholds,
            {"item": ("Item", "text"), "threshold": ("Threshold", "count"), "value": ("Value", "two")},
        ),
    )
    return Findings("polychoric", "Polychoric correlations", sheets, found.notes).noted(answers.note)
