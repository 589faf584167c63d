"""The sequential model: P(Y >= k | Y >= k - 1) = logistic(slope theta - threshold_k)."""

from __future__ import annotations

import math

import numpy as np

from medpsy.jit import jit


@jit
def thresholds(row, n, above, threshold):
    """P(Y >= k) at theta = 0, and the thresholds 1..n-1."""
    above[n] = 0.0
    for k in range(n - 1, -1, -1):
        above[k] = above[k + 1] + row[k]
    for k in range(1, n):
        threshold[k] = math.log(row[k - 1]) - math.log(above[k])


def forward(slope, prob, nodes, out):
    """Table (item, category, node)."""
    above, threshold = np.empty(prob.shape[1] + 1), np.empty(prob.shape[1] + 1)
    for j in range(prob.shape[0]):
        n = prob.shape[1]
        thresholds(prob[j], n, above, threshold)
        for q in range(nodes.size):
            passed = 0.0
            for k in range(1, n):
                x = slope[j] * nodes[q] - threshold[k]
                upper = -math.log1p(math.exp(-x)) if x > 0 else x - math.log1p(math.exp(x))
                out[j, k - 1, q] = passed + upper - x
                passed += upper
            out[j, n - 1, q] = passed


def backward(slope, prob, nodes, counts, d_slope, d_prob):
    """Reverse of the sequential model."""
    above, threshold = np.empty(prob.shape[1] + 1), np.empty(prob.shape[1] + 1)
    for j in range(prob.shape[0]):
        n = prob.shape[1]
        thresholds(prob[j], n, above, threshold)
        for k in range(1, n):
            d_threshold = 0.0
            for q in range(nodes.size):
                x = slope[j] * nodes[q] - threshold[k]
                e = math.exp(-abs(x))
                large = 1.0 / (1.0 + e)
                upper, lower = (large, e * large) if x > 0 else (e * large, large)
                reached = 0.0
                for m in range(k, n):
                    reached += counts[j, m, q]
                dx = reached * lower - counts[j, k - 1, q] * upper
                d_slope[j] += dx * nodes[q]
                d_threshold -= dx
            d_prob[j, k - 1] += d_threshold / prob[j, k - 1]
            for m in range(k, n):
                d_prob[j, m] -= d_threshold / above[k]
