"""The whole log-density of a grid model as one C function: no interpreter between two gradients.

It is compiled once and kept on disk. Everything that differs between models arrives as data: a table of
addresses and shapes, and the addresses of the families' kernels. The steps are those of
`medpsy.inference.density` and `medpsy.engines.quadrature_compiled`, from which they are built.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numba
import numpy as np
from numba import carray, types
from numba.extending import intrinsic

from medpsy.engines.quadrature_kernel import (
    exponentiate,
    fill_weight,
    integrate,
    latent_forward,
    latent_reverse,
)
from medpsy.inference.transform_kernel import (
    factor,
    factor_reverse,
    scalars,
    simplexes,
    simplexes_reverse,
)
from medpsy.jit import jit, stored

#: Columns of a block's row before its roles: forward, reverse, items, categories, dimension, where its table
#: starts, number of roles.
FIXED = 7

#: Arrays of the table, in order; `medpsy.inference.native` fills it.
TABLE = (
    "mode", "spread", "kinds", "args", "where", "spans", "concentration", "template", "positive", "unit",
    "places", "corners", "chol_cells", "inner", "outer", "blocks", "codes", "start", "factor", "sizes",
    "nodes", "lo", "hi", "count", "design", "constant",
)  # fmt: skip


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
def inverse_unit_lower(b, out):
    """out = (I - B)^-1 for strictly lower-triangular B."""
    n = b.shape[0]
    for i in range(n):
        for j in range(n):
            out[i, j] = 1.0 if i == j else 0.0
        for k in range(i):
            if b[i, k] != 0.0:
                for j in range(k + 1):
                    out[i, j] += b[i, k] * out[k, j]


@jit
def correlations(u, places, corners, chol_cells, constant, z, gradient):
    """Fill the cliques of Z with their Cholesky factors; log-prior with Jacobian."""
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
def correlations_reverse(places, corners, chol_cells, z, d_z, gradient):
    """Add the gradient with respect to the coordinates of the correlations."""
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
def tables(blocks, flat, nodes, sizes, which, table, d_flat):
    """Call the families: forward (0) fills the table, reverse (1) adds to the gradient of the values."""
    for k in range(blocks.shape[0]):
        d = blocks[k, 4]
        call(
            blocks[k, which], flat.ctypes.data, blocks[k].ctypes.data, nodes[d].ctypes.data, sizes[d],
            table[blocks[k, 5] :].ctypes.data, d_flat.ctypes.data,
        )  # fmt: skip


@jit
def pull_back(where, spans, positive, unit, flat, d_flat, gradient):
    """Add the gradient with respect to the coordinates of scalars and simplexes."""
    for k in range(positive.size):
        d_flat[positive[k]] *= flat[positive[k]]
    for k in range(unit.size):
        d_flat[unit[k]] *= flat[unit[k]] * (1.0 - flat[unit[k]])
    for k in range(where.size):
        gradient[k] += d_flat[where[k]]
    simplexes_reverse(spans, flat, d_flat, gradient)


@jit
def log_density(
    w, gradient_w, mode, spread, kinds, args, where, spans, concentration, template, positive, unit, places,
    corners, chol_cells, inner, outer, blocks, codes, start, factor_of, sizes, nodes, lo, hi, count, design,
    constant,
):  # fmt: skip
    """Log-posterior at u = mode + spread w, and its gradient with respect to w."""
    u = mode + spread @ w
    gradient = np.zeros(u.size)
    flat, d_flat = template.copy(), np.zeros(template.size)
    total = scalars(u, kinds, args, where, flat, gradient)
    total += simplexes(u, spans, concentration, flat, gradient)
    n, n_row = int(constant[1]), count.size
    b, g, z = np.zeros((n, n)), np.zeros((n, design.shape[1])), np.eye(n)
    total += correlations(u, places, corners, chol_cells, constant, z, gradient)
    for k in range(inner.shape[0]):
        b[inner[k, 0], inner[k, 1]] = flat[inner[k, 2]]
    for k in range(outer.shape[0]):
        g[outer[k, 0], outer[k, 1]] = flat[outer[k, 2]]
    a = np.empty((n, n))
    inverse_unit_lower(b, a)
    chol = a @ z
    precision, location, tilt = np.empty((3, 3)), np.zeros((n_row, 3)), np.zeros((n_row, 3))
    ell, first, second = np.empty(n_row), np.empty((n_row, 3)), np.empty((n_row, 3, 3))
    half = latent_forward(a @ g, chol, design, precision, location, tilt, ell)
    weight = np.empty((sizes[0], sizes[1], sizes[2]))
    fill_weight(precision, nodes, sizes, weight)
    last = blocks[blocks.shape[0] - 1]
    table = np.empty(last[5] + last[2] * last[3] * sizes[last[4]])
    tables(blocks, flat, nodes, sizes, 0, table, d_flat)
    exponentiate(table, table)
    counts = np.zeros(table.size)
    integrate(
        codes, start, factor_of, table, sizes, nodes, lo, hi, tilt, count, weight, ell, counts, first, second
    )
    for i in range(n_row):
        total += count[i] * (ell[i] + constant[0] + half)
    d_mean, d_chol = np.zeros((n, design.shape[1])), np.empty((n, n))
    latent_reverse(chol, design, count, precision, location, first, second, d_mean, d_chol)
    tables(blocks, flat, nodes, sizes, 1, counts, d_flat)
    d_g, d_z = a.T @ d_mean, a.T @ d_chol
    d_b = a.T @ (d_mean @ g.T + d_chol @ z.T) @ a.T
    for k in range(inner.shape[0]):
        d_flat[inner[k, 2]] += d_b[inner[k, 0], inner[k, 1]]
    for k in range(outer.shape[0]):
        d_flat[outer[k, 2]] += d_g[outer[k, 0], outer[k, 1]]
    pull_back(where, spans, positive, unit, flat, d_flat, gradient)
    correlations_reverse(places, corners, chol_cells, z, d_z, gradient)
    gradient_w[:] = gradient @ spread
    return total


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


@cache
def callbacks() -> tuple[Any, Any]:
    """The C functions that nutpie calls: log-density with gradient, and the copy of a draw."""
    double = types.CPointer(types.double)
    density = types.int64(types.uint64, double, double, double, types.voidptr)
    copy = types.int64(types.uint64, types.uint64, double, double, types.voidptr)
    with stored() as keep:
        return numba.cfunc(density, cache=keep, error_model="numpy")(_density), numba.cfunc(copy, cache=keep)(
            _copy
        )


def _density(size, w_, gradient_, value_, user_):
    t = carray(user_, (26, 3), np.int64)
    w, gradient, value = carray(w_, (size,)), carray(gradient_, (size,)), carray(value_, (1,))
    codes = carray(pointer(t[16, 0]), (t[16, 1], t[16, 2]), np.int8)
    total = log_density(
        w, gradient, floats(t, 0), matrix(t, 1), integers(t, 2), matrix(t, 3), integers(t, 4), cells(t, 5),
        floats(t, 6), floats(t, 7), integers(t, 8), integers(t, 9), integers(t, 10), cells(t, 11),
        cells(t, 12), cells(t, 13), cells(t, 14), cells(t, 15), codes, integers(t, 17), integers(t, 18),
        integers(t, 19), matrix(t, 20), cells(t, 21), cells(t, 22), floats(t, 23), matrix(t, 24),
        floats(t, 25),
    )  # fmt: skip
    value[0] = total
    good = math.isfinite(total)
    for i in range(gradient.size):
        good = good and math.isfinite(gradient[i])
    return 0 if good else 4


def _copy(size, expanded, w_, out_, user_):
    w, out = carray(w_, (size,)), carray(out_, (size,))
    for i in range(w.size):
        out[i] = w[i]
    return 0


@cache
def adapter(kernel: Callable[..., Any], ranks: tuple[int, ...], reverse: bool) -> Any:
    """A family's kernel behind the signature of `call`: values, block row, nodes, table, gradient."""
    name = f"{kernel.__module__.replace('.', '_')}_{kernel.__name__}_{''.join(map(str, ranks))}"
    lines = [
        f"def {name}(values_, block_, nodes_, n_node, table_, gradient_):",
        f" block = carray(pointer(block_), ({FIXED + 3 * len(ranks)},), int64)",
        " nodes = carray(pointer(nodes_), (n_node,), float64)",
        " table = carray(pointer(table_), (block[2], block[3], n_node), float64)",
    ]
    for letter, base in (("v", "values_"), ("g", "gradient_"))[: 1 + reverse]:
        for k, rank in enumerate(ranks):
            at = FIXED + 3 * k
            shape = f"(block[{at + 1}],)" if rank == 1 else f"(block[{at + 1}], block[{at + 2}])"
            lines.append(f" {letter}{k} = carray(pointer({base} + 8 * block[{at}]), {shape}, float64)")
    roles = [f"v{k}" for k in range(len(ranks))]
    gradients = [f"g{k}" for k in range(len(ranks))] if reverse else []
    lines.append(f" kernel({', '.join([*roles, 'nodes', 'table', *gradients])})")
    names = {
        "__name__": __name__, "carray": carray, "pointer": pointer, "kernel": jit(kernel),
        "int64": np.int64, "float64": np.float64,
    }  # fmt: skip
    exec(compile("\n".join(lines), __file__, "exec"), names)  # the file names where it is cached
    with stored() as keep:
        return numba.cfunc(types.void(*[types.int64] * 6), cache=keep, error_model="numpy")(names[name])
