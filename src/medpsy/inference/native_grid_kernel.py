"""The log-likelihood of a grid model as a C function, for `medpsy.inference.native_kernel`.

The steps are those of `medpsy.engines.quadrature_compiled`; the families' kernels are called by address.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numba
import numpy as np
from numba import carray, types

from medpsy.engines.quadrature_kernel import (
    exponentiate,
    fill_weight,
    integrate,
    latent_forward,
    latent_reverse,
    room,
    row_terms,
)
from medpsy.inference.native_kernel import (
    PART,
    call,
    cells,
    floats,
    integers,
    matrix,
    part_function,
    pointer,
    system,
    system_reverse,
)
from medpsy.jit import jit, stored
from medpsy.linear_kernel import product

#: Columns of a block's row before its roles: forward, reverse, items, categories, dimension, where its table
#: starts, number of roles.
FIXED = 7

#: Arrays of the table, in order; `medpsy.inference.native_grid` fills it.
TABLE = (*PART, "blocks", "codes", "start", "factor", "sizes", "widths", "nodes", "lo", "hi", "count")


@jit
def tables(blocks, flat, nodes, widths, which, table, d_flat):
    """Call the families: forward (0) fills probabilities, reverse (1) adds to the gradient of the values."""
    for k in range(blocks.shape[0]):
        d = blocks[k, 4]
        call(
            blocks[k, which], flat.ctypes.data, blocks[k].ctypes.data, nodes[d].ctypes.data, widths[d],
            table[blocks[k, 5] :].ctypes.data, d_flat.ctypes.data,
        )  # fmt: skip


@jit
def log_likelihood(t, codes, x, d_x, rows):
    """Log-likelihood of the persons of a part at the values ``x``; adds to the gradient.

    Where there are ``rows``, they are filled instead, and there is no gradient.
    """
    constant, design, blocks = floats(t, 4), matrix(t, 5), cells(t, 6)
    sizes, widths, nodes = integers(t, 10), integers(t, 11), matrix(t, 12)
    lo, hi, count = cells(t, 13), cells(t, 14), floats(t, 15)
    a, g, d, z = system(t, x)
    n, n_row = d.size, count.size
    mean, chol = product(a, g), np.zeros((n, n))
    for i in range(n):
        for k in range(i + 1):
            for j in range(n):
                chol[i, j] += a[i, k] * d[k] * z[k, j]
    precision, location, tilt = np.empty((3, 3)), np.zeros((n_row, 3)), np.zeros((n_row, 3))
    ell, first, second = np.empty(n_row), np.empty((n_row, 3)), np.empty((n_row, 3, 3))
    half = latent_forward(mean, chol, design, precision, location, tilt, ell)
    weight = np.empty((sizes[0] + 1, sizes[1], widths[2]))
    fill_weight(precision, nodes, weight)
    last = blocks[blocks.shape[0] - 1]
    table = np.empty(last[5] + last[2] * last[3] * widths[last[4]])
    tables(blocks, x, nodes, widths, 0, table, d_x)
    if rows.size:
        row_terms(
            codes, integers(t, 8), integers(t, 9), table, sizes, widths, nodes, lo, hi, tilt, weight, ell
        )
        for i in range(n_row):
            rows[i] = ell[i] + constant[0] + half
        return 0.0
    counts = np.zeros(table.size)
    integrate(
        codes, integers(t, 8), integers(t, 9), table, sizes, widths, nodes, lo, hi, tilt, count, weight,
        ell, counts, first, second, room(1, nodes),
    )  # fmt: skip
    total = 0.0
    for i in range(n_row):
        ell[i] += constant[0] + half
        total += count[i] * ell[i]
    d_mean, d_chol = np.zeros((n, design.shape[1])), np.empty((n, n))
    latent_reverse(chol, design, count, precision, location, first, second, d_mean, d_chol)
    tables(blocks, x, nodes, widths, 1, counts, d_x)
    system_reverse(t, a, g, d, z, d_mean, d_chol, d_x)
    return total


def _part(table_, x_, d_x_, n_value, value_, rows_):
    t = carray(pointer(table_), (16, 3), np.int64)
    x = carray(pointer(x_), (n_value,), np.float64)
    d_x, value = carray(pointer(d_x_), (n_value,), np.float64), carray(pointer(value_), (1,), np.float64)
    codes = carray(pointer(t[7, 0]), (t[7, 1], t[7, 2]), np.int8)
    rows = carray(pointer(rows_), (t[15, 1] if rows_ else 0,), np.float64)
    value[0] = log_likelihood(t, codes, x, d_x, rows)


@cache
def part() -> Any:
    """The C function of a part."""
    return part_function(_part)


@cache
def adapter(kernels: tuple[Callable[..., Any], ...], ranks: tuple[int, ...], reverse: bool) -> Any:
    """A family's kernel behind the signature of `call`: values, block row, nodes, table, gradient."""
    own = not reverse and len(kernels) > 2
    kernel = kernels[2 if own else int(reverse)]
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
    if not (own or reverse):
        lines.append(" exponentiate(table.ravel(), table.ravel())")
    names = {
        "__name__": __name__, "carray": carray, "pointer": pointer, "kernel": jit(kernel),
        "exponentiate": exponentiate, "int64": np.int64, "float64": np.float64,
    }  # fmt: skip
    exec(compile("\n".join(lines), __file__, "exec"), names)  # the file names where it is cached
    with stored() as keep:
        return numba.cfunc(types.void(*[types.int64] * 6), cache=keep, error_model="numpy")(names[name])
