"""Reliability of modules without a fitted model, each coefficient with its probability of exceeding a cut."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from medpsy.classical.coefficients import (
    alpha_of,
    ave_of,
    composite_of,
    greatest_lower_bound,
    items_needed,
    omega_of,
    standardised_loadings,
)
from medpsy.classical.correlation import covariance_draws, smooth, to_correlation
from medpsy.classical.describe import pairwise_covariance
from medpsy.classical.factor_gibbs import factor_draws
from medpsy.classical.inputs import Answers, check_pairs, check_varying, twins
from medpsy.posterior.intervals import check_interval
from medpsy.posterior.judging.clustered import clustered
from medpsy.posterior.judging.findings import Findings, Sheet, check_cut, check_draws, posterior, share
from medpsy.posterior.judging.hierarchical import check_group_factors, hierarchical
from medpsy.posterior.summary import convergence
from medpsy.spec.model_spec import Construct

#: R-hat above which Gibbs draws are not to be used.
MOST_RHAT = 1.05
COLUMNS = ("module", "coefficient", "n", "estimate", "mean", "sd", "lower", "upper", "cut", "p_above")
PRINTED = {
    "module": ("Module", "text"), "coefficient": ("Coefficient", "text"), "n": ("n", "count"),
    "estimate": ("Estimate", "three"), "mean": ("Posterior mean", "three"), "sd": ("SD", "three"),
    "lower": ("Lower", "three"), "upper": ("Upper", "three"), "cut": ("Cut", "two"),
    "p_above": ("P(above cut)", "probability"),
}  # fmt: skip
AVE_CUT = 0.50
#: A share of variance of its own that counts as none, and the probability of it at which a note says so.
NOTHING, LIKELY = 0.02, 0.05


def reliability(
    answers: Answers,
    *,
    cut: float = 0.8,
    cluster: np.ndarray | None = None,
    group_factors: int = 3,
    interval: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> Findings:
    """Reliability of the sum of the items of every module.

    Parameters
    ----------
    answers : Answers
    cut : float
        Value that a coefficient should exceed (an average variance extracted: 0.5).
    cluster : ndarray of str or int, shape (person,), optional
        Class, ward or centre of each person: adds intraclass correlations and multilevel omega.
    group_factors : int
        Behind omega hierarchical; 0 leaves it out.
    interval : float
    draws, seed : int
        Posterior draws.

    Returns
    -------
    Findings
        ``reliability``: module, coefficient, n, estimate (classical), mean, sd, lower, upper, cut, p_above.
        ``length``: module, items, wanted, needed, lower, upper: items of the same kind that reach the
        wanted reliability (Spearman-Brown, from omega, or alpha of two items). With clusters ``icc`` and
        ``multilevel``.

    Raises
    ------
    SpecError
        An impossible cut, interval or number of draws.
    DataError
        A constant item, or one that nobody answered.

    Notes
    -----
    alpha: conjugate inverse-Wishart posterior of the covariances (Pfadt, van den Bergh & Sijtsma, 2022,
    doi:10.1080/00273171.2021.1891855). omega total, composite reliability and average variance extracted:
    Bayesian one-factor model of the items as continuous, missing answers drawn along. Alpha equals omega
    only where all items measure equally strongly. omega hierarchical: what of the sum is due to one general
    factor behind group factors, from :func:`medpsy.posterior.judging.hierarchical.hierarchical`. Greatest
    lower bound: classical, without posterior.
    """
    check_interval(interval)
    check_cut(cut)
    check_draws(draws)
    check_group_factors(group_factors)
    notes: list[str] = []
    rows, lengths = _modules(answers, cut, interval, draws, seed, notes, group_factors)
    sheets = _sheets(rows, lengths, cut, interval)
    if cluster is not None:
        sheets += clustered(answers, cluster, cut, interval, draws, seed, notes)
    return Findings("reliability", "Reliability", tuple(sheets), tuple(notes)).noted(answers.note)


def _modules(
    answers: Answers,
    cut: float,
    interval: float,
    draws: int,
    seed: int,
    notes: list[str],
    group_factors: int,
) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """Rows of all modules, and their lengths for the wanted reliability."""
    rows: list[tuple[object, ...]] = []
    lengths: list[tuple[object, ...]] = []
    short: list[str] = []
    for at, scale in enumerate(answers.scales):
        if len(scale.items) < 2:
            notes.append(
                f"{scale.name} has a single item: its reliability cannot be judged from one occasion."
            )
            continue
        check_varying(answers, scale.items)
        found, length = _module(answers, scale, cut, interval, draws, seed + at, notes)
        general = hierarchical(
            answers.block(scale.items), _regular(pairwise_covariance(answers.block(scale.items))),
            group_factors, name=scale.name, draws=draws, seed=seed + at, notes=notes,
        )  # fmt: skip
        if general is None:
            short.append(scale.name)
        else:
            n = max(int(row[2]) for row in found)  # type: ignore[call-overload]
            row = _row(scale.name, "omega hierarchical", n, *general, cut, interval)
            found.insert(2, row)  # after alpha and omega total
        rows += found
        lengths.append(length)
    if short and group_factors:
        notes.append(
            f"Omega hierarchical, with {group_factors} group factors, needs more items than there are in "
            f"{', '.join(short)}."
        )
    return rows, lengths


def _sheets(
    rows: list[tuple[object, ...]], lengths: list[tuple[object, ...]], cut: float, interval: float
) -> list[Sheet]:
    mass = f"{100 * interval:g} %"
    printed = {
        "module": ("Module", "text"), "items": ("Items now", "count"), "wanted": ("Wanted", "two"),
        "needed": ("Items needed", "one"), "lower": ("Lower", "one"), "upper": ("Upper", "one"),
    }  # fmt: skip
    return [
        Sheet(
            "reliability",
            f"Reliability of the sum of the items with {mass} intervals.",
            pd.DataFrame(rows, columns=list(COLUMNS)),
            PRINTED,
        ),
        Sheet(
            "length",
            f"Items of the same kind that reach a reliability of {cut:g} (Spearman-Brown), {mass} intervals.",
            pd.DataFrame(lengths, columns=["module", "items", "wanted", "needed", "lower", "upper"]),
            printed,
        ),
    ]


def _module(
    answers: Answers,
    scale: Construct,
    cut: float,
    interval: float,
    draws: int,
    seed: int,
    notes: list[str],
) -> tuple[list[tuple[object, ...]], tuple[object, ...]]:
    """Rows of one module, and its length for the wanted reliability."""
    values = answers.block(scale.items)
    answered = int((~np.isnan(values)).any(axis=1).sum())
    for a, b in twins(answers, scale.items):
        notes.append(
            f"{scale.name}: {a} and {b} were answered alike by everybody. Was a column entered twice?"
        )
    check_pairs(answers, scale.items)
    covariance, n, smoothed = covariance_draws(values, draws, np.random.default_rng(seed))
    if smoothed:
        notes.append(f"{scale.name}: the covariances were not positive definite and have been smoothed.")
    classical = pairwise_covariance(values)
    used = alpha_of(covariance)
    rows = [_row(scale.name, "alpha", n, alpha_of(classical).item(), used, cut, interval)]
    if n < answered:
        notes.append(
            f"{scale.name}: alpha rests on pairs, the smallest with {n} of the {answered} persons; omega "
            "uses every answer."
        )
    if len(scale.items) > 2:
        loading, residual = _one_factor(values, draws, seed, scale.name, notes)
        standard = standardised_loadings(loading, residual)
        notes += heywood_notes(scale.name, scale.items, 1 - standard**2)
        used = omega_of(loading, residual)
        for name, of, value in (
            ("omega total", used, cut),
            ("composite reliability (standardised items)", composite_of(standard), cut),
            ("average variance extracted", ave_of(standard), AVE_CUT),
        ):
            rows.append(_row(scale.name, name, answered, math.nan, of, value, interval))
    else:
        notes.append(
            f"{scale.name} has two items: their loadings cannot be told apart, so alpha (their "
            "Spearman-Brown reliability if equally spread) stands alone."
        )
    bound = greatest_lower_bound(_regular(classical))
    rows.append((scale.name, "greatest lower bound (classical)", n, bound, *[math.nan] * 4, cut, math.nan))
    needed = np.array([items_needed(value, len(scale.items), cut) for value in used])
    found = posterior(needed, interval)
    middle = float(np.nanmedian(needed)) if np.isfinite(needed).any() else math.nan
    return rows, (scale.name, len(scale.items), cut, middle, found["lower"], found["upper"])


def _one_factor(
    values: np.ndarray, draws: int, seed: int, name: str, notes: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Draws of raw loadings and residual variances (draw, item)."""
    chains = 2
    drawn = factor_draws(values, 1, draws=-(-draws // chains), chains=chains, seed=seed)
    loading, residual = drawn.raw_loading[..., 0], drawn.raw_residual
    rhat = convergence(omega_of(loading, residual)[None])["r_hat"][0]
    if rhat > MOST_RHAT:
        notes.append(
            f"{name}: the chains of the one-factor model disagree (R-hat {rhat:.2f}): do not use its "
            "coefficients; ask for more draws."
        )
    return loading.reshape(-1, loading.shape[-1]), residual.reshape(-1, residual.shape[-1])


def heywood_notes(name: str, items: tuple[str, ...], left: np.ndarray) -> list[str]:
    """A sentence where an item has probably no variance of its own; ``left`` (draw, item) is its share."""
    chance = (left < NOTHING).mean(axis=0)
    bad = [f"{item} ({p:.2f})" for item, p in zip(items, chance, strict=True) if p > LIKELY]
    if not bad:
        return []
    return [
        f"{name}: less than {100 * NOTHING:g} % of its variance is left of {', '.join(bad)} (probability; a "
        "Heywood case). Does it repeat another item?"
    ]


def _regular(covariance: np.ndarray) -> np.ndarray:
    """Covariances with their correlations smoothed where they must be."""
    sd = np.sqrt(np.diag(covariance))
    return smooth(to_correlation(covariance))[0] * np.outer(sd, sd)


def _row(
    module: str, name: str, n: int, estimate: float, draws: np.ndarray, cut: float, interval: float
) -> tuple[object, ...]:
    found = posterior(draws, interval)
    return (module, name, n, estimate, *found.values(), cut, share(draws > cut, draws))
