"""Changes to the data that must change the likelihood in a known way, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from medpsy.bind import ModelData, bind
from medpsy.engines.gaussian import ENGINE as GAUSSIAN
from medpsy.engines.quadrature_compiled import CompiledQuadrature
from medpsy.ops import Numpy
from medpsy.survey.instrument import Instrument, Module
from medpsy.survey.survey import Survey
from numeric_cases import bound, composed, even_grid, measured, survey, values_at

TEXT = measured("x", "m", "y") + "\nm ~ a*x + gender\ny ~ b*m + c*x + gender\nx ~ gender"
GRID = even_grid(3, 21, 7.0)
SEEDS = range(4)


def each(data: ModelData, p: dict[str, np.ndarray]) -> np.ndarray:
    """Log-likelihood of every person by the compiled route."""
    return CompiledQuadrature(data, GRID).per_person(p)


def with_codes(answers: Survey, change: Callable[[np.ndarray], np.ndarray]) -> Survey:
    """The same survey with other codes."""
    return replace(answers, codes=change(answers.codes.copy()))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_of_persons_does_not_matter(seed: int) -> None:
    answers = survey(seed=seed)
    order = np.random.default_rng(seed).permutation(answers.n_person)
    data, shuffled = bound(TEXT, answers), bound(TEXT, answers.take(order))
    p = values_at(data, seed)
    np.testing.assert_allclose(each(shuffled, p), each(data, p)[order], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_of_items_does_not_matter(seed: int) -> None:
    answers = survey(seed=seed)
    data = bound(TEXT, answers)
    turned = bound(TEXT.replace("m1..m3", "m3 + m1 + m2"), answers)
    p = values_at(data, seed)
    moved = p | {k: p[k][[2, 0, 1]] for k in ("slope_m", "category_prob_m")}
    np.testing.assert_allclose(each(turned, moved), each(data, p), rtol=1e-9, atol=1e-12)
    assert turned.blocks[1].construct.items == ("m3", "m1", "m2")


def test_the_order_of_constructs_does_not_matter() -> None:
    answers = survey()
    one, two = bound(measured("x", "m", "y"), answers), bound(measured("y", "x", "m"), answers)
    p = values_at(one, 1)
    r = p["correlation_chol"] @ p["correlation_chol"].T
    q = p | {"correlation_chol": np.linalg.cholesky(r[np.ix_([2, 0, 1], [2, 0, 1])])}
    np.testing.assert_allclose(each(two, q), each(one, p), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_names_of_persons_do_not_matter(seed: int) -> None:
    answers = survey(seed=seed)
    renamed = replace(answers, person=np.array([f"other {i}" for i in range(15)]))
    p = values_at(bound(TEXT, answers), seed)
    np.testing.assert_array_equal(each(bound(TEXT, renamed), p), each(bound(TEXT, answers), p))


@pytest.mark.parametrize("seed", SEEDS)
def test_doubling_every_row_doubles_likelihood_and_gradient(seed: int) -> None:
    answers = survey(seed=seed)
    data, double = bound(TEXT, answers), bound(TEXT, answers.take(np.repeat(np.arange(15), 2)))
    p = values_at(data, seed)
    one, two = CompiledQuadrature(data, GRID), CompiledQuadrature(double, GRID)
    assert two.count.sum() == 30
    assert len(two.count) == len(one.count)
    value, gradient = one.value_and_gradient(p)
    value_2, gradient_2 = two.value_and_gradient(p)
    assert value_2 == pytest.approx(2 * value, rel=1e-12)
    for key, g in gradient.items():
        np.testing.assert_allclose(gradient_2[key], 2 * g, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(two.per_person(p)[::2], one.per_person(p), rtol=1e-12)


def test_equal_answers_with_other_covariates_are_not_collapsed() -> None:
    answers = survey()
    codes = np.tile(answers.codes[3], (15, 1))
    codes[:5] = answers.codes[:5]
    data = bound(TEXT, replace(answers, codes=codes))
    compiled = CompiledQuadrature(data, GRID)
    assert compiled.count.sum() == 15
    assert 2 <= len(compiled.count) < 15
    per_person = each(data, values_at(data, 1))
    assert per_person[5] == per_person[7] == per_person[9]
    assert per_person[5] != per_person[6]


def test_a_person_without_answers_adds_nothing() -> None:
    text = measured("x", "m", "y") + "\nm ~ a*x\ny ~ b*m + c*x"
    answers = survey()
    data, rest = bound(text, answers), bound(text, answers.take(np.arange(1, 15)))
    p = values_at(data, 2)
    fine = even_grid(3, 31, 7.5)
    assert (data.blocks[0].values[0] == -1).all()
    one = CompiledQuadrature(data, fine).value_and_gradient(p)
    two = CompiledQuadrature(rest, fine).value_and_gradient(p)
    assert one[0] == pytest.approx(two[0], abs=1e-8)
    for key in one[1]:
        np.testing.assert_allclose(one[1][key], two[1][key], atol=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_turning_an_item_flips_its_slope(seed: int) -> None:
    answers = survey(seed=seed)
    column = 4  # m2

    def turn(codes: np.ndarray) -> np.ndarray:
        codes[:, column] = np.where(codes[:, column] < 0, -1, 3 - codes[:, column])
        return codes

    data = bound(TEXT, answers)
    turned, back = with_codes(answers, turn), with_codes(with_codes(answers, turn), turn)
    p = values_at(data, seed)
    assert (turned.codes != answers.codes).any()
    np.testing.assert_array_equal(each(bound(TEXT, back), p), each(data, p))
    q = {key: value.copy() for key, value in p.items()}
    q["slope_m"][1] *= -1
    q["category_prob_m"][1] = q["category_prob_m"][1, ::-1]
    np.testing.assert_allclose(each(bound(TEXT, turned), q), each(data, p), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_turning_a_module_flips_the_signs_of_its_correlations(seed: int) -> None:
    answers = survey(seed=seed)

    def turn(codes: np.ndarray) -> np.ndarray:
        codes[:, :3] = np.where(codes[:, :3] < 0, -1, 3 - codes[:, :3])
        return codes

    text = measured("x", "m", "y")
    data, turned = bound(text, answers), bound(text, with_codes(answers, turn))
    p = values_at(data, seed)
    sign = np.diag([-1.0, 1.0, 1.0])
    r = p["correlation_chol"] @ p["correlation_chol"].T
    q = p | {
        "category_prob_x": p["category_prob_x"][:, ::-1],
        "correlation_chol": np.linalg.cholesky(sign @ r @ sign),
    }
    np.testing.assert_allclose(each(turned, q), each(data, p), rtol=1e-9, atol=1e-12)


def relabelled(answers: Survey, codes: tuple[int, ...]) -> Survey:
    """The same answers under another coding of the scale."""
    modules = tuple(Module(m.name, m.items, codes) for m in answers.instrument.modules)
    return replace(answers, instrument=Instrument(modules, answers.instrument.variables))


def test_the_coding_of_the_scale_does_not_matter() -> None:
    answers = survey()
    p = values_at(bound(TEXT, answers), 3)
    other = bound(TEXT, relabelled(answers, (1, 2, 5, 9)))
    np.testing.assert_array_equal(each(other, p), each(bound(TEXT, answers), p))


def test_a_category_that_nobody_used_is_kept() -> None:
    answers = survey(30)
    wide = relabelled(answers, (0, 1, 2, 3, 4))
    narrow_data, data = bound(TEXT, answers), bound(TEXT, wide)
    assert [b.n_categories for b in data.blocks] == [5, 5, 5]
    assert set(data.blocks[0].labels) == {("0", "1", "2", "3", "4")}
    p = values_at(narrow_data, 4)
    space = {k: v for k, v in p.items() if not k.startswith("category_prob")}
    errors = []
    for tiny in (1e-3, 1e-6, 1e-9):
        q = dict(space)
        for block in data.blocks:
            old = p[f"category_prob_{block.name}"]
            q[f"category_prob_{block.name}"] = np.column_stack([old * (1 - tiny), np.full(len(old), tiny)])
        errors.append(np.abs(each(data, q) - each(narrow_data, p)).max())
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-6
    value, gradient = CompiledQuadrature(data, GRID).value_and_gradient(q)
    assert np.isfinite(value)
    assert all(np.isfinite(g).all() for g in gradient.values())


def test_units_of_numbers_do_not_matter() -> None:
    text = measured("x", "y", family="gaussian") + "\ny ~ x + age\ngrade ~ y"
    answers = survey(30)
    scaled = {
        name: 10 - 3.5 * v if name == "age" else 100 + 7 * v if v.dtype.kind == "f" else v
        for name, v in answers.variables.items()
    }
    data = bound(text, answers, family="gaussian")
    other = bound(text, replace(answers, variables=scaled), family="gaussian")
    p = values_at(data, 5)
    at = [c.name for c in data.layout.coefficients].index("y~age")
    q = p | {"path": np.where(np.arange(p["path"].size) == at, -p["path"], p["path"])}
    np.testing.assert_allclose(
        GAUSSIAN.log_likelihood(other, q, Numpy), GAUSSIAN.log_likelihood(data, p, Numpy), rtol=1e-9
    )
    np.testing.assert_allclose(other.blocks[0].unit, 7 * data.blocks[0].unit)
    np.testing.assert_allclose(other.blocks[0].centre, 100 + 7 * data.blocks[0].centre)


def test_naming_other_categories_of_a_covariate_keeps_the_fit() -> None:
    answers = survey()
    text = measured("x") + "\nx ~ gender"
    flipped = replace(answers, variables=answers.variables | {"gender": 1 - answers.variables["gender"]})
    data, other = bound(text, answers), bound(text, flipped)
    p = values_at(data, 6)
    q = p | {"covariate_effect": -p["covariate_effect"]}
    grid = even_grid(1, 61, 7.0)
    np.testing.assert_allclose(
        CompiledQuadrature(other, grid).per_person(q),
        CompiledQuadrature(data, grid).per_person(p),
        rtol=1e-11,
    )


def test_a_split_survey_adds_up_to_the_whole() -> None:
    text = measured("x", "m", "y")
    answers = survey(30)
    data = bound(text, answers)
    p = values_at(data, 7)
    halves = [bind(composed(text), answers.take(np.arange(30) % 2 == side)) for side in (0, 1)]
    parts = [CompiledQuadrature(half, GRID).value_and_gradient(p) for half in halves]
    value, gradient = CompiledQuadrature(data, GRID).value_and_gradient(p)
    assert value == pytest.approx(sum(part[0] for part in parts), rel=1e-12)
    for key, g in gradient.items():
        np.testing.assert_allclose(g, sum(part[1][key] for part in parts), rtol=1e-9, atol=1e-10)
