"""The grid sum and its gradient, person by person, over each person's own window of nodes.

The gradient of a marginal log-likelihood is the E-step: the expected count of every
(item, category, node) and the first two moments of the constructs. Dimensions are always three; unused
ones come first and have a single node at zero. Imported only where the compiled route is taken.
"""

from __future__ import annotations

import math

import numpy as np

from medpsy.engines.line_kernel import contract_line, line, line_step
from medpsy.engines.window_kernel import (
    add_rows,
    contract_nodes,
    multiply_rows,
    posterior_moments,
    sum_nodes,
    vector_sum,
    whole,
)
from medpsy.jit import jit
from medpsy.linear_kernel import product
from medpsy.vector_kernel import LANES, exponentials

#: Products below this are scaled up.
SMALL = 1e-60


@jit
def fill_weight(precision, nodes, weight):
    """weight[q0, q1, q2] = exp(-t' P t / 2).

    Along the last dimension the exponent is quadratic, so each row grows from its peak to both sides by
    multiplication: three exponentials a row instead of one a node.
    """
    p00, p01, p02 = precision[0, 0], precision[0, 1], precision[0, 2]
    p11, p12, p22 = precision[1, 1], precision[1, 2], precision[2, 2]
    n2 = weight.shape[2]
    first = nodes[2, 0]
    step = nodes[2, 1] - first if n2 > 1 else 1.0
    shrink = math.exp(-p22 * step * step)
    for q0 in range(weight.shape[0]):
        t0 = nodes[0, q0]
        for q1 in range(weight.shape[1]):
            t1 = nodes[1, q1]
            base = p00 * t0 * t0 + 2.0 * p01 * t0 * t1 + p11 * t1 * t1
            slope = 2.0 * (p02 * t0 + p12 * t1)
            row = weight[q0, q1]
            peak = min(max(round((-0.5 * slope / p22 - first) / step), 0), n2 - 1)
            t = first + peak * step
            top = math.exp(-0.5 * (base + (slope + p22 * t) * t))
            row[peak] = top
            value = top
            ratio = math.exp(-0.5 * step * (slope + p22 * (2.0 * t + step)))
            for q in range(peak + 1, n2):
                value *= ratio
                ratio *= shrink
                row[q] = value
            value = top
            ratio = math.exp(0.5 * step * (slope + p22 * (2.0 * t - step)))
            for q in range(peak - 1, -1, -1):
                value *= ratio
                ratio *= shrink
                row[q] = value


@jit
def exponentiate(table, out):
    """out = exp(table), both flat: one exponential a node of the table, none a person."""
    whole_part = table.size // LANES * LANES
    exponentials(table.ctypes.data, out.ctypes.data, whole_part)
    for i in range(whole_part, table.size):
        out[i] = math.exp(table[i])


@jit
def latent_forward(mean, chol, design, precision, location, tilt, base):
    """Precision P of the constructs (padded to its shape), and per row its location m, P m and -m'Pm/2.

    Returns half the log-determinant of P.
    """
    n = chol.shape[0]
    size = precision.shape[0]
    pad = size - n
    inverse = np.zeros((n, n))
    half = 0.0
    for i in range(n):
        half -= math.log(chol[i, i])
        inverse[i, i] = 1.0 / chol[i, i]
        for j in range(i):
            s = 0.0
            for k in range(j, i):
                s -= chol[i, k] * inverse[k, j]
            inverse[i, j] = s / chol[i, i]
    for i in range(size):
        for j in range(size):
            precision[i, j] = 1.0 if i == j else 0.0
    for i in range(n):
        for j in range(n):
            s = 0.0
            for k in range(max(i, j), n):
                s += inverse[k, i] * inverse[k, j]
            precision[pad + i, pad + j] = s
    for r in range(design.shape[0]):
        square = 0.0
        for i in range(n):
            s = 0.0
            for c in range(design.shape[1]):
                s += mean[i, c] * design[r, c]
            location[r, pad + i] = s
        for i in range(n):
            s = 0.0
            for j in range(n):
                s += precision[pad + i, pad + j] * location[r, pad + j]
            tilt[r, pad + i] = s
            square += s * location[r, pad + i]
        base[r] = -0.5 * square
    return half


@jit
def latent_reverse(chol, design, count, precision, location, first, second, d_mean, d_chol):
    """Gradient with respect to the mean coefficients and the Cholesky factor, from posterior moments."""
    n = chol.shape[0]
    pad = precision.shape[0] - n
    scatter = np.zeros((n, n))
    total = 0.0
    for r in range(design.shape[0]):
        total += count[r]
        for i in range(n):
            m, f = location[r, pad + i], first[r, pad + i]
            pull = 0.0
            for j in range(n):
                mj, fj = location[r, pad + j], first[r, pad + j]
                scatter[i, j] += count[r] * (second[r, pad + i, pad + j] - m * fj - f * mj + m * mj)
                pull += precision[pad + i, pad + j] * (fj - mj)
            pull *= count[r]
            for c in range(design.shape[1]):
                d_mean[i, c] += pull * design[r, c]
    inner = np.empty((n, n))
    for i in range(n):
        for j in range(n):
            inner[i, j] = precision[pad + i, pad + j]
    d_covariance = product(product(inner, scatter), inner)
    for i in range(n):
        for j in range(n):
            d_covariance[i, j] -= total * inner[i, j]
    change = product(d_covariance, chol)
    for i in range(n):
        for j in range(n):
            d_chol[i, j] = change[i, j] if j <= i else 0.0


@jit
def answer_rows(i, codes, start, factor, widths, lo, rows, used):
    """Where the table rows of a person's answers start, at the window's first node, by dimension.

    ``rows`` (3, at least one more than items).
    """
    for d in range(3):
        used[d] = 0
    at, d, width, first = 0, 0, widths[0], lo[i, 0]
    for j in range(codes.shape[1]):
        if factor[j] != d:
            used[d] = at
            d = factor[j]
            at, width, first = used[d], widths[d], lo[i, d]
        code = np.int64(codes[i, j])
        rows[d, at] = start[j] + code * width + first
        at += 1 + (code >> 63)  # no branch: who left out what is hard to foresee
    used[d] = at


@jit
def answer_products(i, rows, used, prob, sizes, nodes, lo, hi, tilt, sums):
    """Likelihood of each dimension's answers over the window; returns the log of the scale taken out.

    ``sums[d]`` begins with the window and goes on with zeros up to whole vectors.
    """
    shift = 0.0
    for d in range(3):
        first, n = lo[i, d], hi[i, d] - lo[i, d]
        if sizes[d] == 1:
            for q in range(LANES):
                sums[d, q] = 1.0 if q == 0 else 0.0
            continue
        t, width = tilt[i, d], whole(n)
        # exp(t * node) over equally spaced nodes grows by a constant ratio; 1 at the larger end.
        ratio = math.exp(-abs(t) * (nodes[d, 1] - nodes[d, 0])) if t != 0.0 else 1.0
        value = 1.0
        if t > 0.0:
            for q in range(n - 1, -1, -1):
                sums[d, q] = value
                value *= ratio
            shift += t * nodes[d, first + n - 1]
        else:
            for q in range(n):
                sums[d, q] = value
                value *= ratio
            shift += t * nodes[d, first]
        for q in range(n, width):
            sums[d, q] = 0.0
        rows_, sums_ = rows.ctypes.data + 8 * d * rows.shape[1], sums.ctypes.data + 8 * d * sums.shape[1]
        for j in range(0, used[d], 8):
            top = multiply_rows(prob.ctypes.data, rows_ + 8 * j, min(used[d] - j, 8), sums_, width)
            if top < SMALL:  # before many small probabilities underflow
                for q in range(n):
                    sums[d, q] /= top
                shift += math.log(top)
    return shift


@jit
def contract(i, weight, sums, nodes, lo, hi, work, marginal, second):
    """Sum over the window of a person; unnormalised marginals (3, node), cross moments into ``second``.

    ``work`` (5, at least four times the most nodes) is overwritten.
    """
    n0, n1, n2 = hi[i, 0] - lo[i, 0], hi[i, 1] - lo[i, 1], whole(hi[i, 2] - lo[i, 2])
    n0 += n0 % 2
    for q in range(n0):
        work[0, q], work[0, n0 + q] = sums[0, q], sums[0, q] * nodes[0, lo[i, 0] + q]
    for q in range(n1):
        work[1, q], work[1, n1 + q] = sums[1, q], sums[1, q] * nodes[1, lo[i, 1] + q]
    for q in range(LANES * whole(n0)):
        work[2, q] = 0.0
    for q in range(LANES * whole(n1)):
        work[3, q] = 0.0
    jump1 = weight.shape[2]
    jump0 = weight.shape[1] * jump1
    corner = lo[i, 0] * jump0 + lo[i, 1] * jump1 + lo[i, 2]
    work_, row = work.ctypes.data, 8 * work.shape[1]
    contract_nodes(
        weight.ctypes.data + 8 * corner, jump0, jump1, n0, n1, n2, work_, work_ + row,
        sums.ctypes.data + 16 * sums.shape[1], nodes.ctypes.data + 8 * (2 * nodes.shape[1] + lo[i, 2]),
        work_ + 2 * row, work_ + 3 * row, marginal.ctypes.data + 16 * marginal.shape[1], work_ + 4 * row,
    )  # fmt: skip
    total = 0.0
    for q in range(n2):
        total += marginal[2, q]
    for q in range(whole(n0)):
        marginal[0, q] = sums[0, q] * vector_sum(work, 2, q)
    for q in range(whole(n1)):
        marginal[1, q] = sums[1, q] * vector_sum(work, 3, q)
    second[i, 0, 1] = second[i, 1, 0] = vector_sum(work, 4, 0) / total
    second[i, 0, 2] = second[i, 2, 0] = vector_sum(work, 4, 1) / total
    second[i, 1, 2] = second[i, 2, 1] = vector_sum(work, 4, 2) / total
    return total


@jit
def integrate(
    codes, start, factor, prob, sizes, widths, nodes, lo, hi, tilt, count, weight, ell, counts, first, second,
    mass,
):  # fmt: skip
    """Log-likelihood of every row and, added up with multiplicities, the E-step.

    Parameters
    ----------
    codes : int8 (row, item); start, factor : int64 (item,)
        -1 where no answer was given; offset of the item in the flat table, which dimension it loads on.
    prob, counts : float (sum of category x width,)
        Probabilities; expected counts (output).
    sizes, widths : int64 (3,)
        Nodes of each dimension, and the same with so many more that a vector may begin at the last one.
    nodes : float (3, most nodes); lo, hi : int64 (row, 3)
        Window of each person.
    tilt : float (row, 3)
        P m, the factor that moves the mean of the constructs.
    count : float (row,)
        How many persons a row stands for.
    weight : float (q0 + 1, q1, q2)
        One plane more than there are nodes, so that planes can be taken in pairs.
    ell : float (row,)
        On entry the terms that do not depend on the answers; the log of the sum is added.
    first : float (row, 3); second : float (row, 3, 3)
        Output: posterior means and second moments of the constructs.
    mass : float (1, 3, nodes of `room`)
        Working space. Of (row, 3, node) where ``counts`` is empty: it then keeps the posterior of every node
        times ``count``, for :func:`expected_counts`.
    """
    sums, work = np.empty((3, mass.shape[2])), np.empty((5, LANES * mass.shape[2]))
    rows, used = np.empty((3, codes.shape[1] + 1), np.int64), np.empty(3, np.int64)
    second[:] = 0.0
    keep = counts.size == 0
    for i in range(codes.shape[0]):
        marginal = mass[i if keep else 0]
        answer_rows(i, codes, start, factor, widths, lo, rows, used)
        alone = sizes[1] == 1 and not keep
        if alone and line_step(
            i, rows, used, prob, nodes, lo, hi, tilt, weight, sums, work, count, ell, counts, first, second
        ):  # fmt: skip
            continue
        shift = answer_products(i, rows, used, prob, sizes, nodes, lo, hi, tilt, sums)
        if sizes[1] == 1:
            total = contract_line(i, weight, sums, lo, whole(hi[i, 2] - lo[i, 2]), marginal)
        else:
            total = contract(i, weight, sums, nodes, lo, hi, work, marginal, second)
        ell[i] += shift + math.log(total)
        for d in range(3):
            if sizes[d] == 1:
                first[i, d] = 0.0
                continue
            width, mass_ = whole(hi[i, d] - lo[i, d]), marginal.ctypes.data + 8 * d * mass.shape[2]
            nodes_ = nodes.ctypes.data + 8 * (d * nodes.shape[1] + lo[i, d])
            posterior_moments(mass_, nodes_, 1.0 / total, count[i], width, work.ctypes.data)
            first[i, d], second[i, d, d] = vector_sum(work, 0, 0), vector_sum(work, 0, 1)
            if not keep:
                rows_ = rows.ctypes.data + 8 * d * rows.shape[1]
                add_rows(counts.ctypes.data, rows_, used[d], mass_, width)


@jit
def row_terms(codes, start, factor, prob, sizes, widths, nodes, lo, hi, tilt, weight, ell):
    """Log-likelihood of every row alone, without the E-step; arguments as in :func:`integrate`."""
    sums, lanes = np.empty((3, nodes.shape[1] + LANES)), np.empty((1, 3 * LANES))
    rows, used = np.empty((3, codes.shape[1] + 1), np.int64), np.empty(3, np.int64)
    jump1 = weight.shape[2]
    jump0 = weight.shape[1] * jump1
    for i in range(codes.shape[0]):
        answer_rows(i, codes, start, factor, widths, lo, rows, used)
        total = line(i, rows, used, prob, nodes, lo, hi, tilt, weight, sums, lanes) if sizes[1] == 1 else 0.0
        if total > 0.0:
            ell[i] += math.log(total)
            continue
        shift = answer_products(i, rows, used, prob, sizes, nodes, lo, hi, tilt, sums)
        n0, n1, n2 = hi[i, 0] - lo[i, 0], hi[i, 1] - lo[i, 1], whole(hi[i, 2] - lo[i, 2])
        corner = lo[i, 0] * jump0 + lo[i, 1] * jump1 + lo[i, 2]
        sums_, row = sums.ctypes.data, 8 * sums.shape[1]
        sum_nodes(
            weight.ctypes.data + 8 * corner, jump0, jump1, n0 + n0 % 2, n1, n2, sums_, sums_ + row,
            sums_ + 2 * row, lanes.ctypes.data,
        )  # fmt: skip
        ell[i] += shift + math.log(vector_sum(lanes, 0, 0))


@jit
def expected_counts(codes, start, factor, sizes, widths, lo, hi, count, mass, counts):
    """Add up the posteriors that :func:`integrate` kept, times ``count``; ``mass`` is overwritten."""
    rows, used = np.empty((3, codes.shape[1] + 1), np.int64), np.empty(3, np.int64)
    for i in range(codes.shape[0]):
        answer_rows(i, codes, start, factor, widths, lo, rows, used)
        for d in range(3):
            width = whole(hi[i, d] - lo[i, d]) if sizes[d] > 1 else 0
            for q in range(width):
                mass[i, d, q] *= count[i]
            rows_ = rows.ctypes.data + 8 * d * rows.shape[1]
            add_rows(counts.ctypes.data, rows_, used[d], mass[i, d].ctypes.data, width)


@jit
def room(row, nodes):
    """Space for the posterior of every node, in whole vectors."""
    return np.empty((row, 3, nodes.shape[1] + LANES))
