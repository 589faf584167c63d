"""Alignment: group means and spreads under which items differ as little, and as sparsely, as they can.

Asparouhov & Muthen (2014, doi:10.1080/10705511.2014.919210), here for every posterior draw of a configural
model: loadings and intercepts of each group, estimated with mean 0 and sd 1 there, are put on one scale by
means mu and sds s (those of the reference group fixed at 0 and 1),

    loading / s,   intercept - (loading / s) mu,

which minimise sum_j sum_{g<h} sqrt(n_g n_h) [f(d loading) + f(d intercept)], f(x) = (x^2 + eps)^(1/4).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Smooths f near zero; the paper's choice.
EPSILON = 0.01
#: Share of parameters that differ relevantly from which the paper advises not to trust an alignment.
DISTRUST = 0.25


@dataclass(frozen=True)
class Aligned:
    """Means and sds (draw, group); loadings and intercepts (draw, group, item) on the common scale."""

    mean: np.ndarray
    sd: np.ndarray
    loading: np.ndarray
    intercept: np.ndarray


def align(
    loading: np.ndarray,
    intercept: np.ndarray,
    sizes: np.ndarray,
    *,
    reference: int = 0,
    epsilon: float = EPSILON,
) -> Aligned:
    """Align every draw.

    Parameters
    ----------
    loading, intercept : ndarray, shape (draw, group, item)
        Of a configural model: the construct has mean 0 and sd 1 in every group. For ordinal items slopes,
        and minus the mean threshold.
    sizes : ndarray, shape (group,)
        Persons.
    reference : int
        Group with mean 0 and sd 1.
    epsilon : float
        Smoothing of the loss.

    Returns
    -------
    Aligned
    """
    from scipy.optimize import minimize

    n_draw, n_group, _ = loading.shape
    free = [g for g in range(n_group) if g != reference]
    pairs = np.array([(g, h) for g in range(n_group) for h in range(g + 1, n_group)])
    weight = np.sqrt(sizes[pairs[:, 0]] * sizes[pairs[:, 1]].astype(float))
    weight = weight / weight.sum()

    def solve(a: np.ndarray, b: np.ndarray, start: np.ndarray) -> tuple[float, np.ndarray]:
        found = minimize(
            lambda x: loss(x, a, b, free, pairs, weight, epsilon), start, jac=True, method="BFGS",
            options={"gtol": 1e-7},
        )  # fmt: skip
        return float(found.fun), found.x

    centre = loading.mean(0), intercept.mean(0)
    starts = [np.zeros(2 * len(free)), _matched(*centre, free, reference)]
    best = min((solve(*centre, start) for start in starts), key=lambda pair: pair[0])[1]
    mean, sd = np.zeros((n_draw, n_group)), np.ones((n_draw, n_group))
    for s in range(n_draw):
        x = solve(loading[s], intercept[s], best)[1]
        mean[s, free], sd[s, free] = x[: len(free)], np.exp(x[len(free) :])
    common = loading / sd[..., None]
    return Aligned(mean, sd, common, intercept - common * mean[..., None])


def loss(
    x: np.ndarray,
    loading: np.ndarray,
    intercept: np.ndarray,
    free: list[int],
    pairs: np.ndarray,
    weight: np.ndarray,
    epsilon: float,
) -> tuple[float, np.ndarray]:
    """Loss and gradient at x = (means, log sds) of the free groups, for one draw (group, item)."""
    size = len(free)
    mean, log_sd = np.zeros(len(loading)), np.zeros(len(loading))
    mean[free], log_sd[free] = x[:size], x[size:]
    common = loading * np.exp(-log_sd)[:, None]
    place = intercept - common * mean[:, None]
    total = 0.0
    d_common, d_place = np.zeros_like(common), np.zeros_like(place)
    first, second = pairs.T
    for value, d_value in ((common, d_common), (place, d_place)):
        off = value[first] - value[second]
        inside = off**2 + epsilon
        total += float(weight @ (inside**0.25).sum(-1))
        slope = weight[:, None] * 0.5 * off * inside**-0.75
        np.add.at(d_value, first, slope)
        np.add.at(d_value, second, -slope)
    d_common = d_common - d_place * mean[:, None]
    d_mean = -(d_place * common).sum(-1)
    d_log_sd = -(d_common * common).sum(-1)
    return total, np.concatenate([d_mean[free], d_log_sd[free]])


def _matched(loading: np.ndarray, intercept: np.ndarray, free: list[int], reference: int) -> np.ndarray:
    """Means and log sds from the medians over items: a start that most items agree with."""
    sd = np.array([np.median(loading[g] / loading[reference]) for g in free])
    sd = np.clip(np.abs(sd), 0.2, 5.0)
    mean = [
        np.median((intercept[g] - intercept[reference]) / (loading[g] / s))
        for g, s in zip(free, sd, strict=True)
    ]
    return np.concatenate([np.array(mean), np.log(sd)])
