"""Four or more constructs: three on the grid of the quadrature kernel, the others at nodes held one by one.

Given the outer constructs o the inner ones are normal again, with the precision P_ii for everybody and a
shift -P_io o of the tilt. So the weights over the inner grid serve all outer nodes, the answers to the inner
items are multiplied once a person, and only the sum over the inner grid is repeated.
"""

from __future__ import annotations

import math

import numpy as np

from medpsy.engines.quadrature_kernel import answer_products, answer_rows, contract
from medpsy.engines.window_kernel import add_rows, whole
from medpsy.jit import jit
from medpsy.vector_kernel import LANES


@jit
def tilted(d, t, n, gap, sums, out):
    """out[d] = sums[d] exp(t (node - first node)), scaled so that the factor is at most 1.

    Returns the log of the scale.
    """
    width = whole(n)
    ratio = math.exp(-abs(t) * gap) if t != 0.0 else 1.0
    value, shift = 1.0, 0.0
    if t > 0.0:
        shift = t * gap * (n - 1)
        for q in range(n - 1, -1, -1):
            out[d, q] = sums[d, q] * value
            value *= ratio
    else:
        for q in range(n):
            out[d, q] = sums[d, q] * value
            value *= ratio
    for q in range(n, width):
        out[d, q] = 0.0
    return shift


@jit
def add_node(i, scale, part, nodes, lo, hi, mass, moment, marginal, second, mean):
    """Add ``part`` of one outer node to what the row has gathered; means of the inner constructs there."""
    for d in range(3):
        total = first = square = 0.0
        for q in range(hi[i, d] - lo[i, d]):
            m, t = mass[d, q], nodes[d, lo[i, d] + q]
            marginal[d, q] += scale * m
            total += m
            first += m * t
            square += m * t * t
        mean[d] = first / total
        second[i, d, d] += scale * square
    second[i, 0, 1] += part * moment[0, 0, 1]
    second[i, 0, 2] += part * moment[0, 0, 2]
    second[i, 1, 2] += part * moment[0, 1, 2]


@jit
def fade(i, by, lo, hi, marginal, second):
    """Multiply what the row has gathered."""
    for d in range(3):
        for e in range(3):
            second[i, d, e] *= by
        for q in range(whole(hi[i, d] - lo[i, d])):
            marginal[d, q] *= by


@jit
def layered(
    codes, start, factor, prob, sizes, widths, nodes, lo, hi, begin, tilt, count, weight, ell, share, given,
    counts, first, second,
):  # fmt: skip
    """Log-likelihood of every row over its outer nodes and the inner grid, and the E-step.

    Arguments are those of :func:`medpsy.engines.quadrature_kernel.integrate`, but for

    begin : int64 (row + 1,)
        Where the outer nodes of each row begin.
    tilt : float (outer node, 3)
        Tilt of the inner constructs at every outer node of every row.
    ell : float (row,)
        Output: log-likelihood.
    share : float (outer node,)
        On entry the log-density of everything but the inner constructs; on return posterior probabilities.
    given : float (outer node, 3)
        Output: posterior means of the inner constructs at each outer node.
    """
    most = nodes.shape[1] + LANES
    sums, now, mass = np.empty((3, most)), np.zeros((3, most)), np.empty((3, most))
    marginal, work = np.zeros((3, most)), np.empty((5, LANES * most))
    rows, used = np.empty((3, codes.shape[1] + 1), np.int64), np.empty(3, np.int64)
    moment, none = np.empty((1, 3, 3)), np.zeros((codes.shape[0], 3))
    for i in range(codes.shape[0]):
        answer_rows(i, codes, start, factor, widths, lo, rows, used)
        common = answer_products(i, rows, used, prob, sizes, nodes, lo, hi, none, sums)
        fade(i, 0.0, lo, hi, marginal, second)
        top, total = -math.inf, 0.0
        for k in range(begin[i], begin[i + 1]):
            share[k] += common
            for d in range(3):
                share[k] += tilt[k, d] * nodes[d, lo[i, d]]
                share[k] += tilted(d, tilt[k, d], hi[i, d] - lo[i, d], nodes[d, 1] - nodes[d, 0], sums, now)
            inner = contract(0, weight, now, nodes, lo[i : i + 1], hi[i : i + 1], work, mass, moment)
            share[k] += math.log(inner) if inner > 0.0 else -math.inf
            if share[k] > top:
                by = math.exp(top - share[k])
                fade(i, by, lo, hi, marginal, second)
                top, total = share[k], total * by
            if inner > 0.0:
                part = math.exp(share[k] - top)
                total += part
                add_node(i, part / inner, part, nodes, lo, hi, mass, moment, marginal, second, given[k])
        ell[i] = top + math.log(total)
        for k in range(begin[i], begin[i + 1]):
            share[k] = math.exp(share[k] - ell[i])
        _finish(i, total, count[i], nodes, lo, hi, marginal, rows, used, counts, first, second)


@jit
def _finish(i, total, count, nodes, lo, hi, marginal, rows, used, counts, first, second):
    """Means, second moments and expected counts of a row."""
    for d in range(3):
        first[i, d] = 0.0
        for e in range(d, 3):
            second[i, d, e] /= total
            second[i, e, d] = second[i, d, e]
        for q in range(hi[i, d] - lo[i, d]):
            marginal[d, q] /= total
            first[i, d] += marginal[d, q] * nodes[d, lo[i, d] + q]
            marginal[d, q] *= count
        rows_, mass_ = (
            rows.ctypes.data + 8 * d * rows.shape[1],
            marginal.ctypes.data + 8 * d * marginal.shape[1],
        )
        add_rows(counts.ctypes.data, rows_, used[d], mass_, whole(hi[i, d] - lo[i, d]))
