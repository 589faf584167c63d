"""Fits with groups: views of each group, tables of all, differences of means and items, figures."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

import hand_made
from group_cases import drawn, grouped, simulated, simulated_numbers
from medpsy.classical.group_scores import score_differences, what_if
from medpsy.errors import DataError, SpecError
from medpsy.plots.invariance import invariance as invariance_figure
from medpsy.plots.item_by_group import item_by_group
from medpsy.plots.item_differences import item_differences as differences_figure
from medpsy.posterior.by_group import ALL, view, views
from medpsy.posterior.effects import effects
from medpsy.posterior.group_fits import with_classes
from medpsy.posterior.group_means import group_means, icc, moments
from medpsy.posterior.invariance import (
    aligned,
    aligned_differences,
    invariance_table,
    ladder,
    means_by_level,
)
from medpsy.posterior.item_differences import expected_by_group, item_differences, score_impact
from medpsy.posterior.reliability import reliability
from medpsy.posterior.scores import scores
from medpsy.posterior.summary import summary
from medpsy.result import Result, load
from medpsy.spec.groups import Groups
from medpsy.survey.bands import banded

TEXT = "x =~ x1..x4"


def prob(location: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """Category probabilities whose thresholds are location + (-1.5, -0.5, 0.5, 1.5)."""
    cut = location[:, None] + np.array([-1.5, -0.5, 0.5, 1.5])
    above = expit(-cut / np.sqrt(1 + 0.3457 * slope**2)[:, None])
    edges = np.concatenate([np.ones((len(cut), 1)), above, np.zeros((len(cut), 1))], axis=1)
    return edges[:, :-1] - edges[:, 1:]


@pytest.fixture(scope="module")
def made() -> Result:
    """Four items; the third is harder by 0.8 in group b, the fourth has half the slope there."""
    survey, _ = simulated((60, 40), items=4, seed=3)
    groups = Groups("arm", release=("location.x3", "slope.x4"))
    slope, location = np.array([1.0, 1.5, 2.0, 1.2]), np.array([0.0, 0.3, -0.2, 0.5])
    values = {
        "slope_x": slope, "category_prob_x": prob(location, slope), "group_mean": [0.4],
        "group_log_sd": [np.log(1.5)], "difference_location_x": [0.8], "difference_slope_x": [np.log(0.5)],
    }  # fmt: skip
    return drawn(grouped(TEXT, survey, groups), survey, values)


def test_each_group_is_a_result_of_its_own(made: Result) -> None:
    found = views(made)
    assert list(found) == ["a", "b"]
    assert found["b"].survey.n_person == 40
    b = found["b"].values()
    np.testing.assert_allclose(b["slope_x"][0, 0], [1.0, 1.5, 2.0, 0.6])
    np.testing.assert_allclose(b["group_sd"], 1.5)
    threshold = found["b"].tree["posterior"]["threshold_x"].to_numpy()[0, 0]
    np.testing.assert_allclose(threshold.mean(-1), [0.0, 0.3, 0.6, 0.5], atol=1e-9)
    with pytest.raises(SpecError, match="no group 'c' of 'arm'"):
        view(made, "c")


def test_summary_has_one_row_for_what_groups_share(made: Result) -> None:
    table = summary(made)
    slopes = table[table["section"] == "Slopes"].set_index(["rhs", "group"])["mean"]
    assert slopes["x1", ALL] == pytest.approx(1.0)
    assert slopes["x4", "a"] == pytest.approx(1.2) and slopes["x4", "b"] == pytest.approx(0.6)
    means = table[table["section"] == "Group means"].set_index("group")
    assert means.loc["b", "mean"] == pytest.approx(0.4) and means.loc["b", "prior"] == "Normal(0, 1)"
    sds = table[table["section"] == "Group SDs"].set_index("group")["mean"]
    assert sds["b"] == pytest.approx(1.5) and sds["a"] == 1.0


def test_reliability_grows_with_the_spread_of_the_group(made: Result) -> None:
    table = reliability(made)
    model = table[table["coefficient"].str.contains("model")].set_index("group")["mean"]
    assert model["b"] > model["a"]


def test_scores_are_aligned_with_the_survey_and_on_one_scale(made: Result) -> None:
    found = scores(made, draws=20, seed=1)
    assert found["person"].values.tolist() == made.survey.person.tolist()
    mean, total = found["mean"].values[:, 0], made.survey.codes.sum(1)
    assert np.corrcoef(mean, total)[0, 1] > 0.9
    own = scores(views(made)["b"], draws=20, seed=2)
    rows = made.data.groups.rows[1]
    np.testing.assert_allclose(found["mean"].values[rows, 0], own["mean"].values[:, 0], atol=1e-9)


def test_differences_of_items_and_their_classes(made: Result) -> None:
    table = with_classes(item_differences(made), 0.5).set_index(["item", "coordinate"])
    assert set(table.index) == {("x3", "location"), ("x4", "slope")}
    assert table.loc[("x3", "location"), "mean"] == pytest.approx(0.8)
    assert table.loc[("x3", "location"), "class"] == "C" and table.loc[("x4", "slope"), "flagged"]
    assert table.loc[("x4", "slope"), "mean"] == pytest.approx(np.log(0.5))
    assert table.loc[("x4", "slope"), "class"] == ""
    small = item_differences(made, relevant={"location": 1.0}).set_index("item")
    assert small.loc["x3", "p_relevant"] == 0.0
    with pytest.raises(SpecError, match="no coordinate 'locatoin'"):
        item_differences(made, relevant={"locatoin": 1.0})


def test_score_impact_is_the_integral_over_the_group(made: Result) -> None:
    table = score_impact(made, draws=5).set_index("item")
    theta = np.linspace(0.4 - 8 * 1.5, 0.4 + 8 * 1.5, 4001)
    weight = np.exp(-0.5 * ((theta - 0.4) / 1.5) ** 2)
    weight /= weight.sum()

    def expected(slope: float, location: float) -> np.ndarray:
        cuts = location + np.array([-1.5, -0.5, 0.5, 1.5])
        return expit(slope * theta - cuts[:, None]).sum(0)

    hard = expected(2.0, 0.6) - expected(2.0, -0.2)
    flat = expected(0.6, 0.5) - expected(1.2, 0.5)
    assert table.loc["x3", "mean"] == pytest.approx(weight @ hard, rel=1e-3)
    assert table.loc["x4", "unsigned"] == pytest.approx(weight @ np.abs(flat), rel=1e-3)
    assert table.loc["", "mean"] == pytest.approx(weight @ (hard + flat), rel=1e-3)
    assert table.loc["", "unsigned"] == pytest.approx(weight @ np.abs(hard + flat), rel=1e-3)
    assert table.loc["", "share"] == pytest.approx(abs(weight @ (hard + flat)) / 16, rel=1e-3)
    assert table.loc["x1", "mean"] == 0.0


def test_latent_means_in_pooled_sds(made: Result) -> None:
    row = group_means(made).iloc[0]
    pooled = np.sqrt((60 * 1.0 + 40 * 1.5**2) / 100)
    assert (row["group"], row["against"], row["n"], row["n_against"]) == ("b", "a", 40, 60)
    assert row["d"] == pytest.approx(0.4 / pooled) and row["sd_ratio"] == pytest.approx(1.5)
    assert row["p_negligible"] == 0.0 and group_means(made, rope=0.9).iloc[0]["p_negligible"] == 1.0
    between = 0.6 * 0.16**2 + 0.4 * 0.24**2
    assert icc(made)[0, 0] == pytest.approx(between / (between + pooled**2), rel=1e-9)


def test_covariates_and_paths_enter_the_latent_means() -> None:
    survey = hand_made.survey(60)
    data = grouped("x =~ x1..x3\ny =~ y1..y3\ny ~ a*x\nx ~ age", survey, Groups("sex"))
    result = drawn(data, survey, {"group_mean": [0.5, 0.2], "group_log_sd": [0.3, -0.1]})
    mean, sd = moments(result)
    values = result.values()
    part = data.groups.parts[1]
    names = [c.name for c in data.layout.coefficients]
    path = values["path[m]"].reshape(200, -1)
    age, a = path[:, names.index("x~age")], path[:, names.index("y~x")]
    centre = part.design[:, 1].mean()
    np.testing.assert_allclose(mean[:, 1, 0], 0.5 + age * centre, rtol=1e-9)
    np.testing.assert_allclose(mean[:, 1, 1], 0.2 + a * mean[:, 1, 0], rtol=1e-9)
    spread = age**2 * part.design[:, 1].var() + np.exp(0.3) ** 2
    np.testing.assert_allclose(sd[:, 1, 0] ** 2, spread, rtol=1e-9)
    np.testing.assert_allclose(sd[:, 1, 1] ** 2, a**2 * spread + np.exp(-0.1) ** 2, rtol=1e-9)
    table = effects(result)
    assert set(table["group"]) == {"f", "m"} and (table["effect"] == "a").all()


def test_continuous_items_differ_in_raw_units() -> None:
    survey, _ = simulated_numbers((50, 50), items=3)
    data = grouped("x =~ n1..n3", survey, Groups("arm", release=("intercepts.n2",)), "gaussian")
    result = drawn(data, survey, {"difference_intercept_x": [0.5]})
    impact = score_impact(result, draws=5).set_index("item")
    assert impact.loc["n2", "mean"] == pytest.approx(0.5 * data.blocks[0].unit[1])
    curves = expected_by_group(result, "n2", draws=10)
    gap = curves["expected"].sel(bound="mean").diff("group").values
    np.testing.assert_allclose(gap, 0.5 * data.blocks[0].unit[1], rtol=1e-9)


def configural(loading_ratio: float = 1.4) -> tuple[Result, Any]:
    survey, _ = simulated((60, 60), items=4, seed=4)
    slope, location = np.array([1.0, 1.5, 2.0, 1.2]), np.array([0.0, 0.3, -0.2, 0.5])
    # Group b in its own units: mean 0.6 and sd 1.4 on the scale of group a; item x2 is 0.9 harder there.
    own = location - slope * 0.6 + np.array([0.0, 0.9, 0.0, 0.0])
    values = {
        "slope_x": slope, "category_prob_x": prob(location, slope),
        "difference_slope_x": np.full(4, np.log(loading_ratio)), "difference_location_x": own - location,
        "difference_gap_x": np.zeros(12),
    }  # fmt: skip
    data = grouped(
        TEXT, survey, ladder("arm", list(grouped(TEXT, survey, None).model.families.values()))["configural"]
    )
    return drawn(data, survey, values, noise=0.01), values


def test_alignment_of_a_configural_model_finds_means_and_the_item() -> None:
    result, _ = configural()
    found = {"x": aligned(result, "x", draws=20)}
    assert found["x"].mean[:, 1].mean() == pytest.approx(0.6, abs=0.06)
    assert found["x"].sd[:, 1].mean() == pytest.approx(1.4, abs=0.06)
    table = aligned_differences(result, found)
    location = table[table["coordinate"] == "location"].set_index("item")
    assert location.loc["x2", "mean"] == pytest.approx(0.9, abs=0.12)
    assert location.loc["x2", "p_relevant"] == 1.0 and location["p_relevant"].drop("x2").max() == 0.0
    assert table.attrs["share"] == {"x": 1 / 8}
    # Neither configural nor equal loadings alone tell means; the alignment stands there once.
    means = means_by_level({"configural": result, "loadings": result}, found)
    assert means["level"].tolist() == ["aligned"]
    assert means.iloc[0]["d"] == pytest.approx(0.6 / np.sqrt((1 + 1.4**2) / 2), abs=0.05)


def test_invariance_table_pairs_persons(made: Result) -> None:
    other = replace(made, tree=made.tree.copy())
    terms = other.tree["log_likelihood"]["answers"]
    shift = np.where(np.arange(terms.sizes["person"]) < 50, 0.3, -0.1)
    other.tree["log_likelihood"]["answers"] = terms + shift
    table = invariance_table({"one": made, "two": other})
    assert np.isnan(table["elpd_diff"][0])
    assert table["elpd_diff"][1] == pytest.approx(shift.sum(), abs=1e-6)
    assert table["se_diff"][1] == pytest.approx(np.sqrt(100 * shift.var(ddof=1)), abs=1e-6)
    assert table["verdict"][1] == "predicts better than one: holds"
    assert "not: location.x3, slope.x4" in table["equal"][0]


def test_levels_of_the_ladder() -> None:
    survey = hand_made.survey(30)
    ordinal = list(grouped("x =~ x1..x3", survey, None).model.families.values())
    numbers = list(grouped("x =~ n1..n3", survey, None, "gaussian").model.families.values())
    assert list(ladder("sex", ordinal)) == ["configural", "thresholds", "loadings", "approximate"]
    rungs = ladder("sex", numbers)
    assert list(rungs) == ["configural", "loadings", "intercepts", "residuals", "approximate"]
    assert rungs["residuals"].equal == ("loadings", "intercepts", "residuals")
    # Equal parameters are one parameter.
    names = {p.name for p in grouped("x =~ n1..n3", survey, rungs["intercepts"], "gaussian").parameters}
    assert {n for n in names if n.startswith("difference")} == {"difference_residual_sd_x"}


def test_observed_scores_are_compared_by_welch() -> None:
    from scipy import stats

    rng = np.random.default_rng(6)
    score, label = rng.normal(2, 1, 80), np.repeat([0, 1, 2, -1], 20)
    score[label == 1] = score[label == 1] * 3 + 1
    score[3] = np.nan
    table = score_differences(score, label, ("a", "b", "c")).set_index(["group", "against"])
    x, y = score[(label == 0) & ~np.isnan(score)], score[label == 1]
    test = stats.ttest_ind(y, x, equal_var=False)
    row = table.loc[("b", "a")]
    assert row["p"] == pytest.approx(test.pvalue) and row["df"] == pytest.approx(test.df)
    low, high = test.confidence_interval(0.95)
    assert (row["lower"], row["upper"]) == pytest.approx((low, high))
    assert (row["n"], row["n_against"]) == (20, 19)
    with pytest.raises(DataError, match="fewer than two groups"):
        score_differences(score, np.zeros(80, int), ("a",))


def test_what_if_clusters_had_been_recorded() -> None:
    table = what_if(321, sizes=(40,), iccs=(0.02, 0.05, 0.1)).set_index("icc")
    assert table["effective_n"].round().tolist() == [180, 109, 66]
    assert table.loc[0.05, "error_factor"] == pytest.approx(np.sqrt(2.95))
    with pytest.raises(DataError, match="do not exist"):
        what_if(100, sizes=(0.5,))


def test_numbers_are_cut_into_bands() -> None:
    survey = hand_made.survey(60)
    made, name = banded(survey, "age", 3)
    assert name == "age (bands)" and np.bincount(made.variables[name]).tolist() == [20, 20, 20]
    values = survey.variables["age"]
    assert values[made.variables[name] == 0].max() < values[made.variables[name] == 1].min()
    missing, _ = banded(survey, "n2", 2)
    assert missing.variables["n2 (bands)"][7] == -1
    with pytest.raises(SpecError, match="has levels already"):
        banded(survey, "sex")


def test_a_number_with_few_values_has_a_group_for_each() -> None:
    survey = hand_made.survey(60)
    survey.variables["age"] = np.tile([1.0, 2.0, 3.0, 4.0], 15)
    made, name = banded(survey, "age")
    assert name == "age (values)" and made.variable(name).levels == ("1", "2", "3", "4")
    assert (made.variables[name] == survey.variables["age"] - 1).all()
    asked, name = banded(survey, "age", 2)
    assert name == "age (bands)" and asked.variable(name).levels == ("1 to 2", "3 to 4")
    assert banded(hand_made.survey(60), "age")[1] == "age (bands)"


def test_a_fit_with_groups_is_saved_and_read(made: Result, tmp_path: Path) -> None:
    made.save(tmp_path / "fit.nc")
    again = load(tmp_path / "fit.nc")
    assert again.model.spec == made.model.spec and again.model.spec.groups.release == (
        "location.x3",
        "slope.x4",
    )
    pd.testing.assert_frame_equal(summary(again), summary(made))


def test_figures_show_every_row(made: Result) -> None:
    table = item_differences(made)
    figure = differences_figure(table)
    texts = [t.get_text() for axes in figure.axes for t in axes.get_yticklabels()]
    assert texts == ["x4", "x3"]
    curves = expected_by_group(made, "x3", draws=20)
    drawn_item = item_by_group(curves)
    assert len(drawn_item.axes[0].get_lines()) == 2
    result, _ = configural()
    levels = {"configural": result, "loadings": made}
    means = means_by_level(levels, {"x": aligned(result, "x", draws=5)})
    rows = pd.DataFrame({"level": list(levels), "elpd_diff": [np.nan, -3.0], "se_diff": [np.nan, 2.0]})
    whole = invariance_figure(rows, means)
    labels = [t.get_text() for t in whole.axes[1].get_yticklabels()]
    assert labels == ["aligned", "loadings"]
    assert re.search("95 %", whole.axes[1].get_xlabel())
