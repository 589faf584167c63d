"""Products of small matrices as plain loops: a call of a linear algebra library costs more than they do,
and takes seconds to compile.
"""

from __future__ import annotations

import numpy as np

from medpsy.jit import jit


@jit
def product(a, b):
    """A B."""
    out = np.zeros((a.shape[0], b.shape[1]))
    for i in range(a.shape[0]):
        for k in range(a.shape[1]):
            for j in range(b.shape[1]):
                out[i, j] += a[i, k] * b[k, j]
    return out


@jit
def product_left(a, b):
    """A' B."""
    out = np.zeros((a.shape[1], b.shape[1]))
    for k in range(a.shape[0]):
        for i in range(a.shape[1]):
            for j in range(b.shape[1]):
                out[i, j] += a[k, i] * b[k, j]
    return out


@jit
def product_right(a, b):
    """A B'."""
    out = np.zeros((a.shape[0], b.shape[0]))
    for i in range(a.shape[0]):
        for j in range(b.shape[0]):
            total = 0.0
            for k in range(a.shape[1]):
                total += a[i, k] * b[j, k]
            out[i, j] = total
    return out
