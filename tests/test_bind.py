"""Where a model and a survey meet: the arrays, and what cannot be used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from medpsy.errors import DataError, MedpsyError, SpecError
from medpsy.survey.instrument import Instrument, Module
from medpsy.survey.survey import Survey
from numeric_cases import bound, measured, survey

X = measured("x")


def with_values(**values: np.ndarray) -> Survey:
    answers = survey()
    return replace(answers, variables=answers.variables | values)


def with_codes(change: Callable[[np.ndarray], None]) -> Survey:
    answers = survey()
    codes = answers.codes.copy()
    change(codes)
    return replace(answers, codes=codes)


def test_items_become_blocks_in_the_order_of_the_constructs() -> None:
    answers = survey()
    data = bound(measured("y", "x") + "\ny ~ x", answers)
    assert [(b.name, b.factor) for b in data.blocks] == [("x", 0), ("y", 1)]
    np.testing.assert_array_equal(data.blocks[1].values, answers.item_codes(["y1", "y2", "y3"]))
    assert data.blocks[1].labels == (("0", "1", "2", "3"),) * 3
    assert (data.n_person, data.n_factor) == (15, 2)
    assert [q.name for q in data.parameters] == [
        "correlation_chol", "slope_x", "category_prob_x", "slope_y", "category_prob_y",
    ]  # fmt: skip


def test_numbers_are_standardised_and_remember_their_units() -> None:
    answers = survey()
    data = bound(measured("x", family="gaussian") + "\ngrade ~ x", answers, family="gaussian")
    block = data.blocks[0]
    for j in range(3):
        raw = answers.variables[f"cx{j + 1}"]
        assert block.centre[j] == pytest.approx(np.nanmean(raw))
        assert block.unit[j] == pytest.approx(np.nanstd(raw))
        np.testing.assert_allclose(block.values[:, j] * block.unit[j] + block.centre[j], raw)
    at = data.layout.nodes.index("grade")
    assert data.layout.unit.tolist() == [1.0, pytest.approx(np.nanstd(answers.variables["grade"]))]
    assert np.nanmean(data.observed[:, at]) == pytest.approx(0, abs=1e-12)
    assert np.nanstd(data.observed[:, at]) == pytest.approx(1)
    assert np.isnan(data.observed[[3, 5], at]).all()


def test_ordinal_items_may_be_taken_as_numbers() -> None:
    answers = survey()
    block = bound(X, answers, family="gaussian").blocks[0]
    codes = answers.item_codes(["x1", "x2", "x3"])
    np.testing.assert_array_equal(np.isnan(block.values), codes < 0)
    given = codes[:, 0] >= 0
    np.testing.assert_allclose(block.values[given, 0] * block.unit[0] + block.centre[0], codes[given, 0])


def test_the_design_holds_a_one_numbers_and_centred_indicators() -> None:
    answers = survey()
    data = bound(X + "\nx ~ age + school + gender", answers)
    assert [c.name for c in data.layout.columns] == ["age", "gender[f]", "school[b]", "school[c]"]
    np.testing.assert_array_equal(data.design[:, 0], 1.0)
    np.testing.assert_allclose(data.design[:, 1:].mean(0), 0.0, atol=1e-12)
    assert data.design[:, 1].std() == pytest.approx(1)
    school = answers.variables["school"]
    np.testing.assert_allclose(data.design[:, 3], (school == 1) - (school == 1).mean())
    column = data.layout.columns[3]
    assert (column.variable, column.unit) == ("school", 1.0)
    assert column.centre == pytest.approx(1 / 3)
    np.testing.assert_allclose(data.layout.covariance, np.cov(data.design.T, ddof=0))
    assert [c.name for c in data.layout.coefficients] == [
        "x~age",
        "x~gender[f]",
        "x~school[b]",
        "x~school[c]",
    ]


def test_a_level_that_nobody_has_makes_no_column() -> None:
    data = bound(X + "\nx ~ school", with_values(school=np.arange(15) % 2))
    assert [c.name for c in data.layout.columns] == ["school[b]"]


def test_a_reference_level_that_nobody_has_leaves_no_redundant_column() -> None:
    data = bound(X + "\nx ~ school", with_values(school=1 + np.arange(15) % 2))
    assert np.linalg.matrix_rank(data.design) == data.design.shape[1]


def test_labels_of_categories_do_not_depend_on_the_run() -> None:
    """Items of two modules with other labels: every item keeps its own, turned where it is turned."""
    answers = survey()
    modules = list(answers.instrument.modules)
    modules[1] = replace(modules[1], labels=("a", "b", "c", "d"), reverse=("m2",))
    other = replace(answers, instrument=Instrument(tuple(modules), answers.instrument.variables))
    asked, said = ("0", "1", "2", "3"), ("a", "b", "c", "d")
    assert bound("f =~ x1 + m1 + m2", other).blocks[0].labels == (asked, said, said[::-1])
    assert bound("f =~ m1 + x2 + x1", other).blocks[0].labels == (said, asked, asked)


def wider_module() -> Survey:
    answers = survey()
    modules = list(answers.instrument.modules)
    modules[1] = Module("m", modules[1].items, (1, 2, 3, 4, 5))
    return replace(answers, instrument=Instrument(tuple(modules), answers.instrument.variables))


def blank(column: int) -> Callable[[np.ndarray], None]:
    def change(codes: np.ndarray) -> None:
        codes[:, column] = -1

    return change


def constant(codes: np.ndarray) -> None:
    codes[:, :3] = np.where(codes[:, :3] < 0, -1, 2)


def two_persons(codes: np.ndarray) -> None:
    codes[2:, :3] = -1
    codes[:2, :3] = [[0, 1, 2], [1, 2, 3]]


AGE = survey().variables["age"]

ERRORS: dict[str, tuple[str, Survey, type[MedpsyError], str, str]] = {
    "nobody left": (X, survey().take(np.zeros(15, dtype=bool)), DataError, "no person is left", "flow"),
    "unknown item": ("x =~ x1 + x7", survey(), DataError, "no item 'x7'", "Known: m1"),
    "item without answers": (
        X, with_codes(blank(1)), DataError, "item 'x2' of 'x' has no answer at all", "Leave it out",
    ),
    "one category used": (
        X, with_codes(constant), DataError, "every answer to the items of 'x' is in one category", "coding",
    ),
    "fewer persons than items": (
        X, with_codes(two_persons), DataError, "'x' has 3 items but only 2 persons answered any",
        "fewer items",
    ),
    "missing covariate": (
        X + "\nx ~ age", with_values(age=np.where(np.arange(15) < 2, np.nan, AGE)), DataError,
        "variable 'age' is missing for 2 persons (p0, p1)", "Screen",
    ),
    "missing level": (
        X + "\nx ~ gender", with_values(gender=np.arange(15) % 2 - (np.arange(15) == 4) * 1), DataError,
        "variable 'gender' is missing for 1 persons (p4)", "Screen",
    ),
    "unknown covariate": (X + "\nx ~ agee", survey(), DataError, "no variable 'agee'", "Did you mean 'age'?"),
    "constant covariate": (
        X + "\nx ~ age", with_values(age=np.full(15, 20.0)), DataError,
        "'age' has the same value for everybody", "",
    ),
    "constant covariate with rounding": (
        X + "\nx ~ age", with_values(age=np.full(15, 20.1)), DataError,
        "'age' has the same value for everybody", "",
    ),
    "constant level": (
        X + "\nx ~ gender", with_values(gender=np.ones(15, dtype=int)), DataError,
        "everybody has the same level of 'gender'", "",
    ),
    "constant outcome": (
        X + "\ngrade ~ x", with_values(grade=np.full(15, 3.0)), DataError,
        "explained variable 'grade' has the same value for everybody", "",
    ),
    "constant outcome with rounding": (
        X + "\ngrade ~ x", with_values(grade=np.full(15, 20.1)), DataError,
        "explained variable 'grade' has the same value for everybody", "",
    ),
    "outcome that nobody has": (
        X + "\ngrade ~ x", with_values(grade=np.full(15, np.nan)), DataError, "'grade' has no", "",
    ),
    "explained category of three": (
        X + "\nschool ~ x", survey(), SpecError, "'school' is a category with 3 levels", "",
    ),
}  # fmt: skip


def test_families_that_share_steps_refuse_scales_of_different_length() -> None:
    with pytest.raises(SpecError, match="different numbers of categories: 4, 5") as caught:
        bound("f =~ x1 + m1", wider_module(), family="rating_scale")
    assert "'graded'" in caught.value.hint
    assert bound("f =~ x1 + m1", wider_module()).blocks[0].sizes.tolist() == [4, 5]


@pytest.mark.parametrize("name", ERRORS)
def test_what_cannot_be_used_is_named_with_its_cure(name: str) -> None:
    text, answers, kind, message, hint = ERRORS[name]
    with pytest.raises(kind) as caught:
        bound(text, answers)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_numbers_that_never_vary_are_refused() -> None:
    text = measured("x", family="gaussian")
    with pytest.raises(DataError, match="item 'cx2' of 'x' has the same value for everybody"):
        bound(text, with_values(cx2=np.full(15, 20.1)), family="gaussian")
    with pytest.raises(DataError, match="item 'cx2' of 'x' has no answer at all"):
        bound(text, with_values(cx2=np.full(15, np.nan)), family="gaussian")


def test_a_binary_outcome_is_coded_zero_and_one() -> None:
    with pytest.raises(DataError, match="binary variable 'passed' holds the value 2"):
        bound(X + "\npassed ~ x", with_values(passed=np.arange(15.0) % 3), families={"passed": "bernoulli"})
    data = bound(X + "\ngender ~ x", survey(), families={"gender": "bernoulli"})
    np.testing.assert_array_equal(data.observed[:, 1], survey().variables["gender"])
    assert data.layout.unit[1] == 1.0


def test_an_item_with_one_used_category_among_others_is_kept() -> None:
    def quiet(codes: np.ndarray) -> None:
        codes[:, 0] = np.where(codes[:, 0] < 0, -1, 0)

    data = bound(X, with_codes(quiet))
    assert set(data.blocks[0].values[:, 0].tolist()) == {-1, 0}
    assert data.parameters[1].shape == (3, 4)


def test_a_number_in_a_categorical_family_is_named_with_its_cure() -> None:
    with pytest.raises(SpecError, match="item 'cx1' of 'x' is a number; family 'graded'") as caught:
        bound("x =~ cx1..cx3", survey())
    assert caught.value.hint == "Use family 'gaussian' for numbers."
