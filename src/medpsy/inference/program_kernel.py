"""A list of scalar operations over one vector of numbers, and its reverse.

What lies between the parameters of a model and the numbers that its likelihood reads (groups, structures that
compute with their parameters, families explained by properties of their items) is traced once per model by
`medpsy.inference.trace` and arrives here as data: rows of (operation, result, first, second, third), all of
them places in the vector. Every result has a place of its own.
"""

from __future__ import annotations

import math

from medpsy.jit import jit

#: Operations by number.
OPERATIONS = (
    "copy", "add", "subtract", "multiply", "divide", "exp", "log", "log1p", "sqrt", "power", "softplus",
    "log1mexp", "sinh", "arcsinh", "absolute", "less", "select", "minimum", "maximum",
)  # fmt: skip


@jit
def elementary(op, a):
    """Functions of one number, operations 5 to 14."""
    if op == 5:
        return math.exp(a)
    if op == 6:
        return math.log(a)
    if op == 7:
        return math.log1p(a)
    if op == 8:
        return math.sqrt(a)
    if op == 10:
        return max(a, 0.0) + math.log1p(math.exp(-abs(a)))
    if op == 11:
        return math.log(-math.expm1(a)) if a > -0.6931472 else math.log1p(-math.exp(a))
    if op == 12:
        return math.sinh(a)
    if op == 13:
        return math.asinh(a)
    return abs(a)


@jit
def slope_of(op, a, value):
    """Derivatives of operations 5 to 14 at ``a``, where they have ``value``."""
    if op == 5:
        return value
    if op == 6:
        return 1.0 / a
    if op == 7:
        return 1.0 / (1.0 + a)
    if op == 8:
        return 0.5 / value
    if op == 10:
        return 1.0 / (1.0 + math.exp(-a))
    if op == 11:
        return -1.0 / math.expm1(-a)
    if op == 12:
        return math.cosh(a)
    if op == 13:
        return 1.0 / math.sqrt(1.0 + a * a)
    return 1.0 if a > 0.0 else -1.0


@jit
def run(program, x):
    """Fill the places of all results."""
    for k in range(program.shape[0]):
        op, to = program[k, 0], program[k, 1]
        a, b = x[program[k, 2]], x[program[k, 3]]
        if op == 0:
            x[to] = a
        elif op == 1:
            x[to] = a + b
        elif op == 2:
            x[to] = a - b
        elif op == 3:
            x[to] = a * b
        elif op == 4:
            x[to] = a / b
        elif op == 9:
            x[to] = a**b
        elif op == 15:
            x[to] = 1.0 if a < b else 0.0
        elif op == 16:
            x[to] = a if x[program[k, 4]] != 0.0 else b
        elif op == 17:
            x[to] = min(a, b)
        elif op == 18:
            x[to] = max(a, b)
        else:
            x[to] = elementary(op, a)


@jit
def run_reverse(program, x, d_x):
    """Add to ``d_x`` what the gradients over the results say about what they were made of.

    What nothing depends on is passed over: its derivative may be infinite (categories never used).
    """
    for k in range(program.shape[0] - 1, -1, -1):
        op, to, i, j = program[k, 0], program[k, 1], program[k, 2], program[k, 3]
        d = d_x[to]
        if d == 0.0:
            continue
        a, b = x[i], x[j]
        if op == 0:
            d_x[i] += d
        elif op == 1:
            d_x[i] += d
            d_x[j] += d
        elif op == 2:
            d_x[i] += d
            d_x[j] -= d
        elif op == 3:
            d_x[i] += d * b
            d_x[j] += d * a
        elif op == 4:
            d_x[i] += d / b
            d_x[j] -= d * x[to] / b
        elif op == 9:  # the exponent is a constant
            d_x[i] += d * b * a ** (b - 1.0)
        elif op == 16:
            d_x[i if x[program[k, 4]] != 0.0 else j] += d
        elif op == 17:
            d_x[i if a < b else j] += d
        elif op == 18:
            d_x[i if a > b else j] += d
        elif op != 15:
            d_x[i] += d * slope_of(op, a, x[to])
