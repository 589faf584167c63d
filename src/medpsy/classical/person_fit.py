"""lz and lz*: how likely a person's answers are, standardised.

Drasgow, F., Levine, M. V., & Williams, E. A. (1985). British Journal of Mathematical and Statistical
Psychology, 38, 67-86. doi:10.1111/j.2044-8317.1985.tb00817.x; Snijders, T. A. B. (2001). Psychometrika, 66,
331-342. doi:10.1007/BF02294437; for several categories Sinharay, S. (2016). Psychometrika, 81, 992-1013.
doi:10.1007/s11336-015-9465-x
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Likelihood:
    """What one module says about every person at one score, summed over the answered items.

    Parameters
    ----------
    excess : ndarray, shape (person,)
        Log-probability of the answers less its expectation.
    variance : ndarray, shape (person,)
        Its variance where the score is known.
    shift, corrected : ndarray, shape (person,)
        c r_0 and the variance of what is left when the score was estimated from the answers.
    """

    excess: np.ndarray
    variance: np.ndarray
    shift: np.ndarray
    corrected: np.ndarray

    @property
    def lz(self) -> np.ndarray:
        """Standardised as if the score were known; NaN where nothing was answered."""
        return _ratio(self.excess, self.variance)

    @property
    def lz_star(self) -> np.ndarray:
        """Standardised for a score estimated from the answers."""
        return _ratio(self.excess + self.shift, self.corrected)


def likelihood(
    log_prob: np.ndarray, slope: np.ndarray, codes: np.ndarray, prior_slope: np.ndarray
) -> Likelihood:
    """Parts of lz and lz*.

    Parameters
    ----------
    log_prob : ndarray, shape (person, item, category)
        At the score of each person; -inf for a category that an item does not have.
    slope : ndarray, shape (person, item, category)
        Its derivative with respect to the score.
    codes : ndarray of int, shape (person, item)
        Answers, -1 where none was given.
    prior_slope : ndarray, shape (person,)
        r_0: derivative of the log prior density at the score, for a MAP estimate (0 for maximum likelihood).

    Notes
    -----
    W = sum_jk (1[y_j = k] - P_jk) w_jk with w = log P; the estimate solves
    r_0 + sum_jk (1[y_j = k] - P_jk) r_jk = 0 with r = d log P / d theta. With c = sum P' w / sum P' r,
    lz* = (W + c r_0) / sqrt(sum_j Var(w_j - c r_j)).
    """
    prob = np.exp(log_prob)
    weight = np.where(prob > 0, log_prob, 0.0)
    slope = np.where(prob > 0, slope, 0.0)
    given = codes >= 0
    chosen = np.maximum(codes, 0)[:, :, None]
    mean, variance = _mean_variance(prob, weight)
    excess = np.take_along_axis(weight, chosen, axis=2)[:, :, 0] - mean
    step = prob * slope
    top = np.where(given, (step * weight).sum(axis=2), 0.0).sum(axis=1)
    bottom = np.where(given, (step * slope).sum(axis=2), 0.0).sum(axis=1)
    c = np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)
    _, corrected = _mean_variance(prob, weight - c[:, None, None] * slope)
    return Likelihood(
        np.where(given, excess, 0.0).sum(axis=1),
        np.where(given, variance, 0.0).sum(axis=1),
        c * prior_slope,
        np.where(given, corrected, 0.0).sum(axis=1),
    )


def _mean_variance(prob: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean = (prob * value).sum(axis=2)
    return mean, (prob * (value - mean[:, :, None]) ** 2).sum(axis=2)


def _ratio(excess: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Excess over its sd; NaN where the variance is zero."""
    sd = np.sqrt(np.maximum(variance, 0.0))
    return np.divide(excess, sd, out=np.full(len(sd), np.nan), where=sd > 1e-12)
