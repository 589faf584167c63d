"""A second-order construct: correlations, gradients, both routes, recovery, scores, refusals."""

from __future__ import annotations

import numpy as np
import pytest

import twins
from made_posterior import made
from medpsy.api.models import Model
from medpsy.bind import ModelData, bind
from medpsy.engines.base import choose, engines
from medpsy.errors import SpecError
from medpsy.inference.density import Density, start_point
from medpsy.inference.mode import find_mode
from medpsy.latent.base import system
from medpsy.latent.second_order import cholesky_reverse
from medpsy.ops import Numpy
from medpsy.posterior.scores import scores
from medpsy.posterior.summary import summary
from medpsy.survey.instrument import Instrument, Module
from numeric_cases import bound, check_gradient, even_grid, measured, survey, values_at
from pymc_density import check_one_density

TEXT = measured("x", "m", "y") + "\ng =~ x + m + y"


def data(family: str = "graded", covariate: bool = False) -> ModelData:
    text = measured("x", "m", "y", family=family) + "\ng =~ x + m + y" + "\nm ~ age" * covariate
    return bound(text, survey(15), family=family)


def test_the_constructs_correlate_by_their_loadings_and_keep_their_variance() -> None:
    bound_data = data(covariate=True)
    p = values_at(bound_data, 1)
    p["second_order_slope"] = np.array([2.0, -0.5, 30.0])
    mean, chol = system(
        bound_data.model.structure.equations(p, bound_data.layout, Numpy), bound_data.layout, Numpy
    )
    loading = np.array([2 / np.sqrt(5), -0.5 / np.sqrt(1.25), 30 / np.sqrt(901)])
    want = np.outer(loading, loading)
    np.fill_diagonal(want, 1.0)
    np.testing.assert_allclose(chol @ chol.T, want, atol=1e-12)
    np.testing.assert_allclose(chol, np.tril(chol))
    # The covariate moves the construct that it explains and no other.
    assert np.count_nonzero(mean) == 1


def test_the_reverse_of_a_cholesky_factor_is_that_of_differences() -> None:
    rng = np.random.default_rng(2)
    root = rng.normal(size=(4, 6))
    matrix, weight = root @ root.T, np.tril(rng.normal(size=(4, 4)))

    def total(flat: np.ndarray) -> np.ndarray:
        m = flat.reshape(4, 4)
        return np.array([(weight * np.linalg.cholesky(0.5 * (m + m.T))).sum()])

    want = twins.jacobian(total, matrix.ravel(), 1e-4)[0].reshape(4, 4)
    np.testing.assert_allclose(
        cholesky_reverse(np.linalg.cholesky(matrix), weight), want, rtol=1e-6, atol=1e-9
    )


@pytest.mark.parametrize("family", ["graded", "gaussian"])
def test_gradients_are_those_of_differences(family: str) -> None:
    bound_data = data(family, covariate=True)
    engine, _ = choose(bound_data)
    assert engine.name == {"graded": "quadrature", "gaussian": "gaussian"}[family]
    compiled = engine.compiled(bound_data, engine.settings(bound_data, 21))
    check_gradient(compiled, values_at(bound_data, 3))


@pytest.mark.parametrize("family", ["graded", pytest.param("gaussian", marks=pytest.mark.slow)])
def test_both_routes_state_one_density(family: str) -> None:
    bound_data = data(family, covariate=True)
    engine, _ = choose(bound_data)
    settings = even_grid(3, 7, 5.0) if family == "graded" else None
    check_one_density(bound_data, engine, settings, floor=1e-9)


def test_three_loadings_are_three_correlations() -> None:
    second = data()
    p = values_at(second, 4)
    p["second_order_slope"] = np.array([1.0, 2.0, 0.7])
    first = bound(measured("x", "m", "y"), survey(15))
    _, chol = system(second.model.structure.equations(p, second.layout, Numpy), second.layout, Numpy)
    free = {name: value for name, value in p.items() if name != "second_order_slope"} | {
        "correlation_chol": chol
    }
    engine = engines()["quadrature"]
    grid = even_grid(3, 15, 5.5)
    np.testing.assert_allclose(
        engine.compiled(second, grid).per_person(p), engine.compiled(first, grid).per_person(free), rtol=1e-12
    )


def test_the_truth_is_recovered() -> None:
    items = [tuple(f"{c}{j}" for j in range(1, 6)) for c in "abc"]
    modules = tuple(Module(c, names, (1, 2, 3, 4)) for c, names in zip("abc", items, strict=True))
    about = {"slope": 2.0, "mean": 2.4, "sd": 0.9}
    loading = np.array([0.8, 0.7, -0.6])
    pairs = {"a~~b": 0.56, "a~~c": -0.48, "b~~c": -0.42}
    model = Model(
        "a =~ a1..a5\nb =~ b1..b5\nc =~ c1..c5\ng =~ a + b + c",
        instrument=Instrument(modules),
        truth={"n_person": 1500, "seed": 3, "correlations": pairs, "items": dict.fromkeys("abc", about)},
    )
    bound_data = bind(model.composed, model.simulate())
    engine, _ = choose(bound_data)
    start = start_point(bound_data)
    density = Density(bound_data, engine.compiled(bound_data, engine.settings(bound_data, 13)))
    adapted = density.likelihood.adapted(density.space.constrain(start))
    mode = find_mode(Density(bound_data, adapted), start)
    assert mode.converged
    draws = mode.u + np.random.default_rng(1).standard_normal((400, density.size)) @ mode.spread.T
    slope = density.space.constrain(draws)["second_order_slope"]
    found = slope / np.sqrt(1 + slope**2)
    assert (np.abs(found.mean(0) - loading) < 3 * found.std(0)).all()
    assert found.std(0).max() < 0.08


def test_it_has_scores_and_a_place_in_the_table() -> None:
    answers = survey(15)
    result = made(data=data(), answers=answers)
    found = scores(result, draws=40, seed=1)
    assert found.factor.values.tolist() == ["x", "m", "y", "g"]
    # Given the drawn constructs, g is normal around their regression: check through its residuals.
    p = {name: value.reshape(-1, *value.shape[2:]) for name, value in result.values().items()}
    keep = np.unique(np.linspace(0, len(p["slope_x"]) - 1, 40).round().astype(int))
    residuals = []
    for s, row in enumerate(keep):
        gamma = p["second_order_slope"][row]
        lam = gamma / np.sqrt(1 + gamma**2)
        precision = lam / (1 - lam**2)
        mean = found["draw"][s, :, :3].to_numpy() @ precision / (1 + precision @ lam)
        residuals.append((found["draw"][s, :, 3].to_numpy() - mean) * np.sqrt(1 + precision @ lam))
    white = np.ravel(residuals)
    assert abs(white.mean()) < 0.15
    assert white.std() == pytest.approx(1.0, abs=0.1)
    table = summary(result)
    rows = table[table["section"] == "Second order"]
    assert rows[["lhs", "op", "rhs"]].to_numpy().tolist() == [["g", "=~", c] for c in ("x", "m", "y")]
    gamma = result.values()["second_order_slope"]
    np.testing.assert_allclose(rows["mean"], (gamma / np.sqrt(1 + gamma**2)).mean((0, 1)))


BAD = {
    "\ny ~ x": "has a second-order construct 'g' and y ~ x",
    "\nx ~~ m": "has a second-order construct 'g' and x ~~ m",
    "\nv =~ v1..v3": "'v' is no part of the second-order construct 'g'",
    "\nh =~ x + m + y": "'g' and 'h' are both measured by constructs",
}


@pytest.mark.parametrize("more", BAD)
def test_what_cannot_stand_beside_it_is_refused(more: str) -> None:
    with pytest.raises(SpecError) as caught:
        Model(TEXT + more)
    assert BAD[more] in str(caught.value)
    assert caught.value.hint


def test_two_constructs_do_not_determine_their_loadings() -> None:
    with pytest.raises(SpecError, match="2 construct"):
        Model(measured("x", "m") + "\ng =~ x + m")
    with pytest.raises(SpecError, match="a construct itself, and by 'm1'"):
        Model(measured("x") + "\ng =~ x + m1")
