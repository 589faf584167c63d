"""Truth tables: what they yield, and what is said about their mistakes."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from medpsy.errors import SpecError
from medpsy.model import ComposedModel, compose
from medpsy.simulate import Truth, read_truth, simulate, simulate_persons
from medpsy.spec.syntax import parse_model
from medpsy.spec.toml_text import TomlText
from medpsy.survey.instrument import Instrument, Module, Variable

ASKED = Instrument(
    (
        Module("f", ("f1", "f2", "f3"), (1, 2, 3, 4, 5), reverse=("f2",)),
        Module("g", ("g1", "g2"), (0, 1, 2), polarity=-1),
        Module("m", ("m1", "m2"), (0, 1)),
        Module("free", ("q1",), (0, 1)),
    ),
    (
        Variable("group", "category", ("low", "mid", "high")),
        Variable("sex", "category", ("m", "f")),
        Variable("age", minimum=18, maximum=40),
        Variable("year"),
        Variable("hours"),
        Variable("passed", "category", ("no", "yes")),
    ),
)
TEXT = """
f =~ f1..f3
g =~ g1 + g2
m =~ m1 + m2
m ~ a*f + b*g + group
hours ~ d*m + s*sex
passed ~ m + age
"""
TRUTH: dict[str, Any] = {
    "n_person": 60,
    "seed": 4,
    "variables": {
        "group": {"shares": {"low": 0.5, "mid": 0.3, "high": 0.2}},
        "sex": {"counts": {"m": 20, "f": 40}},
        "age": {"mean": 22.0, "sd": 3.0},
        "year": {"counts": {"1": 30, "2.5": 30}},
    },
    "paths": {"a": 0.4, "m~g": 0.3, "m~group[high]": 0.5, "d": 0.5, "s": -0.2, "passed~m": 1.0},
    "correlations": {"f~~g": 0.3},
    "observed": {"hours": {"mean": 30.0, "sd": 5.0}, "passed": {"share": 0.8}},
    "items": {
        "f": {"slope": 1.5, "mean": [2.0, 3.0, 4.0]},
        "g": {"slope": {"g2": 2.0, "g1": 1.0}, "category_prob": [0.2, 0.3, 0.5]},
        "m": {"slope": [1.0, -1.0], "mean": 0.6},
    },
}


def model() -> ComposedModel:
    return compose(parse_model(TEXT, families={"passed": "bernoulli"}, name="both"))


def read(mapping: dict[str, Any] = TRUTH) -> Truth:
    return read_truth(model(), ASKED, mapping)


def test_coefficients_by_label_name_and_level() -> None:
    truth = read()
    assert truth.paths == {
        "m~f": 0.4, "m~g": 0.3, "m~group[mid]": 0.0, "m~group[high]": 0.5,
        "hours~m": 0.5, "hours~sex[f]": -0.2, "passed~m": 1.0, "passed~age": 0.0,
    }  # fmt: skip
    assert truth.labels == {"a": 0.4, "b": 0.3, "d": 0.5, "s": -0.2}
    assert (truth.n_person, truth.seed) == (60, 4)


def test_residuals_leave_every_variance_at_one() -> None:
    sd = {eq.node: eq.residual_sd for eq in read().equations}
    assert sd["f"] == sd["g"] == 1
    assert sd["m"] ** 2 == pytest.approx(1 - (0.4**2 + 0.3**2 + 2 * 0.4 * 0.3 * 0.3))
    assert sd["hours"] ** 2 == pytest.approx(1 - 0.5**2)
    assert sd["passed"] == 0


def test_a_residual_covariance_is_allowed_for() -> None:
    spec = parse_model("f =~ f1..f3\ng =~ g1 + g2\nm =~ m1 + m2\ng ~ f\nm ~ f\ng ~~ m")
    changed = {
        "n_person": 100_000,
        "paths": {"g~f": 0.6, "m~f": -0.5},
        "correlations": {"m~~g": 0.4},
        "items": TRUTH["items"],
    }
    truth = read_truth(compose(spec), ASKED, changed)
    nodes = simulate_persons(truth).nodes
    residual = {"g": nodes["g"] - 0.6 * nodes["f"], "m": nodes["m"] + 0.5 * nodes["f"]}
    assert np.corrcoef(residual["g"], residual["m"])[0, 1] == pytest.approx(0.4, abs=0.01)
    for values in nodes.values():
        assert values.var() == pytest.approx(1, abs=0.02)


def test_population_matches_the_truth() -> None:
    """Everything stated about persons, at 200 000 of them."""
    truth = read()
    n = 200_000
    persons = simulate_persons(truth, n=n)
    group, sex = persons.variables["group"], persons.variables["sex"]
    np.testing.assert_allclose(np.bincount(group) / n, [0.5, 0.3, 0.2], atol=0.005)
    assert np.bincount(sex).tolist() == [66667, 133333]
    assert 18 <= persons.variables["age"].min() <= persons.variables["age"].max() <= 40
    nodes = persons.nodes
    assert np.corrcoef(nodes["f"], nodes["g"])[0, 1] == pytest.approx(0.3, abs=0.01)
    assert nodes["m"].mean() == pytest.approx(0, abs=0.01)
    within = [nodes["m"][group == level] for level in range(3)]
    assert within[2].mean() - within[0].mean() == pytest.approx(0.5, abs=0.02)
    assert within[1].mean() - within[0].mean() == pytest.approx(0, abs=0.02)
    assert within[0].var() == pytest.approx(1, abs=0.02)
    hours = nodes["hours"]
    assert hours.mean() == pytest.approx(30, abs=0.05)
    design = np.column_stack([np.ones(n), nodes["m"], sex])
    slope = np.linalg.lstsq(design, hours, rcond=None)[0]
    np.testing.assert_allclose(slope[1:], [0.5 * 5, -0.2 * 5], atol=0.05)
    assert nodes["passed"].mean() == pytest.approx(0.8, abs=4 * 0.4 / np.sqrt(n))


def test_answers_have_the_shares_that_the_truth_prints() -> None:
    """Expected means and shares hold over the mixture of groups, before items are turned."""
    n = 200_000
    survey = simulate(model(), ASKED, read(), n=n)
    f, g, m = (survey.item_codes(ASKED.modules[k].items) for k in range(3))
    printed = np.column_stack([f[:, 0] + 1, 5 - f[:, 1], f[:, 2] + 1])
    np.testing.assert_allclose(printed.mean(0), [2, 3, 4], atol=4 / np.sqrt(n) * 1.2)
    for column in g.T:
        shares = np.bincount(2 - column, minlength=3) / n
        np.testing.assert_allclose(shares, [0.2, 0.3, 0.5], atol=4 * 0.5 / np.sqrt(n))
    np.testing.assert_allclose(m.mean(0), 0.6, atol=4 * 0.5 / np.sqrt(n))
    assert np.corrcoef(m.T)[0, 1] < -0.1
    assert np.all(survey.item_codes(["q1"]) == -1)
    left_out = next(event for event in survey.ledger if event.rule == "not_simulated")
    assert left_out.places == ("q1",)


def test_one_number_a_list_and_a_table_say_the_same() -> None:
    items = {"mean": [3.0, 3.0, 3.0], "sd": 1.0}
    made = []
    for slope in (1.5, [1.5, 1.5, 1.5], {"f3": 1.5, "f1": 1.5, "f2": 1.5}):
        mapping = copy.deepcopy(TRUTH)
        mapping["items"]["f"] = {"slope": slope, **items}
        made.append(read(mapping).items["f"])
    for other in made[1:]:
        np.testing.assert_array_equal(made[0]["slope"], other["slope"])
        np.testing.assert_array_equal(made[0]["category_prob"], other["category_prob"])
    # f2 is turned: its shares mirror those of the others, whose mean is in the middle.
    np.testing.assert_allclose(made[0]["category_prob"][1], made[0]["category_prob"][0][::-1], atol=1e-12)


def test_continuous_items_are_in_raw_units_and_printed_codes() -> None:
    spec = parse_model("f =~ f1 + f2\ng =~ year + hours", family="gaussian")
    parameters = {"loading": [0.5, 1.0], "intercept": [2.0, 4.0], "residual_sd": 0.5}
    mapping = {"n_person": 50_000, "items": {"f": parameters, "g": {**parameters, "intercept": [10, -3]}}}
    composed = compose(spec)
    truth = read_truth(composed, ASKED, mapping)
    assert truth.items["f"]["intercept"].tolist() == [1.0, 1.0]
    survey = simulate(composed, ASKED, truth)
    year, hours = survey.variables["year"], survey.variables["hours"]
    assert (year.mean(), hours.mean()) == (pytest.approx(10, abs=0.02), pytest.approx(-3, abs=0.03))
    assert np.cov(year, hours)[0, 1] == pytest.approx(0.5, abs=0.02)
    assert hours.var() == pytest.approx(1.25, abs=0.03)
    codes = survey.item_codes(["f1", "f2"])
    assert 0 <= codes.min() <= codes.max() <= 4
    cut = next(event for event in survey.ledger if event.rule == "cut")
    assert cut.before == sum(int(place.split(": ")[1]) for place in cut.places) > 0


def test_notes_always_say_simulated() -> None:
    assert read().note == "simulated from the truth of model 'both', not collected from persons"
    assert read({**TRUTH, "note": "Simulated twins"}).note == "Simulated twins"
    assert read({**TRUTH, "note": "margins of 2014"}).note == (
        "simulated, not collected from persons; margins of 2014"
    )


def put(*keys: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """A change to a truth table; the value None removes the key."""

    def change(mapping: dict[str, Any]) -> None:
        table = mapping
        for key in keys[:-1]:
            table = table.setdefault(key, {})
        if value is None:
            del table[keys[-1]]
        else:
            table[keys[-1]] = value

    return change


MISTAKES = [
    (put("n_persons", value=3), "unknown key 'n_persons' in [truth]", "Did you mean 'n_person'?"),
    (put("n_person", value=None), "[truth] has no n_person", "n_person = 300"),
    (put("n_person", value=0), "'n_person' is 0", "whole number from 1"),
    (put("variables", "ages", value={"mean": 1, "sd": 1}), "'ages' is no variable", "Did you mean 'age'?"),
    (put("variables", "hours", value={"mean": 1, "sd": 1}), "'hours' is no variable", "leaves unexplained"),
    (put("variables", "sex", value=None), "covariate 'sex' has no distribution", "[truth.variables.sex]"),
    (
        put("variables", "sex", "counts", "m", value=21),
        "counts of 'sex' add up to 61, not to n_person = 60",
        "",
    ),
    (put("variables", "sex", "counts", value={"m": 0, "f": 60}), "everybody has the same 'sex'", "constant"),
    (put("variables", "sex", "counts", value={"m": 20, "w": 40}), "'w' is no level of 'sex'", "Known: f, m"),
    (put("variables", "sex", "shares", value={"m": 1}), "does not give one distribution", "counts = {...}"),
    (put("variables", "group", "shares", "low", value=0.6), "shares of 'group' add up to 1.1", ""),
    (put("variables", "group", "shares", "low", value=-0.5), "'low' is negative", ""),
    (put("variables", "group", value={"mean": 1, "sd": 1}), "'group' is a category and has no mean", ""),
    (put("variables", "age", "sd", value=-1), "no normal with mean 22 and sd -1", ""),
    (put("variables", "age", "sd", value=None), "does not give one distribution", ""),
    (put("variables", "age", "low", value=12), "low = 12 lies outside the range of 'age'", "from 18 to 40"),
    (
        put("variables", "year", value={"counts": {"one": 60}}),
        "'one' is no possible value of the number 'year'",
        "",
    ),
    (put("paths", "aa", value=1), "the model has no path 'aa'", "Did you mean 'a'?"),
    (put("paths", "a", value="0.4"), "'a' is '0.4', not a number", "without quotes"),
    (put("paths", "m~f", value=0.4), "'a' and 'm~f' are the same coefficient", "Remove one"),
    (
        put("paths", "m~group", value=0.4),
        "'m~group' stands for 2 coefficients",
        "m~group[mid], m~group[high]",
    ),
    (put("paths", "m~group[low]", value=0.4), "'low' is the reference level of 'group'", ""),
    (put("paths", "m~group[hgih]", value=0.4), "no path 'm~group[hgih]'", "'m~group[high]'?"),
    (put("paths", "a", value=0.95), "the paths into 'm' explain 116% of its variance", "Make them smaller"),
    (put("correlations", "f~~m", value=0.1), "'f~~m' is no free correlation", "'f~~g'"),
    (put("correlations", "g ~~ f", value=0.1), "correlation 'g ~~ f' is given twice", ""),
    (put("correlations", "f~~g", value=1), "'f~~g' is 1, not a number between -1 and 1", ""),
    (put("observed", "hour", value={}), "'hour' is no explained observed variable", "Did you mean 'hours'?"),
    (put("observed", "hours", "sd", value=0), "sd of 'hours' is 0, not positive", ""),
    (put("observed", "hours", "share", value=0.5), "unknown key 'share'", "Known: mean, sd"),
    (put("observed", "passed", "share", value=1), "share of 'passed' is 1, not between 0 and 1", "= 0.5"),
    (put("items", "mm", value={}), "'mm' is no construct", "Did you mean 'm'?"),
    (put("items", "m", value=None), "the items of 'm' have no truth", "[truth.items.m]"),
    (
        put("items", "f", "slopes", value=1),
        "unknown key 'slopes' in [truth.items.f]",
        "Did you mean 'slope'?",
    ),
    (put("items", "f", "slope", value=None), "[truth.items.f] has no slope", ""),
    (put("items", "f", "slope", value=[1, 2]), "slope has 2 entries, but 'f' has 3 items", "f1 to f3"),
    (put("items", "f", "slope", value=[1, True, 2]), "slope of 'f2' is True, not a number", ""),
    (
        put("items", "f", "slope", value={"f1": 1, "f2": 1, "f4": 1}),
        "'f4' is no item of 'f'",
        "Known: f1, f2, f3",
    ),
    (put("items", "f", "slope", value={"f1": 1, "f2": 1}), "item 'f3' is missing", ""),
    (
        put("items", "f", "mean", value=[2, 3, 5.0]),
        "no spread of answers to 'f3' on codes 1 to 5 has mean 5",
        "as printed",
    ),
    (put("items", "f", "sd", value=0.3), "'f1' on codes 1 to 5 has mean 2 and sd 0.3", "raise sd"),
    (put("items", "f", "sd", value=[1, 0, 1]), "sd of 'f2' is 0, not positive", ""),
    (put("items", "f", "mean", value=None), "has neither mean nor category_prob", ""),
    (put("items", "g", "mean", value=1), "has both mean and category_prob", ""),
    (put("items", "g", "sd", value=1), "has sd beside category_prob", ""),
    (put("items", "g", "category_prob", value=[0.5, 0.5]), "'g1' has 2 entries for 3 categories", "0, 1, 2"),
    (
        put("items", "g", "category_prob", value=[[0.5, 0.3, 0.2], [0.5, 0.5, 0]]),
        "category_prob of 'g2'",
        "hardly used",
    ),
    (put("items", "g", "category_prob", value=[0.5, 0.3, 0.3]), "add up to 1 (sum 1.1)", ""),
]


@pytest.mark.parametrize(("change", "message", "hint"), MISTAKES, ids=[m for _, m, _ in MISTAKES])
def test_mistakes_are_named_with_their_cure(change: Callable[..., None], message: str, hint: str) -> None:
    mapping = copy.deepcopy(TRUTH)
    change(mapping)
    with pytest.raises(SpecError) as caught:
        read(mapping)
    assert message in caught.value.message
    assert hint in str(caught.value)
    assert caught.value.hint
    assert caught.value.path is None


def test_contradicting_correlations_are_refused() -> None:
    spec = compose(parse_model("f =~ f1 + f2\ng =~ g1 + g2\nm =~ m1 + m2"))
    items = {**TRUTH["items"], "f": {"slope": 1, "mean": 3}}
    mapping = {"n_person": 9, "items": items, "correlations": {"f~~g": 0.9, "f~~m": 0.9, "g~~m": -0.5}}
    with pytest.raises(SpecError, match="contradict each other"):
        read_truth(spec, ASKED, mapping)


def test_items_with_different_scales_are_refused_by_families_that_share_steps() -> None:
    spec = compose(parse_model("f =~ f1 + m1", family="rating_scale"))
    truth = {"spread": 1, "location": 0, "common_step": [-1, 1]}
    with pytest.raises(SpecError, match="different numbers of categories: 2, 5"):
        read_truth(spec, ASKED, {"n_person": 9, "items": {"f": truth}})


def test_continuous_intercepts_stay_on_the_scale() -> None:
    spec = compose(parse_model("f =~ f1 + f2", family="gaussian"))
    items = {"f": {"loading": 1, "intercept": [3, 6], "residual_sd": 1}}
    with pytest.raises(SpecError, match="intercept of 'f2' is 6, outside its codes 1 to 5"):
        read_truth(spec, ASKED, {"n_person": 9, "items": items})
    items["f"] |= {"intercept": 3, "residual_sd": -1}
    with pytest.raises(SpecError, match="residual_sd of 'f1' is -1, not positive"):
        read_truth(spec, ASKED, {"n_person": 9, "items": items})


def test_a_category_is_not_drawn_as_a_number() -> None:
    spec = compose(parse_model("f =~ f1 + f2\npassed ~ f"))
    items = {"f": {"slope": 1, "mean": 3}}
    with pytest.raises(SpecError, match="'passed' is a category and cannot be drawn as a number"):
        read_truth(spec, ASKED, {"n_person": 9, "items": items})


def test_errors_name_the_line_of_the_file() -> None:
    text = "[truth]\nn_person = 60\n\n[truth.items.f]\nslope = 1\nmean = 9\n"
    source = TomlText(text, "model.toml")
    spec = compose(parse_model("f =~ f1 + f2"))
    with pytest.raises(SpecError) as caught:
        read_truth(spec, ASKED, source.parse()["truth"], source)
    assert (caught.value.path, caught.value.line) == ("model.toml", 6)
