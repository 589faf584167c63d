"""Reliability where persons come in clusters: intraclass correlations, design effects, multilevel omega."""

from __future__ import annotations

import numpy as np
import pandas as pd

from medpsy.classical.coefficients import omega_of, spearman_brown
from medpsy.classical.icc import Clusters, anova_icc, clusters, icc_draws
from medpsy.classical.inputs import Answers
from medpsy.classical.two_level_gibbs import FEWEST_CLUSTERS, two_level_draws
from medpsy.errors import DataError
from medpsy.posterior.judging.findings import Sheet, posterior, share
from medpsy.posterior.summary import convergence


def clustered(
    answers: Answers,
    cluster: np.ndarray,
    cut: float,
    interval: float,
    draws: int,
    seed: int,
    notes: list[str],
) -> list[Sheet]:
    """Sheets ``icc`` and ``multilevel``.

    Parameters
    ----------
    answers : Answers
    cluster : ndarray, shape (person,)
        Labels; None, NaN, negative whole numbers and empty text are no cluster, counted in a note.
    cut, interval, draws, seed
        As in :func:`medpsy.posterior.judging.reliability.reliability`.
    notes : list of str
        Is added to.

    Raises
    ------
    DataError
        Labels that do not fit the persons, or fewer than two clusters.
    """
    if len(cluster) != answers.n_person:
        raise DataError(
            f"{len(cluster)} cluster labels for {answers.n_person} persons", hint="Give one per person."
        )
    known = np.array([_is_label(label) for label in cluster])
    if not known.all():
        notes.append(
            f"{int((~known).sum())} persons without a cluster are left out of what concerns clusters."
        )
    label = np.array([str(x) for x in np.asarray(cluster, dtype=object)[known]])
    scores, _ = answers.scale_scores()
    icc: list[dict[str, object]] = []
    levels: list[dict[str, object]] = []
    for s, scale in enumerate(answers.scales):
        groups = clusters(scores[known, s], label)
        icc.append({"module": scale.name} | _icc(groups, interval, draws, seed))
        if len(scale.items) > 2 and len(groups.size) >= FEWEST_CLUSTERS:
            levels += _levels(
                answers.block(scale.items)[known], label, scale.name, cut, interval, draws, seed, notes
            )
    sheets = [Sheet("icc", _caption(interval), pd.DataFrame(icc), _ICC)]
    if levels:
        sheets.append(
            Sheet(
                "multilevel",
                "Omega of persons within clusters and of cluster means, one factor on each level.",
                pd.DataFrame(levels),
                _MULTILEVEL,
            )
        )
    else:
        notes.append(f"Multilevel omega needs three items and at least {FEWEST_CLUSTERS} clusters.")
    return sheets


def _icc(groups: Clusters, interval: float, draws: int, seed: int) -> dict[str, object]:
    drawn = icc_draws(groups, draws, np.random.default_rng(seed))
    average = groups.n / len(groups.size)
    first, second = anova_icc(groups)
    row: dict[str, object] = {"n": groups.n, "clusters": len(groups.size), "average_size": average}
    row |= {"icc1": first, "icc2": second} | posterior(drawn, interval)
    row["p_above_05"] = share(drawn > 0.05, drawn)
    row["mean_reliability"] = float(spearman_brown(drawn, average).mean())
    row["design_effect"] = float((1 + (average - 1) * drawn).mean())
    return row


def _levels(
    values: np.ndarray,
    label: np.ndarray,
    module: str,
    cut: float,
    interval: float,
    draws: int,
    seed: int,
    notes: list[str],
) -> list[dict[str, object]]:
    answered = (~np.isnan(values)).any(axis=1)
    found = two_level_draws(values[answered], label[answered], draws=-(-draws // 2), seed=seed)
    rows: list[dict[str, object]] = []
    for level, omega in (
        ("within", omega_of(found.within_loading, found.within_residual)),
        ("between", omega_of(found.between_loading, found.between_residual)),
    ):
        rhat = convergence(omega[None])["r_hat"][0]
        if rhat > 1.05:
            notes.append(f"{module}: the chains disagree on omega {level} clusters (R-hat {rhat:.2f}).")
        flat = omega.reshape(-1)
        row: dict[str, object] = {"module": module, "level": level, "n": int(answered.sum())}
        rows.append(row | posterior(flat, interval) | {"cut": cut, "p_above": share(flat > cut, flat)})
    return rows


def _is_label(label: object) -> bool:
    if label is None or label == "" or (isinstance(label, float | np.floating) and np.isnan(label)):
        return False
    return not (isinstance(label, int | np.integer) and label < 0)


def _caption(interval: float) -> str:
    return (
        "Intraclass correlation of the module score: analysis of variance (ICC1, ICC2), and posterior under "
        f"a uniform prior with {100 * interval:g} % intervals; design effect 1 + (average size - 1) ICC."
    )


_ICC = {
    "module": ("Module", "text"), "n": ("n", "count"), "clusters": ("Clusters", "count"),
    "average_size": ("Average size", "one"), "icc1": ("ICC(1)", "three"), "icc2": ("ICC(2)", "three"),
    "mean": ("ICC posterior", "three"), "lower": ("Lower", "three"), "upper": ("Upper", "three"),
    "p_above_05": ("P(above .05)", "probability"), "mean_reliability": ("Reliability of means", "three"),
    "design_effect": ("Design effect", "two"),
}  # fmt: skip
_MULTILEVEL = {
    "module": ("Module", "text"), "level": ("Level", "text"), "n": ("n", "count"),
    "mean": ("Omega", "three"), "sd": ("SD", "three"), "lower": ("Lower", "three"),
    "upper": ("Upper", "three"), "cut": ("Cut", "two"), "p_above": ("P(above cut)", "probability"),
}  # fmt: skip
