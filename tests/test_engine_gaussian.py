"""The closed-form engine against SciPy's multivariate normal, the grid and finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from medpsy.bind import ModelData
from medpsy.engines.base import choose
from medpsy.engines.gaussian import ENGINE as GAUSSIAN
from medpsy.engines.quadrature import ENGINE as QUADRATURE
from medpsy.ops import Numpy
from numeric_cases import (
    bound,
    brute_force,
    check_gradient,
    even_grid,
    measured,
    structural_part,
    survey,
    values_at,
)

GAUSSIAN_MODELS = {
    "one construct": measured("x", family="gaussian"),
    "three": measured("x", "m", "y", family="gaussian") + "\nm ~ a*x + age\ny ~ b*m + c*x + age\nx ~ age",
    "observed": measured("x", "y", family="gaussian") + "\ndose ~ x + age\ny ~ dose + x\ngrade ~ y + school",
}


def implied(
    data: ModelData, p: dict[str, np.ndarray], person: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values, mean and covariance of all variables of one person, entry by entry."""
    part = structural_part(data, p)
    size = len(part["nodes"])
    place = {node: i for i, node in enumerate(part["nodes"])}
    b = np.zeros((size, size))
    for (target, source), effect in part["paths"].items():
        b[place[target], place[source]] = effect
    shift = np.array([part["intercept"].get(node, 0.0) for node in part["nodes"]])
    for (target, column), effect in part["covariates"].items():
        shift[place[target]] += effect * data.design[person, column]
    psi = np.diag([part["sd"][node] ** 2 for node in part["nodes"]])
    latent = [place[n] for n in part["nodes"] if part["kinds"][n] == "latent"]
    psi[np.ix_(latent, latent)] = part["correlation"]
    a = np.linalg.inv(np.eye(size) - b)
    rows, y, nu, theta = [], [], [], []
    for block in data.blocks:
        for j in range(block.values.shape[1]):
            row = np.zeros(size)
            row[place[block.name]] = p[f"loading_{block.name}"][j]
            rows.append(row)
            y.append(block.values[person, j])
            nu.append(p[f"intercept_{block.name}"][j])
            theta.append(p[f"residual_sd_{block.name}"][j] ** 2)
    for node in part["nodes"]:
        if part["kinds"][node] != "latent":
            rows.append(np.eye(size)[place[node]])
            y.append(data.observed[person, place[node]])
            nu.append(0.0)
            theta.append(0.0)
    weight = np.array(rows)
    return np.array(y), nu + weight @ a @ shift, weight @ a @ psi @ a.T @ weight.T + np.diag(theta)


@pytest.mark.parametrize("name", GAUSSIAN_MODELS)
def test_the_closed_form_is_the_multivariate_normal_density(name: str) -> None:
    data = bound(GAUSSIAN_MODELS[name], survey(40, seed=3), family="gaussian")
    engine, _ = choose(data)
    assert engine is GAUSSIAN
    patterns = set()
    for seed in range(3):
        p = values_at(data, seed)
        got = GAUSSIAN.log_likelihood(data, p, Numpy)
        for i in range(40):
            y, mean, covariance = implied(data, p, i)
            given = ~np.isnan(y)
            patterns.add(tuple(given))
            want = 0.0
            if given.any():
                marginal = stats.multivariate_normal(mean[given], covariance[np.ix_(given, given)])
                want = marginal.logpdf(y[given])
            assert got[i] == pytest.approx(want, rel=1e-10, abs=1e-10)
    assert len(patterns) > 5


@pytest.mark.parametrize("name", GAUSSIAN_MODELS)
def test_sufficient_statistics_are_the_sum_over_persons(name: str) -> None:
    data = bound(GAUSSIAN_MODELS[name], survey(40, seed=3), family="gaussian")
    compiled = GAUSSIAN.compiled(data)
    for seed in range(5):
        p = values_at(data, seed)
        each = GAUSSIAN.log_likelihood(data, p, Numpy)
        value, gradient = compiled.value_and_gradient(p)
        assert value == pytest.approx(each.sum(), rel=1e-11)
        np.testing.assert_allclose(compiled.per_person(p), each, rtol=1e-11)
        assert {k: g.shape for k, g in gradient.items()} == {k: v.shape for k, v in p.items()}


@pytest.mark.parametrize("name", GAUSSIAN_MODELS)
def test_the_closed_form_equals_quadrature_and_brute_force(name: str) -> None:
    data = bound(GAUSSIAN_MODELS[name], survey(), family="gaussian")
    p = values_at(data, 6, scale=0.3)
    got = GAUSSIAN.log_likelihood(data, p, Numpy)
    grid = even_grid(data.n_factor, {1: 401, 2: 161, 3: 73}[data.n_factor], 9.0)
    np.testing.assert_allclose(got, QUADRATURE.log_likelihood(data, p, Numpy, grid), atol=1e-7)
    persons = [1, 4] if data.n_factor < 3 else [1]
    np.testing.assert_allclose(got[persons], brute_force(data, p, persons, 101), atol=1e-7)


@pytest.mark.parametrize("name", GAUSSIAN_MODELS)
def test_the_compiled_gradient_equals_finite_differences(name: str) -> None:
    data = bound(GAUSSIAN_MODELS[name], survey(), family="gaussian")
    for seed in range(2):
        check_gradient(GAUSSIAN.compiled(data), values_at(data, seed))
