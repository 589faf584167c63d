"""The correlation matrix of all items that factor analyses start from, and its draws."""

from __future__ import annotations

import numpy as np

from medpsy.classical.correlation import (
    bootstrap_weights,
    covariance_draws,
    pair_counts,
    pearson,
    smooth,
    to_correlation,
)
from medpsy.classical.factorability import check_regular
from medpsy.classical.inputs import Answers, check_varying
from medpsy.classical.polychoric import polychoric, polychoric_draws
from medpsy.errors import SpecError, nearest

CORRELATIONS = ("polychoric", "pearson")


def correlation_matrix(answers: Answers, kind: str) -> tuple[np.ndarray, int, tuple[str, ...]]:
    """A regular correlation matrix of all items, the persons who answered them all, and notes.

    Raises
    ------
    SpecError, DataError
    """
    if kind not in CORRELATIONS:
        raise SpecError(f"there are no '{kind}' correlations here", hint=nearest(str(kind), CORRELATIONS))
    check_varying(answers, answers.items, least=3)
    complete = int((~np.isnan(answers.values)).all(axis=1).sum())
    notes: tuple[str, ...] = ()
    fewest = int(pair_counts(answers.values).min())
    if complete < answers.n_person:
        notes += (
            f"{complete} of {answers.n_person} persons answered every item; each correlation uses everybody "
            f"who answered both items ({fewest} at least).",
        )
    if kind == "polychoric":
        found = polychoric(answers.values, answers.items)
        return found.matrix, complete, notes + found.notes
    raw = pearson(answers.values)
    check_regular(raw if np.linalg.eigvalsh(raw)[0] > -1e-8 else smooth(raw)[0], answers.items)
    matrix, smoothed = smooth(raw)
    if smoothed:
        notes += ("The pairwise correlation matrix was not positive definite and has been smoothed.",)
    return matrix, complete, notes


def matrix_draws(answers: Answers, kind: str, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Draws of the correlation matrix: Bayesian bootstrap (polychoric) or inverse Wishart (Pearson)."""
    if kind == "polychoric":
        weights = bootstrap_weights(answers.n_person, draws, rng)
        return polychoric_draws(answers.values, answers.items, weights)[0]
    return to_correlation(covariance_draws(answers.values, draws, rng)[0])
