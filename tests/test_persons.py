"""MAP scores, plausible values and tables of persons, against slow optimisers and closed forms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

import hand_made
from hand_made import MEASURED, WITH_SEX, cholesky, result
from medpsy.errors import FitError, SpecError
from medpsy.posterior.person_modes import person_modes, posterior_means
from medpsy.posterior.person_table import person_table
from medpsy.posterior.plausible import plausible_values
from medpsy.posterior.scores import scores
from medpsy.result import Result
from medpsy.survey.survey import Survey

NOBODY = 9
CORRELATION = {"correlation_chol": cholesky(0.5, 0.3, 0.6)}


def survey(n: int = 25) -> Survey:
    """The hand-made survey with one person who answered nothing."""
    made = hand_made.survey(n)
    codes = made.codes.copy()
    codes[NOBODY] = -1
    variables = {name: values.copy() for name, values in made.variables.items()}
    for name in ("n1", "n2", "n3"):
        variables[name][NOBODY] = np.nan
    return replace(made, codes=codes, variables=variables)


def graded_at(theta: float, answers: np.ndarray, slope: np.ndarray, threshold: np.ndarray) -> float:
    """Log-probability of the answers of one person to one module, item by item."""
    total = 0.0
    for a, cuts, code in zip(slope, threshold, answers, strict=True):
        if code >= 0:
            edge = [1.0, *(1 / (1 + np.exp(cuts - a * theta))), 0.0]
            total += np.log(edge[code] - edge[code + 1])
    return total


def slow_mode(fitted: Result, person: int) -> np.ndarray:
    """Joint mode of one person by a simplex search on the log-density written out."""
    posterior = fitted.tree["posterior"]
    chol = fitted.values()["correlation_chol"][0, 0]
    inverse = np.linalg.inv(chol @ chol.T)
    shift = np.zeros(3)
    if "covariate_effect" in posterior:
        sex = fitted.survey.variables["sex"]
        shift = posterior["covariate_effect"].to_numpy()[0, 0] * (sex[person] - sex.mean())

    def minus(theta: np.ndarray) -> float:
        total = 0.5 * (theta - shift) @ inverse @ (theta - shift)
        for d, block in enumerate(fitted.data.blocks):
            slope = posterior[f"slope_{block.name}"].to_numpy()[0, 0]
            threshold = posterior[f"threshold_{block.name}"].to_numpy()[0, 0]
            total -= graded_at(theta[d], block.values[person], slope, threshold)
        return float(total)

    found = minimize(
        minus, np.zeros(3), method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-12, "maxiter": 4000}
    )
    return found.x


@pytest.mark.parametrize("text", [MEASURED, WITH_SEX])
def test_modes_are_those_of_a_slow_search(text: str) -> None:
    fitted = result(text, CORRELATION, answers=survey(), chains=1, draws=1)
    mode, error = person_modes(fitted)
    for person in (0, 5, NOBODY):  # 5 left items out
        np.testing.assert_allclose(mode[person], slow_mode(fitted, person), atol=2e-6)
    assert (error[NOBODY] == pytest.approx(1.0)) and (error[0] < 1).all()


def test_the_mode_of_continuous_items_is_their_posterior_mean() -> None:
    fitted = result("f =~ n1..n3", family="gaussian", answers=survey(), chains=1, draws=1)
    mode, error = person_modes(fitted)
    found = scores(fitted, draws=1)
    np.testing.assert_allclose(mode, found["mean"], atol=1e-8)
    np.testing.assert_allclose(error, found["sd"], atol=1e-8)
    np.testing.assert_allclose([mode[NOBODY, 0], error[NOBODY, 0]], [0, 1], atol=1e-12)


def test_modes_stand_at_the_posterior_means_of_the_parameters() -> None:
    fitted = result(MEASURED)
    p = posterior_means(fitted)
    draws = fitted.values()
    np.testing.assert_allclose(p["slope_x"], draws["slope_x"].mean((0, 1)))
    matrix = (draws["correlation_chol"] @ np.swapaxes(draws["correlation_chol"], -1, -2)).mean((0, 1))
    np.testing.assert_allclose(p["correlation_chol"] @ p["correlation_chol"].T, matrix)
    np.testing.assert_allclose(np.diag(matrix), 1)


def test_modes_follow_an_explained_number_and_refuse_a_binary_one() -> None:
    values = {"path": np.array([2.0]), "intercept": np.array([0.0]), "residual_sd": np.array([0.3])}
    fitted = result("x =~ x1..x3\ndose ~ x", values, answers=survey(60), chains=1, draws=1)
    mode, _ = person_modes(fitted)
    dose = fitted.data.observed[:, ~fitted.data.layout.latent][:, 0]
    assert np.corrcoef(mode[:, 0], dose)[0, 1] > 0.9
    with pytest.raises(FitError, match="binary"):
        person_modes(result("x =~ x1..x3\npassed ~ x", families={"passed": "bernoulli"}, draws=2))
    with pytest.raises(FitError, match="no constructs"):
        person_modes(result("dose ~ age", draws=2))


# --- Plausible values ---------------------------------------------------------------------------------------


def test_plausible_values_stand_in_the_order_of_the_survey() -> None:
    fitted = result(WITH_SEX, answers=survey())
    table = plausible_values(fitted, m=7, seed=2)
    assert list(table.columns) == ["imputation", "person", "x", "m", "y"]
    assert len(table) == 7 * 25
    assert table["person"].tolist() == fitted.survey.person.tolist() * 7
    drawn = scores(fitted, draws=7, seed=2)["draw"]
    for k in range(7):
        rows = table[table["imputation"] == k + 1]
        np.testing.assert_array_equal(rows[["x", "m", "y"]], drawn[k])
    assert table.attrs["contains"] == ["sex"]


@pytest.mark.parametrize("m", [0, 201, 2.5, True])
def test_impossible_numbers_of_plausible_values_are_refused(m: object) -> None:
    with pytest.raises(SpecError, match=r"sets of plausible values cannot be drawn\n.*1 to 200"):
        plausible_values(result("x =~ x1..x3"), m=m)  # type: ignore[arg-type]


def test_plausible_values_keep_the_effect_of_a_covariate_and_scores_shrink_it() -> None:
    base = hand_made.survey(3000)
    values = {"covariate_effect": np.array([1.0]), "slope_x": np.full(3, 1.2)}
    fitted = result("x =~ x1..x3\nx ~ sex", values, answers=base, chains=1, draws=1)
    rng = np.random.default_rng(4)
    sex = base.variables["sex"]
    theta = 1.0 * (sex - sex.mean()) + rng.standard_normal(3000)
    p = {role: fitted.values()[f"{role}_x"][0, 0] for role in ("slope", "category_prob")}
    codes = base.codes.copy()
    codes[:, :3] = fitted.model.families["x"].draw(theta, p, rng)
    held = {name: value[0, 0] for name, value in fitted.values().items()}
    again = result("x =~ x1..x3\nx ~ sex", held, answers=replace(base, codes=codes), draws=5)
    without = {name: value for name, value in held.items() if name != "covariate_effect"}
    blind = result("x =~ x1..x3", without, answers=replace(base, codes=codes), draws=5)

    def effect(fit: Result) -> float:
        table = plausible_values(fit, m=5)
        values = table["x"].to_numpy().reshape(5, -1).mean(axis=0)
        return float(values[sex == 1].mean() - values[sex == 0].mean())

    truth = theta[sex == 1].mean() - theta[sex == 0].mean()
    assert effect(again) == pytest.approx(truth, abs=0.08)
    assert effect(blind) < 0.8 * truth


def test_the_table_of_persons_counts_answers() -> None:
    fitted = result(MEASURED, answers=survey())
    table = person_table(fitted, draws=50)
    assert list(table["construct"].drop_duplicates()) == ["x", "m", "y"]
    x = table[table["construct"] == "x"].reset_index(drop=True)
    assert x["person"].tolist() == fitted.survey.person.tolist()
    assert x["answered"].tolist() == (fitted.survey.codes[:, :3] >= 0).sum(1).tolist()
    assert (x["items"] == 3).all()
    found = scores(fitted, draws=50)
    np.testing.assert_allclose(x["mean"], found["mean"].sel(factor="x"))
    assert ((x["lower"] < x["mean"]) & (x["mean"] < x["upper"])).all()
