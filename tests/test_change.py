"""Change between two occasions, against simulated persons whose change is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import hand_made
from hand_made import LABELS, result
from medpsy.errors import DataError, SpecError
from medpsy.posterior.change import change
from medpsy.result import Result
from medpsy.survey.instrument import Instrument, Module
from medpsy.survey.survey import Survey

N = 600
ITEMS = {"slope_x": np.array([2.0, 1.5, 2.5]), "category_prob_x": np.full((3, 4), 0.25)}


def occasions(shift: float, keep: float, noise: float, seed: int = 2) -> tuple[Result, Survey, np.ndarray]:
    """A fit at known items, the second answers, and the true scores (occasion, person)."""
    rng = np.random.default_rng(seed)
    base = hand_made.survey(N)
    first = rng.normal(size=N)
    theta = np.stack([first, shift + keep * first + noise * rng.normal(size=N)])
    family = result("x =~ x1..x3", draws=1).model.families["x"]
    items = {"slope": ITEMS["slope_x"], "category_prob": ITEMS["category_prob_x"]}
    surveys = []
    for scores in theta:
        codes = base.codes.copy()
        codes[:, :3] = family.draw(scores, items, rng)
        surveys.append(replace(base, codes=codes))
    return result("x =~ x1..x3", ITEMS, answers=surveys[0], draws=60), surveys[1], theta


def test_the_change_of_everybody_and_of_each_is_found() -> None:
    fitted, after, theta = occasions(0.5, 0.7, 0.5)
    order = np.random.default_rng(1).permutation(N)
    found = change(fitted, "x", after.take(order))
    moved = theta[1] - theta[0]
    summary = found.summary.set_index("quantity")
    truth = {
        "mean change": moved.mean(),
        "sd of the changes": moved.std(),
        "correlation of the occasions": np.corrcoef(theta)[0, 1],
    }
    for name, value in truth.items():
        assert summary.loc[name, "lower"] < value < summary.loc[name, "upper"], name
        assert summary.loc[name, "mean"] == pytest.approx(value, abs=0.1)
    persons = found.persons
    assert persons["person"].tolist() == fitted.survey.person.tolist()
    inside = ((persons["lower"] <= moved) & (moved <= persons["upper"])).mean()
    assert 0.92 < inside < 0.98
    assert np.corrcoef(persons["before"], theta[0])[0, 1] > 0.8
    up = persons["verdict"] == "up"
    expected = (1 - persons.loc[up, "p_up"]).sum()
    assert up.sum() == summary.loc["persons reliably up", "mean"] > 50
    assert expected == pytest.approx(summary.loc["of these expected to be wrong (up)", "mean"])
    assert (moved[up] < 0).sum() <= expected + 4 * np.sqrt(expected)
    # Probabilities of a rise are as often right as they say.
    sure = persons["p_up"].between(0.6, 0.8)
    assert (moved[sure] > 0).mean() == pytest.approx(persons.loc[sure, "p_up"].mean(), abs=0.12)


def test_nobody_is_called_changed_where_nobody_changed() -> None:
    fitted, after, _ = occasions(0.0, 1.0, 0.0)
    found = change(fitted, "x", after, draws=40)
    assert (found.persons["verdict"] != "").sum() <= 3
    summary = found.summary.set_index("quantity")
    assert summary.loc["correlation of the occasions", "mean"] > 0.9
    assert summary.loc["mean change", "lower"] < 0 < summary.loc["mean change", "upper"]


def test_a_larger_smallest_change_is_less_probable() -> None:
    fitted, after, _ = occasions(0.5, 0.7, 0.5)
    any_size, large = (change(fitted, "x", after, smallest=size, draws=20) for size in (0.0, 0.5))
    assert (large.persons["p_up"] <= any_size.persons["p_up"]).all()
    assert (large.persons["verdict"] == "up").sum() < (any_size.persons["verdict"] == "up").sum()


def test_only_persons_of_both_occasions_are_compared_and_the_rest_counted() -> None:
    fitted, after, _ = occasions(0.2, 0.8, 0.4)
    renamed = replace(after, person=np.array([*after.person[:500], *(f"new{i}" for i in range(100))]))
    found = change(fitted, "x", renamed, draws=5)
    assert len(found.persons) == 500 and found.unmatched == 200
    nobody = replace(after, person=np.array([f"new{i}" for i in range(N)]))
    with pytest.raises(DataError, match="only 0 persons are in both"):
        change(fitted, "x", nobody)


def test_a_person_without_answers_keeps_the_regression() -> None:
    fitted, after, _ = occasions(0.5, 0.7, 0.5)
    codes = after.codes.copy()
    codes[3] = -1
    found = change(fitted, "x", replace(after, codes=codes), draws=40).persons.iloc[3]
    full = change(fitted, "x", after, draws=40).persons.iloc[3]
    assert found["sd"] > full["sd"] and np.isfinite(found["change"])
    assert found["after"] == pytest.approx(0.5 + 0.7 * found["before"], abs=0.25)


def test_continuous_items_are_compared_in_the_units_of_the_first_occasion() -> None:
    values = {"loading_f": np.full(3, 0.9), "intercept_f": np.zeros(3), "residual_sd_f": np.full(3, 0.3)}
    rng = np.random.default_rng(0)
    base = hand_made.survey(200)
    first = rng.normal(size=200)
    second = first + 1.0
    surveys = []
    for theta in (first, second):
        held = dict(base.variables)
        for j in (1, 2, 3):
            held[f"n{j}"] = 10 * j + 2 * j * (0.9 * theta + 0.3 * rng.normal(size=200))
        surveys.append(replace(base, variables=held))
    fitted = result("f =~ n1..n3", values, family="gaussian", answers=surveys[0], draws=20)
    summary = change(fitted, "f", surveys[1], draws=20).summary.set_index("quantity")
    assert summary.loc["mean change", "mean"] == pytest.approx(1.0, abs=0.1)


def test_other_questions_and_impossible_numbers_are_refused() -> None:
    fitted, after, _ = occasions(0.5, 0.7, 0.5)
    wider = [
        m if m.name != "x" else Module("x", m.items, (0, 1, 2, 3), LABELS, m.reverse)
        for m in after.instrument.modules
    ]
    other = replace(after, instrument=Instrument(tuple(wider), after.instrument.variables))
    with pytest.raises(DataError, match=r"item 'x1' is coded \(0, 1, 2, 3\) on the second"):
        change(fitted, "x", other)
    turned = [m if m.name != "x" else replace(m, reverse=("x1",)) for m in after.instrument.modules]
    other = replace(after, instrument=Instrument(tuple(turned), after.instrument.variables))
    with pytest.raises(DataError, match="turned on one of them only"):
        change(fitted, "x", other)
    with pytest.raises(SpecError, match="no construct 'z'"):
        change(fitted, "z", after)
    with pytest.raises(SpecError, match="smallest = -1"):
        change(fitted, "x", after, smallest=-1)
    with pytest.raises(SpecError, match="posterior mass"):
        change(fitted, "x", after, level=1.5)
