"""Arithmetic over path labels, parsed into a small tree and evaluated elementwise; never ``eval``."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from medpsy.errors import SpecError, nearest
from medpsy.spec.lexer import Source, Token, Tokens, is_plain

FUNCTIONS = ("sqrt", "exp", "log", "abs")

# A tree is walked recursively: these bounds keep it far from Python's own limit.
_DEEPEST = 40
_LONGEST = 200

_SUM, _PRODUCT, _UNARY, _POWER, _ATOM = 1, 2, 3, 4, 5
_LEVEL = {"+": _SUM, "-": _SUM, "*": _PRODUCT, "/": _PRODUCT, "^": _POWER}
_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "^": operator.pow,
}


@dataclass(frozen=True)
class Number:
    """A constant."""

    value: float


@dataclass(frozen=True)
class Name:
    """A path label or an earlier definition."""

    name: str


@dataclass(frozen=True)
class Negative:
    """A minus sign before an operand."""

    operand: Node


@dataclass(frozen=True)
class Binary:
    """Two operands and one of ``+ - * / ^``."""

    symbol: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Call:
    """One of the functions ``sqrt exp log abs``."""

    function: str
    argument: Node


Node = Number | Name | Negative | Binary | Call


@dataclass(frozen=True)
class Expression:
    """A parsed expression; equal to every other spelling of the same arithmetic.

    ``str(expression)`` is the canonical text, with as few brackets as the tree allows.
    """

    root: Node

    @property
    def names(self) -> tuple[str, ...]:
        """Labels and definitions it uses, in order of first appearance."""
        return tuple(dict.fromkeys(_names(self.root)))

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """Compute the expression elementwise.

        Parameters
        ----------
        values : mapping of str to float or ndarray
            A value for each of ``names``; arrays must broadcast together. Division by zero and the like
            give inf or NaN without a warning.

        Returns
        -------
        ndarray or float64
            In the units that the arithmetic implies, shape of the broadcast values.

        Raises
        ------
        SpecError
            A name has no value.
        """
        import numpy as np

        for name in self.names:
            if name not in values:
                raise SpecError(f"'{name}' has no value in '{self}'", hint=nearest(name, values))
        known = {name: values[name] for name in self.names}
        # Plain and whole numbers would raise on 1/0 and on integer powers: work in floating point throughout.
        for name, value in known.items():
            if isinstance(value, (int, float, np.number)):
                known[name] = np.float64(value)
            elif isinstance(value, np.ndarray):
                known[name] = value.astype(float)
        with np.errstate(all="ignore"):
            return _evaluate(self.root, known)

    def __str__(self) -> str:
        return _print(self.root)[0]


def parse_expression(text: str) -> Expression:
    """Parse arithmetic such as ``"a1*b1 - a2*b2"`` or ``"sqrt(a^2 + b^2) / 2"``.

    Operators ``+ - * / ^`` bind as in mathematics (``^`` from the right, before a sign: ``-a^2`` is
    ``-(a^2)``). Functions: sqrt, exp, log (natural), abs.

    Raises
    ------
    SpecError
        The text is no expression; the message shows the place with a caret.
    """
    tokens = Tokens(Source(text.strip()))
    if tokens.at_end():
        raise SpecError("an expression is empty", hint="Write arithmetic over path labels, for example a*b.")
    parser = ExpressionParser(tokens)
    expression = parser.parse()
    if not tokens.at_end():
        raise tokens.unexpected(tokens.peek)
    return expression


class ExpressionParser:
    """Recursive descent over tokens; ``mentions`` maps each name to the token that mentions it first."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.mentions: dict[str, Token] = {}
        self._depth = 0
        self._length = 0

    def parse(self) -> Expression:
        """Read one expression and stop at the first token that cannot continue it."""
        return Expression(self._sum())

    def _sum(self) -> Node:
        left = self._product()
        while sign := self.tokens.accept("+", "-"):
            self.tokens.require_operand(sign)
            left = Binary(sign.text, left, self._product())
        return left

    def _product(self) -> Node:
        left = self._signed()
        while sign := self.tokens.accept("*", "/"):
            self.tokens.require_operand(sign)
            left = Binary(sign.text, left, self._signed())
        return left

    def _signed(self) -> Node:
        sign = self.tokens.accept("-", "+")
        if sign is None:
            return self._power()
        self._count(sign)
        self.tokens.require_operand(sign)
        operand = self._signed()
        return Negative(operand) if sign.text == "-" else operand

    def _power(self) -> Node:
        base = self._atom()
        sign = self.tokens.accept("^")
        if sign is None:
            return base
        self.tokens.require_operand(sign)
        return Binary("^", base, self._signed())

    def _atom(self) -> Node:
        token = self.tokens.next()
        self._count(token)
        if token.kind == "number":
            if not math.isfinite(float(token.text)):
                raise self.tokens.source.error("the number is too large", token)
            return Number(float(token.text))
        if token.kind == "name" and is_plain(token.text):
            if opening := self.tokens.accept("("):
                return self._call(token, opening)
            self.mentions.setdefault(token.text, token)
            return Name(token.text)
        if token.kind == "operator" and token.text == "(":
            return self._bracket(token)
        raise self.tokens.unexpected(token)

    def _call(self, name: Token, opening: Token) -> Node:
        if name.text not in FUNCTIONS:
            raise self.tokens.source.error(
                f"unknown function '{name.text}'", name, nearest(name.text, FUNCTIONS)
            )
        return Call(name.text, self._bracket(opening))

    def _bracket(self, opening: Token) -> Node:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self.tokens.source.error("brackets are nested too deep", opening, "Split the definition.")
        self.tokens.require_operand(opening)
        inner = self._sum()
        if self.tokens.accept(")") is None:
            token = self.tokens.peek
            if token.kind == "end" or token.line > opening.line:
                raise self.tokens.source.error("'(' is never closed", opening)
            raise self.tokens.unexpected(token)
        self._depth -= 1
        return inner

    def _count(self, token: Token) -> None:
        self._length += 1
        if self._length > _LONGEST:
            raise self.tokens.source.error("the expression is too long", token, "Split it into definitions.")


def _names(node: Node) -> Iterator[str]:
    match node:
        case Name(name):
            yield name
        case Negative(operand):
            yield from _names(operand)
        case Call(_, argument):
            yield from _names(argument)
        case Binary(_, left, right):
            yield from _names(left)
            yield from _names(right)


def _evaluate(node: Node, values: Mapping[str, Any]) -> Any:
    import numpy as np

    match node:
        case Number(value):
            return np.float64(value)
        case Name(name):
            return values[name]
        case Negative(operand):
            return -_evaluate(operand, values)
        case Call(function, argument):
            return getattr(np, function)(_evaluate(argument, values))
        case Binary(symbol, left, right):
            return _BINARY[symbol](_evaluate(left, values), _evaluate(right, values))


def _print(node: Node) -> tuple[str, int]:
    """Return the text of a node and how tightly its outermost operation binds."""
    match node:
        case Number(value):
            return (repr(int(value)) if value.is_integer() and value < 1e15 else repr(value)), _ATOM
        case Name(name):
            return name, _ATOM
        case Call(function, argument):
            return f"{function}({_print(argument)[0]})", _ATOM
        case Negative(operand):
            return f"-{_within(operand, _UNARY)}", _UNARY
        case Binary("^", left, right):
            return f"{_within(left, _ATOM)}^{_within(right, _UNARY)}", _POWER
        case Binary(symbol, left, right):
            level = _LEVEL[symbol]
            gap = " " if level == _SUM else ""
            return f"{_within(left, level)}{gap}{symbol}{gap}{_within(right, level + 1)}", level


def _within(node: Node, lowest: int) -> str:
    text, level = _print(node)
    return text if level >= lowest else f"({text})"
