"""What every C function of a log-density shares: from the whitened vector to the latent system, and back.

The C functions are compiled once and kept on disk. Everything that differs between models arrives as data: a
table of addresses and shapes, its first rows as in ``COMMON``. The steps are those of
`medpsy.inference.density`, of which `medpsy.inference.transform_kernel` holds the pieces.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from numba import carray, types
from numba.extending import intrinsic

from medpsy.inference.transform_kernel import (
    factor,
    factor_reverse,
    scalars,
    simplexes,
    simplexes_reverse,
)
from medpsy.jit import jit, stored
from medpsy.linear_kernel import product_left, product_right

#: First arrays of every table; `medpsy.inference.native` fills it.
COMMON = (
    "mode", "spread", "kinds", "args", "where", "spans", "concentration", "template", "positive", "unit",
    "places", "corners", "chol_cells", "inner", "outer", "scale", "constant", "design",
)  # fmt: skip


@intrinsic
def pointer(typingctx, address):
    """A void pointer from an integer address."""

    def codegen(context, builder, signature, args):
        from numba.core import cgutils

        return builder.inttoptr(args[0], cgutils.voidptr_t)

    return types.voidptr(types.int64), codegen


@jit
def floats(table, i):
    """Float vector of the table."""
    return carray(pointer(table[i, 0]), (table[i, 1],), np.float64)


@jit
def matrix(table, i):
    """Float matrix of the table."""
    return carray(pointer(table[i, 0]), (table[i, 1], table[i, 2]), np.float64)


@jit
def integers(table, i):
    """Integer vector of the table."""
    return carray(pointer(table[i, 0]), (table[i, 1],), np.int64)


@jit
def cells(table, i):
    """Integer matrix of the table."""
    return carray(pointer(table[i, 0]), (table[i, 1], table[i, 2]), np.int64)


@jit
def correlations(t, u, z, gradient):
    """Fill the cliques of Z with their Cholesky factors; log-prior with Jacobian."""
    places, corners, chol_cells, constant = integers(t, 10), cells(t, 11), cells(t, 12), floats(t, 16)
    total = 0.0
    for c in range(corners.shape[0]):
        size, at, to = corners[c, 0], corners[c, 1], corners[c, 2]
        chol = np.zeros((size, size))
        place = places[at : at + size * (size - 1) // 2]
        total += factor(u, place, size, constant[2 + c], chol, gradient)
        for k in range(size * size):
            row, col = chol_cells[to + k, 0], chol_cells[to + k, 1]
            if row >= 0:
                z[row, col] = chol[k // size, k % size]
    return total


@jit
def correlations_reverse(t, z, d_z, gradient):
    """Add the gradient with respect to the coordinates of the correlations."""
    places, corners, chol_cells = integers(t, 10), cells(t, 11), cells(t, 12)
    for c in range(corners.shape[0]):
        size, at, to = corners[c, 0], corners[c, 1], corners[c, 2]
        chol, d_chol = np.zeros((size, size)), np.zeros((size, size))
        for k in range(size * size):
            row, col = chol_cells[to + k, 0], chol_cells[to + k, 1]
            if row >= 0:
                chol[k // size, k % size] = z[row, col]
                d_chol[k // size, k % size] = d_z[row, col]
        factor_reverse(places[at : at + size * (size - 1) // 2], size, chol, d_chol, gradient)


@jit
def front(t, w):
    """Prior and latent system at w: log-prior, its gradient, flat values, A = (I - B)^-1, G, D and Z."""
    mode, whiten = floats(t, 0), matrix(t, 1)
    u = np.empty(mode.size)
    for i in range(mode.size):
        u[i] = mode[i]
        for j in range(i + 1):  # lower triangular
            u[i] += whiten[i, j] * w[j]
    template, inner, outer, scale = floats(t, 7), cells(t, 13), cells(t, 14), cells(t, 15)
    gradient, flat = np.zeros(u.size), np.empty(template.size)
    for i in range(template.size):
        flat[i] = template[i]
    total = scalars(u, integers(t, 2), matrix(t, 3), integers(t, 4), flat, gradient)
    total += simplexes(u, cells(t, 5), floats(t, 6), flat, gradient)
    n = int(floats(t, 16)[1])
    a, b, g = np.eye(n), np.zeros((n, n)), np.zeros((n, matrix(t, 17).shape[1]))
    d, z = np.ones(n), np.eye(n)
    total += correlations(t, u, z, gradient)
    for k in range(inner.shape[0]):
        b[inner[k, 0], inner[k, 1]] = flat[inner[k, 2]]
    for k in range(outer.shape[0]):
        g[outer[k, 0], outer[k, 1]] = flat[outer[k, 2]]
    for k in range(scale.shape[0]):
        d[scale[k, 0]] = flat[scale[k, 1]]
    for i in range(n):
        for k in range(i):
            if b[i, k] != 0.0:
                for j in range(k + 1):
                    a[i, j] += b[i, k] * a[k, j]
    return total, gradient, flat, a, g, d, z


@jit
def back(t, flat, d_flat, a, g, d, z, d_mean, d_chol, gradient, gradient_w):
    """From the gradients of the system (M = A G, L = A D Z) and of the flat values to that of w."""
    inner, outer, scale = cells(t, 13), cells(t, 14), cells(t, 15)
    where, positive, unit = integers(t, 4), integers(t, 8), integers(t, 9)
    spread = np.empty_like(z)
    for i in range(d.size):
        for j in range(d.size):
            spread[i, j] = d[i] * z[i, j]
    d_g, d_spread = product_left(a, d_mean), product_left(a, d_chol)
    outside, within = product_right(d_mean, g), product_right(d_chol, spread)
    for i in range(d.size):
        for j in range(d.size):
            outside[i, j] += within[i, j]
    d_b = product_right(product_left(a, outside), a)
    for k in range(inner.shape[0]):
        d_flat[inner[k, 2]] += d_b[inner[k, 0], inner[k, 1]]
    for k in range(outer.shape[0]):
        d_flat[outer[k, 2]] += d_g[outer[k, 0], outer[k, 1]]
    for k in range(scale.shape[0]):
        i = scale[k, 0]
        for j in range(d.size):
            d_flat[scale[k, 1]] += d_spread[i, j] * z[i, j]
    for k in range(positive.size):
        d_flat[positive[k]] *= flat[positive[k]]
    for k in range(unit.size):
        d_flat[unit[k]] *= flat[unit[k]] * (1.0 - flat[unit[k]])
    for k in range(where.size):
        gradient[k] += d_flat[where[k]]
    simplexes_reverse(cells(t, 5), flat, d_flat, gradient)
    for i in range(d.size):
        for j in range(d.size):
            d_spread[i, j] *= d[i]
    correlations_reverse(t, z, d_spread, gradient)
    whiten = matrix(t, 1)
    for j in range(gradient_w.size):
        gradient_w[j] = 0.0
    for i in range(gradient.size):
        for j in range(i + 1):
            gradient_w[j] += gradient[i] * whiten[i, j]


@jit
def verdict(total, gradient):
    """What nutpie is told: 0, or 4 where there is no density."""
    good = math.isfinite(total)
    for i in range(gradient.size):
        good = good and math.isfinite(gradient[i])
    return 0 if good else 4


def density_function(body: Any) -> Any:
    """C function of a log-density with gradient, as nutpie calls it."""
    double = types.CPointer(types.double)
    signature = types.int64(types.uint64, double, double, double, types.voidptr)
    with stored() as keep:
        return numba.cfunc(signature, cache=keep, error_model="numpy")(body)


def copy_function() -> Any:
    """C function that copies a draw."""
    double = types.CPointer(types.double)
    signature = types.int64(types.uint64, types.uint64, double, double, types.voidptr)
    with stored() as keep:
        return numba.cfunc(signature, cache=keep)(_copy)


def _copy(size, expanded, w_, out_, user_):
    w, out = carray(w_, (size,)), carray(out_, (size,))
    for i in range(w.size):
        out[i] = w[i]
    return 0
