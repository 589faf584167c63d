"""Bifactor and testlet models: brute force, both routes, special cases, recovery, scores, reliability."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, logsumexp

import medpsy as mp
import twins
from made_posterior import made
from medpsy.api.models import Model
from medpsy.bind import ModelData, bind, local
from medpsy.engines.base import choose, engines
from medpsy.engines.bifactor import NestedGrid
from medpsy.errors import SpecError
from medpsy.families.nested import Nested
from medpsy.inference.density import Density, start_point
from medpsy.inference.mode import find_mode
from medpsy.ops import Numpy
from medpsy.posterior.further_scores import further_names, further_scores
from medpsy.posterior.reliability import reliability
from medpsy.posterior.scores import scores
from medpsy.result import load
from medpsy.spec.model_file import read_model_file
from medpsy.spec.write_toml import to_toml
from medpsy.survey.instrument import Instrument, Module
from numeric_cases import bound, check_gradient, composed, survey, values_at, with_fewer
from pymc_density import check_one_density

TEXT = "x =~ x1..x6\ns =~ x1..x3\ns ~~ 0*x\nt =~ x5 + x6\nt ~~ 0*x"


@cache
def data(testlets: bool = False, covariate: bool = False, fewer: bool = False) -> ModelData:
    answers = survey(15, items=6)
    if fewer:
        answers = with_fewer(answers, "x2", 3)
    model = Model(TEXT + ("\nx ~ age" if covariate else ""), testlets=["x"] if testlets else [])
    return bind(model.composed, answers)


def nested(bound_data: ModelData) -> Nested:
    family = bound_data.model.families["x"]
    assert isinstance(family, Nested)
    return family


def slopes(bound_data: ModelData, p: dict[str, np.ndarray]) -> np.ndarray:
    """General and specific slopes (item, 3), written out for TEXT."""
    out = np.zeros((6, 3))
    out[:, 0] = p["slope_x"]
    if "testlet_sd_x" in p:
        for factor, items in ((1, (0, 1, 2)), (2, (4, 5))):
            for j in items:
                out[j, factor] = p["testlet_sd_x"][factor - 1] * p["slope_x"][j]
    else:
        for entry, (j, factor) in enumerate(((0, 1), (1, 1), (2, 1), (4, 2), (5, 2))):
            out[j, factor] = p["specific_slope_x"][entry]
    return out


def brute_force(bound_data: ModelData, p: dict[str, np.ndarray], person: int, size: int = 41) -> float:
    """Log-likelihood of one person over the full three-dimensional grid, answer by answer."""
    t = np.linspace(-7, 7, size)
    mesh = np.meshgrid(t, t, t, indexing="ij")
    mean = 0.0
    if "covariate_effect" in p:
        mean = float(p["covariate_effect"][0] * bound_data.design[person, 1])
    total = -0.5 * ((mesh[0] - mean) ** 2 + mesh[1] ** 2 + mesh[2] ** 2) - 1.5 * np.log(2 * np.pi)
    a = slopes(bound_data, p)
    for j, code in enumerate(bound_data.blocks[0].values[person]):
        if code < 0:
            continue
        length = float(np.sqrt((a[j] ** 2).sum()))
        prob = p["category_prob_x"][j][: bound_data.blocks[0].sizes[j]]
        cut = [float(c) for c in twins.thresholds(length, prob.tolist())]
        predictor = a[j, 0] * mesh[0] + a[j, 1] * mesh[1] + a[j, 2] * mesh[2]
        total = total + twins.categorical_table(1.0, cut, predictor)[int(code)]
    return float(logsumexp(total) + 3 * np.log(t[1] - t[0]))


@pytest.mark.parametrize("testlets", [False, True])
@pytest.mark.parametrize("covariate", [False, True])
def test_the_density_is_the_sum_over_all_factors_at_once(testlets: bool, covariate: bool) -> None:
    bound_data = data(testlets, covariate, fewer=covariate)
    engine, _ = choose(bound_data)
    assert engine.name == "bifactor"
    p = values_at(bound_data, 3)
    settings = engine.settings(bound_data)
    defined = engine.log_likelihood(bound_data, p, Numpy, settings)
    compiled = engine.compiled(bound_data, settings)
    np.testing.assert_allclose(compiled.per_person(p), defined, atol=1e-8)
    for person in (0, 1, 4, 9):
        assert defined[person] == pytest.approx(brute_force(bound_data, p, person), abs=1e-6)
    assert defined[0] == pytest.approx(0.0, abs=1e-8)  # answered nothing
    if not covariate:  # items with fewer categories have cells that do not exist
        check_gradient(compiled, p)


def test_adapted_numerics_lose_nothing() -> None:
    bound_data = data()
    p = values_at(bound_data, 4)
    engine = engines()["bifactor"]
    wide = engine.compiled(bound_data, engine.settings(bound_data))
    fitted = wide.adapted(p, 2.0).adapted(p, 1.5)
    assert fitted.grid.nodes[0].size < wide.grid.nodes[0].size
    assert abs(wide.numerical_error(p)) < 1e-4
    assert abs(fitted.numerical_error(p)) < 0.01
    value, gradient = fitted.value_and_gradient(p)
    want, exact = wide.value_and_gradient(p)
    assert value == pytest.approx(want, abs=0.01)
    for name, grad in exact.items():
        np.testing.assert_allclose(gradient[name], grad, atol=0.02 * max(1.0, np.abs(grad).max()))


@pytest.mark.parametrize("testlets", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_both_routes_state_one_density(testlets: bool) -> None:
    bound_data = data(testlets, covariate=True, fewer=True)
    engine = engines()["bifactor"]
    settings = NestedGrid((np.linspace(-5, 5, 15),), np.linspace(-5, 5, 11))
    # The slope of an item's table comes from differences, good to nine digits of its largest entry.
    check_one_density(bound_data, engine, settings, floor=1e-8)


def test_without_specific_slopes_it_is_one_dimensional() -> None:
    plain = bound("x =~ x1..x6", survey(15, items=6))
    p = values_at(plain, 5)
    bound_data = data()
    engine = engines()["bifactor"]
    one = engines()["quadrature"]
    want = one.log_likelihood(plain, p, Numpy, one.settings(plain))
    with_zero = p | {"specific_slope_x": np.zeros(5)}
    compiled = engine.compiled(bound_data, engine.settings(bound_data))
    np.testing.assert_allclose(compiled.per_person(with_zero), want, atol=1e-7)


def test_a_testlet_model_is_a_bifactor_model_with_proportional_slopes() -> None:
    p = values_at(data(True), 6)
    sd, slope = p["testlet_sd_x"], p["slope_x"]
    free = {k: v for k, v in p.items() if k != "testlet_sd_x"}
    free["specific_slope_x"] = np.concatenate([sd[0] * slope[:3], sd[1] * slope[4:]])
    engine = engines()["bifactor"]
    settings = engine.settings(data())
    left = engine.log_likelihood(data(True), p, Numpy, settings)
    np.testing.assert_allclose(
        left, engine.log_likelihood(data(), free, Numpy, settings), rtol=1e-12, atol=1e-12
    )


def test_beside_another_construct_it_is_summed_on_the_same_grid() -> None:
    text = TEXT + "\ny =~ y1..y3\ny ~ x"
    both = bind(composed(text), survey(15, items=6))
    engine, _ = choose(both)
    assert engine.name == "bifactor"
    assert not engine.compiles(both).accepted
    p = values_at(both, 7)
    p["correlation_chol"] = np.eye(2)
    alone = bound("y =~ y1..y3", survey(15, items=6))
    one = engines()["quadrature"]
    want = one.log_likelihood(
        alone, {k: v for k, v in p.items() if k.endswith("_y")}, Numpy, one.settings(alone)
    )
    own = {k: v for k, v in p.items() if k.endswith("_x")}
    want = want + engine.log_likelihood(data(), own, Numpy, engine.settings(data()))
    np.testing.assert_allclose(engine.log_likelihood(both, p, Numpy, engine.settings(both)), want, atol=1e-6)


# --- A truth of some size ---------------------------------------------------------------------------------

ITEMS = tuple(f"q{j}" for j in range(1, 10))
GENERAL = [1.5, 2.0, 1.2, 1.8, 1.4, 1.6, 1.1, 1.9, 1.3]
SPECIFIC = [1.0, 1.3, 0.8, 1.1, 0.9, 1.4]


def truth(testlets: bool, persons: int) -> Model:
    extra = {"testlet_sd": {"s": 0.6, "t": 1.0}} if testlets else {"specific_slope": SPECIFIC}
    about: dict[str, Any] = {"slope": GENERAL, "mean": [2.0, 2.5, 3.0] * 3, "sd": 0.9}
    text = "q =~ q1..q9\ns =~ q1..q3\ns ~~ 0*q\nt =~ q4..q6\nt ~~ 0*q"
    return Model(
        text,
        testlets=["q"] if testlets else [],
        instrument=Instrument((Module("q", ITEMS, (1, 2, 3, 4)),)),
        truth={"n_person": persons, "seed": 8, "items": {"q": about | extra}},
    )


@pytest.mark.parametrize("testlets", [False, True])
def test_the_truth_is_recovered(testlets: bool) -> None:
    model = truth(testlets, 1500)
    bound_data = bind(model.composed, model.simulate(missing=0.02))
    engine, _ = choose(bound_data)
    start = start_point(bound_data)
    density = Density(bound_data, engine.compiled(bound_data, engine.settings(bound_data, 31)))
    first = density.space.constrain(start)
    density = Density(bound_data, density.likelihood.adapted(first))
    mode = find_mode(density, start)
    assert mode.converged
    draws = mode.u + np.random.default_rng(1).standard_normal((400, density.size)) @ mode.spread.T
    values = density.space.constrain(draws)
    known = model.known_truth().items["q"]
    z = []
    for role in ("slope", "testlet_sd" if testlets else "specific_slope"):
        drawn = values[f"{role}_q"]
        z.append((drawn.mean(0) - known[role]) / drawn.std(0))
    deviations = np.concatenate(z)
    assert np.abs(deviations).max() < 3.5
    assert np.sqrt((deviations**2).mean()) < 1.5
    assert np.abs(density.space.constrain(mode.u)["slope_q"] - GENERAL).max() < 0.5


def test_simulated_answers_have_the_shares_that_were_asked_for() -> None:
    model = truth(False, 40_000)
    codes = model.simulate().codes + 1.0
    np.testing.assert_allclose(codes.mean(0), [2.0, 2.5, 3.0] * 3, atol=0.02)
    # Items of one specific factor go together more than the construct explains.
    r = np.corrcoef(codes.T)
    assert r[0, 1] > r[0, 7] + 0.08


def test_drawn_answers_follow_the_curves() -> None:
    bound_data = data()
    family, p = nested(bound_data), local(bound_data, bound_data.blocks[0], values_at(bound_data, 9))
    for theta in (-1.5, 0.4):
        want = np.exp(family.log_prob(np.array([theta]), p, Numpy))[:, :, 0]
        np.testing.assert_allclose(want.sum(1), 1.0, atol=1e-8)
        drawn = family.draw(np.full(60_000, theta), p, np.random.default_rng(2))
        share = (drawn[:, :, None] == np.arange(4)).mean(0)
        np.testing.assert_allclose(share, want, atol=0.01)


def test_scores_on_specific_factors_are_their_posterior_given_the_construct() -> None:
    bound_data = data()
    p = values_at(bound_data, 10)
    rng = np.random.default_rng(4)
    theta = rng.normal(size=(500, 15, 1))
    many = {name: np.broadcast_to(value, (500, *value.shape)) for name, value in p.items()}
    theta[:] = theta[0]
    draw, mean, sd = further_scores(bound_data, many, theta, rng)
    assert further_names(bound_data) == ["s", "t"]
    a, u = slopes(bound_data, p), np.linspace(-8, 8, 801)
    for person in (0, 3, 7):
        for factor in (1, 2):
            log_density = -0.5 * u**2
            for j in np.flatnonzero(a[:, factor]):
                code = bound_data.blocks[0].values[person, j]
                if code >= 0:
                    cut = twins.thresholds(
                        float(np.hypot(a[j, 0], a[j, factor])), p["category_prob_x"][j].tolist()
                    )
                    x = a[j, 0] * theta[0, person, 0] + a[j, factor] * u
                    above = np.vstack([np.ones(801), *(expit(x - float(c)) for c in cut), np.zeros(801)])
                    log_density = log_density + np.log(above[code] - above[code + 1])
            mass = np.exp(log_density - log_density.max())
            mass /= mass.sum()
            centre, spread = mass @ u, np.sqrt(mass @ u**2 - (mass @ u) ** 2)
            assert mean[person, factor - 1] == pytest.approx(centre, abs=2e-3)
            assert sd[person, factor - 1] == pytest.approx(spread, abs=2e-3)
            own = draw[:, person, factor - 1]
            assert own.mean() == pytest.approx(centre, abs=0.15)
            assert own.std() == pytest.approx(spread, rel=0.13)


def test_all_latent_variables_have_scores() -> None:
    found = scores(made(data=data(), engine="bifactor", answers=survey(15, items=6)), draws=20)
    assert found.factor.values.tolist() == ["x", "s", "t"]
    assert found["draw"].shape == (20, 15, 3)
    # Who answered nothing has the prior.
    np.testing.assert_allclose(found["sd"][0], 1.0, atol=0.05)


def test_omega_is_what_two_parallel_forms_have_in_common() -> None:
    bound_data = data()
    result = made(data=bound_data, engine="bifactor", answers=survey(15, items=6), chains=1, draws=1)
    table = reliability(result).set_index("coefficient")["mean"]
    p = {name: value[0, 0] for name, value in result.values().items()}
    a, rng, n = slopes(bound_data, p), np.random.default_rng(5), 400_000

    def form(factors: np.ndarray) -> np.ndarray:
        total = np.zeros(n)
        for j in range(6):
            cut = twins.thresholds(float(np.sqrt((a[j] ** 2).sum())), p["category_prob_x"][j].tolist())
            latent = factors @ a[j] + rng.logistic(size=n)
            total += sum((latent > float(c)).astype(float) for c in cut)
        return total

    one = rng.normal(size=(n, 3))
    other = np.column_stack([one[:, 0], rng.normal(size=(n, 2))])
    first = form(one)
    assert np.corrcoef(first, form(other))[0, 1] == pytest.approx(table["omega hierarchical"], abs=0.006)
    assert np.corrcoef(first, form(one))[0, 1] == pytest.approx(table["omega total"], abs=0.006)
    common = (a[:, 0] ** 2).sum() / (a**2).sum()
    assert table["explained common variance"] == pytest.approx(common, rel=1e-12)


# --- Bad input --------------------------------------------------------------------------------------------

START = "x =~ x1..x6\ny =~ y1..y3\n"
BAD = {
    "one item": ("s =~ x1\ns ~~ 0*x", "specific factor 's' has 1 item"),
    "two factors": ("s =~ x1..x3\ns ~~ 0*x\nt =~ x3..x5\nt ~~ 0*x", "item 'x3' is in 's' and 't'"),
    "outside": ("s =~ x1 + y1\ns ~~ 0*x", "item 'x1' measures both 'x' and 's'"),
    "unknown": ("s =~ x1..x3\ns ~~ 0*z", "'z' is not measured by items"),
    "not said": ("s =~ x1..x3", "item 'x1' measures both"),
}


@pytest.mark.parametrize("name", BAD)
def test_impossible_specific_factors_are_named_with_their_line(name: str) -> None:
    text, message = BAD[name]
    with pytest.raises(SpecError) as caught:
        Model(START + text)
    assert message in str(caught.value)
    assert caught.value.hint
    assert caught.value.line is not None


def test_families_without_slopes_of_their_own_are_refused() -> None:
    text = "x =~ cx1..cx6\ns =~ cx1..cx3\ns ~~ 0*x"
    with pytest.raises(SpecError, match="which family 'gaussian' cannot take"):
        Model(text, family="gaussian")


def test_a_specific_factor_must_not_take_a_name_or_all_items() -> None:
    from medpsy.spec.model_spec import Construct, Specific

    whole = Construct("x", ("x1", "x2"), specific=(Specific("s", ("x1", "x2")),))
    with pytest.raises(SpecError, match="has all items of 'x'"):
        Model([whole])
    with pytest.raises(SpecError, match="has the name of a construct"):
        Model([replace(whole, items=("x1", "x2", "x3"), specific=(Specific("x", ("x1", "x2")),))])
    with pytest.raises(SpecError, match="names none"):
        Model([Construct("x", ("x1", "x2"), testlets=True)])


def test_the_page_on_structures_names_the_default_priors() -> None:
    import re

    page = (Path(__file__).resolve().parent.parent / "docs" / "structures.md").read_text(encoding="utf-8")
    written = set(re.findall(r"\| `(\w+)` \| `([^`]+)` \|", page))
    models = [
        Model(TEXT),
        Model(TEXT, testlets=["x"]),
        Model("x =~ x1..x3 + cross*m1\nm =~ m1..m3"),
        Model("x =~ x1..x3\nm =~ m1..m3\ny =~ y1..y3\ng =~ x + m + y"),
    ]
    items = mp.GradedResponse("x", "x1..x3")
    properties = {"length": {"x1": 1.0, "x2": 2.0, "x3": 4.0}, "kind": {"x1": "a", "x2": "b", "x3": "a"}}
    models.append(Model([mp.explain_items(items, properties)]))
    further = (
        "specific_slope", "testlet_sd", "cross_slope", "second_order_slope", "location_effect",
        "location_level_sd",
    )  # fmt: skip
    rows = [row for model in models for row in model.composed.table if row.target.startswith(further)]
    assert written == {(row.target.partition(".")[0], str(row.prior)) for row in rows}


STRUCTURES = (
    TEXT,
    "x =~ x1..x3 + cross*y1\ny =~ y1..y3",
    "x =~ x1..x3\nm =~ m1..m3\ny =~ y1..y3\ng =~ x + m + y",
)


@pytest.mark.parametrize("text", STRUCTURES)
def test_saved_fits_and_model_files_keep_the_structure(text: str, tmp_path: Path) -> None:
    answers = survey(15, items=6)
    engine = choose(bind(composed(text), answers))[0].name
    result = made(data=bind(composed(text), answers), answers=answers, engine=engine, chains=2, draws=5)
    result.save(tmp_path / "fit.nc")
    again = load(tmp_path / "fit.nc")
    assert again.model.spec == result.model.spec
    assert again.model.fingerprint == result.model.fingerprint
    file = tmp_path / "model.toml"
    file.write_text(to_toml(result.model.spec), encoding="utf-8")
    assert read_model_file(file).spec == result.model.spec
