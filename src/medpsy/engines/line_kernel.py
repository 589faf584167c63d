"""The sum over a person's window of nodes where there is one dimension: all in one pass over the answers."""

from __future__ import annotations

import math

from medpsy.engines.window_kernel import add_scaled, line_sums, vector_sum, whole
from medpsy.jit import jit

#: Sums below this are computed with scaling.
LEAST = 1e-200


@jit
def line(i, rows, used, prob, nodes, lo, hi, tilt, weight, mass, work):
    """Sum over the window of a person in one dimension, with its moments by lane in ``work`` (3, LANES).

    0 where scaling or a mean of the constructs is needed: :func:`answer_products` has both.
    """
    if tilt[i, 2] != 0.0:
        return 0.0
    first, n = lo[i, 2], hi[i, 2] - lo[i, 2]
    line_sums(
        prob.ctypes.data, rows.ctypes.data + 16 * rows.shape[1], used[2], weight.ctypes.data + 8 * first,
        nodes.ctypes.data + 8 * (2 * nodes.shape[1] + first), n, mass.ctypes.data, work.ctypes.data,
    )  # fmt: skip
    total = vector_sum(work, 0, 0)
    return total if total > LEAST else 0.0


@jit
def line_step(
    i, rows, used, prob, nodes, lo, hi, tilt, weight, mass, work, count, ell, counts, first, second
):  # fmt: skip
    """Log-likelihood, moments and expected counts of a person; false where :func:`line` could not do it."""
    total = line(i, rows, used, prob, nodes, lo, hi, tilt, weight, mass, work)
    if total == 0.0:
        return False
    ell[i] += math.log(total)
    share, width = 1.0 / total, whole(hi[i, 2] - lo[i, 2])
    first[i, 0] = first[i, 1] = 0.0
    first[i, 2], second[i, 2, 2] = share * vector_sum(work, 0, 1), share * vector_sum(work, 0, 2)
    rows_ = rows.ctypes.data + 16 * rows.shape[1]
    add_scaled(counts.ctypes.data, rows_, used[2], count[i] * share, mass.ctypes.data, width)
    return True


@jit
def contract_line(i, weight, sums, lo, width, marginal):
    """The same from the products of the answers; unnormalised marginal into ``marginal[2]``."""
    total, first = 0.0, lo[i, 2]
    for q in range(width):
        marginal[2, q] = weight[0, 0, first + q] * sums[2, q]
    for q in range(width):
        total += marginal[2, q]
    return total
