"""Linear models and clusters as C functions are the densities that everything else is tested against."""

from __future__ import annotations

import numpy as np
import pytest

import medpsy as mp
from cluster_cases import density_of
from linear_ml import survey_of
from medpsy.bind import ModelData, bind
from medpsy.engines.base import choose
from medpsy.inference import native_traced
from medpsy.inference.density import Density, start_point
from medpsy.inference.native import Native, plain
from test_clusters import CASES, case
from test_linear import DEMOCRACY, EQUAL, made_up

LINEAR = (DEMOCRACY, EQUAL, EQUAL + "y6 ~~ 0.4*y7\nx1 ~ 9*1\nx2 ~ i*1\nx3 ~ i*1\nind60 ~ 1")


def linear(text: str, holes: int = 0) -> Density:
    frame = made_up()
    frame.iloc[5 : 5 + holes, 3:6] = np.nan
    data: ModelData = bind(mp.Model(text, family="gaussian").composed, survey_of(frame))
    engine, _ = choose(data)
    return Density(data, engine.compiled(data, None))


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


def test_too_many_operations_are_left_to_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_traced, "MOST_OPERATIONS", 200)
    density = density_of(case("slopes"))
    assert plain(density, start_point(density.data)) == "more than 200 operations"
