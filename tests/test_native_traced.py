"""Linear models, clusters, and constructs given normal variables: C functions against the reference."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import medpsy as mp
from cluster_cases import density_of
from linear_ml import survey_of
from medpsy.bind import ModelData, bind
from medpsy.engines.base import choose
from medpsy.inference import native_traced
from medpsy.inference.density import Density, start_point
from medpsy.inference.native import Native, plain
from numeric_cases import bound, brute_force, check_gradient, measured, survey
from test_clusters import CASES, case
from test_linear import DEMOCRACY, EQUAL, made_up

LINEAR = (DEMOCRACY, EQUAL, EQUAL + "y6 ~~ 0.4*y7\nx1 ~ 9*1\nx2 ~ i*1\nx3 ~ i*1\nind60 ~ 1")


def linear(text: str, holes: int = 0) -> Density:
    frame = made_up()
    frame.iloc[5 : 5 + holes, 3:6] = np.nan
    data: ModelData = bind(mp.Model(text, family="gaussian").composed, survey_of(frame))
    engine, _ = choose(data)
    return Density(data, engine.compiled(data, None))


def beside(name: str) -> Density:
    data = bound(BESIDE[name], survey(40), families={"x": "gaussian"} if NUMBERS in BESIDE[name] else None)
    engine, _ = choose(data)
    assert engine.name == "quadrature"
    return Density(data, engine.compiled(data, engine.settings(data, 15)))


def assert_same(density: Density, spread: float) -> None:
    start = start_point(density.data)
    made = plain(density, start)
    assert isinstance(made, Native), made
    rng = np.random.default_rng(4)
    points = start + rng.normal(0.0, spread, (8, start.size)) * rng.uniform(0.1, 1.0, (8, 1))
    there = 0
    for u in points:
        value, gradient = made.value_and_gradient(u)
        want, d_u = density.value_and_gradient(u)
        if not np.isfinite(want):
            assert value == want
            continue
        there += 1
        assert value == pytest.approx(want, rel=1e-11)
        np.testing.assert_allclose(gradient, d_u, rtol=1e-8, atol=1e-9 * np.abs(d_u).max())
        for ours, theirs in zip(made.terms_at(u[None]), density.terms_at(u[None]), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)
    assert there > 3


@pytest.mark.parametrize("text", LINEAR)
@pytest.mark.parametrize("holes", [0, 9])
def test_linear_models_are_one_c_function(text: str, holes: int) -> None:
    assert_same(linear(text, holes), 0.1)


@pytest.mark.parametrize("name", CASES)
def test_clusters_are_one_c_function(name: str) -> None:
    assert_same(density_of(case(name)), 0.4)


NUMBERS = measured("x", family="gaussian")
BESIDE = {
    "outcome": measured("x") + "\ngrade ~ x + age",
    "mediator and outcome": measured("x") + "\ndose ~ a*x + age\ngrade ~ b*dose + c*x",
    "mediator between constructs": measured("x", "m") + "\ndose ~ x\nm ~ x + dose\ngrade ~ m + dose",
    "three constructs": measured("x", "m", "y") + "\nm ~ x\ny ~ m + x\ngrade ~ y + x",
    "moderated": measured("x") + "\ngrade ~ x + gender + x:gender",
    "a construct of numbers": NUMBERS
    + "\n"
    + measured("m", "y")
    + "\nm ~ a*x\ny ~ b*m + x\ngrade ~ y + x + age",
    "second order": measured("x", "m", "y") + "\ng =~ x + m + y\ng ~ age",
}


@pytest.mark.parametrize("name", BESIDE)
def test_constructs_given_numbers_are_one_c_function(name: str) -> None:
    assert_same(beside(name), 0.3)


@pytest.mark.parametrize("name", [*list(BESIDE)[:3], "a construct of numbers"])
def test_constructs_given_numbers_have_the_density_of_a_plain_sum(name: str) -> None:
    """Every person by the twins: the joint normal of scores and numbers, summed over a grid without end."""
    density = beside(name)
    values = density.space.constrain(start_point(density.data) + 0.1)
    fitted = density.likelihood.adapted(values, 2.0).adapted(values, 2.0)
    persons = [0, 1, 2, 5, 9]  # without answers, without some of the numbers, complete
    want = brute_force(density.data, values, persons, 61)
    np.testing.assert_allclose(fitted.per_person(values)[persons], want, atol=2e-6)
    check_gradient(fitted, values)


def test_a_simulated_effect_on_a_number_is_found() -> None:
    """Ordinal items of one construct, a mediator and an outcome that are numbers."""
    rng = np.random.default_rng(8)
    theta = rng.normal(size=600)
    response = 1.5 * theta[:, None] + rng.logistic(size=(600, 5))
    frame = pd.DataFrame((response[:, :, None] > np.array([-2.0, -0.5, 0.5, 2.0])).sum(-1))
    frame = frame.set_axis([f"d{j}" for j in range(1, 6)], axis=1)
    frame["rest"] = 0.6 * theta + 0.8 * rng.normal(size=600)
    frame["marks"] = 10 + 2 * (0.5 * frame["rest"] + 0.4 * theta + rng.normal(size=600))
    frame.loc[:40, "marks"] = np.nan
    model = mp.Model("low =~ d1..d5\nrest ~ a*low\nmarks ~ b*rest + c*low\nindirect := a*b")
    fit = model.fit(frame, seed=2, draws=300, chains=2, progress=False)
    assert fit.provenance["engine"]["name"] == "quadrature" and fit.provenance["route"]["name"] == "compiled"
    table = fit.effects().set_index("effect")
    for name, truth in {"a": 0.6, "b": 1.0, "c": 0.8, "indirect": 0.6}.items():
        assert abs(table.loc[name, "mean"] - truth) < 3 * table.loc[name, "sd"], name


def test_too_many_operations_are_left_to_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_traced, "MOST_OPERATIONS", 200)
    density = density_of(case("slopes"))
    assert plain(density, start_point(density.data)) == "more than 200 operations"
