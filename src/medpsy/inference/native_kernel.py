"""The log-density of a model as one C function: no interpreter between two gradients.

It is compiled once and kept on disk. Everything that differs between models arrives as data: a table of
addresses and shapes with the arrays of ``COMMON``, and one such table for each part of the model (a group, or
the whole of it). Parameters are one vector of values: first those of the model, then what is computed from
them (`medpsy.inference.program_kernel`). Every part reads its numbers there and adds its gradient; the
function that does so is called by address and belongs to its engine. The steps are those of
`medpsy.inference.density`, of which `medpsy.inference.transform_kernel` holds the pieces.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numba
import numpy as np
from numba import carray, types
from numba.extending import intrinsic

from medpsy.inference.program_kernel import run, run_reverse
from medpsy.inference.transform_kernel import (
    factor,
    factor_reverse,
    scalars,
    simplexes,
    simplexes_reverse,
)
from medpsy.inference.whiten_kernel import placed, whiten_reverse
from medpsy.jit import jit, stored
from medpsy.linear_kernel import product_left, product_right

#: Arrays of the model, in order; `medpsy.inference.native` fills the table. ``corners`` has for every
#: correlation matrix its size, where its coordinates start in ``places`` and where its factor starts among
#: the values; ``parts`` the addresses of a part's function and table, and the first of its rows.
COMMON = (
    "mode", "spread", "kinds", "args", "where", "spans", "concentration", "template", "positive", "unit",
    "places", "corners", "etas", "program", "products", "parts", "bend",
)  # fmt: skip

#: First arrays of every part: cells of B, G, Z (row, column, place) and D (row, place) that are not those of
#: zero or the identity; a constant of every person and the number of nodes; the design.
PART = ("inner", "outer", "corner", "scale", "constant", "design")


@intrinsic
def pointer(typingctx, address):
    """A void pointer from an integer address."""

    def codegen(context, builder, signature, args):
        from numba.core import cgutils

        return builder.inttoptr(args[0], cgutils.voidptr_t)

    return types.voidptr(types.int64), codegen


@intrinsic
def call(typingctx, address, a, b, c, d, e, f):
    """Call the C function at an address with six integers."""

    def codegen(context, builder, signature, args):
        from llvmlite import ir

        integer = ir.IntType(64)
        kind = ir.FunctionType(ir.VoidType(), [integer] * 6)
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])
        return context.get_dummy_value()

    return types.void(*[types.int64] * 7), codegen


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
def ratio(u, products, k):
    """What takes a scaled coordinate to its entry; rows of ``products`` are entry, scale and error."""
    return 1.0 / math.sqrt(1.0 + (math.exp(u[int(products[k, 1])]) / products[k, 2]) ** 2)


@jit
def front(t, w, u, x, gradient):
    """Coordinates u = mode + spread s(w), values x, gradient of the log-prior; returns the log-prior."""
    products = matrix(t, 14)
    total = placed(floats(t, 0), matrix(t, 1), floats(t, 16), w, u)
    for k in range(products.shape[0]):
        shrink = ratio(u, products, k)
        total += math.log(shrink)
        u[int(products[k, 0])] *= shrink
    template, places, corners, etas = floats(t, 7), integers(t, 10), cells(t, 11), floats(t, 12)
    for i in range(template.size):
        x[i] = template[i]
    total += scalars(u, integers(t, 2), matrix(t, 3), integers(t, 4), x, gradient)
    total += simplexes(u, cells(t, 5), floats(t, 6), x, gradient)
    for c in range(corners.shape[0]):
        n, at, to = corners[c, 0], corners[c, 1], corners[c, 2]
        chol = x[to : to + n * n].reshape((n, n))
        total += factor(u, places[at : at + n * (n - 1) // 2], n, etas[c], chol, gradient)
    run(cells(t, 13), x)
    return total


@jit
def back(t, w, u, x, d_x, gradient, gradient_w):
    """From the gradient over the values to that over w."""
    where, positive, unit = integers(t, 4), integers(t, 8), integers(t, 9)
    places, corners, products = integers(t, 10), cells(t, 11), matrix(t, 14)
    run_reverse(cells(t, 13), x, d_x)
    for c in range(corners.shape[0]):
        n, at, to = corners[c, 0], corners[c, 1], corners[c, 2]
        chol, d_chol = x[to : to + n * n].reshape((n, n)), d_x[to : to + n * n].reshape((n, n))
        factor_reverse(places[at : at + n * (n - 1) // 2], n, chol, d_chol, gradient)
    for k in range(positive.size):
        d_x[positive[k]] *= x[positive[k]]
    for k in range(unit.size):
        d_x[unit[k]] *= x[unit[k]] * (1.0 - x[unit[k]])
    for k in range(where.size):
        gradient[k] += d_x[where[k]]
    simplexes_reverse(cells(t, 5), x, d_x, gradient)
    for k in range(products.shape[0]):
        entry, scale, shrink = int(products[k, 0]), int(products[k, 1]), ratio(u, products, k)
        gradient[scale] -= (1.0 - shrink**2) * (gradient[entry] * u[entry] + 1.0)
        gradient[entry] *= shrink
    whiten_reverse(matrix(t, 1), floats(t, 16), w, gradient, gradient_w)


@jit
def system(t, x):
    """Latent system of a part: A = (I - B)^-1, G, D and Z."""
    inner, outer, corner, scale = cells(t, 0), cells(t, 1), cells(t, 2), cells(t, 3)
    n = int(floats(t, 4)[1])
    a, b, g = np.eye(n), np.zeros((n, n)), np.zeros((n, matrix(t, 5).shape[1]))
    d, z = np.ones(n), np.eye(n)
    for k in range(inner.shape[0]):
        b[inner[k, 0], inner[k, 1]] = x[inner[k, 2]]
    for k in range(outer.shape[0]):
        g[outer[k, 0], outer[k, 1]] = x[outer[k, 2]]
    for k in range(corner.shape[0]):
        z[corner[k, 0], corner[k, 1]] = x[corner[k, 2]]
    for k in range(scale.shape[0]):
        d[scale[k, 0]] = x[scale[k, 1]]
    for i in range(n):
        for k in range(i):
            if b[i, k] != 0.0:
                for j in range(k + 1):
                    a[i, j] += b[i, k] * a[k, j]
    return a, g, d, z


@jit
def system_reverse(t, a, g, d, z, d_mean, d_chol, d_x):
    """From the gradients over M = A G and L = A D Z to those over the values."""
    inner, outer, corner, scale = cells(t, 0), cells(t, 1), cells(t, 2), cells(t, 3)
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
        d_x[inner[k, 2]] += d_b[inner[k, 0], inner[k, 1]]
    for k in range(outer.shape[0]):
        d_x[outer[k, 2]] += d_g[outer[k, 0], outer[k, 1]]
    for k in range(corner.shape[0]):
        i = corner[k, 0]
        d_x[corner[k, 2]] += d_spread[i, corner[k, 1]] * d[i]
    for k in range(scale.shape[0]):
        i = scale[k, 0]
        for j in range(d.size):
            d_x[scale[k, 1]] += d_spread[i, j] * z[i, j]


@jit
def likelihood(parts, x, d_x, rows_):
    """Log-likelihood of all parts; adds its gradient, and fills the terms of the rows unless at 0."""
    total, value = 0.0, np.zeros(1)
    for k in range(parts.shape[0]):
        at = rows_ + 8 * parts[k, 2] if rows_ else 0
        call(parts[k, 0], parts[k, 1], x.ctypes.data, d_x.ctypes.data, x.size, value.ctypes.data, at)
        total += value[0]
    return total


@jit
def log_density(t, w, gradient_w):
    """Log-posterior at u = mode + spread s(w), and its gradient with respect to w."""
    size, n_value = floats(t, 0).size, floats(t, 7).size
    u, x, d_x, gradient = np.empty(size), np.empty(n_value), np.zeros(n_value), np.zeros(size)
    total = front(t, w, u, x, gradient)
    total += likelihood(cells(t, 15), x, d_x, 0)
    back(t, w, u, x, d_x, gradient, gradient_w)
    return total


@jit
def verdict(total, gradient):
    """What nutpie is told: 0, or 4 where there is no density."""
    good = math.isfinite(total)
    for i in range(gradient.size):
        good = good and math.isfinite(gradient[i])
    return 0 if good else 4


def _density(size, w_, gradient_, value_, user_):
    t = carray(user_, (17, 3), np.int64)
    w, gradient, value = carray(w_, (size,)), carray(gradient_, (size,)), carray(value_, (1,))
    value[0] = log_density(t, w, gradient)
    return verdict(value[0], gradient)


def _terms(n, n_row, w_, prior_, rows_, user_):
    t = carray(user_, (17, 3), np.int64)
    size, n_value = floats(t, 0).size, floats(t, 7).size
    w, prior, rows = carray(w_, (n, size)), carray(prior_, (n,)), carray(rows_, (n, n_row))
    u, x, d_x, gradient = np.empty(size), np.empty(n_value), np.zeros(n_value), np.zeros(size)
    for i in range(n):
        prior[i] = front(t, w[i], u, x, gradient)
        likelihood(cells(t, 15), x, d_x, rows[i:].ctypes.data)
    return 0


def _copy(size, expanded, w_, out_, user_):
    w, out = carray(w_, (size,)), carray(out_, (size,))
    for i in range(w.size):
        out[i] = w[i]
    return 0


@cache
def functions() -> tuple[Any, Any, Any]:
    """C functions: the density with its gradient, as nutpie calls it; terms of the rows at many points; a
    copy of a draw.
    """
    double, integer, user = types.CPointer(types.double), types.uint64, types.voidptr
    kinds = (
        (types.int64(integer, double, double, double, user), _density),
        (types.int64(integer, integer, double, double, double, user), _terms),
        (types.int64(integer, integer, double, double, user), _copy),
    )
    with stored() as keep:
        made = [numba.cfunc(kind, cache=keep, error_model="numpy")(body) for kind, body in kinds]
        return made[0], made[1], made[2]


def part_function(body: Any) -> Any:
    """C function of a part: addresses of table, values, gradient; their number; where value and rows go."""
    with stored() as keep:
        return numba.cfunc(types.void(*[types.int64] * 6), cache=keep, error_model="numpy")(body)
