"""Correlations of items or modules, each with posterior, probability of direction and n."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from medpsy.classical.correlation import (
    bootstrap_weights,
    pair_counts,
    pearson,
    pearson_posterior,
    spearman,
    spearman_draws,
)
from medpsy.classical.inputs import Answers, check_varying, twins
from medpsy.classical.polychoric import polychoric, polychoric_draws
from medpsy.errors import SpecError, nearest
from medpsy.posterior.intervals import check_interval, direction
from medpsy.posterior.judging.findings import Findings, Sheet, check_draws, posterior

KINDS = ("pearson", "spearman", "polychoric")
COLUMNS = ("kind", "left", "right", "n", "r", "mean", "sd", "lower", "upper", "p_direction")
_PRINTED = {
    "kind": ("Kind", "text"), "left": ("", "text"), "right": ("with", "text"), "n": ("n", "count"),
    "r": ("r", "two"), "mean": ("Posterior mean", "two"), "sd": ("SD", "three"), "lower": ("Lower", "two"),
    "upper": ("Upper", "two"), "p_direction": ("P(direction)", "probability"),
}  # fmt: skip


def correlations(
    answers: Answers,
    *,
    of: str = "modules",
    kinds: Sequence[str] | str | None = None,
    interval: float = 0.95,
    draws: int = 500,
    seed: int = 0,
) -> Findings:
    """Correlate modules or items, pairwise.

    Parameters
    ----------
    answers : Answers
    of : str
        ``"modules"`` (means of answered items) or ``"items"``.
    kinds : sequence of str, optional
        Of ``"pearson"``, ``"spearman"``, ``"polychoric"`` (items only); Pearson and Spearman of modules, all
        three of items unless given.
    interval : float
        Posterior mass.
    draws, seed : int
        Draws of the Bayesian bootstrap.

    Returns
    -------
    Findings
        ``correlations``: kind, left, right, n, r, mean, sd, lower, upper, p_direction.

    Raises
    ------
    SpecError
        An unknown kind, an impossible interval or number of draws.
    DataError
        Fewer than two modules or items, or a constant one.

    Notes
    -----
    Pearson: the exact posterior under bivariate normality and a uniform prior (Ly, Marsman & Wagenmakers,
    2018, doi:10.1111/stan.12111). Spearman and polychoric: the Bayesian bootstrap (Rubin, 1981,
    doi:10.1214/aos/1176345338), which assumes no distribution.
    """
    check_interval(interval)
    check_draws(draws)
    chosen = _kinds(of, kinds)
    names, values, notes = _variables(answers, of)
    rng = np.random.default_rng(seed)
    frames = [_MAKERS[kind](values, names, interval, draws, rng, notes) for kind in chosen]
    table = pd.concat(frames, ignore_index=True)[list(COLUMNS)]
    caption = f"Correlations of {of} with {100 * interval:g} % intervals; n: persons with both."
    sheets = (Sheet("correlations", caption, table, _PRINTED),)
    return Findings("correlations", "Correlations", sheets, tuple(notes)).noted(answers.note)


def _kinds(of: str, kinds: Sequence[str] | str | None) -> list[str]:
    """Return the kinds to compute, checked."""
    if of not in ("modules", "items"):
        raise SpecError(f"there are no correlations of '{of}'", hint=nearest(str(of), ("modules", "items")))
    chosen = [kinds] if isinstance(kinds, str) else list(kinds or KINDS[: 2 if of == "modules" else 3])
    for kind in chosen:
        if kind not in KINDS:
            raise SpecError(f"there is no correlation '{kind}'", hint=nearest(str(kind), KINDS))
        if kind == "polychoric" and of == "modules":
            raise SpecError(
                "modules have no polychoric correlation: their scores are no single ordinal answer",
                hint='Ask for of="items", or for the correlation of constructs from a fit.',
            )
    return chosen


def matrix(found: Findings, kind: str) -> pd.DataFrame:
    """Return the correlations of one kind as a symmetric table.

    Raises
    ------
    SpecError
        That kind was not computed.
    """
    table = found["correlations"]
    rows = table[table["kind"] == kind]
    if rows.empty:
        raise SpecError(f"no correlations of kind '{kind}'", hint=nearest(kind, set(table["kind"])))
    names = list(dict.fromkeys([*rows["left"], *rows["right"]]))
    out = pd.DataFrame(np.eye(len(names)), index=names, columns=names)
    for row in rows.itertuples():
        out.loc[row.left, row.right] = out.loc[row.right, row.left] = row.r
    return out


def _variables(answers: Answers, of: str) -> tuple[tuple[str, ...], np.ndarray, list[str]]:
    notes: list[str] = []
    if of == "items":
        check_varying(answers, answers.items)
        pairs = ", ".join(f"{a} and {b}" for a, b in twins(answers, answers.items))
        if pairs:
            notes.append(f"Answered alike by everybody: {pairs}. Was a column entered twice?")
        return answers.items, answers.values, notes
    values, unscored = answers.scale_scores()
    names = tuple(scale.name for scale in answers.scales)
    check_varying(Answers(names, values, ()), names)
    missing = [f"{name} {k}" for name, k in zip(names, unscored, strict=True) if k]
    if missing:
        notes.append(f"Persons without a score (less than half of the items answered): {', '.join(missing)}.")
    return names, values, notes


def _pairs(names: Sequence[str]) -> list[tuple[int, int]]:
    return list(combinations(range(len(names)), 2))


def _pearson(
    values: np.ndarray, names: Sequence[str], interval: float, draws: int, rng: object, notes: list[str]
) -> pd.DataFrame:
    pairs = _pairs(names)
    r, n = pearson(values), pair_counts(values)
    left, right = (np.array(side) for side in zip(*pairs, strict=True))
    found = pearson_posterior(r[left, right], n[left, right], interval)
    return _frame("pearson", names, pairs, n, r).assign(**found)


def _spearman(
    values: np.ndarray,
    names: Sequence[str],
    interval: float,
    draws: int,
    rng: np.random.Generator,
    notes: list[str],
) -> pd.DataFrame:
    pairs = _pairs(names)
    given = ~np.isnan(values)
    weights = bootstrap_weights(len(values), draws, rng)
    rows = []
    for i, j in pairs:
        both = given[:, i] & given[:, j]
        weight = weights[:, both]
        weight = weight / weight.sum(axis=1, keepdims=True)
        rows.append(_summary(spearman_draws(values[both, i], values[both, j], weight), interval))
    frame = _frame("spearman", names, pairs, pair_counts(values), spearman(values))
    return frame.join(pd.DataFrame(rows))


def _polychoric(
    values: np.ndarray,
    names: Sequence[str],
    interval: float,
    draws: int,
    rng: np.random.Generator,
    notes: list[str],
) -> pd.DataFrame:
    pairs = _pairs(names)
    found = polychoric(values, tuple(names))
    notes.extend(found.notes)
    drawn, smoothed = polychoric_draws(values, tuple(names), bootstrap_weights(len(values), draws, rng))
    if smoothed:
        notes.append(f"{smoothed} of {draws} polychoric draws were not positive definite and were smoothed.")
    rows = [_summary(drawn[:, i, j], interval) for i, j in pairs]
    return _frame("polychoric", names, pairs, found.n, found.matrix).join(pd.DataFrame(rows))


def _summary(draws: np.ndarray, interval: float) -> dict[str, float]:
    known = draws[np.isfinite(draws)]
    return posterior(draws, interval) | {"p_direction": float(direction(known)) if len(known) else np.nan}


def _frame(
    kind: str, names: Sequence[str], pairs: list[tuple[int, int]], n: np.ndarray, r: np.ndarray
) -> pd.DataFrame:
    rows = [(kind, names[i], names[j], int(n[i, j]), float(r[i, j])) for i, j in pairs]
    return pd.DataFrame(rows, columns=["kind", "left", "right", "n", "r"])


_MAKERS: dict[str, Callable[..., pd.DataFrame]] = {
    "pearson": _pearson,
    "spearman": _spearman,
    "polychoric": _polychoric,
}
