"""The same yardstick for every posterior: effective sample sizes, R-hat, a common gate, agreement."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.problem import Problem

#: The gate that every contestant faces (Vehtari et al., 2021, doi:10.1214/20-BA1221).
MOST_RHAT, LEAST_ESS_PER_CHAIN = 1.01, 100

#: Logistic-normal constant of the graded model's thresholds (medpsy.families.graded).
SHRINK = 0.3457


def with_derived(problem: Problem, draws: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Add thresholds and effects, by the same formulas for everybody.

    Parameters
    ----------
    draws : dict of str to ndarray, shape (chain, draw)
        Parameters by their common names.

    Returns
    -------
    dict
        The same and ``threshold[item,k]``, or the effects of a chain of three factors in units of their sds.
    """
    out = dict(draws)
    if problem.family == "graded":
        for item in problem.items:
            prob = np.stack([draws[f"category_prob[{item},{k}]"] for k in range(problem.n_categories)])
            below = np.cumsum(prob, 0)[:-1]
            above = np.cumsum(prob[::-1], 0)[::-1][1:]
            scale = np.sqrt(1.0 + SHRINK * draws[f"slope[{item}]"] ** 2)
            cut = scale * (np.log(below) - np.log(above))
            out |= {f"threshold[{item},{k + 1}]": value for k, value in enumerate(cut)}
    if problem.effects:
        x, m, y = (name for name, _ in problem.factors)
        a, c_total, rest = draws[f"r[{m},{x}]"], draws[f"r[{y},{x}]"], draws[f"r[{y},{m}]"]
        b = (rest - a * c_total) / (1.0 - a**2)
        out |= {"a": a, "b": b, "c": c_total - a * b, "indirect": a * b, "total": c_total}
    return out


def verdict(draws: dict[str, np.ndarray], divergences: int) -> dict[str, Any]:
    """Smallest effective sample sizes, largest R-hat, and why the common gate is not passed.

    Returns
    -------
    dict
        ``ess_bulk``, ``ess_tail``, ``rhat``, ``worst`` (name of the
        quantity with the smallest bulk size), ``quantities``, ``gate`` (list of reasons, empty if passed).
    """
    names = list(draws)
    stacked = np.stack([draws[name] for name in names])
    chains = stacked.shape[1]
    # A quantity that never moved divides zero by zero.
    with np.errstate(all="ignore"):
        bulk, tail, rhat = _statistics(stacked)
    still = np.isnan(rhat)
    least = LEAST_ESS_PER_CHAIN * chains
    reasons = []
    if still.any():
        reasons.append(f"{names[int(np.argmax(still))]} did not move")
    bulk, tail, rhat = np.where(still, 0.0, bulk), np.where(still, 0.0, tail), np.where(still, 0.0, rhat)
    if rhat.max() > MOST_RHAT:
        reasons.append(f"largest R-hat {rhat.max():.3f}")
    for what, values in (("bulk", bulk), ("tail", tail)):
        if not (values >= least).all():
            reasons.append(f"smallest {what} ESS {values.min():.0f}")
    if divergences:
        reasons.append(f"{divergences} divergences")
    return {
        "ess_bulk": float(bulk.min()), "ess_tail": float(tail.min()), "rhat": float(rhat.max()),
        "worst": names[int(bulk.argmin())], "quantities": len(names), "gate": reasons,
    }  # fmt: skip


def _statistics(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bulk and tail effective sample size and R-hat of every quantity (quantity, chain, draw)."""
    from arviz_stats.base import array_stats

    axes = {"chain_axis": 0, "draw_axis": 1}
    return (
        np.array([float(array_stats.ess(x, method="bulk", **axes)) for x in draws]),
        np.array([float(array_stats.ess(x, method="tail", prob=(0.05, 0.95), **axes)) for x in draws]),
        np.array([float(array_stats.rhat(x, **axes)) for x in draws]),
    )


def moments(draws: dict[str, np.ndarray]) -> dict[str, list[float]]:
    """Posterior mean and sd by quantity, rounded for the results file."""
    return {k: [float(f"{v.mean():.6g}"), float(f"{v.std():.6g}")] for k, v in draws.items()}


def disagreement(
    reference: dict[str, list[float]], other: dict[str, list[float]]
) -> tuple[float, str, int] | None:
    """Largest difference from the reference, in posterior sds of the reference.

    Returns
    -------
    tuple
        The difference, the quantity it belongs to, how many quantities are shared; None where none is.
    """
    shared = [name for name in other if name in reference and reference[name][1] > 0]
    if not shared:
        return None
    off = [abs(other[name][0] - reference[name][0]) / reference[name][1] for name in shared]
    at = int(np.argmax(off))
    return off[at], shared[at], len(shared)
