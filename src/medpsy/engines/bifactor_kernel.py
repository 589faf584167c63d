"""One construct with specific factors, person by person: grid sum, moments and expected counts.

Tables are flat: item j begins at ``start[j]``; a category takes one entry per node of the construct, times
one per node of the specific factor where the item has one. Imported only where the compiled route is taken.
"""

from __future__ import annotations

import math

import numpy as np

from medpsy.jit import jit

#: Products of probabilities below this are summed by logarithms instead.
SMALL = 1e-250


@jit
def specific_sum(codes, members, start, table, prob, stride, weight, lo, hi, joint, inner):
    """Sum one specific factor out at every node of a window; False where none of its items was answered.

    ``joint`` (flat, node of the window x specific node) becomes the distribution of the specific factor
    given the construct, and ``inner`` (node of the window,) grows by the log of the sum. Probabilities are
    multiplied (no exponential a person); where that underflows, their logarithms are added.
    """
    width = weight.size
    size = (hi - lo) * width
    answered = False
    for i in range(members.size):
        k = codes[members[i]]
        if k < 0:
            continue
        at = start[members[i]] + k * stride + lo * width
        row = prob[at : at + size]
        if answered:
            for c in range(size):
                joint[c] *= row[c]
        else:
            for c in range(size):
                joint[c] = row[c]
        answered = True
    if not answered:
        return False
    for q in range(hi - lo):
        cell = joint[q * width : (q + 1) * width]
        total = 0.0
        for u in range(width):
            cell[u] *= weight[u]
            total += cell[u]
        if not total > SMALL:
            first = lo * width + q * width
            inner[q] += sum_of_logs(codes, members, start, table, stride, weight, first, cell)
            continue
        scale = 1.0 / total
        for u in range(width):
            cell[u] *= scale
        inner[q] += math.log(total)
    return True


@jit
def sum_of_logs(codes, members, start, table, stride, weight, first, cell):
    """Log of the sum over a row of specific nodes that begins at ``first``; ``cell`` gets their shares."""
    for u in range(weight.size):
        cell[u] = math.log(weight[u])
    for i in range(members.size):
        k = codes[members[i]]
        if k >= 0:
            at = start[members[i]] + k * stride + first
            for u in range(weight.size):
                cell[u] += table[at + u]
    top = cell[0]
    for u in range(1, weight.size):
        top = max(top, cell[u])
    total = 0.0
    for u in range(weight.size):
        cell[u] = math.exp(cell[u] - top)
        total += cell[u]
    for u in range(weight.size):
        cell[u] /= total
    return top + math.log(total)


@jit
def specific_counts(codes, members, start, counts, stride, width, lo, hi, mass, specific, joint):
    """Make ``joint`` expected persons per cell, add it to ``counts``; sums of u and of its square."""
    mean = square = 0.0
    for q in range(hi - lo):
        cell = joint[q * width : (q + 1) * width]
        for u in range(width):
            cell[u] *= mass[q]
            mean += cell[u] * specific[u]
            square += cell[u] * specific[u] * specific[u]
    size = (hi - lo) * width
    for i in range(members.size):
        k = codes[members[i]]
        if k >= 0:
            at = start[members[i]] + k * stride + lo * width
            row = counts[at : at + size]
            for c in range(size):
                row[c] += joint[c]
    return mean, square


@jit
def general_start(codes, alone, start, table, nodes, lo, hi, location, precision, inner):
    """Log of prior times likelihood of the items without a specific factor, at every node of the window."""
    for q in range(lo, hi):
        inner[q - lo] = -0.5 * precision * (nodes[q] - location) ** 2
    for j in alone:
        if codes[j] >= 0:
            at = start[j] + codes[j] * nodes.size
            for q in range(lo, hi):
                inner[q - lo] += table[at + q]


@jit
def general_counts(codes, alone, start, counts, nodes, lo, hi, count, inner, mass, moments):
    """Posterior of the construct as expected persons per node (``mass``); returns the log of the sum."""
    top = inner[0]
    for q in range(hi - lo):
        top = max(top, inner[q])
    total = mean = square = 0.0
    for q in range(hi - lo):
        mass[q] = math.exp(inner[q] - top)
        total += mass[q]
        mean += mass[q] * nodes[lo + q]
        square += mass[q] * nodes[lo + q] * nodes[lo + q]
    moments[0], moments[1] = mean / total, square / total
    for q in range(hi - lo):
        mass[q] *= count / total
    for j in alone:
        if codes[j] >= 0:
            at = start[j] + codes[j] * nodes.size + lo
            for q in range(hi - lo):
                counts[at + q] += mass[q]
    return top + math.log(total)


@jit
def nested_integrate(
    codes, alone, members, ends, start, table, prob, nodes, specific, weight, lo, hi, location, precision,
    count, ell, counts, moments, specific_moments,
):  # fmt: skip
    """Log-likelihood of every row and, added up with multiplicities, the E-step.

    Parameters
    ----------
    codes : int8 (row, item)
        -1 where no answer was given.
    alone : int64
        Items without a specific factor.
    members, ends : int64
        Items with one, factor after factor, and where each factor's items end.
    start : int64 (item,); table, prob, counts : float
        Offset of every item in the flat tables; log-probabilities, probabilities; expected counts (output).
    nodes, specific, weight : float
        Nodes of the construct, nodes of a specific factor and their weights.
    lo, hi : int64 (row,)
        Window of nodes of the construct.
    location : float (row,); precision : float
        Normal distribution of the construct before the answers.
    count : float (row,)
        How many persons a row stands for.
    ell : float (row,)
        Output: log of the sum, without the constant of the normal density and the spacing of ``nodes``.
    moments : float (row, 2); specific_moments : float (row, factor, 2)
        Output: posterior mean and mean square of the construct and of the specific factors.
    """
    width, stride = specific.size, nodes.size * specific.size
    joint = np.empty((ends.size, stride))
    inner, mass = np.empty(nodes.size), np.empty(nodes.size)
    for i in range(codes.shape[0]):
        a, b, own = lo[i], hi[i], codes[i]
        general_start(own, alone, start, table, nodes, a, b, location[i], precision, inner)
        first = 0
        for s in range(ends.size):
            items = members[first : ends[s]]
            # Marks, for the way back, whether any item of the factor was answered.
            specific_moments[i, s, 0] = specific_sum(
                own, items, start, table, prob, stride, weight, a, b, joint[s], inner
            )
            first = ends[s]
        ell[i] = general_counts(own, alone, start, counts, nodes, a, b, count[i], inner, mass, moments[i])
        first = 0
        for s in range(ends.size):
            mean, square = 0.0, count[i]
            if specific_moments[i, s, 0] > 0.0:
                items = members[first : ends[s]]
                mean, square = specific_counts(
                    own, items, start, counts, stride, width, a, b, mass, specific, joint[s]
                )
            specific_moments[i, s, 0], specific_moments[i, s, 1] = mean / count[i], square / count[i]
            first = ends[s]
