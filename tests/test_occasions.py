"""Items that come again at later occasions: what is equal, what is released, one density, bad input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import medpsy as mp
from medpsy.bind import ModelData, bind
from medpsy.engines.base import choose
from medpsy.engines.grid import Grid
from medpsy.inference.density import Density
from medpsy.ops import Numpy
from medpsy.simulate import draw_prior
from medpsy.spec.model_file import read_model_file
from medpsy.spec.toml_model import spec_from_tables
from medpsy.spec.toml_table import TomlTable
from medpsy.spec.toml_text import TomlText
from medpsy.spec.write_toml import to_toml
from numeric_cases import survey as ordinal
from numeric_cases import values_at
from wave_cases import two_waves

ORDINAL = {"f": [["x1", "x2", "x3"], ["m1", "m2", "m3"], ["y1", "y2", "y3"]]}
TWO = "f =~ x1..x3; g =~ m1..m3 + same*f; f ~~ g"
CASES: dict[str, dict[str, Any]] = {
    "an item": {"release": ["x2"]},
    "a slope, an item": {"release": ["loadings.m3", "y1"]},
    "thresholds": {"equal": ["thresholds"]},
    "slopes": {"equal": ["slopes"]},
    "place alone": {"equal": ["slopes", "location"], "release": "location.x1"},
    "nothing": {"equal": []},
}


def waves(case: str) -> mp.Model:
    return mp.CrossLagged(ORDINAL, family="graded", constant=True, **CASES[case])


def bound(text: str, n: int = 30, family: str = "graded", **about: Any) -> ModelData:
    return bind(mp.Model(text, family=family, **about).composed, ordinal(n))


@pytest.mark.parametrize("case", CASES)
def test_text_and_file_say_the_same(case: str) -> None:
    model = waves(case)
    assert mp.Model(model.syntax) == model
    printed = to_toml(model.spec)
    assert mp.Model(spec_from_tables(TomlTable(_toml(printed), TomlText(printed, "")), "f")) == model


def _toml(text: str) -> dict[str, Any]:
    import tomllib

    return tomllib.loads(text)


@pytest.mark.parametrize(
    ("case", "fixed", "free"),
    [
        (
            "an item",
            set(),
            {"difference_slope_f_2": 1, "difference_location_f_3": 1, "difference_gap_f_2": 2},
        ),
        ("a slope, an item", set(), {"difference_slope_f_2": 1, "difference_location_f_3": 1}),
        ("thresholds", {"residual_sd"}, {"difference_slope_f_2": 3}),
        ("slopes", {"intercept"}, {"difference_location_f_2": 3, "difference_gap_f_3": 6}),
        ("place alone", set(), {"difference_location_f_2": 1, "difference_gap_f_3": 6}),
        ("nothing", {"residual_sd", "intercept"}, {"slope_f_2": 3}),
    ],
)
def test_what_is_free(case: str, fixed: set[str], free: dict[str, int]) -> None:
    """Means are free where a place is tied, sds where a slope is."""
    found = {
        p.name: int(np.prod(p.shape)) for p in bind(waves(case).composed, ordinal(30)).parameters if p.free
    }
    assert not fixed & set(found)
    assert {"residual_sd", "intercept"} - fixed <= set(found)
    assert {name: found[name] for name in free} == free


def test_the_arguments_of_a_model_are_the_words_of_the_text() -> None:
    asked = mp.Model(TWO, equal=["thresholds"], release=["x3"])
    said = mp.Model("f =~ x1..x3; g =~ m1 + m2 + free*m3 + same(thresholds)*f; f ~~ g")
    assert asked == said
    assert mp.Model(TWO, release="loadings.m1") == mp.Model(
        "f =~ x1..x3; g =~ free(loadings)*m1 + m2..m3 + same*f; f ~~ g"
    )


def thresholds(slope: np.ndarray, prob: np.ndarray) -> np.ndarray:
    above = 1.0 - np.cumsum(prob, axis=1)[:, :-1]
    return -np.sqrt(1 + 0.3457 * slope**2)[:, None] * np.log(above / (1 - above))


def by_hand(data: ModelData, p: dict[str, np.ndarray], nodes: np.ndarray) -> np.ndarray:
    """Log-likelihood of every person: thresholds moved by hand, both scores summed over a square."""
    slope = {"f": p["slope_f"], "g": p["slope_f"].copy()}
    cuts = {"f": thresholds(p["slope_f"], p["category_prob_f"])}
    other = cuts["f"].copy()
    slope["g"][2] *= np.exp(p["difference_slope_g"][0])
    gaps = np.diff(other[2]) * np.exp(p["difference_gap_g"])
    row = np.concatenate([[0.0], np.cumsum(gaps)])
    other[2] = row - row.mean() + other[2].mean() + p["difference_location_g"][0]
    cuts["g"] = other
    r = (p["correlation_chol"] @ p["correlation_chol"].T)[0, 1]
    mean, sd = p["intercept"][0], p["residual_sd"][0]
    x, y = np.meshgrid(nodes, nodes, indexing="ij")
    e = (y - mean) / sd
    weight = np.exp(-0.5 * (x**2 - 2 * r * x * e + e**2) / (1 - r**2)) / (2 * np.pi * sd * np.sqrt(1 - r**2))
    weight *= (nodes[1] - nodes[0]) ** 2
    out = np.zeros(data.n_person)
    for i in range(data.n_person):
        total = weight.copy()
        for block in data.blocks:
            theta = x if block.name == "f" else y
            for j, code in enumerate(block.values[i]):
                if code >= 0:
                    line = slope[block.name][j] * theta
                    up = [np.ones_like(theta), *(1 / (1 + np.exp(c - line)) for c in cuts[block.name][j])]
                    total *= up[code] - (up[code + 1] if code + 1 < len(up) else 0.0)
        out[i] = np.log(total.sum())
    return out


def test_likelihood_by_hand() -> None:
    """One item of the second occasion differs in slope, place and gaps."""
    data = bound("f =~ x1..x3; g =~ m1 + m2 + free*m3 + same*f; f ~~ g", n=15)
    p = values_at(data, 3)
    nodes = np.linspace(-9, 9, 181)
    engine, _ = choose(data)
    found = engine.log_likelihood(data, p, Numpy, Grid((nodes, nodes)))
    np.testing.assert_allclose(found, by_hand(data, p, nodes), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("family", "text"),
    [
        ("graded", "f =~ x1..x3; g =~ m1 + free(slope)*m2 + free*m3 + same*f; f ~~ g"),
        ("graded_probit", "f =~ x1..x3; g =~ m1..m3 + same*f; f ~~ g"),
        ("generalised_partial_credit", "f =~ x1..x3; g =~ m1 + m2 + free*m3 + same*f; f ~~ g"),
        ("partial_credit", "f =~ x1..x3; g =~ m1 + m2 + free*m3 + same*f; f ~~ g"),
    ],
)
def test_gradient(family: str, text: str) -> None:
    data = bound(text, family=family)
    engine, _ = choose(data)
    density = Density(data, engine.compiled(data, engine.settings(data, 9)))
    u, step = np.random.default_rng(4).normal(0.0, 0.4, density.size), 1e-5
    _, gradient = density.value_and_gradient(u)
    moved = [
        (density.value_and_gradient(u + e)[0] - density.value_and_gradient(u - e)[0]) / (2 * step)
        for e in step * np.eye(u.size)
    ]
    np.testing.assert_allclose(gradient, moved, rtol=1e-5, atol=2e-6 * np.abs(gradient).max())


def test_both_routes_state_one_density() -> None:
    from medpsy.inference.pymc_model import build
    from pymc_density import density_function

    data = bound("f =~ x1..x3; g =~ m1 + m2 + free*m3 + same*f; f ~~ g", n=12)
    engine, _ = choose(data)
    settings = engine.settings(data, 9)
    own = Density(data, engine.compiled(data, settings))
    pymc = density_function(build(data, engine, settings), own.space.slots)
    offsets = []
    for seed in range(4):
        u = np.random.default_rng(seed).normal(0.0, 0.5, own.size)
        (value, gradient), (mine, my_gradient) = pymc(u), own.value_and_gradient(u)
        np.testing.assert_allclose(my_gradient, gradient, rtol=1e-6, atol=1e-8 * np.abs(gradient).max())
        offsets.append(value - mine)
    np.testing.assert_allclose(offsets, offsets[0], rtol=0, atol=1e-7)


def test_the_c_function_knows_spreads_and_copies() -> None:
    """Means and sds of a later occasion, item parameters that stand for two blocks."""
    from medpsy.inference.mode import Mode
    from medpsy.inference.native import Native, native

    data = bound(TWO, n=60)
    engine, _ = choose(data)
    density = Density(data, engine.compiled(data, engine.settings(data, 15)))
    u = np.random.default_rng(1).normal(0.0, 0.3, density.size)
    made = native(density, Mode(u, 0.0, np.eye(u.size), 1, True, 0))
    assert isinstance(made, Native), made
    value, gradient = made.value_and_gradient(np.zeros(u.size))
    want, d_u = density.value_and_gradient(u)
    assert value == pytest.approx(want, rel=1e-10)
    np.testing.assert_allclose(gradient, d_u, rtol=1e-7, atol=1e-9 * np.abs(d_u).max())


def test_prior_draws_and_results_hold_what_is_made() -> None:
    data = bound("f =~ x1..x3; g =~ m1 + m2 + free*m3 + same*f; f ~~ g")
    drawn = draw_prior(data.parameters, np.random.default_rng(1), 20)
    np.testing.assert_allclose(drawn["slope_g"][:, :2], drawn["slope_f"][:, :2], rtol=1e-12)
    np.testing.assert_allclose(
        drawn["category_prob_g"][:, :2], drawn["category_prob_f"][:, :2], rtol=1e-6, atol=1e-12
    )
    ratio = np.log(drawn["slope_g"][:, 2] / drawn["slope_f"][:, 2])
    np.testing.assert_allclose(ratio, drawn["difference_slope_g"][:, 0], rtol=1e-9)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: waves_with(release=["zz"]), "'zz' cannot be released"),
        (lambda: waves_with(release=["slopes.q1"]), "'slopes.q1' cannot be released"),
        (lambda: waves_with(release=["paths.x1"]), "'paths' is nothing that can be released"),
        (lambda: waves_with(equal=["threshold"]), "'threshold' is nothing that can be equal"),
        (lambda: waves_with(equal=["regressions"]), "'regressions' is nothing that items"),
        (lambda: mp.Model("f =~ x1 + free*x2 + x3"), "shares its items with no other construct"),
        (lambda: mp.Model(TWO.replace("same", "same(thresholds")), "unexpected"),
        (lambda: mp.Model("f =~ x1..x3; g =~ m1..m3", release=["x1"]), "no variable|about groups"),
        (lambda: mp.Model(TWO.replace("same", "same(loadings)") + "; g ~ 1"), "the mean of 'g' is free"),
        (lambda: mp.CrossLagged({"x": "x1..x2"}, release=["x1"]), "are for ordinal indicators"),
        (
            lambda: mp.Model(TWO.replace("same", "same(loadings)"), family="nominal"),
            "can only be equal in all groups and at all occasions",
        ),
    ],
)  # fmt: skip
def test_bad_input_is_refused(make: Any, word: str) -> None:
    with pytest.raises(mp.SpecError, match=word):
        make()


def waves_with(**about: Any) -> mp.Model:
    return mp.CrossLagged(ORDINAL, family="graded", **about)


def test_model_files_say_equal_and_release(tmp_path: Any) -> None:
    path = tmp_path / "w.toml"
    path.write_text(
        'schema = 1\nname = "w"\n[waves]\ndesign = "cross_lagged"\nfamily = "graded"\n'
        'release = ["loadings.x2"]\n'
        '[waves.variables]\nf = [["x1", "x2", "x3"], ["m1", "m2", "m3"]]\n'
    )
    assert mp.Model(read_model_file(path).spec).spec.linear.same[0].release == ("loadings.m2",)
    path.write_text(f'schema = 1\nname = "w"\n[model]\nequal = ["thresholds"]\nsyntax = """{TWO}"""\n')
    assert mp.Model(read_model_file(path).spec) == mp.Model(TWO, equal=["thresholds"])


def test_the_mode_of_many_simulated_persons_is_the_truth() -> None:
    """The model file with one drifting item, 2,500 persons: mode against truth in posterior sds."""
    from pathlib import Path

    from medpsy.inference.prepare import prepared

    model = mp.load_model(Path(__file__).resolve().parents[1] / "models" / "ordinal-waves.toml")
    data = bind(model.composed, model.simulate(2500, seed=3))
    density, mode, _ = prepared(data, choose(data)[0], None, [])
    found, sd = mode.u, np.sqrt((mode.spread**2).sum(1))
    place = {slot.name: slot.start for slot in density.space.slots}
    truth = {"path": [0.7], "intercept": [0.3, 0.2], "residual_sd_log__": np.log([0.6, 0.6]) / 2}
    for name, values in truth.items():
        for k, value in enumerate(values):
            at = place[name] + k
            assert abs(found[at] - value) < 3.5 * sd[at], (name, found[at], value)
    drift = place["difference_location_workload_3"]
    assert found[drift] + 3 * sd[drift] < -1 and sd[drift] < 0.25


@pytest.mark.slow
def test_saved_fits_come_back(tmp_path: Any) -> None:
    model = mp.Model("f =~ a1..a5; g =~ b1..b4 + free*b5 + same*f; f ~~ g")
    fit = model.fit(two_waves(200), seed=1, draws=200, chains=2, progress=False)
    fit.save(tmp_path / "fit.nc")
    back = mp.load_fit(tmp_path / "fit.nc")
    assert back.result.model.spec == model.spec
    assert "Differences" in set(fit.summary()["section"])
