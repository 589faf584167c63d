"""What a model computes with its parameters, as a list of scalar operations.

Structures, groups and families state their arithmetic once, against the namespace of `medpsy.ops`. Here it is
run on arrays whose entries are places instead of numbers: what comes out is the program that
`medpsy.inference.program_kernel` runs in machine code, forwards and back. Numbers that do not depend on any
parameter are computed on the spot, and what was computed before is not computed again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from medpsy.inference.program_kernel import OPERATIONS
from medpsy.ops import Numpy

_CODE = {name: code for code, name in enumerate(OPERATIONS)}


class Untraceable(TypeError):
    """Something was asked of a place that needs a number."""


class Held(float):
    """A number that is known and has a place all the same."""

    at: int

    def __new__(cls, value: float, at: int) -> Held:
        """Remember the place."""
        out = super().__new__(cls, value)
        out.at = at
        return out


class Tape:
    """Values of one vector: the parameters first, then constants and results.

    Parameters
    ----------
    template : iterable of float
        The vector as far as it is there: constants, and anything where parameters stand.
    """

    def __init__(self, template: Iterable[float]) -> None:
        self.template = list(template)
        self.program: list[tuple[int, int, int, int, int]] = []
        self._known: dict[tuple[int, int, int, int], Place] = {}
        self._constants: dict[float, int] = {}

    def __len__(self) -> int:
        return len(self.template)

    def constant(self, value: float) -> int:
        """Place of a constant."""
        if value not in self._constants:
            self._constants[value] = self._new(value)
        return self._constants[value]

    def place(self, value: Any) -> int:
        """Place of a number or constant."""
        return value.at if isinstance(value, Place | Held) else self.constant(float(value))

    def add(self, name: str, *operands: Any) -> Place:
        """Another operation, or the place of its result where it is known."""
        at = [self.place(one) for one in operands]
        row = (_CODE[name], at[0], at[1] if len(at) > 1 else at[0], at[2] if len(at) > 2 else at[0])
        if row not in self._known:
            self._known[row] = Place(self, self._new(0.0))
            self.program.append((row[0], self._known[row].at, *row[1:]))
        return self._known[row]

    def in_a_row(self, values: Any) -> int:
        """First place of numbers (any shape) that stand one behind the other; they are copied if need be."""
        flat = np.asarray(values, dtype=object).ravel()
        places = [one.at if isinstance(one, Place | Held) else -1 for one in flat]
        if places and places[0] >= 0 and places == list(range(places[0], places[0] + len(places))):
            return places[0]
        first = len(self)
        for one in flat:
            if isinstance(one, Place):
                self.program.append((_CODE["copy"], self._new(0.0), one.at, one.at, one.at))
            else:
                self._new(float(one))
        return first

    def _new(self, value: float) -> int:
        self.template.append(value)
        return len(self.template) - 1


class Place:
    """A number that is not known yet."""

    __slots__ = ("at", "tape")

    def __init__(self, tape: Tape, at: int) -> None:
        self.tape, self.at = tape, at

    def __bool__(self) -> bool:
        raise Untraceable("what is computed depends on the size of a parameter")

    def __float__(self) -> float:
        raise Untraceable("a parameter has no value here")

    def _with(self, name: str, first: Any, second: Any, same: float | None) -> Any:
        """The operation, unless the other operand is the number that changes nothing."""
        other = second if first is self else first
        if isinstance(other, np.ndarray):
            return NotImplemented
        return self if same is not None and _is(other, same) else self.tape.add(name, first, second)

    def __add__(self, other: Any) -> Any:
        return self._with("add", self, other, 0.0)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return self._with("subtract", self, other, 0.0)

    def __rsub__(self, other: Any) -> Any:
        return self._with("subtract", other, self, None)

    def __mul__(self, other: Any) -> Any:
        return 0.0 if _is(other, 0.0) else self._with("multiply", self, other, 1.0)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        return self._with("divide", self, other, 1.0)

    def __rtruediv__(self, other: Any) -> Any:
        return 0.0 if _is(other, 0.0) else self._with("divide", other, self, None)

    def __neg__(self) -> Any:
        return self.tape.add("subtract", 0.0, self)

    def __pow__(self, other: Any) -> Any:
        return (
            self._with("multiply", self, self, None)
            if _is(other, 2.0)
            else self._with("power", self, other, 1.0)
        )


def _is(value: Any, number: float) -> bool:
    return not isinstance(value, Place | np.ndarray) and value == number


class Places(np.ndarray):
    """An array of places and numbers; comparing it gives ones and zeros of the same kind."""

    __array_priority__ = 10.0

    def __lt__(self, other: Any) -> Any:
        return _less(self, other)

    def __gt__(self, other: Any) -> Any:
        return _less(other, self)


def places(values: Any) -> Places:
    """An array (of Python objects) as one of places."""
    return np.asarray(values, dtype=object).view(Places)


def _function(name: str, known: Callable[..., Any], count: int = 1) -> Callable[..., Any]:
    """An operation on single numbers, entry by entry; computed where all of them are known."""

    def one(*values: Any) -> Any:
        found = next((value for value in values if isinstance(value, Place)), None)
        return float(known(*values)) if found is None else found.tape.add(name, *values)

    each = np.frompyfunc(one, count, 1)

    def function(*arrays: Any) -> Any:
        if all(np.ndim(array) == 0 for array in arrays):
            return one(*(np.asarray(array, dtype=object).item() for array in arrays))
        return each(*(places(array) for array in arrays))

    return function


_less = _function("less", lambda a, b: a < b, 2)
_larger = _function("maximum", max, 2)
_chosen = _function("select", lambda a, b, condition: a if condition else b, 3)


class Traced(Numpy):
    """The namespace on arrays of places."""

    exp = staticmethod(_function("exp", np.exp))
    log = staticmethod(_function("log", np.log))
    log1p = staticmethod(_function("log1p", np.log1p))
    sqrt = staticmethod(_function("sqrt", np.sqrt))
    sinh = staticmethod(_function("sinh", math.sinh))
    arcsinh = staticmethod(_function("arcsinh", math.asinh))
    absolute = staticmethod(_function("absolute", abs))
    minimum = staticmethod(_function("minimum", min, 2))
    maximum = staticmethod(_larger)
    softplus = staticmethod(_function("softplus", Numpy.softplus))
    log1mexp = staticmethod(_function("log1mexp", Numpy.log1mexp))

    @staticmethod
    def where(condition: Any, a: Any, b: Any) -> Any:  # type: ignore[override]
        """Entries of ``a`` where the condition holds, else of ``b``."""
        if np.ndim(a) == np.ndim(b) == 0 and _is(a, 1.0) and _is(b, 0.0):
            return condition
        return _chosen(a, b, condition)

    @staticmethod
    def sum(x: Any, axis: int = -1) -> Any:
        """Sum over one axis."""
        total = np.sum(np.asarray(x, dtype=object), axis=axis)
        return places(total) if isinstance(total, np.ndarray) else total

    @staticmethod
    def log_ndtr(x: Any) -> Any:
        """Not among the operations."""
        raise Untraceable("normal probabilities of parameters")

    @staticmethod
    def gammaln(x: Any) -> Any:
        """Not among the operations."""
        raise Untraceable("gamma functions of parameters")

    @staticmethod
    def logsumexp(x: Any, axis: int = -1) -> Any:
        """log(sum(exp(x))) over one axis, without overflow."""
        rows = np.moveaxis(places(x), axis, 0)
        top = rows[0]
        for row in rows[1:]:
            top = _larger(top, row)
        return Traced.log(Traced.exp(rows - top).sum(0)) + top

    @staticmethod
    def place(shape: tuple[int, int], rows: Any, columns: Any, values: Any) -> Any:
        """Matrix of zeros with ``values`` (n,) at (rows[n], columns[n])."""
        out = places(np.zeros(shape))
        out[rows, columns] = values
        return out

    @staticmethod
    def solve(a: Any, b: Any) -> Any:
        """Solve a x = b by elimination; the diagonal must not vanish on the way."""
        a, b = places(a).copy(), places(b).copy()
        for i in range(len(a)):
            for k in range(len(a)):
                if k != i and not _is(a[k, i], 0.0):
                    ratio = a[k, i] / a[i, i]
                    a[k], b[k] = a[k] - ratio * a[i], b[k] - ratio * b[i]
        return b / np.diagonal(a)[:, None]

    @staticmethod
    def cholesky(a: Any) -> Any:
        """Lower Cholesky factor of one matrix."""
        out = places(np.zeros(a.shape))
        for i in range(len(a)):
            for j in range(i + 1):
                rest = a[i, j]
                for k in range(j):
                    rest = rest - out[i, k] * out[j, k]
                out[i, j] = Traced.sqrt(rest) if i == j else rest / out[j, j]
        return out
