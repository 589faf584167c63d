"""Designs over waves: what they say, lavaan's maximum likelihood, simulation and recovery, bad input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import medpsy as mp
from linear_ml import at_maximum, estimates, growth_frame, maximum, result_at, survey_of, waves_frame
from medpsy.bind import bind
from medpsy.engines.base import choose
from medpsy.inference.density import Density, start_point
from medpsy.mediation.waves import wave_designs
from numeric_cases import points, with_fewer
from numeric_cases import survey as ordinal

MODELS = Path(__file__).resolve().parent.parent / "models"
THREE = {"x": "x1..x3", "m": "m1..m3", "y": "y1..y3"}
GROW = {"m": "m1..m4", "y": "y1..y4"}
TIMES = (0, 1, 2, 4)
ORDINAL = {"f": [["x1", "x2", "x3"], ["m1", "m2", "m3"], ["y1", "y2", "y3"]]}


# lavaan 0.6-14 on waves_frame() and growth_frame():
# logLik(lavaan(model.syntax, data, int.ov.free = TRUE, auto.var = TRUE)); the printed text is lavaan's own.
@pytest.mark.parametrize(
    ("model", "log_likelihood", "values"),
    [
        (mp.CrossLagged(THREE), -4577.214484, {}),
        (mp.CrossLagged(THREE, constant=True), -4580.879637, {"m2~~m2": 15.87461, "m2~~y2": -0.03950}),
        (mp.RandomInterceptCrossLagged(THREE), -4551.895839, {}),
        (
            mp.RandomInterceptCrossLagged(THREE, constant=True),
            -4556.087588,
            {"w_m_2~w_m_1": 0.40116, "w_m_3~w_x_2": 0.74221, "ri_x~~ri_m": 1.78883, "w_m_2~~w_m_2": 14.14146},
        ),
        (mp.LaggedMediation(THREE), -4583.291704, {}),
        (mp.LaggedMediation(THREE, constant=True), -4584.180447, {"m2~~m2": 15.80873, "m2~~y2": -0.04942}),
        (mp.LatentGrowth(GROW, times=TIMES), -4981.665042, {}),
        (
            mp.LatentGrowth(GROW, times=TIMES, exposure="x"),
            -4865.398533,
            {"slope_y~slope_m": 1.46541, "slope_y~x": 0.26432, "level_m~x": -0.01982, "level_m~~level_y":
            1.34400},
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, mp.Model) else "",
)  # fmt: skip
def test_maximum_is_lavaans(model: mp.Model, log_likelihood: float, values: dict[str, float]) -> None:
    frame = growth_frame() if model.name == "growth" else waves_frame()
    names = [o.name for o in model.spec.observed] + list(model.composed.covariates)
    total, found, _ = maximum(model.composed, survey_of(frame[names]))
    assert total == pytest.approx(log_likelihood, abs=2e-4)
    for name, value in values.items():
        assert found[name] == pytest.approx(value, abs=2e-3 * max(abs(value), 0.05)), name


def test_full_information_about_missing_waves_is_lavaans() -> None:
    """lavaan(..., missing = "ml") on the same frame without 15 per cent of waves 2 and 3."""
    frame, rng = waves_frame(), np.random.default_rng(5)
    for wave in (2, 3):
        gone = rng.random(len(frame)) < 0.15
        frame.loc[gone, [f"{name}{wave}" for name in "xmy"]] = np.nan
    model = mp.RandomInterceptCrossLagged(THREE, constant=True)
    assert maximum(model.composed, survey_of(frame))[0] == pytest.approx(-4113.801774, abs=2e-4)


def test_constant_paths_are_equal_and_effects_are_products() -> None:
    model = mp.CrossLagged(THREE, constant=True)
    _, found, _ = maximum(model.composed, survey_of(waves_frame()))
    assert found["m2~x1"] == pytest.approx(found["m3~x2"], rel=1e-9)
    effects = {d.name: d.expression for d in model.spec.definitions}
    assert effects["indirect"] == "x_to_m*m_to_y"
    assert effects["direct"] == "x_to_x*x_to_y + x_to_y*y_to_y"
    free = {d.name: d.expression for d in mp.CrossLagged({**THREE, "x": "x1..x3"}).spec.definitions}
    assert free["indirect_13"] == "x_to_m_12*m_to_y_23"


def test_every_design_comes_back_as_text_and_prints_a_caution() -> None:
    models = [
        mp.CrossLagged(THREE), mp.RandomInterceptCrossLagged(THREE), mp.LaggedMediation(THREE),
        mp.LatentGrowth(THREE)
    ]  # fmt: skip
    assert {m.waves.kind for m in models} == set(wave_designs())
    for model in models:
        assert mp.Model(model.syntax, family="gaussian") == model
    assert "stable differences" in models[0].caution


def test_indicators_are_invariant_over_waves() -> None:
    waves = {v: [[f"{v}{t}_{k}" for k in range(1, 4)] for t in range(1, 4)] for v in "xy"}
    model = mp.RandomInterceptCrossLagged(waves)
    assert mp.Model(model.syntax, family="gaussian") == model
    rng = np.random.default_rng(2)
    import pandas as pd

    score = rng.normal(size=(80, 6)) + rng.normal(size=(80, 1))
    frame = pd.DataFrame(
        {f"{v}{t}_{k}": score[:, 3 * i + t - 1] + rng.normal(size=80) for i, v in enumerate("xy")
         for t in range(1, 4) for k in range(1, 4)}
    )  # fmt: skip
    _, found, _ = maximum(model.composed, survey_of(frame))
    assert found["x_1=~x1_2"] == pytest.approx(found["x_3=~x3_2"], rel=1e-8)
    assert found["x1_2~1"] == pytest.approx(found["x3_2~1"], rel=1e-6, abs=1e-8)
    assert found["x_1=~x1_1"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: mp.RandomInterceptCrossLagged({"x": "x1..x2", "y": "y1..y2"}), "2 waves are too few"),
        (lambda: mp.LatentGrowth({"x": ["x1", "x2"]}), "straight line"),
        (lambda: mp.LaggedMediation({"x": "x1..x3", "y": "y1..y3"}), "three variables, not 2"),
        (lambda: mp.CrossLagged({"x": "x1..x3", "y": "y1..y2"}), "'y' has 2 waves and 'x' has 3"),
        (lambda: mp.CrossLagged({"x": ["x1"]}), "one wave"),
        (lambda: mp.CrossLagged({}), "no variables"),
        (lambda: mp.CrossLagged({"x": [["a", "b"], ["c"]]}), "indicators at its waves"),
        (lambda: mp.LatentGrowth(GROW, times=[0, 1, 1, 2]), "each later"),
        (lambda: mp.LatentGrowth(THREE, exposure="z"), "two variables that grow"),
        (lambda: mp.CrossLagged(THREE, family="graded"), "single columns"),
    ],
)
def test_bad_input_is_refused(make: object, word: str) -> None:
    with pytest.raises(mp.SpecError, match=word):
        make()  # type: ignore[operator]


@pytest.mark.parametrize(
    "path",
    sorted({*MODELS.glob("waves-*.toml")} - {*MODELS.glob("*-ordinal.toml")}),
    ids=lambda path: path.stem,
)
def test_model_files_simulate_their_truth(path: Path) -> None:
    """Maximum likelihood on 4,000 simulated persons is the truth, path by path."""
    model = mp.load_model(path)
    total, found, _ = maximum(model.composed, model.simulate(4000, seed=3))
    assert np.isfinite(total)
    truth = model.known_truth()
    layout = model.composed.sketch.nodes
    for equation in truth.equations:
        for term in equation.terms:
            if term.source in layout:
                load, path_name = f"{term.source}=~{term.target}", f"{term.target}~{term.source}"
                value = found[load] if load in found else found[path_name]
                assert value == pytest.approx(term.coefficient, abs=0.2 * max(1.0, abs(term.coefficient)))


def test_who_dropped_out() -> None:
    frame = waves_frame()
    frame["y3"] = frame["y3"].where(frame["y1"] < frame["y1"].quantile(0.7))
    table = mp.dropout(survey_of(frame), ["y1", "y2", "y3"])
    assert list(table["wave"]) == [2, 3]
    assert list(table["n_left"]) == [0, 91]
    assert np.isnan(table["lower"][0])
    assert table["difference"][1] > 1 and table["lower"][1] > 0.5
    assert table["p_direction"][1] > 0.99
    both = mp.dropout(survey_of(frame), [["x1", "y1"], ["x2", "y2"], ["x3", "y3"]], "m1")
    assert list(both["n_left"]) == [0, 0]
    with pytest.raises(mp.DataError, match="neither an item"):
        mp.dropout(survey_of(frame), ["y1", "z9"])


def test_ordinal_items_are_the_same_at_every_wave() -> None:
    """One set of item parameters, free means and variances, and the gradient of both."""
    model = mp.CrossLagged(ORDINAL, family="graded", constant=True)
    assert mp.Model(model.syntax) == model
    data = bind(model.composed, ordinal(40))
    engine, _ = choose(data)
    assert engine.name == "quadrature"
    free = {p.name: p.shape for p in data.parameters if not p.copy_of}
    assert free == {
        "path": (1,), "intercept": (2,), "residual_sd": (2,), "slope_f_1": (3,), "category_prob_f_1": (3, 4)
    }  # fmt: skip
    density = Density(data, engine.compiled(data, engine.settings(data, 7)))
    u, step = start_point(data) + 0.1 * points(tuple(data.parameters), 1, 3)[0][: density.size], 1e-5
    values = density.space.constrain(u)
    np.testing.assert_array_equal(values["slope_f_3"], values["slope_f_1"])
    _, gradient = density.value_and_gradient(u)
    moved = [
        (density.value_and_gradient(u + e)[0] - density.value_and_gradient(u - e)[0]) / (2 * step)
        for e in step * np.eye(u.size)
    ]
    np.testing.assert_allclose(gradient, moved, rtol=1e-5, atol=1e-6 * np.abs(gradient).max())


def test_ordinal_items_with_other_categories_cannot_be_the_same() -> None:
    model = mp.CrossLagged(ORDINAL, family="graded")
    with pytest.raises(mp.DataError, match="'m2' has 3 categories and 'x2'"):
        bind(model.composed, with_fewer(ordinal(40), "m2", 3))


def test_continuous_time_comes_back_to_the_waves() -> None:
    """Over the interval between waves the paths themselves, over two of them their matrix product."""
    from medpsy.posterior.continuous_time import continuous_time

    model = mp.CrossLagged(THREE, constant=True)
    _, values, data = at_maximum(model.composed, survey_of(waves_frame()))
    result = result_at(values, data)
    result.values = lambda: {name: np.stack([value, value])[None] for name, value in values.items()}
    found = estimates(data, values)
    names = ["x", "m", "y"]
    paths = np.array([[found[f"{target}2~{source}1"] for source in names] for target in names])
    table = continuous_time(result, [0.5, 1.0], lag=0.5).set_index(["interval", "source", "target"])
    for i, target in enumerate(names):
        for j, source in enumerate(names):
            assert table.loc[(0.5, source, target), "mean"] == pytest.approx(paths[i, j], abs=1e-8)
            assert table.loc[(1.0, source, target), "mean"] == pytest.approx((paths @ paths)[i, j], abs=1e-8)
    assert (table["share_of_draws"] == 1).all()
    with pytest.raises(mp.SpecError, match="positive"):
        continuous_time(result, -1.0)
