"""Arithmetic: against Python, in print, and elementwise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medpsy.errors import SpecError
from medpsy.spec.expressions import Binary, Call, Expression, Name, Negative, Number, parse_expression

VALUES = {"a": 0.4, "b": -1.3, "c1": 2.5}

CASES = [
    "a*b", "a - b - c1", "a / b / c1", "a - (b - c1)", "-a^2", "(-a)^2", "2^3^2", "(2^3)^2", "2^-1", "--a",
    "+a", "a*-b", "c1^(1/2)", "sqrt(c1)*exp(-a)", "log(c1) + abs(b)", "1.5e-1*a", ".5*a + 2.", "((a))",
    "a*b + c1/2 - 3*(a + b)^2/c1",
]  # fmt: skip


@pytest.mark.parametrize("text", CASES)
def test_values_agree_with_python(text: str) -> None:
    names = {**VALUES, "sqrt": math.sqrt, "exp": math.exp, "log": math.log, "abs": abs}
    # The reference is Python's own arithmetic on a text written in this file.
    expected = eval(text.replace("^", "**"), {"__builtins__": {}}, names)
    assert parse_expression(text).evaluate(VALUES) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        (" a *b", "a*b"),
        ("((a))-((b-c1))", "a - (b - c1)"),
        ("(a*b)+(c1)", "a*b + c1"),
        ("(a+b)*c1", "(a + b)*c1"),
        ("a/(b*c1)", "a/(b*c1)"),
        ("(-a)^2", "(-a)^2"),
        ("-(a^2)", "-a^2"),
        ("2^(3^2)", "2^3^2"),
        ("(2^3)^2", "(2^3)^2"),
        ("2.0*a + 0.50", "2*a + 0.5"),
        ("sqrt( a ^ 2 )", "sqrt(a^2)"),
    ],
)
def test_canonical_text(text: str, printed: str) -> None:
    assert str(parse_expression(text)) == printed
    assert parse_expression(printed) == parse_expression(text)


def test_names_come_once_and_in_order_and_not_from_functions() -> None:
    assert parse_expression("b*a + b*exp(c) - 2").names == ("b", "a", "c")


def test_arrays_are_elementwise_and_broadcast() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(4, 500)), rng.normal(size=(4, 1))
    value = parse_expression("abs(a*b)/2 - a^2").evaluate({"a": a, "b": b, "unused": "text"})
    np.testing.assert_allclose(value, np.abs(a * b) / 2 - a**2, rtol=1e-15)


def test_whole_numbers_are_computed_as_real_numbers() -> None:
    assert parse_expression("a^b").evaluate({"a": np.array([2, 4]), "b": np.array([-1, -1])}).tolist() == [
        0.5,
        0.25,
    ]
    assert parse_expression("a/b").evaluate({"a": 1, "b": 2}) == 0.5


def test_impossible_arithmetic_is_inf_or_nan_without_a_warning() -> None:
    assert parse_expression("1/a").evaluate({"a": 0}) == np.inf
    assert np.isnan(parse_expression("sqrt(a)").evaluate({"a": np.array([-1.0])})).all()


def test_a_missing_value_names_the_nearest() -> None:
    with pytest.raises(SpecError, match="'indirct' has no value in 'indirct - 1'") as caught:
        parse_expression("indirct - 1").evaluate({"indirect": 1.0, "total": 2.0})
    assert caught.value.hint == "Did you mean 'indirect'?"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "empty"),
        ("a +", "nothing follows '+'"),
        ("a b", "unexpected 'b'"),
        ("a; b", "unexpected ';'"),
        ("(a", "never closed"),
        ("(a b)", "unexpected 'b'"),
        ("()", "unexpected ')'"),
        ("max(a)", "unknown function 'max'"),
        ("exp()", "unexpected ')'"),
        ("exp(a, b)", "unexpected ','"),
        ("a ~ b", "unexpected '~'"),
        ("`a b`", "unexpected 'a b'"),
        ("__import__('os')", "unknown symbol"),
        ("a.real", "unknown symbol '.'"),
        ("(" * 60 + "a" + ")" * 60, "nested too deep"),
        ("+".join(["a"] * 300), "too long"),
        ("-" * 3000 + "a", "too long"),
        ("^".join(["a"] * 300), "too long"),
    ],
)
def test_errors(text: str, part: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_expression(text)
    assert part in str(caught.value)


def test_the_longest_expressions_allowed_stay_within_the_recursion_limit() -> None:
    for symbol in "+^-*":
        expression = parse_expression(symbol.join(["a"] * 200))
        assert parse_expression(str(expression)) == expression
        assert np.isfinite(expression.evaluate({"a": 1.0}))
    deep = "(" * 40 + "a" + ")" * 40
    assert parse_expression(deep) == parse_expression("a")


_LEAVES = st.one_of(
    st.sampled_from([Name("a"), Name("b"), Name("c1")]),
    st.floats(0, 1e6, allow_nan=False).map(Number),
    st.integers(0, 50).map(float).map(Number),
)
_TREES = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.builds(Negative, inner),
        st.builds(Binary, st.sampled_from("+-*/^"), inner, inner),
        st.builds(Call, st.sampled_from(["sqrt", "exp", "log", "abs"]), inner),
    ),
    max_leaves=15,
)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(_TREES)
def test_every_tree_prints_and_reads_back(root: object) -> None:
    expression = Expression(root)  # type: ignore[arg-type]
    assert parse_expression(str(expression)) == expression
