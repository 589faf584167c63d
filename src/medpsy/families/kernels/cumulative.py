"""Families that model P(Y >= k): graded, Rasch, graded rating scale, and two answers with asymptotes."""

from __future__ import annotations

import math

import numpy as np

from medpsy.jit import jit
from medpsy.vector_kernel import LANES, logistic_curves


@jit
def shares(row, n, above, below):
    """P(Y >= k) and P(Y < k), each summed from its own end."""
    below[0] = above[n] = 0.0
    for k in range(n):
        below[k + 1] = below[k] + row[k]
        above[n - 1 - k] = above[n - k] + row[n - 1 - k]


@jit
def width(row, above, below, k):
    """logit P(Y >= k) - logit P(Y >= k + 1), without a difference of logits."""
    return math.log1p(row[k] / above[k + 1]) + math.log1p(row[k] / below[k])


@jit
def shares_reverse(row, n, above, below, d_logit, d_width, d_row):
    """Gradient with respect to the probabilities, given that with respect to logits and widths."""
    for k in range(1, n):
        for m in range(n):
            d_row[m] += d_logit[k] / above[k] if m >= k else -d_logit[k] / below[k]
    for k in range(1, n - 1):
        # Written out per category: differences of reciprocals would cancel for rare ones.
        for m in range(n):
            if m > k:
                d_row[m] -= d_width[k] * row[k] / (above[k] * above[k + 1])
            elif m < k:
                d_row[m] -= d_width[k] * row[k] / (below[k] * below[k + 1])
            else:
                d_row[m] += d_width[k] * (1.0 / above[k] + 1.0 / below[k + 1])


@jit
def fill(a, threshold, gap, n, nodes, out):
    """Log-probabilities (category, node) of one item; thresholds stand at 1..n-1, gaps at 1..n-2."""
    for k in range(out.shape[0]):
        start = 0.0
        if 0 < k < n - 1:
            g = gap[k]
            start = math.log(-math.expm1(-g)) if g < 0.6931472 else math.log1p(-math.exp(-g))
        for q in range(nodes.size):
            out[k, q] = start
    for k in range(1, n):
        for q in range(nodes.size):
            x = a * nodes[q] - threshold[k]
            upper = -math.log1p(math.exp(-x)) if x > 0 else x - math.log1p(math.exp(x))
            out[k, q] += upper
            out[k - 1, q] += upper - x


@jit
def whole(nodes):
    """The nodes, with the last one repeated up to whole vectors."""
    out = np.empty((nodes.size + LANES - 1) // LANES * LANES)
    for q in range(out.size):
        out[q] = nodes[min(q, nodes.size - 1)]
    return out


@jit
def fill_shares(a, threshold, gap, n, nodes, curves, out):
    """Probabilities (category, node) of one item; ``nodes`` and ``curves`` (2, node) in whole vectors."""
    curves_, length = curves.ctypes.data, nodes.size
    for k in range(n):
        start = -math.expm1(-gap[k]) if 0 < k < n - 1 else 1.0
        for q in range(out.shape[1]):
            out[k, q] = start
    for k in range(1, n):
        logistic_curves(a, threshold[k], nodes.ctypes.data, curves_, curves_ + 8 * length, length)
        for q in range(out.shape[1]):
            out[k, q] *= curves[0, q]
            out[k - 1, q] *= curves[1, q]


@jit
def pull(a, threshold, gap, n, nodes, curves, counts, d_threshold, d_gap):
    """Gradient of sum(counts * log P) of one item: of the slope (returned), thresholds and gaps."""
    d_slope = 0.0
    curves_, length = curves.ctypes.data, nodes.size
    for k in range(1, n):
        logistic_curves(a, threshold[k], nodes.ctypes.data, curves_, curves_ + 8 * length, length)
        total = 0.0
        for q in range(counts.shape[1]):
            dx = counts[k, q] * curves[1, q] - counts[k - 1, q] * curves[0, q]
            d_slope += dx * nodes[q]
            total += dx
        d_threshold[k] = -total
    for k in range(1, n - 1):
        used = 0.0
        for q in range(counts.shape[1]):
            used += counts[k, q]
        d_gap[k] = used / math.expm1(gap[k]) if used > 0.0 else 0.0
    return d_slope


@jit
def logits(a, row, n, above, below, threshold, gap):
    """Thresholds and gaps from category probabilities; returns the scale sqrt(1 + 0.3457 a^2)."""
    scale = math.sqrt(1.0 + 0.3457 * a * a)
    shares(row, n, above, below)
    for k in range(1, n):
        threshold[k] = scale * math.log(below[k] / above[k])
    for k in range(1, n - 1):
        gap[k] = scale * width(row, above, below, k)
    return scale


@jit
def logits_reverse(a, scale, row, n, above, below, threshold, gap, d_threshold, d_gap, d_row):
    """Gradient with respect to the probabilities; returns that with respect to the slope."""
    d_scale = 0.0
    for k in range(1, n):
        d_scale += d_threshold[k] * threshold[k] / scale
        d_threshold[k] *= -scale
    for k in range(1, n - 1):
        d_scale += d_gap[k] * gap[k] / scale
        d_gap[k] *= scale
    shares_reverse(row, n, above, below, d_threshold, d_gap, d_row)
    return d_scale * 0.3457 * a / scale


@jit
def graded(slope, prob, nodes, out):
    """Table (item, category, node) of the graded model."""
    work = np.empty((4, prob.shape[1] + 1))
    for j in range(prob.shape[0]):
        n = prob.shape[1]
        logits(slope[j], prob[j], n, work[0], work[1], work[2], work[3])
        fill(slope[j], work[2], work[3], n, nodes, out[j])


@jit
def graded_shares(slope, prob, nodes, out):
    """Probabilities (item, category, node) of the graded model."""
    work, nodes = np.empty((4, prob.shape[1] + 1)), whole(nodes)
    curves = np.empty((2, nodes.size))
    for j in range(prob.shape[0]):
        n = prob.shape[1]
        logits(slope[j], prob[j], n, work[0], work[1], work[2], work[3])
        fill_shares(slope[j], work[2], work[3], n, nodes, curves, out[j])


@jit
def graded_reverse(slope, prob, nodes, counts, d_slope, d_prob):
    """Add the gradient of sum(counts * table) of the graded model."""
    work, nodes = np.empty((6, prob.shape[1] + 1)), whole(nodes)
    curves = np.empty((2, nodes.size))
    above, below, threshold, gap, d_threshold, d_gap = work
    for j in range(prob.shape[0]):
        a, row, n = slope[j], prob[j], prob.shape[1]
        scale = logits(a, row, n, above, below, threshold, gap)
        d_slope[j] += pull(a, threshold, gap, n, nodes, curves, counts[j], d_threshold, d_gap)
        d_slope[j] += logits_reverse(
            a, scale, row, n, above, below, threshold, gap, d_threshold, d_gap, d_prob[j]
        )


def graded_forward(slope, prob, nodes, out):
    """Graded response model."""
    graded(slope, prob, nodes, out)


def graded_probabilities(slope, prob, nodes, out):
    """Graded response model, as probabilities."""
    graded_shares(slope, prob, nodes, out)


def graded_backward(slope, prob, nodes, counts, d_slope, d_prob):
    """Reverse of the graded response model."""
    graded_reverse(slope, prob, nodes, counts, d_slope, d_prob)


def rasch_forward(spread, prob, nodes, out):
    """Rasch model: the graded model of two answers with one slope for all items."""
    graded(np.full(prob.shape[0], spread[0]), prob, nodes, out)


def rasch_probabilities(spread, prob, nodes, out):
    """Rasch model, as probabilities."""
    graded_shares(np.full(prob.shape[0], spread[0]), prob, nodes, out)


def rasch_backward(spread, prob, nodes, counts, d_spread, d_prob):
    """Reverse of the Rasch model."""
    d_slope = np.zeros(prob.shape[0])
    graded_reverse(np.full(prob.shape[0], spread[0]), prob, nodes, counts, d_slope, d_prob)
    d_spread[0] += d_slope.sum()


@jit
def common_steps(gap, tau):
    """Thresholds 1..K-1 that sum to zero from the distances between them."""
    mean = 0.0
    tau[1] = 0.0
    for k in range(gap.size):
        tau[k + 2] = tau[k + 1] + gap[k]
        mean += tau[k + 2]
    mean /= gap.size + 1.0
    for k in range(1, gap.size + 2):
        tau[k] -= mean


def rating_forward(slope, location, gap, nodes, out):
    """Graded rating scale model."""
    n = gap.size + 2
    tau, threshold, distance = np.empty(n), np.empty(n), np.empty(n)
    common_steps(gap, tau)
    for j in range(slope.size):
        for k in range(1, n):
            threshold[k] = slope[j] * (location[j] + tau[k])
        for k in range(1, n - 1):
            distance[k] = slope[j] * gap[k - 1]
        fill(slope[j], threshold, distance, n, nodes, out[j])


def rating_backward(slope, location, gap, nodes, counts, d_slope, d_location, d_gap):
    """Reverse of the graded rating scale model."""
    n = gap.size + 2
    tau, threshold, distance = np.empty(n), np.empty(n), np.empty(n)
    d_tau, d_threshold, d_distance = np.zeros(n), np.empty(n), np.empty(n)
    whole_nodes = whole(nodes)
    curves = np.empty((2, whole_nodes.size))
    common_steps(gap, tau)
    for j in range(slope.size):
        for k in range(1, n):
            threshold[k] = slope[j] * (location[j] + tau[k])
        for k in range(1, n - 1):
            distance[k] = slope[j] * gap[k - 1]
        d_slope[j] += pull(
            slope[j], threshold, distance, n, whole_nodes, curves, counts[j], d_threshold, d_distance
        )
        for k in range(1, n):
            d_slope[j] += d_threshold[k] * (location[j] + tau[k])
            d_location[j] += d_threshold[k] * slope[j]
            d_tau[k] += d_threshold[k] * slope[j]
        for k in range(1, n - 1):
            d_slope[j] += d_distance[k] * gap[k - 1]
            d_gap[k - 1] += d_distance[k] * slope[j]
    total = d_tau[1:].sum()
    beyond = total
    for k in range(1, n - 1):
        beyond -= d_tau[k]
        d_gap[k - 1] += beyond - total * (n - 1 - k) / (n - 1.0)


@jit
def asymptotes(a, logit, c, v, nodes, out):
    """Two answers: P(1) = c + (1 - c) v logistic(x), P(0) = (1 - c) (1 - v logistic(x))."""
    for q in range(nodes.size):
        x = a * nodes[q] + logit
        e = math.exp(-abs(x))
        large = 1.0 / (1.0 + e)
        upper, lower = (large, e * large) if x > 0 else (e * large, large)
        out[1, q] = math.log(c + (1.0 - c) * v * upper)
        if v == 1.0:
            out[0, q] = math.log1p(-c) - (max(x, 0.0) + math.log1p(e))
        else:
            out[0, q] = math.log1p(-c) + math.log((1.0 - v) + v * lower)


@jit
def asymptotes_reverse(a, logit, c, v, nodes, counts, d):
    """Gradient of sum(counts * table) with respect to slope, logit, c and v, added to ``d``."""
    for q in range(nodes.size):
        x = a * nodes[q] + logit
        e = math.exp(-abs(x))
        large = 1.0 / (1.0 + e)
        upper, lower = (large, e * large) if x > 0 else (e * large, large)
        one, nought = counts[1, q], counts[0, q]
        p = c + (1.0 - c) * v * upper
        missed = (1.0 - v) + v * lower
        dx = one * (1.0 - c) * v * upper * lower / p
        dx -= nought * v * upper * (1.0 if v == 1.0 else lower / missed)
        d[0] += dx * nodes[q]
        d[1] += dx
        d[2] += one * (1.0 - v * upper) / p - nought / (1.0 - c)
        if v != 1.0:
            d[3] += one * (1.0 - c) * upper / p - nought * upper / missed


def three_forward(slope, prob, guessing, nodes, out):
    """Three-parameter logistic model."""
    for j in range(slope.size):
        scale = math.sqrt(1.0 + 0.3457 * slope[j] * slope[j])
        logit = scale * (math.log(prob[j, 1]) - math.log(prob[j, 0]))
        asymptotes(slope[j], logit, guessing[j], 1.0, nodes, out[j])


def three_backward(slope, prob, guessing, nodes, counts, d_slope, d_prob, d_guessing):
    """Reverse of the three-parameter logistic model."""
    for j in range(slope.size):
        a = slope[j]
        scale = math.sqrt(1.0 + 0.3457 * a * a)
        logit = math.log(prob[j, 1]) - math.log(prob[j, 0])
        d = np.zeros(4)
        asymptotes_reverse(a, scale * logit, guessing[j], 1.0, nodes, counts[j], d)
        d_slope[j] += d[0] + d[1] * logit * 0.3457 * a / scale
        d_prob[j, 1] += d[1] * scale / prob[j, 1]
        d_prob[j, 0] -= d[1] * scale / prob[j, 0]
        d_guessing[j] += d[2]


def four_forward(slope, prob, guessing, rise, nodes, out):
    """Four-parameter logistic model."""
    for j in range(slope.size):
        scale = math.sqrt(1.0 + 0.3457 * slope[j] * slope[j])
        logit = scale * (math.log(prob[j, 1]) - math.log(prob[j, 0]))
        asymptotes(slope[j], logit, guessing[j], rise[j], nodes, out[j])


def four_backward(slope, prob, guessing, rise, nodes, counts, d_slope, d_prob, d_guessing, d_rise):
    """Reverse of the four-parameter logistic model."""
    for j in range(slope.size):
        a = slope[j]
        scale = math.sqrt(1.0 + 0.3457 * a * a)
        logit = math.log(prob[j, 1]) - math.log(prob[j, 0])
        d = np.zeros(4)
        asymptotes_reverse(a, scale * logit, guessing[j], rise[j], nodes, counts[j], d)
        d_slope[j] += d[0] + d[1] * logit * 0.3457 * a / scale
        d_prob[j, 1] += d[1] * scale / prob[j, 1]
        d_prob[j, 0] -= d[1] * scale / prob[j, 0]
        d_guessing[j] += d[2]
        d_rise[j] += d[3]
