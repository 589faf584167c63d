"""Constructs beside binary, counted, ordinal and heavy-tailed variables, persons integrated out on a grid."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import medpsy as mp
import numeric_cases
from mediation_cases import around_mode, result_of
from medpsy.bind import ModelData, bind
from medpsy.engines.base import choose
from medpsy.engines.conditional import Conditional
from medpsy.engines.grid import Grid
from medpsy.engines.outcomes import ENGINE
from medpsy.inference.density import Density, start_point
from medpsy.inference.transforms import Unconstrained
from medpsy.ops import Numpy
from medpsy.posterior.product_scores import ProductDraws
from medpsy.survey.instrument import Instrument, Module, Variable
from medpsy.survey.survey import Survey
from numeric_cases import bound, even_grid, measured

FAMILIES = {"count": "negative_binomial", "mood": "ordinal", "far": "student_t", "passed": "bernoulli"}
TEXTS = {
    "one construct": measured("x") + "\npassed ~ x + age\ncount ~ x + passed",
    "correlated, mediators of every kind": measured("x", "m")
    + "\nm ~ x + far\nfar ~ age\ncount ~ m + x + age\nmood ~ m + passed\npassed ~ x",
    "a product of constructs, numbers": measured("x")
    + "\nm =~ cm1..cm3\nmood ~ m + x + x:m\npassed ~ mood + x",
    "exposures that correlate": measured("x", "m") + "\nmood ~ m + x\ncount ~ mood",
}


def answers() -> Survey:
    """The survey of the numeric tests, with observed variables of all kinds; a count is missing."""
    held = numeric_cases.survey()
    rng, n = np.random.default_rng(3), held.n_person
    count = rng.poisson(2, n).astype(float)
    count[3] = np.nan
    more = {"count": count, "mood": rng.integers(0, 4, n), "far": rng.standard_t(3, n)}
    variables = (Variable("count"), Variable("mood", "category", ("a", "b", "c", "d")), Variable("far"))
    instrument = replace(held.instrument, variables=(*held.instrument.variables, *variables))
    passed = {"passed": rng.integers(0, 2, n).astype(float)}
    return replace(held, instrument=instrument, variables=held.variables | passed | more)


@cache
def case(name: str) -> tuple[ModelData, dict[str, np.ndarray]]:
    numbers = {"m": "gaussian"} if "numbers" in name else {}
    text = TEXTS[name]
    used = {key: family for key, family in FAMILIES.items() if f"{key} ~" in text}
    data = bound(text, answers(), families=used | numbers)
    space = Unconstrained(data.parameters)
    u = start_point(data) + 0.2 * np.random.default_rng(1).standard_normal(space.size)
    return data, space.constrain(u)


@pytest.mark.parametrize("name", TEXTS)
def test_the_grid_integrates_the_density_of_sampled_persons(name: str) -> None:
    """The slow twin: the conditional density over a fine grid of the independent normals z."""
    data, p = case(name)
    assert choose(data)[0].name == "outcomes"
    t = np.linspace(-7, 7, 61 if data.n_factor == 1 else 41)
    mesh = np.stack(np.meshgrid(*[t] * data.n_factor, indexing="ij"), axis=-1).reshape(-1, data.n_factor)
    terms = [
        Conditional().log_likelihood(data, p | {"z": np.tile(z, (data.n_person, 1))}, Numpy)
        + stats.norm.logpdf(z).sum()
        for z in mesh
    ]
    exact = Numpy.logsumexp(np.stack(terms), axis=0) + data.n_factor * np.log(t[1] - t[0])
    own = ENGINE.compiled(data, even_grid(data.n_factor, 61 if data.n_factor == 1 else 45, 7.0)).per_person(p)
    np.testing.assert_allclose(own, exact, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", TEXTS)
def test_definition_and_compiled_route_agree_and_the_gradient_is_the_numerical_one(name: str) -> None:
    data, p = case(name)
    grid = even_grid(data.n_factor, 13, 5.0)
    compiled = ENGINE.compiled(data, grid)
    np.testing.assert_allclose(
        compiled.per_person(p), ENGINE.log_likelihood(data, p, Numpy, grid), rtol=1e-12, atol=1e-12
    )
    value, gradient = compiled.value_and_gradient(p)
    assert value == pytest.approx(compiled.per_person(p).sum())
    assert set(gradient) == set(p)
    for key, d in gradient.items():
        # Upper triangles of correlation factors are no parameters.
        free = np.tril(np.ones(p[key].shape)) if key.startswith("correlation") else np.ones(p[key].shape)
        for i in np.flatnonzero((free.ravel() > 0) & (np.abs(p[key].ravel()) > 1e-200)):
            step, ends = 1e-5 * max(abs(p[key].flat[i]), 0.01), []
            for sign in (1, -1):
                moved = p[key].copy()
                moved.flat[i] += sign * step
                ends.append(compiled.per_person(p | {key: moved}).sum())
            assert d.flat[i] == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-5, abs=1e-5), (key, i)


@pytest.mark.parametrize("name", ["one construct", "correlated, mediators of every kind"])
def test_the_pymc_model_states_the_same_density(name: str) -> None:
    from medpsy.inference.pymc_model import build
    from pymc_density import density_function

    data, _ = case(name)
    grid = even_grid(data.n_factor, 9, 4.0)
    compiled, space = Density(data, ENGINE.compiled(data, grid)), Unconstrained(data.parameters)
    pymc = density_function(build(data, ENGINE, grid), space.slots)
    rng, offsets = np.random.default_rng(5), []
    for scale in (0.2, 0.6, 1.2):
        u = scale * rng.standard_normal(space.size)
        (one, slope), (other, own) = pymc(u), compiled.value_and_gradient(u)
        np.testing.assert_allclose(own, slope, rtol=1e-6, atol=1e-8 * np.abs(slope).max())
        offsets.append(one - other)
    np.testing.assert_allclose(offsets, offsets[0], rtol=1e-8)


def test_numbers_beside_constructs_have_the_density_of_conditioning_in_closed_form() -> None:
    """The quadrature engine takes normal outcomes out of the grid before it sums."""
    from medpsy.engines.quadrature import ENGINE as QUADRATURE

    text = measured("x", "m") + "\nm ~ x + age\ngrade ~ m + x\nfar ~ grade0 + m"
    data = bound(text.replace(" grade0 +", ""), answers())
    space = Unconstrained(data.parameters)
    p = space.constrain(start_point(data) + 0.2 * np.random.default_rng(2).standard_normal(space.size))
    assert choose(data)[0].name == "quadrature"
    own = ENGINE.compiled(data, even_grid(2, 81, 7.0)).per_person(p)
    other = QUADRATURE.log_likelihood(data, p, Numpy, even_grid(2, 81, 7.0))
    np.testing.assert_allclose(own, other, rtol=1e-8)


def test_windows_and_fitted_grids_lose_next_to_nothing() -> None:
    for name in ("one construct", "correlated, mediators of every kind"):
        data, p = case(name)
        fine = ENGINE.compiled(data, even_grid(data.n_factor, 61, 7.0))
        fitted = ENGINE.compiled(data, ENGINE.settings(data)).adapted(p, 1.5)
        assert abs(fitted.per_person(p) - fine.per_person(p)).max() < 2e-3
        assert abs(fitted.numerical_error(p)) < 5e-3
        cells = float(np.prod(fitted.hi - fitted.lo, axis=1).mean())
        assert cells < 0.3 * 61**data.n_factor


def test_scores_drawn_afterwards_have_the_moments_of_the_grid() -> None:
    data, p = case("correlated, mediators of every kind")
    chain = ProductDraws(data, np.random.default_rng(4))
    for _ in range(150):
        chain.draw(p)
    mean, sd = chain.moments()
    want, spread = ENGINE.compiled(data, even_grid(2, 61, 7.0)).person_moments(p)
    np.testing.assert_allclose(mean, want, atol=0.07)
    np.testing.assert_allclose(sd, spread, rtol=0.08)


def test_who_is_declined_hears_why() -> None:
    held = answers()
    families = {"passed": "bernoulli"}
    four = bound(measured("x", "m", "y", "v") + "\npassed ~ x + m + y + v", held, families=families)
    assert ENGINE.accepts(four).reason == "4 constructs; the grid takes one to 3"
    assert choose(four)[0].name == "conditional"
    alone = bound(measured("x"), held)
    assert ENGINE.accepts(alone).reason == "no observed variable is explained"
    many = replace(four, person=np.tile(four.person, 30))
    three = bound(measured("x", "m", "y") + "\npassed ~ x + m + y", held, families=families)
    assert ENGINE.accepts(three).accepted
    assert "400 persons" in ENGINE.accepts(replace(three, person=many.person)).reason
    holes = replace(
        held,
        variables=held.variables
        | {"passed": np.where(np.arange(15) == 2, np.nan, 1.0 * (np.arange(15) % 2))},
    )
    late = bound(
        measured("x") + "\npassed ~ x\ncount ~ passed", holes, families=families | {"count": "poisson"}
    )
    assert ENGINE.accepts(late).reason == "'passed' explains another variable and is missing for 1 persons"


# A latent mediator of a binary outcome


def students(n: int, seed: int) -> tuple[Survey, dict[str, float]]:
    """Simulated apart from the package: stress -> distress (six items) -> left (yes or no)."""
    rng = np.random.default_rng(seed)
    true = {"a": 0.7, "b": 0.9, "c": 0.4, "i": -0.6}
    x = rng.normal(size=n)
    theta = true["a"] * (x - x.mean()) / x.std() + rng.normal(size=n)
    slope, cut = np.linspace(1.2, 2.2, 6), np.array([-1.5, 0.0, 1.2])
    codes = ((slope * theta[:, None] + rng.logistic(size=(n, 6)))[:, :, None] > cut).sum(-1)
    eta = true["i"] + true["b"] * theta + true["c"] * (x - x.mean()) / x.std()
    left = (rng.random(n) < stats.logistic.cdf(eta)).astype(int)
    items = tuple(f"d{j}" for j in range(1, 7))
    instrument = Instrument(
        (Module("distress", items, (0, 1, 2, 3)),),
        (Variable("x"), Variable("left", "category", ("no", "yes"))),
    )
    person = np.array([str(i) for i in range(n)])
    return Survey(instrument, person, codes.astype(np.int8), {"x": x, "left": left}), true


def closed_form(path: dict[str, float], low: float, high: float) -> dict[str, float]:
    """Natural effects by Gauss-Hermite sums over the residual of the mediator."""
    t, w = np.polynomial.hermite_e.hermegauss(40)
    w = w / w.sum()

    def chance(x: float, at: float) -> float:
        return float(w @ stats.logistic.cdf(path["i"] + path["b"] * (path["a"] * at + t) + path["c"] * x))

    return {
        "natural indirect": chance(high, high) - chance(high, low),
        "natural direct": chance(high, low) - chance(low, low),
    }


def test_natural_effects_through_a_construct_on_a_binary_outcome_are_recovered() -> None:
    held, true = students(2500, 11)
    model = mp.Mediation("x", mp.GradedResponse("distress", items="d1..d6"), mp.Observed("left", "bernoulli"))
    data = bind(model.composed, held)
    engine, _ = choose(data)
    assert engine.name == "outcomes"
    fit = around_mode(model, held, draws=60)
    table = fit.summary().query("section == 'Paths'").set_index(["lhs", "rhs"])
    sd = held.variables["x"].std()
    for place, name in {("distress", "x"): "a", ("left", "distress"): "b", ("left", "x"): "c"}.items():
        scale = sd if "x" in place else 1.0
        off = abs(table.loc[place, "mean"] * scale - true[name])
        assert off < 3.5 * table.loc[place, "sd"] * scale, place
    x = held.variables["x"]
    found = fit.natural_effects(x.mean() - sd, x.mean() + sd, draws=60).set_index("effect")
    for effect, value in closed_form(true, -1.0, 1.0).items():
        assert abs(found.loc[effect, "mean"] - value) < 3.5 * found.loc[effect, "sd"] + 0.005, effect
    # At one value of the parameters the simulation is the sum over the mediator's residual.
    tree = fit.result.tree["posterior"]
    p = {name: tree[name].to_numpy()[0, 0] for name in ("path", "intercept")}
    names = [c.name for c in data.layout.coefficients]
    one = dict(zip(names, p["path"], strict=True))
    own = {"a": one["distress~x"], "b": one["left~distress"], "c": one["left~x"], "i": p["intercept"][0]}
    values = {q.name: tree[q.name].to_numpy()[0, 0] for q in data.parameters}
    single = replace_draws(fit, data, held, values)
    table = single.natural_effects(x.mean() - sd, x.mean() + sd, draws=60).set_index("effect")["mean"]
    for effect, value in closed_form(own, -1.0, 1.0).items():
        assert table[effect] == pytest.approx(value, abs=0.004)


def replace_draws(fit: Any, data: ModelData, held: Survey, values: dict[str, np.ndarray]) -> Any:
    """The same fit at one value of the parameters, many times."""
    return type(fit)(result_of(data, held, [values] * 60))


@pytest.mark.slow
def test_intervals_of_natural_effects_hold_the_truth_as_often_as_they_say() -> None:
    """40 simulated sets; intervals from the normal around the mode, which 600 persons nearly make exact."""
    model = mp.Mediation("x", mp.GradedResponse("distress", items="d1..d6"), mp.Observed("left", "bernoulli"))
    held, missed = 40, {"natural indirect": 0, "natural direct": 0}
    for seed in range(held):
        made, true = students(600, 100 + seed)
        fit = around_mode(model, made, draws=200, seed=seed)
        x = made.variables["x"]
        table = fit.natural_effects(x.mean() - x.std(), x.mean() + x.std(), draws=100).set_index("effect")
        for effect, value in closed_form(true, -1.0, 1.0).items():
            missed[effect] += not table.loc[effect, "lower"] <= value <= table.loc[effect, "upper"]
    for effect, count in missed.items():
        assert count <= stats.binom.ppf(0.999, held, 0.05), (effect, count)


def test_the_model_file_is_fitted_by_the_grid() -> None:
    path = Path(__file__).parents[1] / "models" / "mediation-binary-outcome.toml"
    model = mp.load_model(path)
    data = bind(model.composed, model.simulate(n=200))
    engine, verdicts = choose(data)
    assert engine.name == "outcomes" and engine.unit == "person"
    assert verdicts[-1][1] == "1 construct(s) summed over a grid, 'left' is binary given them"
    assert isinstance(engine.settings(data), Grid)
