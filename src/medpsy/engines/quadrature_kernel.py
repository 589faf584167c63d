"""The grid sum and its gradient, person by person, over each person's own window of nodes.

The gradient of a marginal log-likelihood is the E-step: the expected count of every
(item, category, node) and the first two moments of the constructs. Dimensions are always three; unused
ones come first and have a single node at zero. Imported only where the compiled route is taken.
"""

from __future__ import annotations

import math

import numpy as np

from medpsy.jit import jit


@jit
def fill_weight(precision, nodes, sizes, weight):
    """weight[q0, q1, q2] = exp(-t' P t / 2).

    Along the last dimension the exponent is quadratic, so each row grows from its peak to both sides by
    multiplication: three exponentials a row instead of one a node.
    """
    p00, p01, p02 = precision[0, 0], precision[0, 1], precision[0, 2]
    p11, p12, p22 = precision[1, 1], precision[1, 2], precision[2, 2]
    n2 = sizes[2]
    first = nodes[2, 0]
    step = nodes[2, 1] - first if n2 > 1 else 1.0
    shrink = math.exp(-p22 * step * step)
    for q0 in range(sizes[0]):
        t0 = nodes[0, q0]
        for q1 in range(sizes[1]):
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
    for i in range(table.size):
        out[i] = math.exp(table[i])


@jit
def latent_forward(mean, chol, design, precision, location, tilt, base):
    """Precision P of the constructs (padded to three), and per row its location m, P m and -m'Pm/2.

    Returns half the log-determinant of P.
    """
    n = chol.shape[0]
    pad = 3 - n
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
    for i in range(3):
        for j in range(3):
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
    pad = 3 - n
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
    inner = np.ascontiguousarray(precision[pad:, pad:])
    d_covariance = inner @ scatter @ inner - total * inner
    d_chol[:, :] = d_covariance @ chol
    for i in range(n):
        for j in range(i + 1, n):
            d_chol[i, j] = 0.0


@jit
def rescale(values):
    """Divide by the largest value and return its logarithm; all-zero values are left alone."""
    top = 0.0
    for q in range(values.size):
        top = max(top, values[q])
    if not top > 0.0:
        return -np.inf
    for q in range(values.size):
        values[q] /= top
    return math.log(top)


@jit
def answer_products(codes, start, factor, prob, sizes, nodes, lo, hi, tilt, sums):
    """Likelihood of each factor's answers over the window, scaled; returns the log of the scale."""
    shift = 0.0
    for d in range(3):
        a, b = lo[d], hi[d]
        if sizes[d] == 1:
            sums[d, a] = 1.0
            continue
        t = tilt[d]
        # exp(t * node) over equally spaced nodes grows by a constant ratio; 1 at the larger end.
        ratio = math.exp(-abs(t) * (nodes[d, a + 1] - nodes[d, a])) if b - a > 1 else 1.0
        value = 1.0
        if t > 0.0:
            for q in range(b - 1, a - 1, -1):
                sums[d, q] = value
                value *= ratio
            shift += t * nodes[d, b - 1]
        else:
            for q in range(a, b):
                sums[d, q] = value
                value *= ratio
            shift += t * nodes[d, a]
    used = 0
    for j in range(codes.size):
        if codes[j] >= 0:
            d = factor[j]
            at = start[j] + codes[j] * sizes[d]
            column = prob[at + lo[d] : at + hi[d]]
            product = sums[d, lo[d] : hi[d]]
            for q in range(column.size):
                product[q] *= column[q]
            used += 1
            if used % 8 == 0:  # before many small probabilities underflow
                shift += rescale(product)
    for d in range(3):
        if sizes[d] > 1:
            shift += rescale(sums[d, lo[d] : hi[d]])
    return shift


@jit
def contract(weight, sums, nodes, lo, hi, marginal, second):
    """Sum over the window; unnormalised marginals (3, node) and cross moments into ``second``."""
    a1, b1, a2, b2 = lo[1], hi[1], lo[2], hi[2]
    # Slices, not offsets: the innermost loop then runs from zero over contiguous memory and vectorises.
    s2, t2, m2 = sums[2, a2:b2], nodes[2, a2:b2], marginal[2, a2:b2]
    n2 = b2 - a2
    for q in range(a1, b1):
        marginal[1, q] = 0.0
    for c in range(n2):
        m2[c] = 0.0
    total = m01 = m02 = m12 = 0.0
    for q0 in range(lo[0], hi[0]):
        t0, s0 = nodes[0, q0], sums[0, q0]
        mass0 = mass0_1 = mass0_2 = 0.0
        for q1 in range(a1, b1):
            inner = inner_t = 0.0
            s01 = s0 * sums[1, q1]
            row = weight[q0, q1, a2:b2]
            for c in range(n2):
                w = row[c] * s2[c]
                inner += w
                inner_t += w * t2[c]
                m2[c] += s01 * w
            mass = s01 * inner
            mass_t = s01 * inner_t
            mass0 += mass
            mass0_1 += mass * nodes[1, q1]
            mass0_2 += mass_t
            marginal[1, q1] += mass
            m12 += mass_t * nodes[1, q1]
        marginal[0, q0] = mass0
        total += mass0
        m01 += mass0_1 * t0
        m02 += mass0_2 * t0
    second[0, 1] = second[1, 0] = m01 / total
    second[0, 2] = second[2, 0] = m02 / total
    second[1, 2] = second[2, 1] = m12 / total
    return total


@jit
def integrate(
    codes, start, factor, prob, sizes, nodes, lo, hi, tilt, count, weight, ell, counts, first, second
):
    """Log-likelihood of every row and, added up with multiplicities, the E-step.

    Parameters
    ----------
    codes : int8 (row, item)
        -1 where no answer was given.
    start, factor : int64 (item,)
        Offset of the item in the flat table; which dimension it loads on.
    prob, counts : float (sum of category x node,)
        Probabilities; expected counts (output).
    sizes : int64 (3,); nodes : float (3, most nodes)
    lo, hi : int64 (row, 3)
        Window of each person.
    tilt : float (row, 3)
        P m, the factor that moves the mean of the constructs.
    count : float (row,)
        How many persons a row stands for.
    weight : float (q0, q1, q2)
    ell : float (row,)
        On entry the terms that do not depend on the answers; the log of the sum is added.
    first : float (row, 3); second : float (row, 3, 3)
        Output: posterior means and second moments of the constructs.
    """
    sums, marginal = np.empty_like(nodes), np.empty_like(nodes)
    for i in range(codes.shape[0]):
        shift = answer_products(codes[i], start, factor, prob, sizes, nodes, lo[i], hi[i], tilt[i], sums)
        total = contract(weight, sums, nodes, lo[i], hi[i], marginal, second[i])
        ell[i] += shift + math.log(total)
        for d in range(3):
            mean = square = 0.0
            for q in range(lo[i, d], hi[i, d]):
                m = marginal[d, q] / total
                t = nodes[d, q]
                mean += m * t
                square += m * t * t
                marginal[d, q] = m * count[i]
            first[i, d] = mean
            second[i, d, d] = square
        for j in range(codes.shape[1]):
            k = codes[i, j]
            if k >= 0:
                d = factor[j]
                at = start[j] + k * sizes[d]
                column = counts[at + lo[i, d] : at + hi[i, d]]
                mass = marginal[d, lo[i, d] : hi[i, d]]
                for q in range(column.size):
                    column[q] += mass[q]
