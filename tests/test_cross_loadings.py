"""Items that measure several constructs: brute force, both routes, special cases, recovery, scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import logsumexp

import medpsy as mp
import twins
from made_posterior import made
from medpsy.api.models import Model
from medpsy.bind import ModelData, bind
from medpsy.engines.base import choose, engines
from medpsy.errors import SpecError
from medpsy.inference.density import Density, start_point
from medpsy.inference.mode import find_mode
from medpsy.ops import Numpy
from medpsy.posterior.reliability import reliability
from medpsy.posterior.scores import scores
from medpsy.simulate.replicate import simulate_from
from medpsy.spec.syntax import parse_model, to_syntax
from medpsy.survey.instrument import Instrument, Module
from numeric_cases import bound, check_gradient, even_grid, survey, values_at
from pymc_density import check_one_density

TEXT = "x =~ x1..x4 + cross*m2\nm =~ m1..m4 + cross*x3 + cross*x4"


def data(more: str = "") -> ModelData:
    return bound(TEXT + more, survey(15, items=4))


def slopes(p: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Slopes on x and m of every item, written out for TEXT."""
    x, m = np.zeros((4, 2)), np.zeros((4, 2))
    x[:, 0], m[:, 1] = p["slope_x"], p["slope_m"]
    x[2, 1], x[3, 1] = p["cross_slope_x"]
    m[1, 0] = p["cross_slope_m"][0]
    return {"x": x, "m": m}


def brute_force(bound_data: ModelData, p: dict[str, np.ndarray], person: int) -> float:
    """Log-likelihood of one person over a plane, answer by answer."""
    t = np.linspace(-8, 8, 121)
    theta = np.meshgrid(t, t, indexing="ij")
    r = float((p["correlation_chol"] @ p["correlation_chol"].T)[0, 1])
    mean = [0.0, 0.0]
    if "covariate_effect" in p:
        mean[1] = float(p["covariate_effect"][0] * bound_data.design[person, 1])
    a, b = theta[0] - mean[0], theta[1] - mean[1]
    total = -0.5 * (a**2 - 2 * r * a * b + b**2) / (1 - r**2) - np.log(2 * np.pi * np.sqrt(1 - r**2))
    for block in bound_data.blocks:
        for j, code in enumerate(block.values[person]):
            own = slopes(p)[block.name][j]
            if code >= 0:
                length = float(np.sqrt((own**2).sum()))
                cut = twins.thresholds(length, p[f"category_prob_{block.name}"][j].tolist())
                predictor = own[0] * theta[0] + own[1] * theta[1]
                total = total + twins.categorical_table(1.0, [float(c) for c in cut], predictor)[int(code)]
    return float(logsumexp(total) + 2 * np.log(t[1] - t[0]))


@pytest.mark.parametrize("more", ["", "\nm ~ age"])
def test_the_density_is_the_sum_over_the_plane(more: str) -> None:
    bound_data = data(more)
    engine, _ = choose(bound_data)
    assert engine.name == "crossed"
    p = values_at(bound_data, 3)
    settings = engine.settings(bound_data)
    defined = engine.log_likelihood(bound_data, p, Numpy, settings)
    compiled = engine.compiled(bound_data, settings)
    np.testing.assert_allclose(compiled.per_person(p), defined, atol=1e-10)
    for person in (0, 1, 4, 9):
        assert defined[person] == pytest.approx(brute_force(bound_data, p, person), abs=1e-6)
    check_gradient(compiled, p)
    fitted = compiled.adapted(p, 2.0).adapted(p)
    assert abs(fitted.numerical_error(p)) < 0.01
    assert fitted.per_person(p).sum() == pytest.approx(defined.sum(), abs=0.02)


def test_three_constructs_have_the_same_gradient() -> None:
    text = "x =~ x1..x2 + cross*y2\nm =~ m1..m2\ny =~ y1..y2 + cross*x1 + cross*m2"
    bound_data = bound(text, survey(12, items=2))
    engine, _ = choose(bound_data)
    compiled = engine.compiled(bound_data, even_grid(3, 9, 4.0))
    p = values_at(bound_data, 2)
    defined = engine.log_likelihood(bound_data, p, Numpy, even_grid(3, 9, 4.0))
    np.testing.assert_allclose(compiled.per_person(p), defined, atol=1e-10)
    check_gradient(compiled, p)


@pytest.mark.slow
def test_both_routes_state_one_density() -> None:
    bound_data = data("\nm ~ age")
    engine, settings = engines()["crossed"], even_grid(2, 11, 5.0)
    check_one_density(bound_data, engine, settings, floor=1e-8)


def test_without_cross_loadings_the_structure_is_simple() -> None:
    simple = bound("x =~ x1..x4\nm =~ m1..m4", survey(15, items=4))
    p = values_at(simple, 5)
    grid = even_grid(2, 31, 6.0)
    want = engines()["quadrature"].log_likelihood(simple, p, Numpy, grid)
    none = p | {"cross_slope_x": np.zeros(2), "cross_slope_m": np.zeros(1)}
    found = engines()["crossed"].compiled(data(), grid).per_person(none)
    np.testing.assert_allclose(found, want, rtol=1e-10, atol=1e-12)


def test_the_truth_is_recovered() -> None:
    items = {c: tuple(f"{c}{j}" for j in range(1, 6)) for c in "ab"}
    about = {"slope": [1.8, 2.2, 1.5, 1.9, 1.4], "mean": 2.4, "sd": 0.9}
    model = Model(
        "a =~ a1..a5 + cross*b4 + cross*b5\nb =~ b1..b5 + cross*a5",
        instrument=Instrument(tuple(Module(c, names, (1, 2, 3, 4)) for c, names in items.items())),
        truth={
            "n_person": 1500, "seed": 5, "correlations": {"a~~b": 0.5},
            "items": {"a": about | {"cross_slope": -0.7}, "b": about | {"cross_slope": [0.0, 1.0]}},
        },
    )  # fmt: skip
    bound_data = bind(model.composed, model.simulate(missing=0.02))
    engine, _ = choose(bound_data)
    start = start_point(bound_data)
    density = Density(bound_data, engine.compiled(bound_data, engine.settings(bound_data, 15)))
    adapted = density.likelihood.adapted(density.space.constrain(start))
    mode = find_mode(Density(bound_data, adapted), start)
    assert mode.converged
    draws = mode.u + np.random.default_rng(1).standard_normal((400, density.size)) @ mode.spread.T
    values = density.space.constrain(draws)
    r = (values["correlation_chol"] @ np.swapaxes(values["correlation_chol"], 1, 2))[:, 0, 1]
    found = np.column_stack([values["cross_slope_a"], values["cross_slope_b"], r])
    z = (found.mean(0) - [-0.7, 0.0, 1.0, 0.5]) / found.std(0)
    assert np.abs(z).max() < 3.2
    assert found.std(0).max() < 0.2


def test_simulated_answers_see_all_constructs() -> None:
    bound_data = data()
    p = values_at(bound_data, 6)
    p["cross_slope_x"] = np.array([0.0, 3.0])
    many = replace(
        bound_data,
        person=np.arange(30_000),
        design=np.ones((30_000, 1)),
        observed=np.full((30_000, 2), np.nan),
        blocks=tuple(replace(b, values=np.zeros((30_000, 4), dtype=np.int8)) for b in bound_data.blocks),
    )
    theta, answers = simulate_from(many, p, np.random.default_rng(3))
    high = (np.abs(theta[:, 0] - 0.3) < 0.2) & (np.abs(theta[:, 1] - 1.0) < 0.2)
    a = slopes(p)["x"][3]
    cut = twins.thresholds(float(np.sqrt((a**2).sum())), p["category_prob_x"][3].tolist())
    predictor = theta[high] @ a
    table = np.exp(twins.categorical_table(1.0, [float(c) for c in cut], predictor)).mean(1)
    share = (answers[0][high, 3][:, None] == np.arange(4)).mean(0)
    np.testing.assert_allclose(share, table, atol=0.06)


def test_scores_are_moments_over_the_plane() -> None:
    answers = survey(15, items=4)
    result = made(data=data(), answers=answers, engine="crossed", chains=1, draws=1)
    p = {name: value[0, 0] for name, value in result.values().items()}
    one = scores(result, draws=1)
    t = np.linspace(-8, 8, 161)
    theta = np.meshgrid(t, t, indexing="ij")
    r = float((p["correlation_chol"] @ p["correlation_chol"].T)[0, 1])
    for person in (0, 3, 8):
        log_mass = -0.5 * (theta[0] ** 2 - 2 * r * theta[0] * theta[1] + theta[1] ** 2) / (1 - r**2)
        for block in result.data.blocks:
            for j, code in enumerate(block.values[person]):
                if code >= 0:
                    own = slopes(p)[block.name][j]
                    length = float(np.sqrt((own**2).sum()))
                    cut = twins.thresholds(length, p[f"category_prob_{block.name}"][j].tolist())
                    predictor = own[0] * theta[0] + own[1] * theta[1]
                    table = twins.categorical_table(1.0, [float(c) for c in cut], predictor)
                    log_mass = log_mass + table[int(code)]
        mass = np.exp(log_mass - log_mass.max())
        mass /= mass.sum()
        for d in range(2):
            mean = float((mass * theta[d]).sum())
            spread = float(np.sqrt((mass * theta[d] ** 2).sum() - mean**2))
            assert float(one["mean"][person, d]) == pytest.approx(mean, abs=2e-3)
            assert float(one["sd"][person, d]) == pytest.approx(spread, rel=5e-3)
    table = reliability(result)
    assert "reliability of the sum score, all constructs" in table["coefficient"].tolist()


def test_the_three_forms_say_the_same() -> None:
    spec = parse_model(TEXT)
    assert spec.constructs[0].cross == ("m2",)
    assert spec.constructs[1].cross == ("x3", "x4")
    assert parse_model(to_syntax(spec)) == spec
    x, m = mp.GradedResponse("x", "x1..x4"), mp.GradedResponse("m", "m1..m4")
    made_of = Model([mp.CrossLoadings(x, "m2"), mp.CrossLoadings(m, ["x3", "x4"])])
    assert made_of == Model(TEXT)


BAD = {
    "x =~ x1..x3 + cross*x2": "has a cross-loading on 'x2', which is its own item",
    "x =~ x1..x3 + cross*y1": "has a cross-loading on 'y1', which is no construct's item",
    "x =~ x1..x3 + cross*m1 + cross*m1\nm =~ m1..m3": "lists the cross-loading on 'm1' twice",
    "x =~ x1..x4\ns =~ x1 + x2\ns ~~ 0*x\nm =~ m1..m3 + cross*x1": "and specific factors cannot be combined",
    "x =~ x1..x3 + half*m1\nm =~ m1..m3": "fixed or labelled loadings",
}


@pytest.mark.parametrize("text", BAD)
def test_impossible_cross_loadings_are_named_with_their_line(text: str) -> None:
    with pytest.raises(SpecError) as caught:
        Model(text)
    assert BAD[text] in str(caught.value)
    assert caught.value.line is not None
