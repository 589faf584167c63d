"""Distribution of sum scores given the construct: the recursion of Lord and Wingersky.

Lord, F. M., & Wingersky, M. S. (1984). Comparison of IRT true-score and equipercentile observed-score
"equatings". Applied Psychological Measurement, 8, 453-461. doi:10.1177/014662168400800409; for items with
several categories: Thissen, Pommerich, Billeaud & Williams (1995), doi:10.1177/014662169501900105.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def plus_item(scores: np.ndarray, prob: np.ndarray) -> np.ndarray:
    """Distribution of a sum after one more item.

    Parameters
    ----------
    scores : ndarray, shape (score, ...)
        Probability of every sum of the items so far.
    prob : ndarray, shape (category, ...)
        Probability of every category, coded 0, 1, ...

    Returns
    -------
    ndarray, shape (score + category - 1, ...)
    """
    out = np.zeros((len(scores) + len(prob) - 1, *np.broadcast_shapes(scores.shape[1:], prob.shape[1:])))
    for k, share in enumerate(prob):
        out[k : k + len(scores)] += scores * share
    return out


def sum_scores(prob: Sequence[np.ndarray]) -> np.ndarray:
    """Distribution (score, ...) of the sum of all items; ``prob`` holds one (category, ...) per item."""
    scores = np.ones((1, *prob[0].shape[1:]))
    for table in prob:
        scores = plus_item(scores, table)
    return scores


def rest_scores(prob: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Distribution (score, ...) of the sum of the other items, for every item.

    By halving: the sums over one half are shared by all items of the other, so that J items take J log J
    steps, none of which divides (taking an item out of a sum again loses digits).
    """
    out: list[np.ndarray] = [np.zeros(0)] * len(prob)

    def divide(items: range, outside: np.ndarray) -> None:
        if len(items) == 1:
            out[items[0]] = outside
            return
        middle = len(items) // 2
        for inner, others in ((items[:middle], items[middle:]), (items[middle:], items[:middle])):
            scores = outside
            for j in others:
                scores = plus_item(scores, prob[j])
            divide(inner, scores)

    divide(range(len(prob)), np.ones((1, *prob[0].shape[1:])))
    return out
