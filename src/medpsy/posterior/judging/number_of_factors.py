"""How many factors: several rules side by side."""

from __future__ import annotations

import numpy as np
import pandas as pd

from medpsy.classical.efa import most_factors
from medpsy.classical.factor_gibbs import factor_draws, log_likelihood
from medpsy.classical.inputs import Answers
from medpsy.classical.number_of_factors import Parallel, average_partial, parallel_analysis
from medpsy.errors import SpecError
from medpsy.posterior.judging.findings import Findings, Sheet, check_draws
from medpsy.posterior.judging.matrices import correlation_matrix

#: A difference of expected log predictive density that matters exceeds this and two standard errors.
SMALL = 4.0
#: Importance weights of a person with a larger Pareto k are not to be relied on.
HIGH_K = 0.7


def number_of_factors(
    answers: Answers,
    *,
    correlation: str = "polychoric",
    repetitions: int = 500,
    quantile: float = 0.95,
    most: int | None = None,
    loo: bool = True,
    draws: int = 600,
    seed: int = 0,
) -> Findings:
    """Ask several rules how many factors the items have; they need not agree.

    Parameters
    ----------
    answers : Answers
    correlation : str
        ``"polychoric"`` or ``"pearson"``, for eigenvalues and partial correlations.
    repetitions, quantile : int, float
        Permutations of parallel analysis, and the quantile that an eigenvalue must exceed.
    most : int, optional
        Largest number of factors that cross-validation tries: 6 unless given, fewer for few items.
    loo : bool
        Whether to cross-validate Gaussian factor models with 1 to ``most`` factors (seconds each).

    Returns
    -------
    Findings
        ``agreement``: rule, factors, remark. ``eigenvalues``: number, observed, threshold, mean,
        reduced_observed, reduced_threshold, map_squared, map_fourth. With ``loo`` also ``loo``: factors,
        elpd, se, difference, difference_se, high_k.
    """
    if not 0 < quantile < 1 or repetitions < 20:
        raise SpecError(
            f"{repetitions} repetitions and quantile {quantile} make no parallel analysis",
            hint="Give at least 20 repetitions, better 500, and a quantile such as 0.95.",
        )
    check_draws(draws)
    matrix, _, notes = correlation_matrix(answers, correlation)
    found = parallel_analysis(
        answers.values,
        answers.items,
        ordinal=correlation == "polychoric",
        repetitions=repetitions,
        quantile=quantile,
        seed=seed,
    )
    if found.smoothed:
        notes += (f"{found.smoothed} of {repetitions} permuted matrices were smoothed.",)
    squared, fourth = average_partial(matrix)
    rows = _rules(found, squared, fourth, correlation)
    sheets = [_eigenvalues(found, squared, fourth, correlation)]
    reach = min(6 if most is None else most, most_factors(len(answers.items))) if loo else 0
    if reach >= 1:
        sheet, further, extra = _cross_validated(answers, reach, draws, seed)
        sheets.append(sheet)
        rows += further
        notes += extra
    found_sheets = (_agreement(rows), *sheets)
    return Findings("number_of_factors", "Number of factors", found_sheets, notes).noted(answers.note)


def _agreement(rows: list[tuple[str, int, str]]) -> Sheet:
    return Sheet(
        "agreement",
        "How many factors, rule by rule. No rule has the last word: see whether they agree.",
        pd.DataFrame(rows, columns=["rule", "factors", "remark"]),
        {"rule": ("Rule", "text"), "factors": ("Factors", "count"), "remark": ("Remark", "text")},
    )


def _rules(
    found: Parallel, squared: np.ndarray, fourth: np.ndarray, correlation: str
) -> list[tuple[str, int, str]]:
    at = f"{100 * found.quantile:g}th percentile of {found.repetitions} permutations, {correlation}"
    return [
        ("parallel analysis, eigenvalues", found.n_factors, at),
        ("parallel analysis, reduced matrix", found.n_factors_reduced, "secondary: tends to too many"),
        ("minimum average partial, squared", int(np.nanargmin(squared)), "Velicer (1976)"),
        ("minimum average partial, fourth power", int(np.nanargmin(fourth)), "Velicer et al. (2000)"),
        ("eigenvalues above one", int((found.observed > 1).sum()), "legacy: too many in samples"),
    ]


def _eigenvalues(found: Parallel, squared: np.ndarray, fourth: np.ndarray, correlation: str) -> Sheet:
    frame = pd.DataFrame(
        {
            "number": np.arange(1, len(found.observed) + 1),
            "observed": found.observed,
            "threshold": found.threshold,
            "mean": found.mean,
            "reduced_observed": found.reduced_observed,
            "reduced_threshold": found.reduced_threshold,
            "map_squared": squared,
            "map_fourth": fourth,
        }
    )
    caption = (
        f"Eigenvalues of the {correlation} correlations and of permuted answers; average partial "
        "correlations after one component less than the number."
    )
    printed = {
        "number": ("Number", "count"), "observed": ("Eigenvalue", "two"), "threshold": ("Threshold", "two"),
        "reduced_observed": ("Reduced", "two"), "reduced_threshold": ("Threshold, reduced", "two"),
        "map_squared": ("MAP, squared", "three"), "map_fourth": ("MAP, fourth", "three"),
    }  # fmt: skip
    return Sheet("eigenvalues", caption, frame, printed)


def _cross_validated(
    answers: Answers, most: int, draws: int, seed: int
) -> tuple[Sheet, list[tuple[str, int, str]], tuple[str, ...]]:
    """Gaussian factor models with 1 to ``most`` factors, one person left out; rows and notes."""
    from arviz_stats.base.array import array_stats

    rows, terms = [], []
    for factors in range(1, most + 1):
        drawn = factor_draws(answers.values, factors, draws=-(-draws // 2), seed=seed)
        log_lik = log_likelihood(answers.values, drawn)
        elpd, k, _ = (np.asarray(x) for x in array_stats.loo(log_lik, chain_axis=0, draw_axis=1))
        terms.append(elpd)
        rows.append({"factors": factors, "elpd": elpd.sum(), "se": elpd.std() * np.sqrt(len(elpd))})
        rows[-1]["high_k"] = int((k > HIGH_K).sum())
    best = int(np.argmax([row["elpd"] for row in rows]))
    for row, elpd in zip(rows, terms, strict=True):
        away = elpd - terms[best]
        row["difference"], row["difference_se"] = away.sum(), away.std() * np.sqrt(len(away))
    near = [-row["difference"] <= max(SMALL, 2 * row["difference_se"]) for row in rows]
    high = ", ".join(f"{row['factors']}: {row['high_k']}" for row in rows if row["high_k"])
    notes = (f"Persons with a Pareto k above {HIGH_K}, by number of factors: {high}.",) if high else ()
    tried = f"of 1 to {most} factors{', the largest tried' * (best + 1 == most)}"
    further = [
        ("leave one person out, Gaussian factors: best", best + 1, tried),
        (
            "leave one person out: fewest not clearly worse",
            int(np.argmax(near)) + 1,
            "4 or 2 standard errors",
        ),
    ]
    frame = pd.DataFrame(rows)[["factors", "elpd", "se", "difference", "difference_se", "high_k"]]
    printed = {
        "factors": ("Factors", "count"), "elpd": ("elpd", "one"), "se": ("SE", "one"),
        "difference": ("Difference", "one"), "difference_se": ("SE of it", "one"),
        "high_k": ("High k", "count"),
    }  # fmt: skip
    caption = "Expected log predictive density of a person left out: factor models of the answers as numbers."
    return Sheet("loo", caption, frame, printed), further, notes
