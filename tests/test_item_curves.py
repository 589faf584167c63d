"""Boundary and expected-score curves, steps on the construct, and sum-score tables, against slow twins."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from hand_made import LABELS, result, survey
from medpsy.errors import SpecError
from medpsy.families.graded import SHRINK
from medpsy.posterior.item_curves import from_category, item_curves
from medpsy.posterior.score_table import score_table
from medpsy.posterior.wright import crossings, locations, persons
from medpsy.survey.instrument import Instrument, Module
from medpsy.survey.survey import Survey
from test_mode_and_reference import ordinal, reference


def parameters(fitted) -> tuple[np.ndarray, np.ndarray]:
    posterior = fitted.tree["posterior"]
    return posterior["slope_x"].to_numpy()[0, 0], posterior["threshold_x"].to_numpy()[0, 0]


def with_modules(answers: Survey, *modules: Module) -> Survey:
    names = {module.name for module in modules}
    rest = [m for m in answers.instrument.modules if m.name not in names]
    return replace(answers, instrument=Instrument((*modules, *rest), answers.instrument.variables))


def test_boundaries_are_those_of_the_graded_model_in_turned_order() -> None:
    fitted = result("x =~ x1..x3", chains=1, draws=1)
    found = item_curves(fitted, "x", points=9)
    theta = np.linspace(-4, 4, 9)
    slope, threshold = parameters(fitted)
    for j, item in enumerate(("x1", "x2", "x3")):
        for k in range(3):
            expected = expit(slope[j] * theta - threshold[j, k])
            shown = found["boundary"].sel(item_name=item, step=k + 1, bound="mean")
            np.testing.assert_allclose(shown, expected, atol=1e-12)
    # x2 is turned, so that its steps open other categories than those of x1: no common labels.
    assert found.attrs["labels"] == []
    assert item_curves(result("m =~ m1..m3", draws=2), "m").attrs["labels"] == list(LABELS[1:])


def test_expected_answers_are_in_codes_of_the_file_and_add_up() -> None:
    fitted = result("x =~ x1..x3", chains=1, draws=1)
    found = item_curves(fitted, "x", points=5)
    theta = np.linspace(-4, 4, 5)
    slope, threshold = parameters(fitted)
    expected = 1 + expit(slope[:, None, None] * theta[:, None] - threshold[:, None, :]).sum(-1)
    np.testing.assert_allclose(found["expected"].sel(bound="mean"), expected, atol=1e-12)
    np.testing.assert_allclose(found["expected_sum"].sel(bound="mean"), expected.sum(0), atol=1e-12)
    assert (found.attrs["lowest"], found.attrs["highest"]) == (3.0, 12.0)


def test_from_category_sums_from_the_top() -> None:
    prob = np.array([[0.1], [0.2], [0.3], [0.4]])
    np.testing.assert_allclose(from_category(prob)[:, 0], [0.9, 0.7, 0.4])


def test_curves_of_numbers_and_of_one_point_are_refused() -> None:
    fitted = result("x =~ x1..x3\nf =~ n1..n3", families={"f": "gaussian"}, draws=2)
    with pytest.raises(SpecError, match="items of 'f' are numbers"):
        item_curves(fitted, "f")
    with pytest.raises(SpecError, match="points = 0"):
        item_curves(fitted, "x", points=0)


# --- Wright map ---------------------------------------------------------------------------------------------


def test_steps_of_graded_items_are_threshold_over_slope() -> None:
    fixed = {"slope_x": np.array([1.3, 0.9, 2.0]), "category_prob_x": np.array([[0.1, 0.2, 0.3, 0.4]] * 3)}
    fitted = result("x =~ x1..x3", fixed, chains=1, draws=1)
    slope, threshold = parameters(fitted)
    table = locations(fitted, "x")
    np.testing.assert_allclose(table["location"], (threshold / slope[:, None]).ravel(), atol=1e-9)
    assert table["location"].equals(table["lower"]) and table["location"].equals(table["upper"])
    assert list(table["label"][:3]) == list(LABELS[1:])
    assert list(table["label"][3:6]) == list(LABELS[::-1][1:])  # turned


def test_steps_beyond_the_axis_are_infinite_on_the_right_side() -> None:
    theta = np.linspace(-8, 8, 641)
    rows = np.stack(
        [expit(theta - 20), expit(theta + 20), expit(-theta - 20), expit(-theta + 20), expit(3 - 2 * theta)]
    )
    np.testing.assert_allclose(crossings(rows, theta), [np.inf, -np.inf, -np.inf, np.inf, 1.5], atol=1e-9)


def test_infinite_draws_move_the_interval_not_the_order() -> None:
    slopes = np.where(np.arange(100)[:, None] < 10, 0.001, 2.0) * np.ones((1, 3))
    prob = np.broadcast_to([[0.05, 0.15, 0.3, 0.5]], (3, 4))
    fitted = result("x =~ x1..x3", {"slope_x": slopes[None], "category_prob_x": prob}, chains=1, draws=100)
    table = locations(fitted, "x", interval=0.9)
    assert np.isfinite(table["location"]).all()
    assert np.isneginf(table["lower"][:2]).all()
    assert (table["lower"] <= table["location"]).all() and (table["location"] <= table["upper"]).all()


def test_shares_of_persons_add_up_and_centre_at_zero() -> None:
    table = persons(result("x =~ x1..x3\nx ~ age", answers=survey(300), draws=50))
    assert table["mean"].sum() == pytest.approx(1)
    assert (table["lower"] <= table["upper"]).all()
    middle = (table["left"] + table["right"]) / 2
    assert abs((middle * table["mean"]).sum()) < 0.2


# --- Sum scores ---------------------------------------------------------------------------------------------


def enumerated(
    slope: np.ndarray, threshold: np.ndarray, codes: list[int]
) -> dict[int, tuple[float, float, float]]:
    """Share, mean and sd of a standard normal construct per sum score, pattern by pattern."""
    theta = np.linspace(-8, 8, 1601)
    normal = np.exp(-0.5 * theta**2)
    normal /= normal.sum()
    above = expit(slope[:, None, None] * theta - threshold[:, :, None])
    ones, zeros = np.ones((len(slope), 1, theta.size)), np.zeros((len(slope), 1, theta.size))
    edge = np.concatenate([ones, above, zeros], axis=1)
    prob = edge[:, :-1] - edge[:, 1:]
    held: dict[int, np.ndarray] = {}
    for pattern in product(range(len(codes)), repeat=len(slope)):
        joint = normal.copy()
        for j, k in enumerate(pattern):
            joint *= prob[j, k]
        total = sum(codes[k] for k in pattern)
        held[total] = held.get(total, 0.0) + joint
    out = {}
    for total, joint in held.items():
        mean = joint @ theta / joint.sum()
        out[total] = (joint.sum(), mean, np.sqrt(joint @ (theta - mean) ** 2 / joint.sum()))
    return out


@pytest.mark.parametrize("codes", [(1, 2, 3, 4), (0, 1, 2, 5)])
def test_sum_scores_are_those_of_every_pattern_counted(codes: tuple[int, ...]) -> None:
    answers = survey(60)
    answers = with_modules(answers, Module("x", ("x1", "x2", "x3"), codes, LABELS, ("x2",)))
    fixed = {"slope_x": np.array([0.8, 1.6, 1.2])}
    fitted = result("x =~ x1..x3", fixed, chains=1, draws=1, answers=answers)
    table = score_table(fitted, "x").set_index("sum_score")
    expected = enumerated(*parameters(fitted), list(codes))
    assert sorted(expected) == table.index.tolist()
    for total, (share, mean, sd) in expected.items():
        row = table.loc[total]
        np.testing.assert_allclose(row[["share", "score", "sd"]].astype(float), [share, mean, sd], rtol=1e-5)
        assert row["score_lower"] == row["score_upper"] == row["score"]
        assert row["lower"] < mean < row["upper"]
    complete = (answers.codes[:, :3] >= 0).all(axis=1)
    sums = np.array(codes)[answers.codes[complete, :3]].sum(axis=1)
    assert table["persons"].to_dict() == {total: int((sums == total).sum()) for total in table.index}
    assert table.attrs["incomplete"] == (~complete).sum() > 0


def test_sum_scores_of_the_rasch_model_are_those_of_mirt(shared: Path) -> None:
    """With equal slopes the sum holds all that the answers tell, so a person's EAP is that of the sum."""
    want = reference(shared, "lsat", "irt.lsat6.rasch")
    names = tuple(f"item{j}" for j in range(1, 6))
    answers = ordinal(shared / "data" / "lsat" / "lsat6.csv", names, (0, 1))
    sd = np.sqrt(want["slope_intercept"]["GroupPars"]["est"][1])
    intercept = np.array([want["slope_intercept"][name]["est"][1] for name in names])
    share = expit(intercept / np.sqrt(1 + SHRINK * sd**2))
    values = {"slope_f": np.full(5, sd), "category_prob_f": np.stack([1 - share, share], axis=-1)}
    text = f"f =~ {' + '.join(names)}"
    fitted = result(text, values, family="bernoulli", answers=answers, chains=1, draws=1)
    table = score_table(fitted, "f").set_index("sum_score")
    sums = answers.codes.sum(axis=1)[:25]
    np.testing.assert_allclose(sd * table.loc[sums, "score"], want["eap"]["theta"], atol=1e-4)
    np.testing.assert_allclose(sd * table.loc[sums, "sd"], want["eap"]["se"], atol=1e-4)
    assert table["persons"].sum() == 1000


def test_interval_of_a_sum_score_is_that_of_its_distribution() -> None:
    fixed = {"slope_x": np.full(3, 1e-6)}
    table = score_table(result("x =~ x1..x3", fixed, chains=1, draws=1), "x", interval=0.9)
    # Items that tell nothing leave the standard normal.
    np.testing.assert_allclose(table["lower"], -1.6449, atol=2e-3)
    np.testing.assert_allclose(table["upper"], 1.6449, atol=2e-3)
    np.testing.assert_allclose(table["score"], 0, atol=1e-5)


def test_the_score_of_a_sum_score_spreads_over_the_draws() -> None:
    table = score_table(result("x =~ x1..x3"), "x")
    assert table["share"].sum() == pytest.approx(1)
    assert (table["score_lower"] < table["score_upper"]).all()
    assert (table["sd"] > 0).all()


def test_sums_without_a_meaning_are_refused() -> None:
    with pytest.raises(SpecError, match=r"'x' holds 2 of the 3 items of x; without x3 .*\n.*short_form=True"):
        score_table(result("x =~ x1 + x2", draws=2), "x")
    short = score_table(result("x =~ x1 + x2", draws=2), "x", short_form=True)
    assert short["sum_score"].tolist() == list(range(2, 9))
    answers = with_modules(survey(), Module("m", ("m1", "m2", "m3"), (0, 1, 2, 3), LABELS))
    mixed = result("x =~ x1 + x2 + x3 + m1 + m2 + m3", draws=2, answers=answers)
    with pytest.raises(SpecError, match=r"different scales \(x 1 to 4, m 0 to 3\)"):
        score_table(mixed, "x")
    with pytest.raises(SpecError, match="'f' are numbers"):
        score_table(result("f =~ n1..n3", family="gaussian", draws=2), "f")
