"""Families with P(Y = k) = exp(score_k theta + intercept_k) / sum: partial credit and its relatives."""

from __future__ import annotations

import math

import numpy as np

from medpsy.jit import jit


@jit
def fill(score, intercept, n, nodes, out):
    """Log-probabilities (category, node) of one item."""
    for q in range(nodes.size):
        top = -1e300
        for k in range(n):
            out[k, q] = score[k] * nodes[q] + intercept[k]
            top = max(top, out[k, q])
        total = 0.0
        for k in range(n):
            total += math.exp(out[k, q] - top)
        norm = top + math.log(total)
        for k in range(n):
            out[k, q] -= norm


@jit
def pull(score, intercept, n, nodes, counts, d_score, d_intercept):
    """Gradient of sum(counts * log P) of one item with respect to scores and intercepts."""
    x = np.empty(n)
    for k in range(n):
        d_score[k] = d_intercept[k] = 0.0
    for q in range(nodes.size):
        top, total, used = -1e300, 0.0, 0.0
        for k in range(n):
            x[k] = score[k] * nodes[q] + intercept[k]
            top = max(top, x[k])
            used += counts[k, q]
        for k in range(n):
            x[k] = math.exp(x[k] - top)
            total += x[k]
        for k in range(n):
            d = counts[k, q] - used * x[k] / total
            d_score[k] += d * nodes[q]
            d_intercept[k] += d


@jit
def credit(slope, prob, nodes, out):
    """Table of the generalised partial credit model."""
    score, intercept = np.empty(prob.shape[1]), np.empty(prob.shape[1])
    for j in range(prob.shape[0]):
        n = prob.shape[1]
        for k in range(n):
            score[k], intercept[k] = k * slope[j], math.log(prob[j, k])
        fill(score, intercept, n, nodes, out[j])


@jit
def credit_reverse(slope, prob, nodes, counts, d_slope, d_prob):
    """Add the gradient of the generalised partial credit model."""
    score, intercept, d_score, d_intercept = np.empty((4, prob.shape[1]))
    for j in range(prob.shape[0]):
        n = prob.shape[1]
        for k in range(n):
            score[k], intercept[k] = k * slope[j], math.log(prob[j, k])
        pull(score, intercept, n, nodes, counts[j], d_score, d_intercept)
        for k in range(n):
            d_slope[j] += k * d_score[k]
            d_prob[j, k] += d_intercept[k] / prob[j, k]


def generalised_forward(slope, prob, nodes, out):
    """Generalised partial credit model."""
    credit(slope, prob, nodes, out)


def generalised_backward(slope, prob, nodes, counts, d_slope, d_prob):
    """Reverse of the generalised partial credit model."""
    credit_reverse(slope, prob, nodes, counts, d_slope, d_prob)


def partial_forward(spread, prob, nodes, out):
    """Partial credit model: one slope for all items."""
    credit(np.full(prob.shape[0], spread[0]), prob, nodes, out)


def partial_backward(spread, prob, nodes, counts, d_spread, d_prob):
    """Reverse of the partial credit model."""
    d_slope = np.zeros(prob.shape[0])
    credit_reverse(np.full(prob.shape[0], spread[0]), prob, nodes, counts, d_slope, d_prob)
    d_spread[0] += d_slope.sum()


@jit
def zero_sum(contrast, tau):
    """Steps that sum to zero from one number less; an isometry, so independent normals stay symmetric."""
    n = contrast.size + 1
    total = contrast.sum()
    norm = total / (math.sqrt(n) + n)
    for k in range(n - 1):
        tau[k] = contrast[k] - norm
    tau[n - 1] = norm - total / math.sqrt(n) - norm


def rating_forward(spread, location, contrast, nodes, out):
    """Rating scale model."""
    n = contrast.size + 2
    tau, score, intercept = np.empty(n - 1), np.empty(n), np.empty(n)
    zero_sum(contrast, tau)
    for j in range(location.size):
        score[0] = intercept[0] = 0.0
        for k in range(1, n):
            score[k] = k * spread[0]
            intercept[k] = intercept[k - 1] - location[j] - tau[k - 1]
        fill(score, intercept, n, nodes, out[j])


def rating_backward(spread, location, contrast, nodes, counts, d_spread, d_location, d_contrast):
    """Reverse of the rating scale model."""
    n = contrast.size + 2
    tau, d_tau = np.empty(n - 1), np.zeros(n - 1)
    score, intercept, d_score, d_intercept = np.empty((4, n))
    zero_sum(contrast, tau)
    for j in range(location.size):
        score[0] = intercept[0] = 0.0
        for k in range(1, n):
            score[k] = k * spread[0]
            intercept[k] = intercept[k - 1] - location[j] - tau[k - 1]
        pull(score, intercept, n, nodes, counts[j], d_score, d_intercept)
        beyond = 0.0
        for k in range(n - 1, 0, -1):
            beyond += d_intercept[k]
            d_tau[k - 1] -= beyond
            d_location[j] -= beyond
            d_spread[0] += k * d_score[k]
    last, root = d_tau[n - 2], math.sqrt(n - 1.0)
    total = d_tau.sum() - last
    for k in range(n - 2):
        d_contrast[k] += d_tau[k] - total / (root + n - 1.0) - last / root


def nominal_forward(slope, shift, prob, nodes, out):
    """Nominal model: the score of category k is k plus its shift, those of the ends are fixed."""
    score, intercept = np.empty(prob.shape[1]), np.empty(prob.shape[1])
    for j in range(prob.shape[0]):
        n = prob.shape[1]
        for k in range(n):
            moved = shift[j, k - 1] if 0 < k < n - 1 else 0.0
            score[k], intercept[k] = slope[j] * (k + moved), math.log(prob[j, k])
        fill(score, intercept, n, nodes, out[j])


def nominal_backward(slope, shift, prob, nodes, counts, d_slope, d_shift, d_prob):
    """Reverse of the nominal model."""
    score, intercept, d_score, d_intercept = np.empty((4, prob.shape[1]))
    for j in range(prob.shape[0]):
        n = prob.shape[1]
        for k in range(n):
            moved = shift[j, k - 1] if 0 < k < n - 1 else 0.0
            score[k], intercept[k] = slope[j] * (k + moved), math.log(prob[j, k])
        pull(score, intercept, n, nodes, counts[j], d_score, d_intercept)
        for k in range(n):
            inner = 0 < k < n - 1
            d_slope[j] += d_score[k] * (k + (shift[j, k - 1] if inner else 0.0))
            d_prob[j, k] += d_intercept[k] / prob[j, k]
            if inner:
                d_shift[j, k - 1] += d_score[k] * slope[j]
