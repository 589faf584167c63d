"""What users see of the families: item parameters, summaries, curves, counts; also of mixed answer scales."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.special import softmax

import medpsy as mp
from hand_made import LABELS, result
from hand_made import survey as made_survey
from medpsy.bind import bind
from medpsy.diagnostics.categories import Categories
from medpsy.diagnostics.evidence import Evidence
from medpsy.diagnostics.polarity import Polarity
from medpsy.engines.grid import default_grid
from medpsy.engines.quadrature_compiled import CompiledQuadrature
from medpsy.errors import SpecError
from medpsy.families.base import families
from medpsy.inference.density import Density, start_point
from medpsy.inference.mode import find_mode
from medpsy.posterior.curves import category_curves
from medpsy.posterior.item_parameters import item_parameters
from medpsy.posterior.predictive import category_counts, prior_predictive
from medpsy.posterior.reliability import reliability
from medpsy.posterior.summary import summary
from medpsy.survey.survey import Survey
from numeric_cases import with_fewer

ONE = "x =~ x1..x3"
CATEGORICAL = [name for name, part in families().items() if part.categorical]
LIKERT = [name for name in CATEGORICAL if not hasattr(families()[name], "max_categories")]
MODELS = sorted((Path(__file__).parents[1] / "models").glob("family-*.toml"))


def answers(name: str) -> Survey:
    """Three items of four categories, or of two for families that take no more."""
    if name in LIKERT:
        return made_survey()
    found = made_survey()
    for item in ("x1", "x2", "x3"):
        found = with_fewer(found, item, 2)
    return found


@pytest.mark.parametrize("name", CATEGORICAL)
def test_every_family_has_its_parameters_in_all_forms(name: str) -> None:
    made = result(ONE, family=name, answers=answers(name))
    forms = {form: item_parameters(made, "x", form=form) for form in ("slope-threshold", "slope-intercept")}
    difficulty = item_parameters(made, "x", form="difficulty")
    for table in (*forms.values(), difficulty):
        assert list(dict.fromkeys(table["item"])) == ["x1", "x2", "x3"]
        shown = table[table["remark"] == ""]
        assert (shown["lower"] <= shown["mean"] + 1e-12).all() or name == "nominal"
        assert np.isfinite(shown[["mean", "sd", "lower", "upper"]].to_numpy()).all()
    posterior = made.tree["posterior"]
    threshold = posterior["threshold_x"].to_numpy().reshape(-1, 3, 3 if name in LIKERT else 1)
    x1 = forms["slope-threshold"].query("item == 'x1'").set_index("parameter")
    assert x1.loc["threshold_1", "mean"] == pytest.approx(threshold[:, 0, 0].mean())
    if name in LIKERT:
        assert x1.loc["threshold_3", "label"] == "always"
        x2 = forms["slope-threshold"].query("item == 'x2'").set_index("parameter")
        assert x2.loc["threshold_3", "label"] == "never", "x2 is turned"
        last = forms["slope-intercept"].query("item == 'x1'")["mean"].iloc[-1]
        adjacent = families()[name].adjacent
        want = -threshold[:, 0].sum(-1) if adjacent else -threshold[:, 0, 2]
        assert last == pytest.approx(want.mean())


def test_difficulties_are_thresholds_over_slopes_or_are_said_not_to_exist() -> None:
    made = result(ONE, family="partial_credit")
    spread = made.tree["posterior"]["spread_x"].to_numpy()[..., 0]
    threshold = made.tree["posterior"]["threshold_x"].to_numpy()[..., 0, 1]
    rows = item_parameters(made, "x", form="difficulty").query("item == 'x1'").set_index("parameter")
    assert rows.loc["difficulty_2", "mean"] == pytest.approx((threshold / spread).mean())
    either = item_parameters(result(ONE), "x", form="difficulty").query("item == 'x3'").set_index("parameter")
    assert np.isnan(either.loc["difficulty_1", "mean"])
    assert either.loc["difficulty_1", "remark"] == "the slope may be zero"
    free = item_parameters(result(ONE, family="nominal"), "x", form="difficulty")
    assert set(free[free["mean"].isna()]["remark"]) == {"the order of the categories is free"}
    with pytest.raises(SpecError, match="no form 'dificulty'"):
        item_parameters(made, "x", form="dificulty")


@pytest.mark.parametrize("name", CATEGORICAL)
def test_the_summary_has_a_line_for_everything_that_is_read(name: str) -> None:
    made = result(ONE, family=name, answers=answers(name))
    table = summary(made)
    steps = 3 if name in LIKERT else 1
    lines = {
        "rasch": 1 + 3, "partial_credit": 1 + 9, "three_parameter_logistic": 9, "nominal": 3 + 9 + 12,
        "four_parameter_logistic": 12, "rating_scale": 1 + 3 + 3, "graded_rating_scale": 3 + 3 + 3,
    }  # fmt: skip
    assert len(table) == lines.get(name, 3 + 3 * steps)
    assert table["mean"].notna().all()


def test_what_items_share_stands_once_in_the_summary() -> None:
    table = summary(result(ONE, family="rating_scale"))
    steps = table[table["lhs"] == "x"].query("op == '|'")
    assert steps["rhs"].tolist() == ["t1", "t2", "t3"]
    assert steps["label"].tolist() == list(LABELS[1:])
    assert steps["mean"].sum() == pytest.approx(0, abs=1e-12)
    assert table["rhs"].tolist()[0] == "every item"


@pytest.fixture(scope="module")
def mixed() -> Any:
    return result(ONE, answers=with_fewer(with_fewer(made_survey(), "x2", 3), "x3", 2))


def test_items_with_fewer_categories_have_fewer_rows(mixed: Any) -> None:
    table = summary(mixed)
    assert (table["op"] == "|").sum() == 3 + 2 + 1
    assert table["mean"].notna().all()
    counts = category_counts(mixed, draws=20)
    assert counts.groupby("item").size().to_dict() == {"x1": 4, "x2": 3, "x3": 2}
    given = (mixed.data.blocks[0].values >= 0).sum(0)
    assert counts.groupby("item")["observed"].sum().tolist() == given.tolist()
    np.testing.assert_allclose(counts.groupby("item")["predicted"].sum(), given)
    shares, scores = prior_predictive(mixed.data, survey=mixed.survey, draws=20)
    assert len(shares) == 9
    # x1 is asked from 1 to 4, the others from 0.
    assert (scores["score"].min(), scores["score"].max()) == (1, 4 + 2 + 1)
    assert len(item_parameters(mixed, "x")) == 3 + 3 + 2 + 1
    assert reliability(mixed)["mean"].between(0, 1).any()


def test_curves_of_categories_that_an_item_does_not_have_are_missing(mixed: Any) -> None:
    curves = category_curves(mixed, "x", points=5)["probability"].to_numpy()
    assert np.isnan(curves).any(axis=(2, 3)).tolist() == [
        [False] * 4, [False, False, False, True], [False, False, True, True],
    ]  # fmt: skip
    np.testing.assert_allclose(np.nansum(curves[..., 1], axis=1), 1.0)
    codes = mixed.data.blocks[0].labels
    assert [len(labels) for labels in codes] == [4, 3, 2]


def test_the_gate_does_not_miss_categories_that_an_item_does_not_have(mixed: Any) -> None:
    evidence = Evidence(mixed)
    assert evidence.broken == ()
    assert evidence.unmoved == ()
    names = evidence.everything.names
    assert "threshold_x[x1, 3]" in names
    assert not {"threshold_x[x2, 3]", "threshold_x[x3, 2]", "category_prob_x[x3, 2]"} & set(names)
    (found,) = Categories().run(evidence)
    assert found.passed, found.text


def test_a_family_without_slopes_has_no_polarity_to_check() -> None:
    assert Polarity().run(Evidence(result(ONE, family="partial_credit"))) == ()


def test_there_is_a_model_file_for_every_family() -> None:
    named = {path.stem.removeprefix("family-").replace("-", "_") for path in MODELS}
    assert named == set(families())


@pytest.mark.parametrize("path", [p for p in MODELS if "gaussian" not in p.stem], ids=lambda p: p.stem)
def test_every_model_file_simulates_answers_that_its_model_recovers(path: Path) -> None:
    """The mode of 1500 persons lies as far from the truth as its own curvature says."""
    model = mp.load_model(path)
    data = bind(model.composed, model.simulate(n=1500, seed=3))
    density = Density(data, CompiledQuadrature(data, default_grid(1, 61)))
    mode = find_mode(density, start_point(data))
    assert mode.converged
    name = data.blocks[0].name
    given = truth_of(model, name)
    known = [role for role in ("slope", "spread", "location", "guessing") if role in given]

    def estimated(u: np.ndarray) -> np.ndarray:
        values = density.space.constrain(u)
        return np.concatenate([values[f"{role}_{name}"] for role in known])

    moved = [estimated(mode.u + s) - estimated(mode.u - s) for s in 1e-4 * mode.spread.T]
    jacobian = np.array(moved).T / 2e-4
    error = estimated(mode.u) - np.concatenate([given[role] for role in known])
    distance = error @ np.linalg.solve(jacobian @ jacobian.T, error)
    assert stats.chi2.sf(distance, len(error)) > 1e-3


def truth_of(model: Any, construct: str) -> dict[str, np.ndarray]:
    """The item parameters that a model file simulates with."""
    from medpsy.simulate import read_truth

    return read_truth(model.composed, model.file.instrument, model.file.truth).items[construct]


def test_stated_scores_steps_and_asymptotes_become_roles() -> None:
    nominal = truth_of(mp.load_model(MODELS[0].with_name("family-nominal.toml")), "calm")
    np.testing.assert_allclose(nominal["score_shift"][2], [0.9, -0.9])
    four = truth_of(mp.load_model(MODELS[0].with_name("family-four-parameter-logistic.toml")), "reasoning")
    np.testing.assert_allclose(four["guessing"] + (1 - four["guessing"]) * four["rise"], TOP)
    graded = truth_of(mp.load_model(MODELS[0].with_name("family-graded-rating-scale.toml")), "calm")
    np.testing.assert_allclose(graded["gap"], [1.2, 0.9])


TOP = [0.95, 0.90, 0.97, 0.93, 0.95, 0.92, 0.96, 0.94]


@pytest.mark.parametrize("name", ["sequential", "nominal", "graded_probit", "four_parameter_logistic"])
def test_shares_that_are_asked_for_are_those_that_are_expected(name: str) -> None:
    from medpsy.ops import Numpy
    from medpsy.simulate.margins import solve_category_prob

    size = 4 if name in LIKERT else 2
    nodes = np.linspace(-6, 6, 121)
    weights = softmax(-0.5 * nodes**2)
    share = np.array([0.5, 0.3, 0.15, 0.05]) if size == 4 else np.array([0.35, 0.65])
    roles = {"slope": np.array([1.7]), "guessing": np.array([0.2]), "rise": np.array([0.9])}
    roles |= {"score_shift": np.array([[0.3, -0.2]])}
    own = {role: roles[role] for role in families()[name].roles if role != "category_prob"}
    prob = solve_category_prob(families()[name], own, share, nodes, weights)
    table = families()[name].log_prob(nodes, own | {"category_prob": prob[None]}, Numpy)[0]
    np.testing.assert_allclose(np.exp(table) @ weights, share, rtol=1e-10)
    if name == "four_parameter_logistic":
        with pytest.raises(ValueError, match="no category probabilities"):
            solve_category_prob(families()[name], own, np.array([0.9, 0.1]), nodes, weights)
