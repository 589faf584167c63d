"""Descriptives and Cronbach's alpha, against published software and plain arithmetic."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hand_made import LABELS, survey
from medpsy.classical.describe import alpha, item_counts, item_rest, item_table, sample_table
from medpsy.errors import DataError
from medpsy.spec.model_spec import Construct
from medpsy.survey.examples import load_example

X = Construct("x", ("x1", "x2", "x3"))


@pytest.mark.parametrize("module", ["phq", "gad"])
def test_alpha_and_item_rest_agree_with_psych(module: str, shared: Path) -> None:
    entries = json.loads((shared / "reference" / "mexmed_students.json").read_text())["entries"]
    reference = next(e["results"] for e in entries if e["id"] == f"classical.{module}.alpha")
    codes = load_example("students").item_codes(reference["items"])
    assert (codes < 0).sum() == reference["n_missing"]
    assert alpha(codes) == pytest.approx(reference["raw_alpha"], rel=1e-9)
    found = item_rest(np.where(codes < 0, np.nan, codes.astype(float)))
    np.testing.assert_allclose(found, [reference["r_drop"][item] for item in reference["items"]], rtol=1e-9)


def test_alpha_by_hand_and_where_it_is_not_defined() -> None:
    rng = np.random.default_rng(1)
    values = rng.integers(0, 5, (50, 4))
    values[:, 1:] += values[:, :1]
    by_hand = 4 / 3 * (1 - values.var(0, ddof=1).sum() / values.sum(1).var(ddof=1))
    assert alpha(values.astype(np.int8)) == pytest.approx(by_hand)
    assert alpha(values + 1000.0) == pytest.approx(by_hand)
    assert np.isnan(alpha(values[:, :1])) and np.isnan(alpha(np.zeros((5, 3), dtype=int)))
    apart = np.array([[1, -1], [2, -1], [-1, 1], [-1, 2]])
    assert np.isnan(alpha(apart))


def test_negative_numbers_are_answers_where_answers_are_real_numbers() -> None:
    values = np.random.default_rng(2).normal(size=(30, 3)) + np.random.default_rng(3).normal(size=(30, 1))
    by_hand = 1.5 * (1 - values.var(0, ddof=1).sum() / values.sum(1).var(ddof=1))
    assert alpha(values) == pytest.approx(by_hand)


def test_item_table_is_on_the_codes_of_the_file() -> None:
    answers = survey()
    table = item_table(answers, [X, Construct("f", ("n1", "n2"), "gaussian")]).set_index("item")
    codes = answers.item_codes(["x1", "x2"]).astype(float)
    first, turned = codes[codes[:, 0] >= 0, 0] + 1, 4 - codes[codes[:, 1] >= 0, 1]
    assert [table.loc["x1", "mean"], table.loc["x1", "sd"]] == pytest.approx(
        [first.mean(), first.std(ddof=1)]
    )
    assert [table.loc["x2", "mean"], table.loc["x2", "sd"]] == pytest.approx(
        [turned.mean(), turned.std(ddof=1)]
    )
    assert list(table["n"]) == [38, 39, 39, 40, 39] and list(table["missing"]) == [2, 1, 1, 0, 1]
    assert list(table["wording"]) == ["How x are you?", "", "", "N1", "N2"]
    assert table.loc["n2", "mean"] == pytest.approx(np.nanmean(answers.variables["n2"]))


def test_item_rest_is_the_correlation_with_the_other_items_on_turned_codes() -> None:
    answers = survey().take(np.arange(10, 40))
    codes = answers.item_codes(["x1", "x2", "x3"]).astype(float)
    expected = [np.corrcoef(codes[:, j], np.delete(codes, j, axis=1).sum(1))[0, 1] for j in range(3)]
    np.testing.assert_allclose(item_table(answers, [X])["item_rest"], expected)


def test_items_that_say_nothing_have_no_item_rest_correlation() -> None:
    assert np.isnan(item_rest(np.array([[1.0], [2.0], [3.0]]))).all()
    values = np.column_stack([np.ones(5), np.arange(5.0), np.arange(5.0)])
    np.testing.assert_allclose(item_rest(values), [np.nan, 1, 1])


def test_item_counts_keep_the_codes_and_labels_of_the_file() -> None:
    answers = survey()
    table = item_counts(answers, [X, Construct("f", ("n1", "n2"), "gaussian")])
    assert list(table.columns) == ["construct", "item", "wording", "category", "label", "count"]
    assert set(table["construct"]) == {"x"} and len(table) == 12
    turned = table[table["item"] == "x2"]
    codes = answers.item_codes(["x2"])[:, 0]
    assert tuple(turned["label"]) == LABELS and list(turned["category"]) == [1, 2, 3, 4]
    assert list(turned["count"]) == [int((codes == 3 - k).sum()) for k in range(4)]
    assert table.groupby("item")["count"].sum().to_dict() == {"x1": 38, "x2": 39, "x3": 39}


def test_sample_table_counts_everybody() -> None:
    answers = survey()
    answers.variables["sex"][:3] = -1
    table = sample_table(answers)
    assert list(table.columns) == ["variable", "level", "n", "share", "mean", "sd", "min", "max"]
    sex = table[table["variable"] == "Sex"]
    assert list(sex["level"]) == ["f", "m", "no answer"]
    assert sex["n"].sum() == 40 and sex["share"].sum() == pytest.approx(1)
    grade = table[table["variable"] == "Grade"]
    assert list(grade["n"]) == [39, 1] and list(grade["level"]) == ["", "no answer"]
    values = answers.variables["grade"]
    first = grade.iloc[0]
    assert [first["mean"], first["sd"], first["min"], first["max"]] == pytest.approx(
        [np.nanmean(values), np.nanstd(values, ddof=1), np.nanmin(values), np.nanmax(values)]
    )


def test_a_sample_of_nobody_or_of_missing_values_is_described_quietly() -> None:
    answers = survey()
    empty = sample_table(answers.take(np.zeros(40, dtype=bool)))
    assert (empty["n"] == 0).all()
    one = sample_table(answers.take(np.array([8])))
    grade = one[one["variable"] == "Grade"]
    assert list(grade["n"]) == [0, 1] and grade[["mean", "sd"]].isna().all(axis=None)


def test_an_unknown_item_is_named() -> None:
    for table in (item_table, item_counts):
        with pytest.raises(DataError, match="'x9'"):
            table(survey(), [Construct("x", ("x1", "x9"))])
