"""The graded model with a probit link: P(Y >= k) = Phi(slope theta - threshold_k)."""

from __future__ import annotations

import math

import numpy as np

from medpsy.jit import jit

ROOT_2 = math.sqrt(2.0)
HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)
#: Page (1977): logit Phi(z) is very nearly A z + B z^3.
A, B = 1.5976, 0.070565992
#: Below this width the normal density is integrated by its Taylor series.
NARROW = 0.05


@jit
def quantile(x):
    """The z with A z + B z^3 = x."""
    c = math.sqrt(3.0 * B / A)
    return 2.0 / c * math.sinh(math.asinh(1.5 * c * x / A) / 3.0)


@jit
def log_phi(x):
    """Logarithm of the normal distribution function."""
    if x > 0.0:
        return math.log1p(-0.5 * math.erfc(x / ROOT_2))
    if x > -25.0:
        return math.log(0.5 * math.erfc(-x / ROOT_2))
    y = 1.0 / (x * x)
    series = 1.0 - y * (1.0 - 3.0 * y * (1.0 - 5.0 * y * (1.0 - 7.0 * y)))
    return -0.5 * x * x - HALF_LOG_2PI - math.log(-x) + math.log(series)


@jit
def log_between(u, g):
    """log(Phi(u) - Phi(u - g)) for g > 0."""
    v = abs(u - 0.5 * g)
    if g * (1.0 + v) < NARROW:
        g2, v2 = g * g, v * v
        series = g2 * ((v2 - 1.0) / 24.0 + g2 * (v2 * v2 - 6.0 * v2 + 3.0) / 1920.0)
        return math.log(g) - 0.5 * v2 - HALF_LOG_2PI + math.log1p(series)
    high, low = log_phi(0.5 * g - v), log_phi(-0.5 * g - v)
    return high + math.log1p(-math.exp(low - high))


@jit
def prepare(a, row, n, above, below, z, gap):
    """Quantiles z_k of P(Y >= k) and gaps between thresholds; returns the scale sqrt(1 + a^2)."""
    scale = math.sqrt(1.0 + a * a)
    below[0] = above[n] = 0.0
    for k in range(n):
        below[k + 1] = below[k] + row[k]
        above[n - 1 - k] = above[n - k] + row[n - 1 - k]
    for k in range(1, n):
        z[k] = quantile(math.log(above[k]) - math.log(below[k]))
    for k in range(1, n - 1):
        wide = math.log1p(row[k] / above[k + 1]) + math.log1p(row[k] / below[k])
        square = z[k] * z[k] + z[k] * z[k + 1] + z[k + 1] * z[k + 1]
        gap[k] = scale * wide / (A + B * square)
    return scale


def forward(slope, prob, nodes, out):
    """Table (item, category, node)."""
    above, below, z, gap = np.empty((4, prob.shape[1] + 1))
    for j in range(prob.shape[0]):
        a, n = slope[j], prob.shape[1]
        scale = prepare(a, prob[j], n, above, below, z, gap)
        for q in range(nodes.size):
            out[j, 0, q] = log_phi(-a * nodes[q] - scale * z[1])
            out[j, n - 1, q] = log_phi(a * nodes[q] + scale * z[n - 1])
            for k in range(1, n - 1):
                out[j, k, q] = log_between(a * nodes[q] + scale * z[k], gap[k])


@jit
def between_slopes(u, g):
    """Derivatives of log(Phi(u) - Phi(u - g)) with respect to u and g."""
    log_p = log_between(u, g)
    middle = u - 0.5 * g
    low = math.exp(-0.5 * (u - g) * (u - g) - HALF_LOG_2PI - log_p)
    tilt = 0.5 * middle * g
    if abs(tilt) < 1.0:
        top = -0.5 * middle * middle - 0.125 * g * g - HALF_LOG_2PI - log_p
        return -2.0 * math.exp(top) * math.sinh(tilt), low
    return math.exp(-0.5 * u * u - HALF_LOG_2PI - log_p) - low, low


@jit
def prepare_reverse(scale, row, n, above, below, z, gap, d_z, d_gap, d_row):
    """Gradient with respect to the probabilities, given that of z and of the gaps."""
    for k in range(1, n - 1):
        bend = A + B * (z[k] * z[k] + z[k] * z[k + 1] + z[k + 1] * z[k + 1])
        d_square = -d_gap[k] * gap[k] * B / bend
        d_z[k] += d_square * (2.0 * z[k] + z[k + 1])
        d_z[k + 1] += d_square * (2.0 * z[k + 1] + z[k])
        d_wide = d_gap[k] * scale / bend
        for m in range(n):
            if m > k:
                d_row[m] -= d_wide * row[k] / (above[k] * above[k + 1])
            elif m < k:
                d_row[m] -= d_wide * row[k] / (below[k] * below[k + 1])
            else:
                d_row[m] += d_wide * (1.0 / above[k] + 1.0 / below[k + 1])
    for k in range(1, n):
        d_logit = d_z[k] / (A + 3.0 * B * z[k] * z[k])
        for m in range(n):
            d_row[m] += d_logit / above[k] if m >= k else -d_logit / below[k]


def backward(slope, prob, nodes, counts, d_slope, d_prob):
    """Reverse of the graded model with a probit link."""
    above, below, z, gap, d_z, d_gap = np.empty((6, prob.shape[1] + 1))
    for j in range(prob.shape[0]):
        a, n = slope[j], prob.shape[1]
        scale = prepare(a, prob[j], n, above, below, z, gap)
        d_scale = 0.0
        for k in range(n):
            d_z[k] = d_gap[k] = 0.0
        for q in range(nodes.size):
            for k in range(n):
                count = counts[j, k, q]
                if count == 0.0:
                    continue
                sign, at, d_g = 1.0, k, 0.0
                if k == 0:
                    sign, at = -1.0, 1
                u = sign * (a * nodes[q] + scale * z[at])
                if 0 < k < n - 1:
                    d_u, d_g = between_slopes(u, gap[k])
                else:
                    d_u = math.exp(-0.5 * u * u - HALF_LOG_2PI - log_phi(u))
                d_u *= sign * count
                d_slope[j] += d_u * nodes[q]
                d_scale += d_u * z[at]
                d_z[at] += d_u * scale
                d_gap[k] += d_g * count
        for k in range(1, n - 1):
            d_scale += d_gap[k] * gap[k] / scale
        prepare_reverse(scale, prob[j], n, above, below, z, gap, d_z, d_gap, d_prob[j])
        d_slope[j] += d_scale * a / scale
