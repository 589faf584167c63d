"""What it would mean if the persons came in clusters that nobody recorded."""

from __future__ import annotations

from medpsy.classical.group_scores import what_if
from medpsy.posterior.judging.findings import Findings, Sheet

PRINTED = {
    "cluster_size": ("Persons in a cluster", "count"), "icc": ("Intraclass correlation", "two"),
    "design_effect": ("Design effect", "two"), "effective_n": ("Persons that count", "count"),
    "error_factor": ("Standard errors times", "two"),
}  # fmt: skip


def clusters_unknown(n: int) -> Findings:
    """How many independent persons a sample in clusters would be worth, as a part of a judgement.

    Parameters
    ----------
    n : int
        Persons.

    Returns
    -------
    Findings
        ``what_if``: see :func:`medpsy.classical.group_scores.what_if`.
    """
    caption = f"What {n} persons are worth if they came in clusters that were not recorded."
    note = (
        "Everything here takes the persons for independent. Persons of one class or ward are alike: record "
        "the clusters, or read intervals as too narrow by the last column."
    )
    sheet = Sheet("what_if", caption, what_if(n), PRINTED)
    return Findings("clusters", "If the persons came in clusters", (sheet,), (note,))
