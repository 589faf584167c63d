"""Whether items can be factored: KMO with its posterior, Bartlett, and the first unrotated factor."""

from __future__ import annotations

import numpy as np
import pandas as pd

from medpsy.classical.factorability import bartlett, first_factor_share, kmo
from medpsy.classical.inputs import Answers
from medpsy.posterior.intervals import check_interval
from medpsy.posterior.judging.findings import Findings, Sheet, check_cut, check_draws, posterior, share
from medpsy.posterior.judging.matrices import correlation_matrix, matrix_draws

NOTES = (
    "Draws of the correlations scatter, and scatter lowers KMO: its posterior lies below the estimate, the "
    "more so the fewer persons there are.",
    "Bartlett's test rejects for any real questionnaire answered by some hundred persons.",
    "Harman's first unrotated factor is insensitive: a small share cannot rule out common method variance, a "
    "large one may be a strong common construct (Podsakoff et al., 2003; Fuller et al., 2016, "
    "doi:10.1016/j.jbusres.2015.12.008).",
)
_KMO = {
    "item": ("Item", "text"), "estimate": ("Estimate", "three"), "mean": ("Posterior mean", "three"),
    "lower": ("Lower", "three"), "upper": ("Upper", "three"), "cut": ("Cut", "two"),
    "p_above": ("P(above cut)", "probability"),
}  # fmt: skip


def factorability(
    answers: Answers,
    *,
    correlation: str = "pearson",
    cut: float = 0.7,
    interval: float = 0.95,
    draws: int = 500,
    seed: int = 0,
) -> Findings:
    """Kaiser-Meyer-Olkin measure, overall and per item, Bartlett's test and Harman's first factor.

    Parameters
    ----------
    answers : Answers
        All items of all modules together.
    correlation : str
        ``"pearson"`` or ``"polychoric"``.
    cut : float
        Value that KMO should exceed.
    interval : float
    draws, seed : int
        Draws of the correlations: Bayesian bootstrap (polychoric) or inverse Wishart (Pearson).

    Returns
    -------
    Findings
        ``kmo``: item ("all items" first), estimate, mean, lower, upper, cut, p_above. ``tests``: what,
        value, df, p.

    Raises
    ------
    DataError
        A constant item, or items that determine one another (named).
    """
    check_interval(interval)
    check_cut(cut)
    check_draws(draws)
    matrix, n, notes = correlation_matrix(answers, correlation)
    drawn = matrix_draws(answers, correlation, draws, np.random.default_rng(seed))
    overall, items = kmo(matrix)
    overall_draws, items_draws = kmo(drawn)
    rows = []
    for name, estimate, of in (
        ("all items", overall.item(), overall_draws),
        *((item, items[j].item(), items_draws[:, j]) for j, item in enumerate(answers.items)),
    ):
        found = posterior(of, interval)
        rows.append((name, estimate, found["mean"], found["lower"], found["upper"], cut, share(of > cut, of)))
    names = ["item", "estimate", "mean", "lower", "upper", "cut", "p_above"]
    caption = f"Sampling adequacy (KMO, MSA) on {correlation} correlations, {100 * interval:g} % intervals."
    sheets = (
        Sheet("kmo", caption, pd.DataFrame(rows, columns=names), _KMO),
        _tests(matrix, n),
    )
    found_notes = notes + NOTES
    return Findings("factorability", "Factorability", sheets, found_notes).noted(answers.note)


def _tests(matrix: np.ndarray, n: int) -> Sheet:
    """Bartlett's test, and the share of the first unrotated factor."""
    test = bartlett(matrix, n)
    component, axis = first_factor_share(matrix)
    rows = [
        (f"Bartlett's test of sphericity (n = {n})", test.chi2, test.df, test.p),
        ("First unrotated component, share of variance", component, np.nan, np.nan),
        ("First unrotated principal axis, share of variance", axis, np.nan, np.nan),
    ]
    printed = {
        "what": ("", "text"), "value": ("Value", "plain"), "df": ("df", "count"), "p": ("p", "probability"),
    }  # fmt: skip
    frame = pd.DataFrame(rows, columns=["what", "value", "df", "p"])
    return Sheet("tests", "Sphericity, and the first factor of Harman's test.", frame, printed)
