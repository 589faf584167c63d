"""The C function of a grid model is the density that everything else is tested against."""

from __future__ import annotations

import numpy as np
import pytest

from medpsy.bind import ModelData
from medpsy.engines.base import choose
from medpsy.inference import nutpie_native
from medpsy.inference.density import Density, start_point
from medpsy.inference.mode import Mode, find_mode
from medpsy.inference.native import Native, native
from medpsy.inference.nuts import sample
from numeric_cases import bound, measured, survey
from test_contract import CASES, case_data
from test_skew import hyperbola

NATIVE = [name for name, case in CASES.items() if case.engine in ("quadrature", "gaussian")]


def laid_out(data: ModelData) -> tuple[Density, Mode]:
    engine, _ = choose(data)
    density = Density(data, engine.compiled(data, engine.settings(data, 9)))
    rng = np.random.default_rng(3)
    u = start_point(data)
    spread = rng.normal(0.0, 0.02, (u.size, u.size)) + 0.2 * np.eye(u.size)
    bend = np.where(rng.random(u.size) < 0.5, 0.0, rng.uniform(-0.7, 0.7, u.size))
    return density, Mode(u, 0.0, spread, 0, True, 0, bend)


@pytest.mark.parametrize("name", NATIVE)
def test_value_and_gradient_are_those_of_the_reference(name: str) -> None:
    data = case_data(name)
    engine, _ = choose(data)
    if not engine.compiles(data).accepted:
        pytest.skip("no compiled route")
    density, mode = laid_out(data)
    made = native(density, mode)
    if isinstance(made, str):
        pytest.skip(made)
    rng = np.random.default_rng(1)
    for scale in (0.0, 0.5, 2.0):
        w = rng.normal(0.0, 1.0, density.size) * scale
        value, gradient = made.value_and_gradient(w)
        assert mode.bend is not None
        straight, slope, d_log = hyperbola(w, mode.bend)
        want, d_u = density.value_and_gradient(mode.u + mode.spread @ straight)
        assert value == pytest.approx(want + np.log(slope).sum(), rel=1e-12)
        d_w = d_u @ mode.spread * slope + d_log
        np.testing.assert_allclose(gradient, d_w, rtol=1e-9, atol=1e-9 * np.abs(d_u).max())


@pytest.mark.parametrize(
    "text",
    [
        measured("x"),
        measured("x", "y") + "\ny ~ x + school",
        measured("x", "m", "y") + "\nm ~ x\ny ~ m + age",
    ],
)
def test_the_ordinary_models_have_a_c_function(text: str) -> None:
    assert isinstance(native(*laid_out(bound(text, survey()))), Native)


def test_a_point_without_density_is_refused_and_recovered_from() -> None:
    density, mode = laid_out(bound(measured("x"), survey()))
    made = native(density, mode)
    assert isinstance(made, Native)
    value, _ = made.value_and_gradient(np.full(density.size, np.nan))
    assert value == -np.inf
    good, _ = made.value_and_gradient(np.zeros(density.size))
    assert np.isfinite(good)


def test_threads_and_processes_sample_one_posterior(monkeypatch: pytest.MonkeyPatch) -> None:
    # Enough items and persons for a posterior with one mode, in coordinates in which draws are worth much.
    density, _ = laid_out(bound(measured("x", items=6), survey(150, items=6)))
    mode = find_mode(density, start_point(density.data))
    options = {"draws": 400, "tune": 300, "chains": 2, "seed": 1, "cores": 2, "progress": False}
    threads = sample(density, mode, **options)
    monkeypatch.setattr(nutpie_native, "available", lambda: False)
    processes = sample(density, mode, **options)
    for draws in (threads, processes):
        assert draws.u.shape == (2, 400, density.size)
        assert {"diverging", "energy", "n_steps", "step_size"} <= set(draws.stats)
    spread = processes.u.std(axis=(0, 1))
    off = (threads.u.mean(axis=(0, 1)) - processes.u.mean(axis=(0, 1))) / spread
    assert np.abs(off).max() < 0.3
    again = sample(density, mode, **options)
    np.testing.assert_array_equal(again.u, processes.u)
