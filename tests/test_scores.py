"""Person scores: against closed forms, brute force over a grid, a peer's scores, and simulated persons."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import hand_made
from hand_made import LABELS, MEASURED, MEDIATION, WITH_SEX, cholesky
from medpsy.errors import FitError, SpecError
from medpsy.families.graded import SHRINK
from medpsy.model import compose
from medpsy.posterior.scores import scores
from medpsy.result import Result
from medpsy.simulate import read_truth, simulate, simulate_persons
from medpsy.spec.syntax import parse_model
from medpsy.survey.instrument import Instrument, Module
from medpsy.survey.read import read_survey
from medpsy.survey.survey import Survey
from test_mode_and_reference import reference

#: Nobody answered an item of person 9; the numbers of person 9 are missing, too.
NOBODY = 9
CORRELATION = {"correlation_chol": cholesky(0.5, 0.3, 0.6)}


def survey(n: int = 40) -> Survey:
    """The hand-made survey with one person who answered no item."""
    made = hand_made.survey(n)
    codes = made.codes.copy()
    codes[NOBODY] = -1
    variables = {name: values.copy() for name, values in made.variables.items()}
    for name in ("n1", "n2", "n3", "dose"):
        variables[name][NOBODY] = np.nan
    return replace(made, codes=codes, variables=variables)


def fixed(text: str, values: dict[str, np.ndarray], answers: Survey, family: str = "graded") -> Result:
    """A result all of whose draws are one and the same; what is not given comes from the prior."""
    single = hand_made.result(text, values, family=family, answers=answers, chains=1, draws=1, seed=4)
    held = {name: value[0, 0] for name, value in single.values().items()}
    return hand_made.result(text, held, family=family, answers=answers, chains=2, draws=2000)


def at_first(result: Result) -> dict[str, np.ndarray]:
    return {name: value[0, 0] for name, value in result.values().items()}


def densities(result: Result, theta: np.ndarray) -> list[np.ndarray]:
    """Likelihood (person, node) of the answers to each graded construct at the first draw, item by item."""
    p, out = at_first(result), []
    for block in result.data.blocks:
        slope, prob = p[f"slope_{block.name}"], p[f"category_prob_{block.name}"]
        above = prob[:, ::-1].cumsum(1)[:, ::-1][:, 1:]
        threshold = -np.sqrt(1 + SHRINK * slope[:, None] ** 2) * np.log(above / (1 - above))
        value = np.ones((len(block.values), theta.size))
        for j, column in enumerate(block.values.T):
            reach = 1 / (1 + np.exp(-(slope[j] * theta[:, None] - threshold[j])))
            edge = np.hstack([np.ones((theta.size, 1)), reach, np.zeros((theta.size, 1))])
            chance = edge[:, :-1] - edge[:, 1:]
            for person in np.flatnonzero(column >= 0):
                value[person] *= chance[:, column[person]]
        out.append(value)
    return out


# --- Shape and alignment ------------------------------------------------------------------------------------


def test_scores_are_aligned_with_the_survey_and_named() -> None:
    answers = survey()
    result = hand_made.result(MEDIATION, answers=answers)
    found = scores(result, draws=30)
    assert found["draw"].dims == ("sample", "person", "factor")
    assert found["mean"].dims == found["sd"].dims == ("person", "factor")
    assert found["draw"].shape == (30, 40, 3)
    assert found["factor"].to_numpy().tolist() == ["x", "m", "y"]
    assert found["person"].to_numpy().tolist() == answers.person.tolist()
    assert np.isfinite(found["draw"]).all()
    assert (found["sd"] > 0).all()
    assert scores(result, draws=500)["draw"].sizes["sample"] == 200


def test_the_order_of_persons_does_not_matter_and_the_seed_does() -> None:
    answers = survey()
    order = np.random.default_rng(1).permutation(40)
    text = "x =~ x1..x3\nx ~ age"
    one = scores(hand_made.result(text, answers=answers), draws=20, seed=3)
    same = scores(hand_made.result(text, answers=answers), draws=20, seed=3)
    other = scores(hand_made.result(text, answers=answers), draws=20, seed=4)
    turned = scores(hand_made.result(text, answers=answers.take(order)), draws=20, seed=3)
    np.testing.assert_array_equal(one["draw"], same["draw"])
    assert not np.isclose(one["draw"], other["draw"]).any()
    # With one construct the moments come from the grid, not from the draws.
    np.testing.assert_allclose(one["mean"], other["mean"], rtol=1e-12)
    np.testing.assert_allclose(turned["mean"], one["mean"][order], atol=1e-12)
    np.testing.assert_allclose(turned["sd"], one["sd"][order], atol=1e-12)


@pytest.mark.parametrize("text", ["x =~ x1..x3", MEDIATION, "x =~ n1 + n2 + n3"])
def test_draws_have_the_mean_and_the_sd_that_are_reported(text: str) -> None:
    family = "gaussian" if "n1" in text else "graded"
    # Parameters differ from draw to draw, as in any posterior.
    result = hand_made.result(text, family=family, answers=survey(15), draws=1000)
    found = scores(result, draws=2000, seed=6)
    draw = found["draw"].to_numpy()
    assert draw.shape[0] == 2000
    off = (draw.mean(0) - found["mean"].to_numpy()) / found["sd"].to_numpy()
    assert np.abs(off).max() < 6 / np.sqrt(2000)
    np.testing.assert_allclose(draw.std(0), found["sd"], rtol=0.1)


# --- Closed forms -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [MEASURED, WITH_SEX])
def test_without_answers_the_score_is_that_of_the_regression(text: str) -> None:
    answers = survey(12)
    result = fixed(text, CORRELATION, answers)
    found = scores(result, draws=1500, seed=7)
    p = at_first(result)
    want = np.zeros(3)
    if text == WITH_SEX:
        share = answers.variables["sex"].mean()
        want = p["covariate_effect"] * (answers.variables["sex"][NOBODY] - share)
        assert np.abs(want).max() > 0.1
    np.testing.assert_allclose(found["mean"][NOBODY], want, atol=0.05)
    np.testing.assert_allclose(found["sd"][NOBODY], 1.0, atol=0.05)
    between = np.corrcoef(found["draw"].to_numpy()[:, NOBODY].T)
    np.testing.assert_allclose(between[np.triu_indices(3, 1)], [0.5, 0.3, 0.6], atol=0.08)


def test_an_observed_outcome_tells_of_the_score() -> None:
    answers = survey()
    values = {"path": np.array([0.8]), "intercept": np.array([0.1]), "residual_sd": np.array([0.6])}
    result = fixed("x =~ x1..x3\ngrade ~ x", values, answers)
    grade = answers.variables["grade"]
    standard = (grade[NOBODY] - np.nanmean(grade)) / np.nanstd(grade)
    found = scores(result, draws=10)
    assert found["mean"][NOBODY].item() == pytest.approx(0.8 * (standard - 0.1) / (0.64 + 0.36), abs=1e-6)
    assert found["sd"][NOBODY].item() == pytest.approx(0.6, abs=1e-6)


def gaussian_moments(result: Result, p: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance (person, factor) by conditioning the joint normal of scores and given numbers."""
    data, own = result.data, {}
    root = p["correlation_chol"] @ p["correlation_chol"].T
    loading = np.zeros((3 * len(data.blocks), len(data.blocks)))
    for d, block in enumerate(data.blocks):
        rows = slice(sum(b.values.shape[1] for b in data.blocks[:d]), None)
        loading[rows][: block.values.shape[1], d] = p[f"loading_{block.name}"]
        own[block.name] = p[f"intercept_{block.name}"], p[f"residual_sd_{block.name}"]
    values = np.hstack([block.values for block in data.blocks])
    loading = loading[: values.shape[1]]
    intercept = np.concatenate([own[block.name][0] for block in data.blocks])
    noise = np.diag(np.concatenate([own[block.name][1] for block in data.blocks]) ** 2)
    location = data.design[:, [1]] * p["covariate_effect"]
    mean, variance = np.empty(location.shape), np.empty(location.shape)
    for i, row in enumerate(values):
        given = ~np.isnan(row)
        link = loading[given]
        covariance = link @ root @ link.T + noise[np.ix_(given, given)]
        gain = root @ link.T @ np.linalg.inv(covariance)
        mean[i] = location[i] + gain @ (row[given] - intercept[given] - link @ location[i])
        variance[i] = np.diag(root - gain @ link @ root)
    return mean, variance


def test_gaussian_scores_are_those_of_the_joint_normal() -> None:
    text = "f =~ n1 + n2 + n3\ng =~ dose + grade\nf ~ age\ng ~ f + age"
    result = hand_made.result(text, family="gaussian", answers=survey(), chains=1, draws=7)
    found = scores(result, draws=7)
    values = result.values()
    moments = [gaussian_moments(result, {k: v[0, s] for k, v in values.items()}) for s in range(7)]
    means, variances = (np.array(part) for part in zip(*moments, strict=True))
    np.testing.assert_allclose(found["mean"], means.mean(0), atol=1e-10)
    np.testing.assert_allclose(found["sd"], np.sqrt(variances.mean(0) + means.var(0)), atol=1e-10)


def test_one_graded_construct_against_brute_force() -> None:
    result = fixed("x =~ x1..x3", {}, survey())
    theta = np.linspace(-8, 8, 4001)
    weight = densities(result, theta)[0] * stats.norm.pdf(theta)
    weight /= weight.sum(1, keepdims=True)
    mean = weight @ theta
    found = scores(result, draws=5)
    # The grid of the scores ends six sds out.
    np.testing.assert_allclose(found["mean"][:, 0], mean, atol=1e-5)
    np.testing.assert_allclose(found["sd"][:, 0], np.sqrt(weight @ theta**2 - mean**2), atol=1e-5)


def test_two_graded_constructs_against_brute_force() -> None:
    slopes = {"slope_x": np.array([1.5, 2.5, 1.0]), "slope_m": np.array([0.8, 1.2, -1.0])}
    chol = np.linalg.cholesky(np.array([[1, 0.8], [0.8, 1]]))
    values = slopes | {"correlation_chol": chol, "covariate_effect": np.array([0.5, -0.4])}
    result = fixed("x =~ x1..x3\nm =~ m1..m3\nx ~ age\nm ~ age", values, survey(20))
    theta = np.linspace(-7, 7, 141)
    own, other = densities(result, theta)
    normal = stats.multivariate_normal([0, 0], chol @ chol.T)
    pairs = np.stack(np.meshgrid(theta, theta, indexing="ij"), axis=-1)
    want = np.empty((20, 2, 2))
    for i, age in enumerate(result.data.design[:, 1]):
        weight = normal.pdf(pairs - age * np.array([0.5, -0.4])) * own[i][:, None] * other[i]
        weight /= weight.sum()
        for d, margin in enumerate((weight.sum(1), weight.sum(0))):
            mean = margin @ theta
            want[i, d] = mean, np.sqrt(margin @ theta**2 - mean**2)
    found = scores(result, draws=1500, seed=8)
    np.testing.assert_allclose(found["mean"], want[..., 0], atol=0.05)
    np.testing.assert_allclose(found["sd"], want[..., 1], atol=0.04)


def test_scores_of_sampled_persons_are_their_normals_in_place() -> None:
    answers = survey()
    text = "x =~ x1..x3\nm =~ m1..m3\nm ~ x + age\nx ~ age"
    values = {"covariate_effect": np.array([0.5, -0.4]), "correlation_chol": np.array([[1, 0], [0.6, 0.8]])}
    result = fixed(text, values, answers)
    z = np.random.default_rng(9).normal(size=(2, 2000, 40, 2))
    result.tree["posterior"]["z"] = xr.DataArray(z, dims=("chain", "draw", "person", "factor"))
    found = scores(result, draws=4000)
    effect = at_first(result)["covariate_effect"]
    # The first coefficient is that of x, the second that of m: total effects of age.
    names = [c.name for c in result.data.layout.coefficients if c.from_column]
    assert names == ["x~age", "m~age"]
    flat = z.reshape(4000, 40, 2)
    age = result.data.design[:, 1]
    x = effect[0] * age + flat[..., 0]
    m = effect[1] * age + 0.6 * flat[..., 0] + 0.8 * flat[..., 1]
    np.testing.assert_allclose(found["draw"], np.stack([x, m], axis=-1), atol=1e-12)
    np.testing.assert_allclose(found["mean"], np.stack([x.mean(0), m.mean(0)], axis=-1), atol=1e-12)
    np.testing.assert_allclose(found["sd"], np.stack([x.std(0, ddof=1), m.std(0, ddof=1)], -1), atol=1e-12)


# --- A peer, and simulated persons --------------------------------------------------------------------------


PEERS = {
    "irt.lsat6.2pl": ("lsat", "lsat/lsat6.csv", tuple(f"item{j}" for j in range(1, 6)), (0, 1)),
    "irt.grm": (
        "science_attitudes", "science_attitudes/science.csv", ("Comfort", "Work", "Future", "Benefit"),
        (1, 2, 3, 4),
    ),
}  # fmt: skip


@pytest.mark.parametrize("entry", PEERS)
def test_scores_at_the_peer_s_estimates_are_the_peer_s_scores(entry: str, shared: Path) -> None:
    dataset, file, items, codes = PEERS[entry]
    answers = read_survey(shared / "data" / file, Instrument((Module("f", items, codes),)))
    want = reference(shared, dataset, entry)
    estimate = np.array([want["slope_intercept"][item]["est"][: len(codes)] for item in items])
    slope, intercept = estimate[:, 0], estimate[:, 1:]
    reach = 1 / (1 + np.exp(-intercept / np.sqrt(1 + SHRINK * slope[:, None] ** 2)))
    prob = -np.diff(np.pad(reach, ((0, 0), (1, 1)), constant_values=((0, 0), (1, 0))), axis=1)
    family = "bernoulli" if len(codes) == 2 else "graded"
    text = "f =~ " + " + ".join(items)
    found = scores(fixed(text, {"slope_f": slope, "category_prob_f": prob}, answers, family), draws=2)
    size = len(want["eap"]["theta"])
    np.testing.assert_allclose(found["mean"][:size, 0], want["eap"]["theta"], atol=0.002)
    np.testing.assert_allclose(found["sd"][:size, 0], want["eap"]["se"], atol=0.002)
    assert found["mean"].std().item() == pytest.approx(want["eap"]["sd"], abs=0.002)


def test_scores_find_the_simulated_persons() -> None:
    names = {name: tuple(f"{name}{j}" for j in range(1, 9)) for name in "xm"}
    asked = Instrument(tuple(Module(name, items, (1, 2, 3, 4), LABELS) for name, items in names.items()))
    model = compose(parse_model("x =~ x1..x8\nm =~ m1..m8\nm ~ a*x"))
    items = {name: {"slope": 2.0, "mean": [1.8, 2.0, 2.2, 2.4, 2.6, 2.8, 3.0, 3.2]} for name in "xm"}
    truth = read_truth(model, asked, {"n_person": 600, "seed": 12, "paths": {"a": 0.5}, "items": items})
    answers = simulate(model, asked, truth, missing=0.1)
    true = np.column_stack([simulate_persons(truth).nodes[name] for name in "xm"])
    values = {f"{role}_{name}": value for name, own in truth.items.items() for role, value in own.items()}
    values["correlation_chol"] = np.array([[1, 0], [0.5, np.sqrt(0.75)]])
    result = fixed("x =~ x1..x8\nm =~ m1..m8\nm ~ a*x", values, answers)
    found = scores(result, draws=60, seed=13)
    mean, sd = found["mean"].to_numpy(), found["sd"].to_numpy()
    for d in range(2):
        r = np.corrcoef(mean[:, d], true[:, d])[0, 1]
        assert r > 0.9
        assert r**2 == pytest.approx(1 - (sd[:, d] ** 2).mean(), abs=0.03)
        # A regression of the truth on its posterior mean has slope one.
        assert np.cov(true[:, d], mean[:, d])[0, 1] / mean[:, d].var() == pytest.approx(1, abs=0.06)
        z = (true[:, d] - mean[:, d]) / sd[:, d]
        assert (np.abs(z) < 1.96).mean() == pytest.approx(0.95, abs=0.025)
        # Plausible values keep the spread of the population, means do not.
        assert found["draw"].to_numpy()[..., d].std(1).mean() == pytest.approx(true[:, d].std(), abs=0.05)
    drawn = found["draw"].to_numpy()
    between = np.mean([np.corrcoef(one.T)[0, 1] for one in drawn])
    assert between == pytest.approx(np.corrcoef(true.T)[0, 1], abs=0.06)


# --- Refusals -----------------------------------------------------------------------------------------------


def test_without_constructs_there_are_no_scores() -> None:
    result = hand_made.result("dose ~ a*age\ngrade ~ b*dose + c*age", family="gaussian", answers=survey())
    with pytest.raises(FitError, match="no constructs, so persons have no scores") as caught:
        scores(result)
    assert "observed" in caught.value.hint


@pytest.mark.parametrize("draws", [0, -3, 2.5, True])
def test_impossible_numbers_of_draws_are_refused(draws: int) -> None:
    with pytest.raises(SpecError, match="is no number of draws"):
        scores(hand_made.result("x =~ x1..x3"), draws=draws)
