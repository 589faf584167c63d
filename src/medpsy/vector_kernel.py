"""Vectors of four numbers, written as LLVM code: the pieces of such loops, exponentials and logistic curves.

The compiler vectorises neither calls of the exponential nor loops of eight to twelve turns well. Arguments
that end in an underscore are addresses of float64 arrays; lengths are multiples of ``LANES``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

#: Numbers handled at once.
LANES = 4

INT, DOUBLE = ir.IntType(64), ir.DoubleType()
VECTOR = ir.VectorType(DOUBLE, LANES)
_WHOLE = ir.VectorType(INT, LANES)
_ANY = ("reassoc", "contract")

#: exp(r) for |r| <= ln(2) / 2 as a Taylor polynomial: the first term left out is below 3e-18.
_TERMS = tuple(1.0 / math.factorial(k) for k in range(14))
#: ln(2) in two parts, of which the first has zeros at its end (Cody and Waite 1980).
_LN2 = (6.93145751953125e-1, 1.42860682030941723212e-6)
#: A whole number added to this stands in the last bits of the sum.
_BITS = 6755399441055744.0


class Code:
    """Writes vector instructions; positions are counted in numbers of eight bytes."""

    def __init__(self, builder: Any) -> None:
        self.to = builder

    def place(self, base: Any, *offsets: Any) -> Any:
        """Address of ``base`` plus offsets, as an integer."""
        for offset in offsets:
            base = self.to.add(base, self.to.shl(offset, INT(3)))
        return base

    def load(self, address: Any, kind: Any = VECTOR) -> Any:
        """The vector (or a single number) at an address; nothing is assumed about its alignment."""
        return self.to.load(self.to.inttoptr(address, kind.as_pointer()), align=8)

    def store(self, value: Any, address: Any) -> None:
        """Write a vector."""
        self.to.store(value, self.to.inttoptr(address, value.type.as_pointer()), align=8)

    def spread(self, number: Any) -> Any:
        """A vector of one number."""
        first = self.to.insert_element(ir.Constant(VECTOR, ir.Undefined), number, ir.IntType(32)(0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        return self.to.shuffle_vector(first, ir.Constant(VECTOR, ir.Undefined), zeros)

    def times(self, a: Any, b: Any) -> Any:
        """Product."""
        return self.to.fmul(a, b, flags=_ANY)

    def plus(self, a: Any, b: Any) -> Any:
        """Sum."""
        return self.to.fadd(a, b, flags=_ANY)

    def constant(self, number: float) -> Any:
        """A vector of one known number."""
        return ir.Constant(VECTOR, [number] * LANES)

    def exponential(self, x: Any) -> Any:
        """exp(x) to one or two units in the last place; beyond +-708 as at +-708; NaN of NaN."""
        given = x
        for limit, sign in ((708.0, ">"), (-708.0, "<")):
            edge = self.constant(limit)
            x = self.to.select(self.to.fcmp_ordered(sign, x, edge), edge, x)
        kind, name = ir.FunctionType(VECTOR, [VECTOR]), f"llvm.rint.v{LANES}f64"
        rint = cgutils.get_or_insert_function(self.to.module, kind, name)
        power = self.to.call(rint, [self.times(x, self.constant(1.0 / math.log(2.0)))])
        rest = x
        for part in _LN2:
            rest = self.plus(rest, self.times(power, self.constant(-part)))
        value = self.constant(_TERMS[-1])
        for term in _TERMS[-2::-1]:
            value = self.plus(self.times(value, rest), self.constant(term))
        whole = self.to.bitcast(self.plus(power, self.constant(_BITS)), _WHOLE)
        bits = self.to.shl(whole, ir.Constant(_WHOLE, [52] * LANES))
        value = self.to.bitcast(self.to.add(self.to.bitcast(value, _WHOLE), bits), VECTOR)
        return self.to.select(self.to.fcmp_ordered("==", given, given), value, given)

    def before(self, value: Any, count: Any) -> Any:
        """The first ``count`` numbers of a vector, and zeros."""
        none = ir.Constant(_WHOLE, ir.Undefined)
        limit = self.to.insert_element(none, count, ir.IntType(32)(0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        limit = self.to.shuffle_vector(limit, none, zeros)
        inside = self.to.icmp_signed("<", ir.Constant(_WHOLE, list(range(LANES))), limit)
        return self.to.select(inside, value, self.constant(0.0))

    def variable(self, value: Any = None) -> Any:
        """A vector that changes in a loop, zero at first."""
        kept = cgutils.alloca_once(self.to, VECTOR)
        self.to.store(ir.Constant(VECTOR, [0.0] * LANES) if value is None else value, kept)
        return kept

    def add_to(self, variable: Any, value: Any) -> None:
        """Add to a variable."""
        self.to.store(self.plus(self.to.load(variable), value), variable)

    def turns(self, count: Any, step: int = 1) -> Any:
        """Loop from zero to ``count``."""
        return cgutils.for_range_slice(self.to, INT(0), count, INT(step), intp=INT)


def procedure(n: int, body: Callable[..., None]) -> Any:
    """An intrinsic of ``n`` integers (addresses and counts) that returns nothing."""
    signature = types.void(*[types.int64] * n)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        body(Code(builder), *args)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def exponentials(typingctx, values_, out_, length):
    """out = exp(values)."""

    def body(code: Code, values: Any, out: Any, length: Any) -> None:
        with code.turns(length, LANES) as (at, _):
            code.store(code.exponential(code.load(code.place(values, at))), code.place(out, at))

    return procedure(3, body)


@intrinsic
def logistic_curves(typingctx, slope, shift, nodes_, upper_, lower_, length):
    """upper = logistic(x), lower = logistic(-x) at x = slope * node - shift; slope, shift are float64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        slope, shift, nodes, upper, lower, length = args
        code, one = Code(builder), ir.Constant(VECTOR, [1.0] * LANES)
        slopes, shifts = code.spread(slope), code.spread(builder.fneg(shift))
        with code.turns(length, LANES) as (at, _):
            x = code.plus(code.times(code.load(code.place(nodes, at)), slopes), shifts)
            positive = builder.fcmp_ordered(">", x, code.constant(0.0))
            small = code.exponential(builder.select(positive, builder.fneg(x), x))
            large = builder.fdiv(one, code.plus(one, small))
            small = code.times(small, large)
            code.store(builder.select(positive, large, small), code.place(upper, at))
            code.store(builder.select(positive, small, large), code.place(lower, at))
        return context.get_dummy_value()

    integer, real = types.int64, types.float64
    return types.void(real, real, integer, integer, integer, integer), codegen
