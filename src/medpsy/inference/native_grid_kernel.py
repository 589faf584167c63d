"""The log-density of a grid model as one C function: no interpreter between two gradients.

The steps are those of `medpsy.engines.quadrature_compiled`; the families' kernels are called by address.
"""

from __future__ import annotations

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
from medpsy.inference.native_kernel import (
    COMMON,
    back,
    cells,
    density_function,
    floats,
    front,
    integers,
    matrix,
    pointer,
    verdict,
)
from medpsy.jit import jit, stored
from medpsy.linear_kernel import product

#: Columns of a block's row before its roles: forward, reverse, items, categories, dimension, where its table
#: starts, number of roles.
FIXED = 7

#: Arrays of the table, in order; `medpsy.inference.native_grid` fills it.
TABLE = (*COMMON, "blocks", "codes", "start", "factor", "sizes", "widths", "nodes", "lo", "hi", "count")


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
def tables(blocks, flat, nodes, widths, which, table, d_flat):
    """Call the families: forward (0) fills probabilities, reverse (1) adds to the gradient of the values."""
    for k in range(blocks.shape[0]):
        d = blocks[k, 4]
        call(
            blocks[k, which], flat.ctypes.data, blocks[k].ctypes.data, nodes[d].ctypes.data, widths[d],
            table[blocks[k, 5] :].ctypes.data, d_flat.ctypes.data,
        )  # fmt: skip


@jit
def log_density(t, codes, w, gradient_w):
    """Log-posterior at u = mode + spread w, and its gradient with respect to w."""
    design, constant, blocks = matrix(t, 17), floats(t, 16), cells(t, 18)
    sizes, widths, nodes = integers(t, 22), integers(t, 23), matrix(t, 24)
    lo, hi, count = cells(t, 25), cells(t, 26), floats(t, 27)
    total, gradient, flat, a, g, d, z = front(t, w)
    n, n_row = d.size, count.size
    mean, chol = product(a, g), product(a, d.reshape(n, 1) * z)
    precision, location, tilt = np.empty((3, 3)), np.zeros((n_row, 3)), np.zeros((n_row, 3))
    ell, first, second = np.empty(n_row), np.empty((n_row, 3)), np.empty((n_row, 3, 3))
    half = latent_forward(mean, chol, design, precision, location, tilt, ell)
    weight = np.empty((sizes[0] + 1, sizes[1], widths[2]))
    fill_weight(precision, nodes, weight)
    last = blocks[blocks.shape[0] - 1]
    table = np.empty(last[5] + last[2] * last[3] * widths[last[4]])
    d_flat = np.zeros(flat.size)
    tables(blocks, flat, nodes, widths, 0, table, d_flat)
    counts = np.zeros(table.size)
    integrate(
        codes, integers(t, 20), integers(t, 21), table, sizes, widths, nodes, lo, hi, tilt, count, weight,
        ell, counts, first, second,
    )  # fmt: skip
    for i in range(n_row):
        total += count[i] * (ell[i] + constant[0] + half)
    d_mean, d_chol = np.zeros((n, design.shape[1])), np.empty((n, n))
    latent_reverse(chol, design, count, precision, location, first, second, d_mean, d_chol)
    tables(blocks, flat, nodes, widths, 1, counts, d_flat)
    back(t, flat, d_flat, a, g, d, z, d_mean, d_chol, gradient, gradient_w)
    return total


def _density(size, w_, gradient_, value_, user_):
    t = carray(user_, (28, 3), np.int64)
    w, gradient, value = carray(w_, (size,)), carray(gradient_, (size,)), carray(value_, (1,))
    codes = carray(pointer(t[19, 0]), (t[19, 1], t[19, 2]), np.int8)
    value[0] = log_density(t, codes, w, gradient)
    return verdict(value[0], gradient)


@cache
def density() -> Any:
    """The C function that nutpie calls."""
    return density_function(_density)


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
