"""Exploratory factor analysis: of a correlation matrix, or Bayesian with intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd

from medpsy.classical.efa import exploratory, most_factors
from medpsy.classical.factor_gibbs import factor_draws
from medpsy.classical.inputs import Answers, check_varying
from medpsy.classical.rotation import align, varimax
from medpsy.errors import SpecError
from medpsy.posterior.intervals import bounds, check_interval
from medpsy.posterior.judging.findings import Findings, Sheet, check_draws
from medpsy.posterior.judging.matrices import correlation_matrix
from medpsy.posterior.judging.reliability import LIKELY, NOTHING
from medpsy.posterior.summary import convergence


def efa(
    answers: Answers,
    factors: int,
    *,
    method: str = "minres",
    rotation: str = "oblimin",
    correlation: str = "polychoric",
    interval: float = 0.95,
    draws: int = 1000,
    seed: int = 0,
) -> Findings:
    """Exploratory factor analysis of all items together.

    Parameters
    ----------
    answers : Answers
    factors : int
    method : str
        ``"minres"``, ``"ml"`` (of the correlation matrix), or ``"bayes"``: Gaussian factors of the answers
        themselves, every draw turned by varimax and aligned by signs and order, with intervals.
    rotation : str
        See :func:`medpsy.classical.efa.exploratory`; ``"varimax"`` where ``method`` is ``"bayes"``.
    correlation : str
        ``"polychoric"`` or ``"pearson"``.
    interval, draws, seed
        For ``"bayes"``.

    Returns
    -------
    Findings
        ``loadings``: item, f1, f2, ... (for ``"bayes"`` posterior means, with f1_lower, f1_upper, ...),
        communality, for ``"bayes"`` also p_heywood (probability of less than 2 % of variance of its own).
        ``factors``: factor, variance (sum of squared loadings, in items), share, and for oblique rotations
        the correlations with f1, f2, ...

    Raises
    ------
    SpecError, DataError, FitError
        As :func:`medpsy.classical.efa.exploratory`; constant items, a singular matrix.
    """
    if method == "bayes":
        return _bayesian(answers, factors, interval, draws, seed)
    matrix, _, notes = correlation_matrix(answers, correlation)
    found = exploratory(matrix, factors, method=method, rotation=rotation)
    names = [f"f{k + 1}" for k in range(found.loading.shape[1])]
    loadings = pd.DataFrame(found.loading, columns=names).assign(communality=found.communality)
    loadings.insert(0, "item", list(answers.items))
    if found.heywood.any():
        items = ", ".join(item for item, bad in zip(answers.items, found.heywood, strict=True) if bad)
        notes += (f"No unique variance is left of {items} (a Heywood case): try fewer factors.",)
    table = _factor_table(names, np.diag(found.phi @ found.loading.T @ found.loading), len(loadings))
    if not np.allclose(found.phi, np.eye(len(names))):
        table = table.assign(**{f"with_{name}": found.phi[:, k] for k, name in enumerate(names)})
    how = f"{method}, rotation {rotation if factors > 1 else 'none'}, {correlation} correlations"
    caption = f"Pattern coefficients of standardised items: {how}."
    sheets = (
        Sheet("loadings", caption, loadings, _printed(loadings)),
        Sheet("factors", "Variance that each factor explains, in items.", table, _printed(table)),
    )
    return Findings("efa", "Exploratory factor analysis", sheets, notes).noted(answers.note)


def _bayesian(answers: Answers, factors: int, interval: float, draws: int, seed: int) -> Findings:
    check_interval(interval)
    check_draws(draws)
    check_varying(answers, answers.items, least=3)
    most = most_factors(len(answers.items))
    if isinstance(factors, bool) or not isinstance(factors, int | np.integer) or not 1 <= factors <= most:
        raise SpecError(
            f"{factors!r} factors cannot be fitted to {len(answers.items)} items",
            hint=f"With {len(answers.items)} items at most {most} can be told apart from noise.",
        )
    chains = 2
    drawn = factor_draws(answers.values, factors, draws=-(-draws // chains), chains=chains, seed=seed)
    loading, residual = drawn.standardised()
    common = 1 - residual
    rhat = float(np.nanmax(convergence(np.moveaxis(common, -1, 0))["r_hat"]))
    aligned = align(varimax(loading.reshape(-1, *loading.shape[2:])))
    lower, upper = bounds(np.moveaxis(aligned, 0, -1), interval)
    mean = aligned.mean(axis=0)
    names = [f"f{k + 1}" for k in range(factors)]
    columns: dict[str, object] = {"item": list(answers.items)}
    for k, name in enumerate(names):
        columns |= {name: mean[:, k], f"{name}_lower": lower[:, k], f"{name}_upper": upper[:, k]}
    heywood = (residual < NOTHING).mean(axis=(0, 1))
    loadings = pd.DataFrame(columns | {"communality": common.mean(axis=(0, 1)), "p_heywood": heywood})
    table = _factor_table(names, (aligned**2).sum(axis=1).mean(axis=0), len(loadings))
    notes = [
        "Answers are treated as numbers; every draw is turned by varimax and aligned by order and signs to "
        "the mean of all draws."
    ]
    if (heywood > LIKELY).any():
        bad = [f"{i} ({p:.2f})" for i, p in zip(answers.items, heywood, strict=True) if p > LIKELY]
        notes.append(f"Heywood cases (probability that less than 2 % is their own): {', '.join(bad)}.")
    if rhat > 1.05:
        notes.append(f"The chains disagree (R-hat of communalities {rhat:.2f}): ask for more draws.")
    caption = f"Loadings of standardised items, posterior means with {100 * interval:g} % intervals."
    sheets = (
        Sheet("loadings", caption, loadings, _printed(loadings)),
        Sheet("factors", "Variance that each factor explains, in items.", table, _printed(table)),
    )
    return Findings("efa", "Bayesian exploratory factor analysis", sheets, tuple(notes)).noted(answers.note)


def _factor_table(names: list[str], variance: np.ndarray, items: int) -> pd.DataFrame:
    return pd.DataFrame({"factor": names, "variance": variance, "share": variance / items})


def _printed(frame: pd.DataFrame) -> dict[str, tuple[str, str | None]]:
    """Every column as it is, two decimals."""
    printed: dict[str, tuple[str, str | None]] = {}
    for name in map(str, frame.columns):
        kind = "text" if name in ("item", "factor") else "percent" if name == "share" else "two"
        printed[name] = (name.replace("_", " ").capitalize(), kind)
    return printed
