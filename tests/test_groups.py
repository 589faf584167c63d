"""Several groups: coordinates, the map to each group and back, both routes, against slow twins."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

import hand_made
from group_cases import grouped, simulated
from medpsy.bind import ModelData, bind
from medpsy.engines.base import choose
from medpsy.errors import DataError, SpecError
from medpsy.families.graded_coordinates import GradedCoordinates
from medpsy.groups.differences import contrasts
from medpsy.inference.density import Density
from medpsy.inference.transforms import Unconstrained
from medpsy.model import compose
from medpsy.ops import Numpy
from medpsy.spec.groups import Groups
from medpsy.spec.syntax import parse_model
from medpsy.survey.survey import Survey

TWO = "x =~ x1..x3\ny =~ y1..y3"
CASES = {
    "scalar": (TWO + "\ny ~ age\nx ~ age", Groups("sex"), "graded"),
    "configural": (TWO, Groups("sex", equal=()), "graded"),
    "shrunk, one free": (TWO, Groups("sex", shrink=("slope", "location"), release=("x2",)), "graded"),
    "thresholds, pooled": (TWO, Groups("sex", ("thresholds",), release=("gap.x2",), pooled=True), "graded"),
    "regressions": (TWO + "\ny ~ a*x", Groups("sex", ("loadings", "thresholds", "regressions")), "graded"),
    "one construct": ("x =~ x1..x3", Groups("sex", shrink=("location",), release=("slope.x2",)), "graded"),
    "partial credit": (TWO, Groups("sex"), "generalised_partial_credit"),
    "rating scale": ("x =~ x1..x3", Groups("sex", shrink=("location",)), "rating_scale"),
    "rasch": ("x =~ x1..x3", Groups("sex"), "partial_credit"),
    "numbers": ("x =~ n1..n3\ngrade ~ x", Groups("sex", shrink=("intercepts",)), "gaussian"),
    "numbers, configural": ("x =~ n1..n3", Groups("sex", equal=(), reference="m"), "gaussian"),
}


def case(name: str, answers: Survey | None = None) -> ModelData:
    text, groups, family = CASES[name]
    return grouped(text, answers if answers is not None else hand_made.survey(60), groups, family)


def settled(data: ModelData) -> tuple[Any, Any]:
    engine, _ = choose(data)
    return engine, engine.settings(data, 41 if data.n_factor == 1 else 25)


def somewhere(data: ModelData, seed: int, scale: float = 0.4) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, scale, Unconstrained(data.parameters).size)


def test_contrasts_make_all_pairs_alike() -> None:
    for size in (2, 3, 6):
        c = contrasts(size, -1)
        np.testing.assert_allclose(c.sum(0), 0.0, atol=1e-12)
        length = np.linalg.norm(c[:, None] - c[None], axis=-1)
        np.testing.assert_allclose(length, 1.0 - np.eye(size), atol=1e-12)
    np.testing.assert_array_equal(contrasts(3, 1), [[1, 0], [0, 0], [0, 1]])


@pytest.mark.parametrize("n_category", [2, 3, 5])
def test_graded_coordinates_there_and_back(n_category: int) -> None:
    rng = np.random.default_rng(3)
    p = {"slope": rng.normal(0, 2, 7), "category_prob": rng.dirichlet(np.ones(n_category) * 0.5, 7)}
    c = GradedCoordinates().to(p, Numpy)
    above = np.cumsum(p["category_prob"][:, ::-1], axis=1)[:, ::-1][:, 1:]
    threshold = -np.sqrt(1 + 0.3457 * p["slope"] ** 2)[:, None] * np.log(above / (1 - above))
    np.testing.assert_allclose(c["location"], threshold.mean(1), rtol=1e-8)
    np.testing.assert_allclose(c["gap"], np.diff(threshold, axis=1), rtol=1e-6)
    again = GradedCoordinates().back(c, Numpy)
    np.testing.assert_allclose(again["category_prob"], p["category_prob"], rtol=1e-9, atol=1e-300)
    # Equal thresholds at another slope.
    moved = GradedCoordinates().to(GradedCoordinates().back(c | {"slope": c["slope"] + 0.7}, Numpy), Numpy)
    np.testing.assert_allclose(moved["location"], c["location"], rtol=1e-8)
    np.testing.assert_allclose(moved["gap"], c["gap"], rtol=1e-8)


def test_categories_that_an_item_lacks_are_left_alone() -> None:
    prob = np.array([[0.2, 0.3, 0.5, 1e-300, 1e-300], [0.1, 0.2, 0.3, 0.2, 0.2]])
    full = {"slope": np.array([1.2, 0.8]), "category_prob": prob}
    own = {"slope": full["slope"][:1], "category_prob": prob[:1, :3]}
    c, c_own = GradedCoordinates().to(full, Numpy), GradedCoordinates().to(own, Numpy)
    assert c["location"][0] == pytest.approx(c_own["location"][0])
    back = GradedCoordinates().back(c | {"location": c["location"] + 0.5}, Numpy)["category_prob"]
    want = GradedCoordinates().back(c_own | {"location": c_own["location"] + 0.5}, Numpy)["category_prob"]
    np.testing.assert_allclose(back[0, :3], want[0], rtol=1e-9)
    assert back[0, 3:].max() < 1e-100
    ones = {name: np.ones_like(value) for name, value in c.items()}
    assert all(np.isfinite(d).all() for d in GradedCoordinates().to_reverse(full, ones).values())


def test_graded_coordinates_gradients() -> None:
    rng = np.random.default_rng(4)
    p = {"slope": rng.normal(1, 1, 3), "category_prob": rng.dirichlet(np.ones(4) * 3, 3)}
    c = GradedCoordinates().to(p, Numpy)
    weight = {name: rng.normal(size=value.shape) for name, value in c.items()}
    back = {name: rng.normal(size=value.shape) for name, value in p.items()}

    def check(function: Any, at: dict[str, np.ndarray], w: dict[str, np.ndarray], found: Any) -> None:
        for name, value in at.items():
            for cell in np.ndindex(value.shape):
                total = []
                for h in (1e-6, -1e-6):
                    moved = {k: v.copy() for k, v in at.items()}
                    moved[name][cell] += h
                    out = function(moved, Numpy)
                    total.append(sum((out[k] * w[k]).sum() for k in w))
                assert found[name][cell] == pytest.approx((total[0] - total[1]) / 2e-6, rel=1e-5, abs=1e-7)

    g = GradedCoordinates()
    # Probabilities are free arguments here, as the sampler sees them: below and above are own sums.
    check(g.back, c, back, g.back_reverse(c, back))
    check(g.to, p, weight, g.to_reverse(p, weight))


@pytest.mark.parametrize("name", CASES)
def test_gradient_and_terms_of_the_compiled_route(name: str) -> None:
    data = case(name)
    engine, settings = settled(data)
    density = Density(data, engine.compiled(data, settings))
    u = somewhere(data, 1)
    value, gradient = density.value_and_gradient(u)
    p = density.space.constrain(u)
    terms = engine.log_likelihood(data, p, Numpy, settings)
    np.testing.assert_allclose(density.likelihood.per_person(p), terms, rtol=1e-9, atol=1e-10)
    assert value - density.space.log_prior(u)[0] == pytest.approx(terms.sum(), rel=1e-10)
    for direction in np.random.default_rng(2).normal(size=(6, density.size)):
        ahead = density.value_and_gradient(u + 1e-5 * direction)[0]
        behind = density.value_and_gradient(u - 1e-5 * direction)[0]
        assert gradient @ direction == pytest.approx((ahead - behind) / 2e-5, rel=1e-6, abs=1e-6)


def test_ordinal_groups_against_a_sum_over_nodes() -> None:
    """Each group's own thresholds, slopes, mean and sd, node after node, from the sampled differences."""
    survey, _ = simulated((30, 25), items=3, seed=5)
    groups = Groups("arm", shrink=("location",), release=("loadings.x2",))
    data = grouped("x =~ x1..x3", survey, groups)
    p = Unconstrained(data.parameters).constrain(somewhere(data, 7))
    engine, settings = settled(data)
    found = engine.log_likelihood(data, p, Numpy, settings)
    slope, prob = p["slope_x"], p["category_prob_x"]
    above = np.cumsum(prob[:, ::-1], axis=1)[:, ::-1][:, 1:]
    cuts = -np.sqrt(1 + 0.3457 * slope**2)[:, None] * np.log(above / (1 - above))
    theta = np.linspace(-9, 9, 2001)
    step = theta[1] - theta[0]
    for i in range(survey.n_person):
        g = int(survey.variables["arm"][i])
        a, t = slope.copy(), cuts.copy()
        # Shrunk differences are split between the groups, free ones are those from the first group.
        t += (g - 0.5) * (p["difference_sd_location_x"] * p["shrunk_location_x"])[:, None]
        a[1] *= np.exp(g * p["difference_slope_x"][0])
        mean, sd = (p["group_mean"][0], np.exp(p["group_log_sd"][0])) if g else (0.0, 1.0)
        total = stats.norm.pdf(theta, mean, sd)
        for j in range(3):
            x = expit(a[j] * theta - t[j][:, None])
            edges = np.concatenate([np.ones((1, theta.size)), x, np.zeros((1, theta.size))])
            total = total * (edges[:-1] - edges[1:])[survey.codes[i, j]]
        assert found[i] == pytest.approx(np.log(total.sum() * step), rel=1e-7)


def test_gaussian_groups_against_the_multivariate_normal() -> None:
    survey = hand_made.survey(50)
    data = grouped("x =~ n1..n3", survey, Groups("sex", release=("n2",)), "gaussian")
    p = Unconstrained(data.parameters).constrain(somewhere(data, 8))
    engine, settings = settled(data)
    found = engine.log_likelihood(data, p, Numpy, settings)
    y = data.blocks[0].values
    for i in range(50):
        male = int(survey.variables["sex"][i])
        loading, intercept = p["loading_x"].copy(), p["intercept_x"].copy()
        loading[1] += male * p["difference_loading_x"][0]
        intercept[1] += male * p["difference_intercept_x"][0]
        residual = p["residual_sd_x"] * np.exp(male * p["difference_residual_sd_x"])
        mean = male * p["group_mean"][0]
        sd = np.exp(male * p["group_log_sd"][0])
        given = ~np.isnan(y[i])
        covariance = np.outer(loading, loading) * sd**2 + np.diag(residual**2)
        want = stats.multivariate_normal.logpdf(
            y[i][given], (intercept + loading * mean)[given], covariance[np.ix_(given, given)]
        )
        assert found[i] == pytest.approx(want, rel=1e-10)


def test_equal_groups_are_one_group() -> None:
    survey = hand_made.survey(60)
    text = TWO + "\ny ~ a*x"
    one = bind(compose(replace(parse_model(text), priors=(("path", "Normal(0, 0.5)"),))), survey)
    words = ("loadings", "thresholds", "regressions")
    many = grouped(text, survey, Groups("sex", words), priors=(("path", "Normal(0, 0.5)"),))
    p = Unconstrained(one.parameters).constrain(somewhere(one, 3))
    q = p | {"group_mean": np.zeros(2), "group_log_sd": np.zeros(2)}
    alone, together = settled(one), settled(many)
    np.testing.assert_allclose(
        alone[0].log_likelihood(one, p, Numpy, alone[1]),
        together[0].log_likelihood(many, q, Numpy, together[1]),
        rtol=1e-12,
    )


def test_configural_groups_are_separate_models() -> None:
    survey = hand_made.survey(60)
    data = case("configural", survey)
    p = Unconstrained(data.parameters).constrain(somewhere(data, 4))
    engine, settings = settled(data)
    found = engine.log_likelihood(data, p, Numpy, settings)
    for g in (0, 1):
        rows = np.flatnonzero(survey.variables["sex"] == g)
        own = bind(compose(parse_model(TWO)), survey.take(rows))
        values = data.groups.values(p, g)
        single, grid = settled(own)
        np.testing.assert_allclose(single.log_likelihood(own, values, Numpy, grid), found[rows], rtol=1e-10)


def test_names_of_the_groups_do_not_matter() -> None:
    survey = hand_made.survey(60)
    data = case("shrunk, one free", survey)
    sex = replace(survey.variable("sex"), levels=("zz", "a b/c"))
    rest = tuple(v for v in survey.instrument.variables if v.name != "sex")
    renamed = replace(survey, instrument=replace(survey.instrument, variables=(*rest, sex)))
    again = case("shrunk, one free", renamed)
    u = somewhere(data, 5)
    values = []
    for one in (data, again):
        engine, settings = settled(one)
        values.append(Density(one, engine.compiled(one, settings)).value_and_gradient(u)[0])
    assert values[0] == pytest.approx(values[1], rel=1e-12)


@pytest.mark.parametrize(
    "name",
    [
        "one construct",
        pytest.param("shrunk, one free", marks=pytest.mark.slow),
        pytest.param("thresholds, pooled", marks=pytest.mark.slow),
        pytest.param("numbers", marks=pytest.mark.slow),
    ],
)
def test_both_routes_state_one_density(name: str) -> None:
    from medpsy.inference.pymc_model import build
    from pymc_density import density_function

    data = case(name, hand_made.survey(30))
    engine, _ = choose(data)
    settings = engine.settings(data, 11)
    space = Unconstrained(data.parameters)
    pymc = density_function(build(data, engine, settings), space.slots)
    compiled = Density(data, engine.compiled(data, settings))
    offsets = []
    for seed in range(6):
        u = somewhere(data, seed, 0.6)
        value, gradient = pymc(u)
        own, own_gradient = compiled.value_and_gradient(u)
        np.testing.assert_allclose(own_gradient, gradient, rtol=1e-6, atol=1e-8 * np.abs(gradient).max())
        offsets.append(value - own)
    np.testing.assert_allclose(offsets, offsets[0], rtol=0, atol=1e-7)


def test_what_cannot_be_told_apart_is_fixed() -> None:
    survey = hand_made.survey(60)
    by_name = {p.name: p for p in case("configural", survey).parameters}
    assert "group_mean" not in by_name and "group_log_sd" not in by_name
    loadings = grouped(TWO, survey, Groups("sex", ("loadings",)))
    assert {p.name for p in loadings.parameters} >= {"group_log_sd", "difference_location_x"}
    assert "group_mean" not in {p.name for p in loadings.parameters}
    # One item that is equal in all groups is enough for a mean.
    released = Groups("sex", release=("x2", "x3"))
    (mean,) = [p for p in grouped(TWO, survey, released).parameters if p.name == "group_mean"]
    assert mean.coords == (("x: m - f", "y: m - f"),)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (Groups("sex", ("loading_s",)), "nothing that can be equal"),
        (Groups("sex", shrink=("intercepts",)), "no 'intercepts' to shrink"),
        (Groups("sex", release=("x9",)), "'x9' cannot be released"),
        (Groups("sex", reference="w"), "no one is in the reference group 'w'"),
        (Groups("age"), "not a variable with levels"),
        (Groups("sexx"), "no variable 'sexx'"),
    ],
)
def test_impossible_groups_are_refused_by_name(groups: Groups, message: str) -> None:
    with pytest.raises((SpecError, DataError), match=message):
        grouped(TWO, hand_made.survey(30), groups)


def test_impossible_answers_are_refused_by_name() -> None:
    survey = hand_made.survey(30)
    with pytest.raises(DataError, match="group 'm' of 'sex' has one person only"):
        grouped(
            TWO,
            replace(survey, variables=survey.variables | {"sex": np.eye(30, dtype=int)[3]}),
            Groups("sex"),
        )
    with pytest.raises(DataError, match="everybody has the same level"):
        grouped(TWO, replace(survey, variables=survey.variables | {"sex": np.zeros(30, int)}), Groups("sex"))
    gone = survey.variables["sex"].copy()
    gone[4] = -1
    with pytest.raises(DataError, match=r"missing for 1 persons \(p4\)"):
        grouped(TWO, replace(survey, variables=survey.variables | {"sex": gone}), Groups("sex"))
    with pytest.raises(SpecError, match="can only be equal in all groups"):
        grouped(TWO, survey, Groups("sex", release=("x2",)), "sequential")
