"""All questions to a questionnaire in one go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from medpsy.classical.efa import most_factors
from medpsy.classical.inputs import Answers, read_answers
from medpsy.errors import MedpsyError
from medpsy.posterior.judging.correlations import correlations
from medpsy.posterior.judging.describe import describe
from medpsy.posterior.judging.efa import efa
from medpsy.posterior.judging.factorability import factorability
from medpsy.posterior.judging.findings import Findings
from medpsy.posterior.judging.number_of_factors import number_of_factors
from medpsy.posterior.judging.reliability import reliability
from medpsy.posterior.judging.validity import discriminant
from medpsy.posterior.judging.what_if import clusters_unknown


def judge(
    answers: Answers,
    *,
    cut: float = 0.8,
    factors: int | None = None,
    correlation: str = "polychoric",
    cluster: np.ndarray | None = None,
    repetitions: int = 200,
    loo: bool = True,
    interval: float = 0.95,
    seed: int = 0,
) -> tuple[Findings, ...]:
    """Describe, correlate, reliability, distinctness, factorability, number of factors, exploratory factors.

    Parameters
    ----------
    answers : Answers
    cut : float
        Reliability to exceed.
    factors : int, optional
        Of the exploratory analysis; as many as parallel analysis found (at least one) unless given.
    correlation : str
        ``"polychoric"`` or ``"pearson"``, for everything on factors but KMO, which has Pearson's.
    cluster : ndarray, shape (person,), optional
    repetitions : int
        Permutations of parallel analysis.
    loo : bool
        Whether to cross-validate the number of factors.
    interval : float
    seed : int

    Returns
    -------
    tuple of Findings
        A question that these answers cannot be asked is there with the reason as its note. Without clusters
        there is a table of what they would mean.
    """
    common: dict[str, Any] = {"interval": interval, "seed": seed}
    described = _asked("Items and modules", describe, answers, **common)
    answers, left_out = _varying(answers)
    found = [
        described.noted(left_out),
        _asked("Reliability", reliability, answers, cut=cut, cluster=cluster, **common),
    ]
    if cluster is None:
        found.append(clusters_unknown(answers.n_person))
    if len(answers.scales) > 1:
        found.append(_asked("Correlations", correlations, answers, **common))
        distinct = common | {"correlation": correlation, "draws": 200}
        found.append(_asked("Distinctness of the modules", discriminant, answers, **distinct))
    found.append(_asked("Factorability", factorability, answers, **common))
    rules = {"correlation": correlation, "repetitions": repetitions, "loo": loo, "seed": seed}
    many = _asked("Number of factors", number_of_factors, answers, **rules)
    found.append(many)
    if many.sheets:
        suggested = int(many["agreement"]["factors"].iloc[0])
        wanted = min(max(1, suggested), most_factors(len(answers.items))) if factors is None else factors
        found.append(_asked("Exploratory factor analysis", efa, answers, wanted, correlation=correlation))
    return tuple(found)


def _varying(answers: Answers) -> tuple[Answers, str]:
    """The answers without items that everybody answered alike, and a sentence about these."""
    values = answers.values
    dull = [
        item
        for item, column in zip(answers.items, values.T, strict=True)
        if len(np.unique(column[~np.isnan(column)])) < 2
    ]
    kept = {s.name: [item for item in s.items if item not in dull] for s in answers.scales}
    kept = {name: items for name, items in kept.items() if items}
    if not dull or not kept:
        return answers, ""
    told = f"Left out of everything below, for they do not vary: {', '.join(dull)}."
    return read_answers(answers, kept), told


def _asked(title: str, ask: Callable[..., Findings], *given: Any, **options: Any) -> Findings:
    """Return the answer to a question, or why it has none."""
    try:
        return ask(*given, **options)
    except MedpsyError as error:
        return Findings(ask.__name__, title, (), (f"{error.message}. {error.hint}".strip(),))
