"""Fit of items, pairs and persons: answers that follow the model, and answers spoilt one way at a time."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from scipy import stats
from scipy.special import expit

import hand_made
from medpsy.api.fits import Fit
from medpsy.errors import SpecError
from medpsy.posterior.item_fit import item_fit, item_parameters, residuals
from medpsy.posterior.local_dependence import local_dependence, pair_table
from medpsy.posterior.person_fit import person_fit
from medpsy.posterior.replicates import Replicates, ppp
from medpsy.posterior.score_distribution import category_use, score_distribution
from medpsy.result import Result
from medpsy.simulate import simulate_from
from medpsy.survey.instrument import Instrument, Module
from medpsy.survey.survey import Survey

J, K = 8, 4
ITEMS = tuple(f"q{j}" for j in range(1, J + 1))
SLOPE = np.linspace(0.9, 2.2, J)
PROB = np.array([np.roll([0.4, 0.3, 0.2, 0.1], j % 3) for j in range(J)])


def graded_probabilities(theta: np.ndarray) -> np.ndarray:
    """P (person, item, category) at the true parameters, from the formula of the model."""
    out = np.empty((len(theta), J, K))
    for j in range(J):
        scale = np.sqrt(1 + 0.3457 * SLOPE[j] ** 2)
        share = [PROB[j, k:].sum() for k in range(1, K)]
        cuts = [-scale * np.log(s / (1 - s)) for s in share]
        above = [np.ones_like(theta), *(expit(SLOPE[j] * theta - c) for c in cuts), np.zeros_like(theta)]
        out[:, j] = np.array([a - b for a, b in itertools.pairwise(above)]).T
    return out


def simulated(n: int = 400, seed: int = 1, missing: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Scores and codes (person, item)."""
    rng = np.random.default_rng(seed)
    theta = rng.normal(size=n)
    cumulative = graded_probabilities(theta).cumsum(-1)
    codes = (rng.random((n, J, 1)) > cumulative[..., :-1]).sum(-1)
    return theta, np.where(rng.random((n, J)) < missing, -1, codes)


def survey_of(codes: np.ndarray, turned: tuple[str, ...] = ()) -> Survey:
    module = Module("x", ITEMS, (1, 2, 3, 4), hand_made.LABELS, turned)
    person = np.array([f"p{i}" for i in range(len(codes))])
    return Survey(Instrument((module,)), person, codes.astype(np.int8))


def at_truth(codes: np.ndarray, draws: int = 80, turned: tuple[str, ...] = ()) -> Result:
    """A result all of whose draws are the true parameters."""
    fixed = {"slope_x": SLOPE, "category_prob_x": PROB}
    answers = survey_of(codes, turned)
    return hand_made.result("x =~ q1..q8", fixed, answers=answers, chains=2, draws=draws // 2)


@pytest.fixture(scope="module")
def sound() -> Result:
    return at_truth(simulated(missing=0.02)[1], draws=50)


def test_answers_of_the_model_are_hardly_flagged(sound: Result) -> None:
    items, pairs, persons = item_fit(sound), local_dependence(sound), person_fit(sound)
    assert items.attrs["tests"] == 3 * J and items.attrs["by_chance"] == pytest.approx(0.05 * 3 * J)
    assert items.attrs["flags"] <= 4
    assert items["infit"].between(0.85, 1.15).all() and items["outfit"].between(0.8, 1.25).all()
    assert pairs.attrs["flags"]["Q3"] == 0 and len(pairs) == J * (J - 1) // 2
    assert pairs.attrs["flags"]["table"] <= 5 and pairs["q3"].abs().max() < 0.2
    assert persons.attrs["by_chance"] == pytest.approx(20) and persons.attrs["flags"] < 32
    assert abs(persons["lz_star"].mean()) < 0.2 and persons["lz_star"].std() == pytest.approx(1, abs=0.15)


def test_p_values_at_the_truth_are_uniform() -> None:
    found, scores = [], []
    for seed in range(5):
        fitted = at_truth(simulated(150, seed)[1], draws=40)
        found.append(item_fit(fitted, seed=seed)[["s_x2_ppp", "infit_ppp", "outfit_ppp"]].to_numpy())
    for seed in range(14):
        fitted = at_truth(simulated(100, seed)[1], draws=40)
        scores.append(score_distribution(fitted, seed=seed).attrs["ppp"]["x"])
    for values in (*np.concatenate(found).T, np.array(scores)):
        assert stats.kstest(values, "uniform").pvalue > 0.001


def test_statistics_are_those_of_the_definitions(sound: Result) -> None:
    made = Replicates(sound, 10)
    block = made.blocks[0]
    prob = graded_probabilities(made.theta[3][:, 0])
    residual, variance = residuals(made, 3, block, block.values, made.theta[3][:, 0])
    codes = np.arange(K)
    assert variance == pytest.approx(prob @ codes**2 - (prob @ codes) ** 2, abs=1e-9)
    given = block.values >= 0
    assert residual[given] == pytest.approx((block.values - prob @ codes)[given], abs=1e-9)
    assert np.isnan(residual[~given]).all()
    assert (item_parameters(sound, block) == 1 + K - 1).all()


def test_replicates_repeat_and_keep_what_is_missing(sound: Result) -> None:
    made, again = Replicates(sound, 5), Replicates(sound, 5)
    block = made.blocks[0]
    for answers in (made.new_persons(2)[1]["x"], made.same_persons(2)["x"]):
        assert ((answers < 0) == (block.values < 0)).all()
    assert (made.same_persons(4)["x"] == again.same_persons(4)["x"]).all()
    assert (made.new_persons(4)[1]["x"] == again.new_persons(4)[1]["x"]).all()
    assert not (made.new_persons(1)[1]["x"] == made.new_persons(2)[1]["x"]).all()


def test_p_value_counts_draws_and_is_never_zero_or_one() -> None:
    observed = np.array([[1.0, 5.0, np.nan], [1.0, 5.0, np.nan], [3.0, 5.0, 1.0]])
    replicated = np.array([[2.0, 1.0, 1.0], [1.0, 1.0, 1.0], [1.0, 1.0, 2.0]])
    assert ppp(observed, replicated) == pytest.approx([2.5 / 4, 0.5 / 4, 1.5 / 2])


def test_an_item_that_says_the_opposite_is_flagged() -> None:
    codes = simulated()[1]
    codes[:, 4] = K - 1 - codes[:, 4]
    table = item_fit(at_truth(codes)).set_index("item")
    assert "S-X2" in table.loc["q5", "flag"] and "outfit high" in table.loc["q5", "flag"]
    assert table.loc["q5", "p"] < 1e-6 and table.loc["q5", "infit"] > 1.5
    assert table["s_x2"].idxmax() == "q5"


def test_items_that_repeat_each_other_are_locally_dependent() -> None:
    codes = simulated()[1]
    rng = np.random.default_rng(0)
    codes[:, 1] = np.where(rng.random(400) < 0.5, codes[:, 0], codes[:, 1])
    table = local_dependence(at_truth(codes))
    worst = table.iloc[0]
    assert {worst["item_1"], worst["item_2"]} == {"q1", "q2"} and worst["flag"] == "Q3, table"
    assert worst["q3"] > 0.3 and worst["q3_ppp"] < 0.02 and table["q3"].is_monotonic_decreasing


def test_two_way_table_is_that_of_the_file_with_the_expected_margins() -> None:
    codes = simulated(missing=0.05)[1]
    fitted = at_truth(codes, turned=("q2",))
    table = pair_table(fitted, "q1", "q2", draws=3)
    both = (codes[:, :2] >= 0).all(1)
    assert table["observed"].sum() == both.sum() and table["expected"].sum() == pytest.approx(both.sum())
    row = table[(table["q1"] == 2) & (table["q2"] == 4)].iloc[0]
    # Code 4 of a turned item is the lowest category.
    assert row["observed"] == ((codes[:, 0] == 1) & (codes[:, 1] == 0)).sum()
    assert (row["label_1"], row["label_2"]) == ("rarely", "always")
    assert row["residual"] == pytest.approx((row["observed"] - row["expected"]) / np.sqrt(row["expected"]))
    theta = np.linspace(-6, 6, 1001)
    weight = stats.norm.pdf(theta) / stats.norm.pdf(theta).sum()
    prob = graded_probabilities(theta)
    assert row["expected"] == pytest.approx(both.sum() * (weight * prob[:, 0, 1]) @ prob[:, 1, 0], rel=1e-6)


def test_a_person_who_contradicts_herself_is_flagged_with_the_reason() -> None:
    codes = simulated()[1]
    codes[7] = [1, 3, 1, 3, 0, 0, 3, 0]
    codes[8] = -1
    table = person_fit(at_truth(codes, turned=("q5",)))
    person = table.loc[7]
    assert person["person"] == "p7" and person["flag"] and person["ppp"] < 0.03 and person["lz_star"] < -2.5
    answers = [part.partition(" (")[0] for part in person["unlikely"].split("; ")]
    assert 1 <= len(answers) <= 3
    # The file's words, also for the turned item.
    given = {
        f"{item} = '{hand_made.LABELS[3 - k if item == 'q5' else k]}'"
        for item, k in zip(ITEMS, codes[7], strict=True)
    }
    assert set(answers) <= given
    assert (
        table.loc[8, "answers"] == 0 and np.isnan(table.loc[8, ["ppp", "lz", "lz_star"]].astype(float)).all()
    )
    assert not table.loc[8, "flag"] and (table["unlikely"] != "").sum() == table["flag"].sum()


def test_persons_in_the_order_of_the_survey_and_lz_near_that_of_the_true_score() -> None:
    theta, codes = simulated(600, 3)
    table = person_fit(at_truth(codes))
    assert list(table["person"]) == [f"p{i}" for i in range(600)]
    prob = graded_probabilities(theta)
    given = np.log(np.take_along_axis(prob, codes[:, :, None], 2)[:, :, 0]).sum(1)
    mean = (prob * np.log(prob)).sum(-1)
    variance = ((prob * np.log(prob) ** 2).sum(-1) - mean**2).sum(-1)
    true = (given - mean.sum(-1)) / np.sqrt(variance)
    assert np.corrcoef(true, table["lz_star"])[0, 1] > 0.8


def test_score_distribution_counts_complete_persons(sound: Result) -> None:
    table = score_distribution(sound)
    codes = sound.data.blocks[0].values
    complete = (codes >= 0).all(1)
    assert table.attrs["incomplete"] == {"x": int((~complete).sum())} and set(table.attrs["ppp"]) == {"x"}
    assert list(table["score"]) == list(range(J, 4 * J + 1))  # codes of the file start at 1
    totals = codes[complete].sum(1) + J
    assert list(table["observed"]) == [int((totals == s).sum()) for s in table["score"]]
    assert table["predicted"].sum() == pytest.approx(complete.sum())
    assert (table["lower"] <= table["upper"]).all()
    spoilt = simulated()[1]
    spoilt[:150] = 3
    assert score_distribution(at_truth(spoilt)).attrs["ppp"]["x"] < 0.02


def test_category_use_finds_a_category_out_of_order() -> None:
    codes = simulated()[1]
    codes[:, 2] = np.array([0, 2, 1, 3])[codes[:, 2]]
    codes[codes[:, 6] == 3, 6] = 2
    table = category_use(at_truth(codes, turned=("q4",))).set_index(["item", "category"])
    assert table.loc[("q3", 3), "p_ordered"] < 0.05 and table.loc[("q1", 2), "p_ordered"] > 0.95
    assert table.loc[("q7", 4), "count"] == 0 and np.isnan(table.loc[("q7", 4), "mean"])
    assert table.loc[("q7", 3), "p_ordered"] > 0.9
    # A turned item: its highest code is the lowest category.
    assert table.loc[("q4", 4), "count"] == (codes[:, 3] == 0).sum() and np.isnan(
        table.loc[("q4", 4), "p_ordered"]
    )
    assert table.loc[("q1",), "share"].sum() == pytest.approx(1)


def test_several_constructs_with_covariates_and_gaps() -> None:
    fitted = hand_made.result(hand_made.WITH_SEX, draws=15)
    items, pairs, persons = item_fit(fitted), local_dependence(fitted), person_fit(fitted, "m")
    assert list(items["construct"].unique()) == ["x", "m", "y"] and len(items) == 9
    assert items["infit"].notna().all()
    assert len(pairs) == 36 and pairs["table_ppp"].notna().sum() == 9
    own = pairs[pairs["construct_1"] == pairs["construct_2"]]
    assert own["table_ppp"].notna().all()
    assert (persons["answers"] <= 3).all() and len(persons) == 40
    assert set(score_distribution(fitted)["construct"]) == {"x", "m", "y"}


def test_impossible_requests_are_refused(sound: Result) -> None:
    with pytest.raises(SpecError, match="no construct 'depresion'"):
        person_fit(sound, "depresion")
    with pytest.raises(SpecError, match="alpha = 2 is no level"):
        item_fit(sound, alpha=2)
    with pytest.raises(SpecError, match="draws = 0"):
        local_dependence(sound, draws=0)
    with pytest.raises(SpecError, match="no item 'q9'"):
        pair_table(sound, "q1", "q9")
    with pytest.raises(SpecError, match="compared with itself"):
        pair_table(sound, "q1", "q1")
    numbers = hand_made.result("f =~ n1 + n2 + n3", families={"f": "gaussian"}, draws=10)
    with pytest.raises(SpecError, match="no items with answer categories"):
        item_fit(numbers)


def test_small_modules_have_no_s_x2_but_everything_else() -> None:
    answers = simulated()[1]
    answers[:, 0] = np.where(np.arange(400) % 2 == 0, -1, answers[:, 0])
    answers[:, 1] = np.where(np.arange(400) % 2 == 1, -1, answers[:, 1])
    table = item_fit(at_truth(answers, draws=20))
    assert (table["n_complete"] == 0).all() and table[["s_x2", "p", "s_x2_ppp"]].isna().all().all()
    assert table[["infit", "outfit"]].notna().all().all()
    pairs = local_dependence(at_truth(answers, draws=20)).set_index(["item_1", "item_2"])
    assert pairs.loc[("q1", "q2"), "n"] == 0 and np.isnan(pairs.loc[("q1", "q2"), "q3"])
    assert score_distribution(at_truth(answers, draws=20)).empty


def test_verbs_of_a_fit_and_their_figures() -> None:
    fit = Fit(at_truth(simulated(80)[1], draws=12))
    fit.__dict__["gate"] = type("Gate", (), {"trusted": False, "reasons": ["made by hand"]})()
    for table in (fit.item_fit(), fit.local_dependence(), fit.person_fit(), fit.score_distribution()):
        assert not table["trusted"].any() and table.attrs["reasons"] == "made by hand"
    assert fit.item_fit().attrs["by_chance"] == pytest.approx(1.2)
    assert fit.item_fit(draws=5, seed=3)["infit"].notna().all()
    for figure in (
        fit.plot_item_fit(), fit.plot_local_dependence(), fit.plot_person_fit(),
        fit.plot_score_distribution(),
    ):  # fmt: skip
        assert isinstance(figure, Figure)
        drawn = " ".join(text.get_text() for axes in figure.axes for text in axes.texts)
        assert figure.texts and isinstance(drawn, str)
    pd.testing.assert_frame_equal(fit.category_use(), fit.category_use())


def test_tables_across_constructs_are_those_of_persons_with_both_scores() -> None:
    """The slow twin draws persons and multiplies the probabilities of both answers, draw by draw."""
    fitted = hand_made.result(draws=10)
    table = pair_table(fitted, "x1", "m1", draws=10**6)
    answers = fitted.survey.item_codes(["x1", "m1"])
    both = (answers >= 0).all(axis=1)
    assert table["observed"].sum() == both.sum()
    assert table["expected"].sum() == pytest.approx(both.sum(), rel=1e-9)
    wanted = np.zeros((len(table["x1"].unique()), len(table["m1"].unique())))
    rng = np.random.default_rng(8)
    for c, s in np.ndindex(next(iter(fitted.values().values())).shape[:2]):
        p = {name: value[c, s] for name, value in fitted.values().items()}
        for _ in range(20):
            _, blocks = simulate_from(fitted.data, p, rng)
            made = {b.construct.name: v for b, v in zip(fitted.data.blocks, blocks, strict=True)}
            home = {
                i: (b.construct.name, n) for b in fitted.data.blocks for n, i in enumerate(b.construct.items)
            }
            first, second = (made[home[item][0]][:, home[item][1]] for item in ("x1", "m1"))
            seen = (first >= 0) & (second >= 0)
            np.add.at(wanted, (first[seen], second[seen]), 1.0)
    for axis, item in enumerate(("x1", "m1")):
        if fitted.survey.instrument.module_of(item).turned(item):
            wanted = np.flip(wanted, axis)  # tables stand in the order of the codes of the file
    expected = table["expected"].to_numpy().reshape(wanted.shape) / both.sum()
    np.testing.assert_allclose(expected, wanted / wanted.sum(), atol=0.03)
