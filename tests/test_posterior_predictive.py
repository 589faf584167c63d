"""Predicted answers after and before the data: masks, codes of the file, units."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from hand_made import LABELS, MEASURED, WITH_SEX, result, survey
from medpsy.errors import SpecError
from medpsy.posterior.predictive import category_counts, prior_predictive


def test_observed_counts_are_those_of_the_file() -> None:
    table = category_counts(result(MEASURED), draws=5)
    assert list(table.columns) == [
        "construct", "item", "category", "label", "observed", "predicted", "lower", "upper",
    ]  # fmt: skip
    assert len(table) == 3 * 3 * 4
    codes = survey().item_codes(["x1", "x2"])
    for item, turned, column in (("x1", False, codes[:, 0]), ("x2", True, codes[:, 1])):
        rows = table[table["item"] == item]
        assert list(rows["category"]) == [1, 2, 3, 4] and tuple(rows["label"]) == LABELS
        asked = np.bincount(column[column >= 0], minlength=4)
        assert list(rows["observed"]) == list(asked[::-1] if turned else asked)


def test_predictions_are_masked_like_the_answers() -> None:
    table = category_counts(result(WITH_SEX), draws=30)
    totals = table.groupby("item")[["observed", "predicted"]].sum()
    assert totals["observed"].to_numpy() == pytest.approx(totals["predicted"].to_numpy())
    assert totals.loc["x1", "observed"] == 38 and totals.loc["y3", "observed"] == 40
    assert ((table["lower"] <= table["predicted"]) & (table["predicted"] <= table["upper"])).all()


def test_predictions_are_the_margins_of_the_model_turned_items_too() -> None:
    fixed = {"slope_x": np.array([0.7, 1.2, 2.0]), "category_prob_x": np.array([[0.1, 0.2, 0.3, 0.4]] * 3)}
    fitted = result("x =~ x1..x3", fixed, answers=survey(3000))
    table = category_counts(fitted, draws=100, seed=3)
    theta = np.linspace(-8, 8, 801)
    weight = np.exp(-(theta**2) / 2) / np.exp(-(theta**2) / 2).sum()
    for j, item in enumerate(("x1", "x2", "x3")):
        above = expit(
            fixed["slope_x"][j] * theta[:, None] - fitted.tree["posterior"]["threshold_x"].to_numpy()[0, 0, j]
        )
        margin = -np.diff(np.concatenate([[1], weight @ above, [0]]))
        margin = margin[::-1] if item == "x2" else margin
        rows = table[table["item"] == item]
        share = rows["predicted"].to_numpy() / rows["observed"].sum()
        assert share == pytest.approx(margin, abs=0.006)


def test_the_same_seed_gives_the_same_table_and_continuous_items_have_no_rows() -> None:
    fitted = result("x =~ x1..x3\nf =~ n1..n3", families={"f": "gaussian"})
    first, second = category_counts(fitted, draws=10, seed=1), category_counts(fitted, draws=10, seed=1)
    assert first.equals(second)
    assert not first.equals(category_counts(fitted, draws=10, seed=2))
    assert set(first["construct"]) == {"x"}
    assert category_counts(result("f =~ n1..n3", family="gaussian"), draws=2).empty


def test_prior_categories_are_equally_likely_before_any_answer() -> None:
    fitted = result(MEASURED)
    table, _ = prior_predictive(fitted.data, survey=fitted.survey, draws=400)
    share = table["predicted"] / table.groupby("item")["observed"].transform("sum")
    assert share.to_numpy() == pytest.approx(0.25, abs=0.05)
    posterior = category_counts(fitted, draws=2)
    keys = ["construct", "item", "category", "label", "observed"]
    assert table[keys].equals(posterior[keys])


def test_without_a_survey_categories_are_bare_numbers() -> None:
    table, scores = prior_predictive(result("x =~ x1..x3").data, draws=5)
    assert list(table["category"][:4]) == [0, 1, 2, 3] and set(table["label"]) == {""}
    assert (scores["score"].min(), scores["score"].max()) == (0, 9)
    named, scores = prior_predictive(result("x =~ x1..x3").data, survey=survey(), draws=5)
    assert list(named["category"][:4]) == [1, 2, 3, 4]
    assert (scores["score"].min(), scores["score"].max()) == (3, 12)


def test_sum_scores_are_shares_of_the_persons() -> None:
    fitted = result(MEASURED)
    _, scores = prior_predictive(fitted.data, survey=fitted.survey, draws=50)
    assert list(scores.columns) == ["construct", "score", "lower", "mean", "upper"]
    assert scores.groupby("construct")["mean"].sum().to_numpy() == pytest.approx([1, 1, 1])
    assert ((scores["lower"] <= scores["upper"]) & (scores["lower"] >= 0)).all()
    # 38 persons answered every item of x: their shares are whole numbers of 38.
    single = prior_predictive(fitted.data, survey=fitted.survey, draws=1)[1]["mean"][:10] * 38
    np.testing.assert_allclose(single, np.round(single), atol=1e-9)
    assert single.sum() == pytest.approx(38)


def test_many_scores_are_binned_and_nobody_complete_means_everybody() -> None:
    text = "all =~ " + " + ".join(f"{name}{j}" for name in "xmy" for j in (1, 2, 3))
    answers = survey()
    codes = answers.codes.copy()
    codes[np.arange(40), np.arange(40) % 9] = -1
    fitted = result(text, answers=replace(answers, codes=codes))
    _, scores = prior_predictive(fitted.data, draws=20)
    assert len(scores) == 28 and scores["mean"].sum() == pytest.approx(1)


def test_scores_above_thirty_share_bins() -> None:
    from medpsy.posterior.predictive import _whole_bins

    edges, middles = _whole_bins(10, 50)
    assert len(middles) == 21 and list(middles[:2]) == [10.5, 12.5] and middles[-1] == 50
    assert edges[0] == 9.5 and edges[-1] == 50.5
    edges, middles = _whole_bins(0, 29)
    assert list(middles) == list(range(30)) and len(edges) == 31


def test_continuous_sum_scores_are_in_raw_units() -> None:
    fitted = result("f =~ n1..n3", family="gaussian")
    categories, scores = prior_predictive(fitted.data, draws=60)
    assert categories.empty and len(scores) == 30
    assert scores["mean"].sum() == pytest.approx(1)
    centre = sum(np.nanmean(fitted.survey.variables[name]) for name in ("n1", "n2", "n3"))
    unit = sum(np.nanstd(fitted.survey.variables[name]) for name in ("n1", "n2", "n3"))
    assert (scores["score"] * scores["mean"]).sum() == pytest.approx(centre, abs=unit)


def test_impossible_numbers_of_draws_are_refused() -> None:
    fitted = result(MEASURED)
    for draws in (0, -3, 2.5, True):
        with pytest.raises(SpecError, match="no number of draws"):
            category_counts(fitted, draws=draws)  # type: ignore[arg-type]
        with pytest.raises(SpecError, match="no number of draws"):
            prior_predictive(fitted.data, draws=draws)  # type: ignore[arg-type]
