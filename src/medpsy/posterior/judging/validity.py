"""Discriminant validity of modules without a fitted model: heterotrait-monotrait ratios."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from medpsy.classical.coefficients import htmt
from medpsy.classical.inputs import Answers
from medpsy.errors import DataError
from medpsy.posterior.intervals import check_interval
from medpsy.posterior.judging.findings import Findings, Sheet, check_draws, posterior, share
from medpsy.posterior.judging.matrices import correlation_matrix, matrix_draws

#: Ratios above these are commonly taken for a lack of distinction (Henseler, Ringle & Sarstedt, 2015).
STRICT, LIBERAL = 0.85, 0.90

_PRINTED = {
    "left": ("", "text"), "right": ("with", "text"), "ratio": ("Ratio", "text"),
    "estimate": ("Estimate", "two"), "mean": ("Posterior mean", "two"), "lower": ("Lower", "two"),
    "upper": ("Upper", "two"), "p_below_085": ("P(below .85)", "probability"),
    "p_below_090": ("P(below .90)", "probability"),
}  # fmt: skip


def discriminant(
    answers: Answers,
    *,
    correlation: str = "polychoric",
    interval: float = 0.95,
    draws: int = 500,
    seed: int = 0,
) -> Findings:
    """Heterotrait-monotrait ratios of all pairs of modules.

    Parameters
    ----------
    answers : Answers
        At least two modules of at least two items each.
    correlation : str
        ``"polychoric"`` (draws by the Bayesian bootstrap) or ``"pearson"`` (inverse Wishart).
    interval, draws, seed : float, int, int

    Returns
    -------
    Findings
        ``htmt``: left, right, ratio (HTMT, HTMT2), estimate, mean, lower, upper, p_below_085, p_below_090.

    Notes
    -----
    See :func:`medpsy.classical.coefficients.htmt`. The primary statement on distinctness is the correlation
    of the constructs in a fitted model (Rönkkö & Cho, 2022, doi:10.1177/1094428120968614).
    """
    check_interval(interval)
    check_draws(draws)
    scales = [scale for scale in answers.scales if len(scale.items) > 1]
    if len(scales) < 2:
        raise DataError("distinctness needs two modules of at least two items", hint="Name them in modules=.")
    matrix, _, notes = correlation_matrix(answers, correlation)
    drawn = matrix_draws(answers, correlation, draws, np.random.default_rng(seed))
    where = {item: j for j, item in enumerate(answers.items)}
    rows: list[tuple[object, ...]] = []
    for a, b in combinations(scales, 2):
        left, right = ([where[item] for item in scale.items] for scale in (a, b))
        for name, geometric in (("HTMT", False), ("HTMT2", True)):
            estimate = htmt(matrix, left, right, geometric=geometric).item()
            of = htmt(drawn, left, right, geometric=geometric)
            found = posterior(of, interval)
            below = [share(of < cut, of) for cut in (STRICT, LIBERAL)]
            del found["sd"]
            rows.append((a.name, b.name, name, estimate, *found.values(), *below))
            undefined = int((~np.isfinite(of)).sum())
            if undefined:
                notes += (
                    f"HTMT2 of {a.name} and {b.name} is not defined in {undefined} of {draws} draws: a "
                    "correlation is not positive.",
                )
    columns = ["left", "right", "ratio", "estimate", "mean", "lower", "upper", "p_below_085", "p_below_090"]
    sheet = Sheet(
        "htmt",
        f"Heterotrait-monotrait ratios on {correlation} correlations, {100 * interval:g} % intervals.",
        pd.DataFrame(rows, columns=columns),
        _PRINTED,
    )
    return Findings("discriminant", "Distinctness of the modules", (sheet,), notes).noted(answers.note)
