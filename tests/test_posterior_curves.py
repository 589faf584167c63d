"""Category curves and the reliability of sum scores, against independent arithmetic and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from hand_made import MEASURED, WITH_SEX, result, survey
from medpsy.classical.describe import alpha
from medpsy.errors import SpecError
from medpsy.posterior.curves import category_curves
from medpsy.posterior.reliability import reliability
from medpsy.simulate import simulate_from


def graded(slope: float, threshold: np.ndarray, theta: np.ndarray) -> np.ndarray:
    above = expit(slope * theta[:, None] - threshold)
    above = np.column_stack([np.ones(len(theta)), above, np.zeros(len(theta))])
    return above[:, :-1] - above[:, 1:]


def test_curves_of_one_draw_are_those_of_the_graded_model_in_the_order_of_the_file() -> None:
    fitted = result("x =~ x1..x3", chains=1, draws=1)
    curves = category_curves(fitted, "x", points=9)
    assert curves["probability"].dims == ("item", "category", "theta", "bound")
    assert curves["probability"].shape == (3, 4, 9, 3)
    assert curves.attrs == {"construct": "x", "labels": ["never", "rarely", "often", "always"]}
    assert list(curves["bound"].values) == ["lower", "mean", "upper"]
    theta = np.linspace(-4, 4, 9)
    np.testing.assert_allclose(curves["theta"], theta)
    posterior = fitted.tree["posterior"]
    for j, item in enumerate(("x1", "x2", "x3")):
        slope = float(posterior["slope_x"][0, 0, j])
        expected = graded(slope, posterior["threshold_x"].to_numpy()[0, 0, j], theta).T
        expected = expected[::-1] if item == "x2" else expected  # x2 is turned
        for bound in ("lower", "mean", "upper"):
            found = curves["probability"].sel(item=item, bound=bound)
            np.testing.assert_allclose(found, expected, atol=1e-12)


def test_bands_enclose_their_mean_and_probabilities_sum_to_one() -> None:
    values = category_curves(result(WITH_SEX), "m", interval=0.99)["probability"]
    np.testing.assert_allclose(values.sel(bound="mean").sum("category"), 1)
    assert bool((values.sel(bound="lower") <= values.sel(bound="upper")).all())
    assert values.sizes["theta"] == 121


def test_the_axis_is_in_sds_of_the_construct_over_the_persons() -> None:
    fitted = result("x =~ x1..x3\nx ~ age", {"covariate_effect": np.array([2.0])}, chains=1, draws=1)
    curves = category_curves(fitted, "x", points=3)
    posterior = fitted.tree["posterior"]
    theta = np.array([-4, 0, 4]) * np.sqrt(1 + 2.0**2)
    slope, threshold = float(posterior["slope_x"][0, 0, 0]), posterior["threshold_x"].to_numpy()[0, 0, 0]
    found = curves["probability"].sel(item="x1", bound="mean")
    np.testing.assert_allclose(found, graded(slope, threshold, theta).T, atol=1e-12)


def test_curves_that_cannot_be_drawn_are_refused() -> None:
    fitted = result("x =~ x1..x3\nf =~ n1..n3", families={"f": "gaussian"})
    with pytest.raises(SpecError, match="no construct 'X'"):
        category_curves(fitted, "X")
    with pytest.raises(SpecError, match="'f' are numbers"):
        category_curves(fitted, "f")
    with pytest.raises(SpecError, match="points = 1"):
        category_curves(fitted, "x", points=1)
    with pytest.raises(SpecError, match="posterior mass"):
        category_curves(fitted, "x", interval=2)


@pytest.mark.parametrize("text", ["x =~ x1..x3", "x =~ x1..x3\nx ~ sex"])
def test_reliability_is_the_correlation_of_two_sum_scores_of_the_same_persons(text: str) -> None:
    fixed = {"slope_x": np.array([0.8, 1.5, 2.5])}
    if "sex" in text:
        fixed["covariate_effect"] = np.array([1.5])
    fitted = result(text, fixed, chains=1, draws=1, answers=survey(4000))
    value = reliability(fitted).set_index("coefficient").loc["reliability of the sum score (model)", "mean"]
    family, block = fitted.model.families["x"], fitted.data.blocks[0]
    rng = np.random.default_rng(1)
    p = {name: draws[0, 0] for name, draws in fitted.values().items()}
    items = {"slope": p["slope_x"], "category_prob": p["category_prob_x"]}
    totals = []
    for _ in range(25):
        theta = simulate_from(fitted.data, p, rng)[0][:, block.factor]
        totals.append([family.draw(theta, items, rng).sum(1), family.draw(theta, items, rng).sum(1)])
    first, second = np.concatenate(totals, axis=1)
    assert value == pytest.approx(np.corrcoef(first, second)[0, 1], abs=0.01)


def test_omega_of_continuous_items_is_in_raw_units() -> None:
    fitted = result("f =~ n1..n3", family="gaussian", chains=1, draws=5)
    table = reliability(fitted, cut=0.5)
    unit = np.array([np.nanstd(fitted.survey.variables[name]) for name in ("n1", "n2", "n3")])
    values = {k: v[0] for k, v in fitted.values().items()}
    true = (values["loading_f"] * unit).sum(1) ** 2
    omega = true / (true + (values["residual_sd_f"] ** 2 * unit**2).sum(1))
    assert list(table.columns) == ["construct", "coefficient", "mean", "lower", "upper", "p_above_050"]
    assert table["mean"][0] == pytest.approx(omega.mean())
    assert table["p_above_050"][0] == (omega > 0.5).mean()
    raw = np.column_stack([fitted.survey.variables[name] for name in ("n1", "n2", "n3")])
    assert table["mean"][1] == pytest.approx(alpha(raw))


def test_reliability_has_two_rows_a_construct_and_refuses_impossible_cuts() -> None:
    table = reliability(result(MEASURED, draws=20))
    assert list(table["construct"]) == ["x", "x", "m", "m", "y", "y"]
    assert list(table["coefficient"][:2]) == ["reliability of the sum score (model)", "alpha (Cronbach)"]
    model, classical = table[::2], table[1::2]
    assert ((model["lower"] <= model["mean"]) & (model["mean"] <= model["upper"])).all()
    assert model["mean"].between(0, 1).all() and model["p_above_080"].between(0, 1).all()
    assert classical[["lower", "upper", "p_above_080"]].isna().all(axis=None)
    assert classical["mean"].iloc[0] == pytest.approx(alpha(survey().item_codes(["x1", "x2", "x3"])))
    for cut in (0, 1, 80):
        with pytest.raises(SpecError, match="no reliability"):
            reliability(result(MEASURED), cut=cut)
