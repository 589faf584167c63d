"""Items, modules, sample tables and content validity, against plain arithmetic and published formulas."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from hand_made import survey
from medpsy.classical.audit import audit
from medpsy.classical.content import agreement, aiken_interval, aiken_v, chance, modified_kappa, read_ratings
from medpsy.classical.inputs import read_answers, twins
from medpsy.classical.items import discrimination, item_statistics, mean_draws, module_statistics, moments
from medpsy.errors import DataError, SpecError
from medpsy.posterior.judging.content import content_validity
from medpsy.posterior.judging.describe import describe
from medpsy.survey.examples import load_example


def test_answers_of_survey_frame_and_array_are_the_same_numbers() -> None:
    answers = survey()
    found = read_answers(answers)
    assert [scale.name for scale in found.scales] == ["x", "m", "y"] and found.turned == {"x2"}
    codes = answers.item_codes(["x1", "x2"]).astype(float)
    np.testing.assert_array_equal(
        found.block(["x1"])[:, 0], np.where(codes[:, 0] < 0, np.nan, codes[:, 0] + 1)
    )
    given = codes[:, 1] >= 0
    np.testing.assert_array_equal(found.block(["x2"])[given, 0], codes[given, 1] + 1)
    np.testing.assert_array_equal(found.as_asked("x2")[given], 4 - codes[given, 1])
    frame = pd.DataFrame(found.values, columns=list(found.items))
    for other in (read_answers(frame), read_answers(found.values)):
        np.testing.assert_array_equal(other.values, found.values)
    chosen = read_answers(answers, {"both": ["m1", "x1..x2"]})
    assert chosen.items == ("m1", "x1", "x2") and chosen.scales[0].name == "both"
    assert read_answers(answers, ["y"]).items == ("y1", "y2", "y3")


def test_impossible_answers_are_refused_by_name() -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    for data, modules, text in (
        (frame, None, "column 'b'"),
        (np.ones(3), None, "no table of numbers"),
        (np.array([[1.0, np.inf]]), None, "'v2' holds an infinite"),
        (np.ones((0, 2)), None, "no persons"),
        (survey(), ["xx"], "no module 'xx'"),
        (survey(), {"q": ["x9"]}, "no item 'x9'"),
        (survey(), [], "no module to analyse"),
    ):
        with pytest.raises(DataError, match=text):
            read_answers(data, modules)


def test_items_are_described_as_asked_by_hand() -> None:
    answers = read_answers(survey())
    table = item_statistics(answers).set_index("item")
    asked = answers.as_asked("x2")
    asked = asked[~np.isnan(asked)]
    row = table.loc["x2"]
    assert [row["n"], row["missing"]] == [39, 1]
    assert [row["mean"], row["sd"], row["median"]] == pytest.approx(
        [asked.mean(), asked.std(ddof=1), np.median(asked)]
    )
    assert row["skew"] == pytest.approx(stats.skew(asked, bias=False))
    assert row["kurtosis"] == pytest.approx(stats.kurtosis(asked, bias=False))
    assert [row["floor"], row["ceiling"]] == pytest.approx([(asked == 1).mean(), (asked == 4).mean()])
    block = answers.block(["x1", "x2", "x3"])
    complete = block[~np.isnan(block).any(axis=1)]
    full = read_answers(complete)
    rest = complete[:, [0, 2]]
    alpha = 2 * (1 - rest.var(axis=0, ddof=1).sum() / rest.sum(axis=1).var(ddof=1))
    found = item_statistics(full).set_index("item").loc["v2"]
    assert found["alpha_if_dropped"] == pytest.approx(alpha)
    assert found["item_rest"] == pytest.approx(np.corrcoef(complete[:, 1], rest.sum(1))[0, 1])


def test_alpha_if_dropped_agrees_with_psych(shared: Path) -> None:
    import json

    entries = json.loads((shared / "reference" / "mexmed_students.json").read_text())["entries"]
    expected = next(e["results"] for e in entries if e["id"] == "classical.phq.alpha")
    table = item_statistics(read_answers(load_example("students"), ["phq"])).set_index("item")
    for item, value in expected["alpha_if_dropped"].items():
        assert table.loc[item, "alpha_if_dropped"] == pytest.approx(value, abs=1e-9)
        assert table.loc[item, "item_rest"] == pytest.approx(expected["r_drop"][item], abs=1e-9)


def test_moments_that_are_not_defined_are_not_numbers() -> None:
    assert np.isnan(list(moments(np.array([])).values())).all()
    one = moments(np.array([2.0]))
    assert one["mean"] == 2 and np.isnan(one["sd"]) and np.isnan(one["skew"])
    constant = moments(np.array([2.0, 2, 2, 2]))
    assert constant["sd"] == 0 and np.isnan(constant["kurtosis"])


def test_module_scores_need_half_of_their_items() -> None:
    values = np.array([[1, 2, 3, 4], [1, 2, np.nan, np.nan], [4, np.nan, np.nan, np.nan], [np.nan] * 4])
    table = module_statistics(read_answers(values)).iloc[0]
    assert [table["n"], table["unscored"]] == [2, 2]
    assert table["mean"] == pytest.approx((2.5 + 1.5) / 2)


def test_extreme_groups_by_hand() -> None:
    values = np.column_stack([np.arange(100.0), np.arange(100.0)[::-1] * 0, np.arange(100.0) % 7])
    answers = read_answers(values)
    table = discrimination(answers).set_index("item").loc["v1"]
    score = values.mean(axis=1)
    low, high = np.quantile(score, (0.27, 0.73))
    groups = values[score <= low, 0], values[score >= high, 0]
    assert [table["n_low"], table["n_high"]] == [len(group) for group in groups]
    expected = stats.ttest_ind(groups[1], groups[0], equal_var=False)
    assert table["t"] == pytest.approx(expected.statistic)
    assert table["difference"] == pytest.approx(groups[1].mean() - groups[0].mean())


def test_posterior_of_an_ordinal_mean_has_the_moments_of_the_dirichlet() -> None:
    codes, counts = np.array([1.0, 2, 5]), np.array([3, 0, 9])
    drawn = mean_draws(codes, counts, 200_000, np.random.default_rng(0))
    a = counts + 1 / 3
    p = a / a.sum()
    covariance = (np.diag(p) - np.outer(p, p)) / (a.sum() + 1)
    assert drawn.mean() == pytest.approx(p @ codes, abs=0.005)
    assert drawn.var() == pytest.approx(codes @ covariance @ codes, rel=0.02)


def test_describe_tells_what_is_odd() -> None:
    rng = np.random.default_rng(1)
    trait = rng.normal(size=200)
    frame = pd.DataFrame({f"q{j}": np.round(trait + rng.normal(size=200)) for j in range(4)})
    frame["q3"] = -frame["q3"]
    frame["q4"] = 1.0
    frame.loc[0, "q0"] = np.nan
    found = describe(read_answers(frame))
    notes = " ".join(found.notes)
    assert "1 of 1000 answers are missing" in notes and "q4 is constant" in notes and "q3 correlates" in notes
    items = found["items"].set_index("item")
    assert items.loc["q0", "lower"] < items.loc["q0", "posterior_mean"] < items.loc["q0", "upper"]
    counts = found["categories"]
    assert counts[counts["item"] == "q0"]["count"].sum() == 199
    assert found["distribution"]["count"].sum() == 200
    assert "Items and modules" in str(found) and "<table" in found._repr_html_()
    with pytest.raises(SpecError, match="Did you mean 'items'"):
        found["itmes"]


def test_doubled_items_are_found() -> None:
    values = np.array([[1.0, 1, 2], [2, 2, 1], [3, np.nan, 3]])
    assert twins(read_answers(values), ("v1", "v2", "v3")) == [("v1", "v2")]


def test_module_distribution_has_a_bar_for_every_score() -> None:
    rows = describe(read_answers(load_example("students"), ["gad"]))["distribution"]
    assert len(rows) == 22 and rows["count"].sum() == 780
    np.testing.assert_allclose((rows["low"] + rows["high"]) / 2, np.arange(22) / 7, atol=1e-12)


def test_audit_of_the_founding_table() -> None:
    table = audit({"gender": {"m": (115, 35.83), "f": 206}, "grade": {"third": "31.15 %"}}, n=321)
    by = table.set_index(["variable", "check"])["passed"]
    assert by["gender", "count makes percentage"] and by["gender", "counts add up to n"]
    assert by["grade", "percentage has a count"]
    assert table.set_index("check").loc["percentage has a count", "expected"] == 100


@pytest.mark.parametrize(
    "declared, check",
    [
        ({"m": (115, 35.84), "f": 206}, "count makes percentage"),
        ({"m": 115, "f": 205}, "counts add up to n"),
        ({"m": "35.8 %", "f": "65.2 %"}, "percentages add up to 100"),
        ({"m": "35.70 %"}, "percentage has a count"),
    ],
)
def test_audit_finds_what_does_not_add_up(declared: dict[str, object], check: str) -> None:
    table = audit({"gender": declared}, n=321)
    assert not table[table["check"] == check]["passed"].all()


def test_audit_against_the_answers() -> None:
    students = load_example("students")
    good = audit({"sex": {"f": 403, "m": (380, "48.53")}}, survey=students)
    assert good["passed"].all() and (good["check"] == "count in the answers").sum() == 2
    bad = audit({"sex": {"f": 402, "m": 381}}, survey=students)
    assert list(bad[~bad["passed"]]["expected"]) == [403, 380]
    for declared, text in (
        ({"sex": {"x": 1}}, "no level 'x'"),
        ({"sxe": {"f": 1}}, "no variable 'sxe'"),
        ({"age": {"f": 1}}, "is a number"),
        ({"sex": {"f": "many"}}, "neither a count nor a percentage"),
        ({"sex": {"f": (3, 130)}}, "neither a count nor a percentage"),
    ):
        with pytest.raises((SpecError, DataError), match=text):
            audit(declared, survey=students)


#: Polit, Beck & Owen (2007), Table 1: experts, agreements, pc, kappa (rounded as printed).
POLIT = [
    (3, 3, 0.125, 1.00), (3, 2, 0.375, 0.47), (4, 4, 0.063, 1.00), (4, 3, 0.250, 0.67), (5, 4, 0.156, 0.76),
    (6, 5, 0.094, 0.82), (7, 6, 0.055, 0.85), (8, 7, 0.031, 0.87), (9, 8, 0.020, 0.89),
]  # fmt: skip


@pytest.mark.parametrize("n, agreed, pc, kappa", POLIT)
def test_modified_kappa_is_that_of_the_published_table(n: int, agreed: int, pc: float, kappa: float) -> None:
    found = chance(np.array([n]), np.array([agreed]))
    # The table prints pc with three decimals, cut or rounded, and kappa computed from rounded terms.
    assert found[0] == pytest.approx(pc, abs=0.003)
    assert modified_kappa(np.array([agreed / n]), found)[0] == pytest.approx(kappa, abs=0.006)


def test_aiken_interval_solves_the_score_equation() -> None:
    v, n, steps = np.array([0.0, 0.4, 0.95, 1.0]), np.array([5, 8, 10, 6]), 3
    low, high = aiken_interval(v, n, steps, 0.95)
    z = stats.norm.ppf(0.975)
    for bound in (low, high):
        # (V - bound)^2 = z^2 bound (1 - bound) / (n steps): the interval of Wilson for a mean of steps.
        np.testing.assert_allclose((v - bound) ** 2, z**2 * bound * (1 - bound) / (n * steps), atol=1e-12)
    assert (low <= v + 1e-12).all() and (v <= high + 1e-12).all()


def test_content_validity_by_hand() -> None:
    frame = pd.DataFrame(
        [[4, 4, 3, 4, 4, 4], [3, 2, 4, 4, np.nan, 3], [1, 2, 2, 3, 4, 4]], index=["a", "b", "c"]
    )
    ratings = read_ratings(frame)
    n, agreed = agreement(ratings)
    assert list(n) == [6, 5, 6] and list(agreed) == [6, 4, 3]
    np.testing.assert_allclose(aiken_v(ratings), [(23 / 6 - 1) / 3, (16 / 5 - 1) / 3, (16 / 6 - 1) / 3])
    found = content_validity(ratings, draws=20_000)
    items = found["items"].set_index("item")
    for item, a, size in (("a", 6, 6), ("b", 4, 5), ("c", 3, 6)):
        posterior = stats.beta(1 + a, 1 + size - a)
        assert items.loc[item, "mean"] == pytest.approx(posterior.mean())
        assert items.loc[item, "p_i_cvi"] == pytest.approx(posterior.sf(0.78), abs=0.015)
        assert items.loc[item, "lower"] == pytest.approx(posterior.ppf(0.025), abs=0.015)
    scale = found["scale"].set_index("coefficient")
    assert scale.loc["S-CVI/Ave", "estimate"] == pytest.approx((1 + 0.8 + 0.5) / 3)
    assert scale.loc["S-CVI/UA", "estimate"] == pytest.approx(1 / 3)
    assert items.loc["a", "v_mean"] < items.loc["a", "aiken_v"]  # the prior pulls towards the middle
    assert any("1 ratings are missing" in note for note in found.notes)


@pytest.mark.parametrize(
    "ratings, options, text",
    [
        ([[1, 5]], {}, "'item 1' was rated 5 by expert 2"),
        ([[1.5, 2]], {}, "was rated 1.5"),
        ([[np.nan, np.nan]], {}, "nobody rated"),
        ([1, 2], {}, "ratings are a table"),
        ([["x"]], {}, "no numbers"),
        ([[1]], {"lowest": 4}, "has no steps"),
        ([[1]], {"relevant": 1}, "relevant = 1"),
    ],
)
def test_impossible_ratings_are_refused(ratings: list[object], options: dict[str, int], text: str) -> None:
    with pytest.raises((DataError, SpecError), match=text):
        read_ratings(np.array(ratings, dtype=object), **options)
