"""C functions of models with groups, and of structures and families that compute with their parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import hand_made
import test_item_properties
import test_mediation_latent
import test_second_order
from group_cases import grouped
from medpsy.bind import ModelData
from medpsy.engines.base import choose
from medpsy.inference import native as native_module
from medpsy.inference.density import Density, start_point
from medpsy.inference.native import Native, plain, pointwise, quick
from medpsy.inference.program_kernel import OPERATIONS, run, run_reverse
from medpsy.inference.trace import Place, Tape, Traced, Untraceable, places
from medpsy.ops import Numpy
from medpsy.spec.groups import Groups
from medpsy.survey.survey import Survey
from numeric_cases import points, with_fewer
from test_groups import CASES, case

#: Two arguments of every operation, such that its derivative exists.
ARGUMENTS = {"log1mexp": (-0.4, 0.0), "power": (1.3, -1.5), "absolute": (-0.7, 0.0)}


def uneven(answers: Survey) -> Survey:
    """Two women only; nobody among them used the last category, nobody at all the third one of x2."""
    codes = answers.codes.copy()
    sex = np.ones(answers.n_person, dtype=int)
    sex[[2, 9]] = 0
    codes[:, :9][sex == 0] = np.minimum(codes[:, :9][sex == 0], 2)
    codes[:, 1][codes[:, 1] == 2] = 1
    return replace(answers, codes=codes, variables=answers.variables | {"sex": sex})


def densities(data: ModelData, size: int = 9) -> tuple[Density, Native, np.ndarray]:
    """The reference, the C function, and where the search would start."""
    engine, _ = choose(data)
    density = Density(data, engine.compiled(data, engine.settings(data, size)))
    start = start_point(data)
    made = plain(density, start)
    assert isinstance(made, Native), made
    return density, made, start


def assert_same(density: Density, made: Native, at: np.ndarray) -> None:
    """Value to 1e-8 and gradient to 1e-6 at every point (point, size) where there is a density."""
    there = 0
    for u in at:
        value, gradient = made.value_and_gradient(u)
        want, d_u = density.value_and_gradient(u)
        assert np.isfinite(value) == np.isfinite(want)
        if np.isfinite(want):
            there += 1
            assert value == pytest.approx(want, rel=1e-8)
            np.testing.assert_allclose(gradient, d_u, rtol=1e-6, atol=1e-6 * np.abs(d_u).max())
    assert there >= len(at) // 3


@pytest.mark.parametrize("name", CASES)
def test_groups_have_a_c_function_that_is_the_reference(name: str) -> None:
    data = case(name)
    density, made, start = densities(data)
    extreme = points(data.parameters, 12, 2)
    rng = np.random.default_rng(1)
    near = start + rng.normal(0.0, 1.0, (6, start.size)) * rng.uniform(0.1, 1.0, (6, 1))
    assert_same(density, made, np.concatenate([near, extreme]))
    if made.order is not None:
        prior, terms = made.terms_at(near)
        want, each = density.terms_at(near)
        np.testing.assert_allclose(prior, want, rtol=1e-12)
        np.testing.assert_allclose(terms, each, rtol=1e-9)


@pytest.mark.parametrize(
    "groups",
    [
        Groups("sex", equal=()),
        Groups("sex", shrink=("slope", "location")),
        Groups("sex", equal=("loadings",), release=("slope.x1",)),
        Groups("sex", pooled=True),
    ],
)
def test_small_groups_and_categories_that_nobody_used(groups: Groups) -> None:
    answers = with_fewer(uneven(hand_made.survey(30)), "x3", 3)
    data = grouped("x =~ x1..x3\ny =~ y1..y3\ny ~ age", answers, groups)
    density, made, start = densities(data)
    rng = np.random.default_rng(4)
    near = start + rng.normal(0.0, 0.6, (6, start.size))
    assert_same(density, made, np.concatenate([near, points(data.parameters, 10, 3)]))


def test_the_gradient_far_out_is_that_of_finite_differences() -> None:
    density, made, start = densities(case("configural"))
    u = start + 2.0 * np.random.default_rng(8).normal(size=start.size)
    value, gradient = made.value_and_gradient(u)
    assert np.isfinite(value)
    for function in (made.value_and_gradient, density.value_and_gradient):
        for i in range(u.size):
            step = np.zeros(u.size)
            step[i] = 1e-5
            slope = (function(u + step)[0] - function(u - step)[0]) / 2e-5
            assert slope == pytest.approx(gradient[i], rel=1e-4, abs=1e-5 * np.abs(gradient).max())


def moderated() -> ModelData:
    return test_mediation_latent.bound(n=60)[0]


OTHERS: dict[str, Callable[[], ModelData]] = {
    "a factor of second order": lambda: test_second_order.data(covariate=True),
    "numbers with a factor of second order": lambda: test_second_order.data("gaussian"),
    "paths that change with a variable": moderated,
    "items explained by their properties": lambda: test_item_properties.made("graded", False),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_computes_with_its_parameters_has_a_c_function(name: str) -> None:
    density, made, start = densities(OTHERS[name]())
    rng = np.random.default_rng(2)
    assert_same(density, made, start + rng.normal(0.0, 0.5, (8, start.size)))


def test_products_of_deviations_and_their_scales_as_coordinates() -> None:
    data = test_item_properties.made("rasch", True)
    engine, _ = choose(data)
    density = Density(data, engine.compiled(data, engine.settings(data, 9)), products=True)
    assert density.space._scaled[0].size
    start = start_point(data)
    made = plain(density, start)
    assert isinstance(made, Native)
    rng = np.random.default_rng(2)
    assert_same(density, made, start + rng.normal(0.0, 0.5, (8, start.size)))


def test_what_cannot_be_traced_is_left_to_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    data = case("one construct")
    engine, _ = choose(data)

    def branching(*_: Any) -> Any:
        raise Untraceable("what is computed depends on the size of a parameter")

    monkeypatch.setattr(native_module, "_system", branching)
    density = Density(data, engine.compiled(data, engine.settings(data, 9)))
    start = start_point(data)
    found = plain(density, start)
    assert isinstance(found, str)
    assert "size of a parameter" in found
    assert quick(density, start) == density.value_and_gradient
    assert pointwise(density, start) == density.terms_at


def test_a_c_function_that_is_not_the_reference_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    data = case("one construct")
    engine, _ = choose(data)
    density = Density(data, engine.compiled(data, engine.settings(data, 9)))
    honest = density.value_and_gradient
    monkeypatch.setattr(density, "value_and_gradient", lambda u: (honest(u)[0] + 1.0, honest(u)[1]))
    assert plain(density, start_point(data)) == "the C function disagrees with the reference"


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_and_its_derivative(name: str) -> None:
    a, b = ARGUMENTS.get(name, (0.8, 1.7))
    program = np.array([[OPERATIONS.index(name), 3, 0, 1, 2]])

    def value(a: float, b: float) -> float:
        x = np.array([a, b, 1.0, 0.0])
        run(program, x)
        return float(x[3])

    with np.errstate(invalid="ignore"):
        known = {
            "copy": a, "add": a + b, "subtract": a - b, "multiply": a * b, "divide": a / (b or 1.0),
            "exp": np.exp(a), "log": np.log(a), "log1p": np.log1p(a), "sqrt": np.sqrt(a),
            "softplus": np.log1p(np.exp(a)), "log1mexp": np.log(1 - np.exp(a)), "sinh": np.sinh(a),
            "arcsinh": np.arcsinh(a), "absolute": abs(a), "less": 1.0, "select": a, "minimum": min(a, b),
            "maximum": max(a, b), "power": abs(a) ** b,
        }  # fmt: skip
    assert value(a, b) == pytest.approx(known[name], rel=1e-12)
    x, d_x = np.array([a, b, 1.0, value(a, b)]), np.array([0.0, 0.0, 0.0, 1.0])
    run_reverse(program, x, d_x)
    h = 1e-6
    assert d_x[0] == pytest.approx((value(a + h, b) - value(a - h, b)) / (2 * h), abs=1e-7)
    if name != "power":  # the exponent is a constant
        assert d_x[1] == pytest.approx((value(a, b + h) - value(a, b - h)) / (2 * h), abs=1e-7)


def test_a_traced_function_is_the_function() -> None:
    rng = np.random.default_rng(6)
    start = rng.uniform(0.2, 0.9, 9)

    def function(x: Any, xp: Any) -> Any:
        m = x.reshape(3, 3) + xp.constant(2.0 * np.eye(3))
        s = m @ xp.swapaxes(m, 0, 1)
        low = xp.cholesky(s)
        solved = xp.solve(s, m)
        near = xp.where(x < 0.5, 1.0, 0.0) * x + xp.where(x > 0.5, xp.log(x), x**2)
        parts = [low[np.tril_indices(3)], solved.ravel(), near, xp.exp(xp.logsumexp(m, axis=-1) / 3.0)]
        return xp.concatenate([*parts, xp.cumsum(1.0 / x), 2.0 - xp.softplus(-x) ** 0.5], axis=0)

    tape = Tape(start)
    inputs = places([Place(tape, i) for i in range(9)])
    out = function(inputs, Traced)
    first = tape.in_a_row(out)
    x = np.array(tape.template)
    program = np.array(tape.program)

    def at(values: np.ndarray) -> np.ndarray:
        x[:9] = values
        run(program, x)
        return x[first : first + len(out)].copy()

    np.testing.assert_allclose(at(start), function(start, Numpy), rtol=1e-12)
    weight = rng.normal(size=len(out))
    at(start)
    d_x = np.zeros_like(x)
    d_x[first : first + len(out)] = weight
    run_reverse(program, x, d_x)
    gradient = d_x[:9]
    for i in range(9):
        step = np.zeros(9)
        step[i] = 1e-6
        slope = weight @ (function(start + step, Numpy) - function(start - step, Numpy)) / 2e-6
        assert gradient[i] == pytest.approx(slope, rel=1e-6, abs=1e-7)


def test_known_numbers_are_not_put_on_the_tape() -> None:
    tape = Tape([0.5, 0.25])
    x = places([Place(tape, 0), Place(tape, 1)])
    assert (0.0 * x == 0.0).all()
    assert ((x * 1.0 + 0.0) / 1.0)[0] is x[0]
    assert not tape.program
    first, again = Traced.exp(x), Traced.exp(x)
    assert [one.at for one in first] == [one.at for one in again]
    assert len(tape.program) == 2
    with pytest.raises(Untraceable):
        bool(x[0])
    with pytest.raises(TypeError):
        np.linalg.inv(places(np.eye(2)) * x)
