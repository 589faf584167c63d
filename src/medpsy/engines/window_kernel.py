"""Loops over a person's window of nodes, in whole vectors (see `medpsy.vector_kernel`)."""

from __future__ import annotations

import functools
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from medpsy.jit import jit
from medpsy.vector_kernel import DOUBLE, INT, LANES, Code, procedure


@intrinsic
def multiply_rows(typingctx, table_, starts_, count, out_, width):
    """out *= each of ``count`` rows of the table, of which ``starts_`` holds the starts (int64).

    Returns the largest value of the result.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        table, starts, count, out, width = args
        code = Code(builder)
        largest = code.variable()
        with code.turns(width, LANES) as (at, _):
            product = code.variable(code.load(code.place(out, at)))
            with code.turns(count) as (row, _):
                start = code.load(code.place(starts, row), INT)
                value = code.load(code.place(table, start, at))
                builder.store(code.times(builder.load(product), value), product)
            value, top = builder.load(product), builder.load(largest)
            code.store(value, code.place(out, at))
            builder.store(builder.select(builder.fcmp_ordered(">", value, top), value, top), largest)
        values = [builder.extract_element(builder.load(largest), ir.IntType(32)(k)) for k in range(LANES)]
        return functools.reduce(lambda a, b: builder.select(builder.fcmp_ordered(">", a, b), a, b), values)

    return types.float64(*[types.int64] * 5), codegen


@intrinsic
def add_rows(typingctx, table_, starts_, count, values_, width):
    """Add ``values`` to each of ``count`` rows of the table."""

    def body(code: Code, table: Any, starts: Any, count: Any, values: Any, width: Any) -> None:
        with code.turns(width, LANES) as (at, _):
            value = code.load(code.place(values, at))
            with code.turns(count) as (row, _):
                address = code.place(table, code.load(code.place(starts, row), INT), at)
                code.store(code.plus(code.load(address), value), address)

    return procedure(5, body)


@intrinsic
def line_sums(typingctx, table_, starts_, count, weight_, nodes_, n, out_, sums_):
    """out = weight times each of ``count`` rows of the table at ``n`` nodes, and zeros up to whole vectors.

    ``sums`` (3, LANES) takes the sums of out, of out times node and of out times node squared, by lane.
    """

    def body(code: Code, *arguments: Any) -> None:
        table, starts, count, weight, nodes, n, out, sums = arguments
        total, first, second = (code.variable() for _ in range(3))
        with code.turns(n, LANES) as (at, _):
            product = code.variable(code.load(code.place(weight, at)))
            with code.turns(count) as (row, _):
                start = code.load(code.place(starts, row), INT)
                value = code.load(code.place(table, start, at))
                code.to.store(code.times(code.to.load(product), value), product)
            value = code.before(code.to.load(product), code.to.sub(n, at))
            node = code.load(code.place(nodes, at))
            leaning = code.times(value, node)
            code.store(value, code.place(out, at))
            code.add_to(total, value)
            code.add_to(first, leaning)
            code.add_to(second, code.times(leaning, node))
        for k, variable in enumerate((total, first, second)):
            code.store(code.to.load(variable), code.place(sums, INT(k * LANES)))

    return procedure(8, body)


@intrinsic
def add_scaled(typingctx, table_, starts_, count, scale, values_, width):
    """Add ``scale * values`` to each of ``count`` rows of the table; ``scale`` is float64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        table, starts, count, scale, values, width = args
        code = Code(builder)
        scales = code.spread(scale)
        with code.turns(width, LANES) as (at, _):
            value = code.times(code.load(code.place(values, at)), scales)
            with code.turns(count) as (row, _):
                address = code.place(table, code.load(code.place(starts, row), INT), at)
                code.store(code.plus(code.load(address), value), address)
        return context.get_dummy_value()

    integer, real = types.int64, types.float64
    return types.void(integer, integer, integer, real, integer, integer), codegen


@intrinsic
def contract_nodes(
    typingctx, weight_, jump0, jump1, n0, n1, n2, zero_, one_, two_, nodes_, out0_, out1_, out2_, cross_
):
    """Sum weight[q0, q1, q2] s0[q0] s1[q1] s2[q2] over a window, in parts.

    ``zero_`` and ``one_`` hold s and then s times node (2, n); ``two_`` holds s, ``nodes_`` the nodes.
    ``jump0`` and ``jump1`` are the strides of the weights; ``n0`` is even. Output: marginals of the first two
    dimensions without their own factor, by lane (n, LANES); of the last dimension complete (n2,); and the
    cross moments 01, 02 and 12 by lane (3, LANES). ``out0_`` and ``out1_`` must be zeros.
    """

    def body(code: Code, *arguments: Any) -> None:
        n2, two, nodes, out2, cross = (arguments[k] for k in (5, 8, 9, 12, 13))
        crossed = [code.variable() for _ in range(3)]
        with code.turns(n2, LANES) as (at, _):
            s2, node = code.load(code.place(two, at)), code.load(code.place(nodes, at))
            whole, tilted, leaning, both = _planes(code, at, s2, *arguments)
            code.store(whole, code.place(out2, at))
            code.add_to(crossed[0], both)
            code.add_to(crossed[1], code.times(tilted, node))
            code.add_to(crossed[2], code.times(leaning, node))
        for k, variable in enumerate(crossed):
            code.store(code.to.load(variable), code.place(cross, INT(k * LANES)))

    return procedure(14, body)


def _planes(
    code: Code, at: Any, s2: Any, weight: Any, jump0: Any, jump1: Any, n0: Any, n1: Any, n2: Any, zero: Any,
    one: Any, two: Any, nodes: Any, out0: Any, out1: Any, *rest: Any,
) -> list[Any]:  # fmt: skip
    """Sums over the first two dimensions at one vector of the last: of s0 s1, t0 s1, s0 t1 and t0 t1.

    Two planes at a time: the additions of one plane have to wait for each other.
    """
    sums = [code.variable() for _ in range(4)]
    lanes = INT(LANES)
    with code.turns(n0, 2) as (q0, _):
        pair = [q0, code.to.add(q0, INT(1))]
        rows = [code.place(weight, code.to.mul(q, jump0), at) for q in pair]
        s0 = [code.spread(code.load(code.place(zero, q), DOUBLE)) for q in pair]
        t0 = [code.spread(code.load(code.place(zero, n0, q), DOUBLE)) for q in pair]
        mass, first = [code.variable() for _ in pair], [code.variable() for _ in pair]
        with code.turns(n1) as (q1, _):
            step = code.to.mul(q1, jump1)
            s1 = code.spread(code.load(code.place(one, q1), DOUBLE))
            t1 = code.spread(code.load(code.place(one, n1, q1), DOUBLE))
            place = code.place(out1, code.to.mul(q1, lanes))
            total = code.load(place)
            for k in range(2):
                value = code.times(code.load(code.place(rows[k], step)), s2)
                code.add_to(mass[k], code.times(value, s1))
                code.add_to(first[k], code.times(value, t1))
                total = code.plus(total, code.times(value, s0[k]))
            code.store(total, place)
        for k, q in enumerate(pair):
            a, b = code.to.load(mass[k]), code.to.load(first[k])
            for kept, value, factor in zip(sums, (a, a, b, b), (s0[k], t0[k], s0[k], t0[k]), strict=True):
                code.add_to(kept, code.times(value, factor))
            place = code.place(out0, code.to.mul(q, lanes))
            code.store(code.plus(code.load(place), a), place)
    return [code.to.load(kept) for kept in sums]


@intrinsic
def sum_nodes(typingctx, weight_, jump0, jump1, n0, n1, n2, zero_, one_, two_, out_):
    """Sum weight[q0, q1, q2] s0[q0] s1[q1] s2[q2] over a window, by lane into ``out`` (LANES,).

    ``zero_``, ``one_`` and ``two_`` hold s; the rest is as in `contract_nodes`.
    """

    def body(code: Code, *arguments: Any) -> None:
        weight, jump0, jump1, n0, n1, n2, zero, one, two, out = arguments
        total = code.variable()
        with code.turns(n2, LANES) as (at, _):
            plane = code.variable()
            with code.turns(n0, 2) as (q0, _):
                pair = [q0, code.to.add(q0, INT(1))]
                rows = [code.place(weight, code.to.mul(q, jump0), at) for q in pair]
                mass = [code.variable() for _ in pair]
                with code.turns(n1) as (q1, _):
                    step = code.to.mul(q1, jump1)
                    s1 = code.spread(code.load(code.place(one, q1), DOUBLE))
                    for row, kept in zip(rows, mass, strict=True):
                        code.add_to(kept, code.times(code.load(code.place(row, step)), s1))
                for q, kept in zip(pair, mass, strict=True):
                    s0 = code.spread(code.load(code.place(zero, q), DOUBLE))
                    code.add_to(plane, code.times(code.to.load(kept), s0))
            code.add_to(total, code.times(code.to.load(plane), code.load(code.place(two, at))))
        code.store(code.to.load(total), out)

    return procedure(10, body)


@intrinsic
def posterior_moments(typingctx, mass_, nodes_, scale, count, width, out_):
    """Mean and mean square of the nodes under ``scale * mass``, by lane into ``out`` (2, LANES).

    The mass becomes that times ``count``. ``scale`` and ``count`` are float64.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        mass, nodes, scale, count, width, out = args
        code = Code(builder)
        first, second = code.variable(), code.variable()
        scales, counts = code.spread(scale), code.spread(count)
        with code.turns(width, LANES) as (at, _):
            share = code.times(code.load(code.place(mass, at)), scales)
            node = code.load(code.place(nodes, at))
            leaning = code.times(share, node)
            code.add_to(first, leaning)
            code.add_to(second, code.times(leaning, node))
            code.store(code.times(share, counts), code.place(mass, at))
        code.store(builder.load(first), out)
        code.store(builder.load(second), code.place(out, INT(LANES)))
        return context.get_dummy_value()

    integer, real = types.int64, types.float64
    return types.void(integer, integer, real, real, integer, integer), codegen


@jit
def vector_sum(values, row, place):
    """Sum of one vector."""
    total = 0.0
    for k in range(LANES):
        total += values[row, LANES * place + k]
    return total


@jit
def whole(n):
    """``n`` rounded up to whole vectors."""
    return (n + LANES - 1) // LANES * LANES
