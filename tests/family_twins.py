"""Textbook formulas of the families of categorical items, one item and one score at a time, in 80 digits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from twins import exactly, graded_probabilities, thresholds

PI = Decimal(
    "3.141592653589793238462643383279502884197169399375105820974944592307816406286208998628034825342117068"
)


def logistic(x: Decimal) -> Decimal:
    """1 / (1 + exp(-x))."""
    return 1 / (1 + (-x).exp())


def normal_cdf(x: Decimal) -> Decimal:
    """Standard normal distribution function by its series; relative digits are lost beyond -15."""
    term = total = x
    n = 1
    while abs(term) > Decimal("1e-85"):
        n += 2
        term = term * x * x / n
        total += term
    return Decimal("0.5") + total * (-x * x / 2).exp() / (2 * PI).sqrt()


def cubic_root(x: Decimal) -> Decimal:
    """The z with 1.5976 z + 0.070565992 z^3 = x, by bisection."""
    low, high = -abs(x) - 1, abs(x) + 1
    for _ in range(290):
        z = (low + high) / 2
        below = Decimal("1.5976") * z + Decimal("0.070565992") * z**3 < x
        low, high = (z, high) if below else (low, z)
    return low


def normalised(weights: Sequence[Decimal]) -> list[Decimal]:
    """Weights divided by their sum."""
    return [w / sum(weights) for w in weights]


def adjacent(slope: Any, threshold: Sequence[Any], theta: Any) -> list[Decimal]:
    """P(k) / P(k - 1) = exp(slope theta - threshold_k)."""
    weights = [Decimal(1)]
    for t in threshold:
        weights.append(weights[-1] * (Decimal(slope) * Decimal(theta) - Decimal(t)).exp())
    return normalised(weights)


def continued(slope: Any, threshold: Sequence[Any], theta: Any) -> list[Decimal]:
    """P(Y >= k | Y >= k - 1) = logistic(slope theta - threshold_k)."""
    out, reached = [], Decimal(1)
    for t in threshold:
        taken = logistic(Decimal(slope) * Decimal(theta) - Decimal(t))
        out.append(reached * (1 - taken))
        reached *= taken
    return [*out, reached]


def neighbours(prob: Sequence[Any]) -> list[Decimal]:
    """log(p_{k-1} / p_k)."""
    share = [Decimal(p) for p in prob]
    return [(share[k - 1] / share[k]).ln() for k in range(1, len(share))]


def asymptotic(p: Mapping[str, Any], theta: float, rise: Any) -> list[Decimal]:
    """Logistic curve between a lower asymptote and guessing + (1 - guessing) rise."""
    known = graded_probabilities(p["slope"], thresholds(p["slope"], p["category_prob"]), theta)[1]
    c = Decimal(p["guessing"])
    right = c + (1 - c) * Decimal(rise) * known
    return [1 - right, right]


def probit(p: Mapping[str, Any], theta: float) -> list[Decimal]:
    """Differences of normal distribution functions."""
    a, share = Decimal(p["slope"]), [Decimal(x) for x in p["category_prob"]]
    scale = (1 + a * a).sqrt()
    z = [cubic_root((sum(share[k:]) / sum(share[:k])).ln()) for k in range(1, len(share))]
    above = [normal_cdf(a * Decimal(theta) + scale * x) for x in z]
    return [x - y for x, y in zip([Decimal(1), *above], [*above, Decimal(0)], strict=True)]


def sequential(p: Mapping[str, Any], theta: float) -> list[Decimal]:
    """Thresholds log(P(Y = k - 1) / P(Y >= k)) at zero."""
    share = [Decimal(x) for x in p["category_prob"]]
    return continued(p["slope"], [(share[k - 1] / sum(share[k:])).ln() for k in range(1, len(share))], theta)


def nominal(p: Mapping[str, Any], theta: float) -> list[Decimal]:
    """p_k exp(slope score_k theta)."""
    last = len(p["category_prob"]) - 1
    moved = [Decimal(k) + Decimal(shift) for k, shift in enumerate(p["score_shift"], start=1)]
    scores = [Decimal(0), *moved, Decimal(last)]
    each = zip(p["category_prob"], scores, strict=True)
    return normalised([Decimal(x) * (Decimal(p["slope"]) * s * Decimal(theta)).exp() for x, s in each])


def rating_scale(p: Mapping[str, Any], theta: float) -> list[Decimal]:
    """Thresholds location + common step."""
    return adjacent(p["spread"], [Decimal(p["location"]) + Decimal(s) for s in p["common_step"]], theta)


def graded_rating_scale(p: Mapping[str, Any], theta: float) -> list[Decimal]:
    """Thresholds slope (location + step), steps from their distances."""
    step = [Decimal(0)]
    for gap in p["gap"]:
        step.append(step[-1] + Decimal(gap))
    centre = sum(step) / len(step)
    a = Decimal(p["slope"])
    return graded_probabilities(a, [a * (Decimal(p["location"]) + s - centre) for s in step], theta)


TWINS: dict[str, Callable[[Mapping[str, Any], float], list[Decimal]]] = {
    "graded": lambda p, t: graded_probabilities(p["slope"], thresholds(p["slope"], p["category_prob"]), t),
    "bernoulli": lambda p, t: graded_probabilities(p["slope"], thresholds(p["slope"], p["category_prob"]), t),
    "rasch": lambda p, t: graded_probabilities(p["spread"], thresholds(p["spread"], p["category_prob"]), t),
    "three_parameter_logistic": lambda p, t: asymptotic(p, t, 1),
    "four_parameter_logistic": lambda p, t: asymptotic(p, t, p["rise"]),
    "generalised_partial_credit": lambda p, t: adjacent(p["slope"], neighbours(p["category_prob"]), t),
    "partial_credit": lambda p, t: adjacent(p["spread"], neighbours(p["category_prob"]), t),
    "sequential": sequential,
    "nominal": nominal,
    "rating_scale": rating_scale,
    "graded_rating_scale": graded_rating_scale,
    "graded_probit": probit,
}


@exactly
def log_probabilities(family: str, p: Mapping[str, Any], theta: float) -> list[float]:
    """Log-probability of every category of one item; minus infinity where 80 digits are too few to tell."""
    tiny = Decimal("1e-50" if family == "graded_probit" else 0)
    return [float(x.ln()) if x > tiny else -float("inf") for x in TWINS[family](p, theta)]


def one_item(p: Mapping[str, np.ndarray], item: int) -> dict[str, Any]:
    """Roles of one item as numbers and lists; what items share is given to each."""
    shared = {"spread", "contrast", "gap", "common_step"}
    out: dict[str, Any] = {}
    for role, value in p.items():
        own = (value[0] if role == "spread" else value) if role in shared else value[item]
        out[role] = own.tolist() if isinstance(own, np.ndarray) else float(own)
    return out
