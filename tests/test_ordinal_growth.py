"""Levels, slopes and random intercepts above ordinal items: moments by hand, density, scores, recovery."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import multivariate_normal

import medpsy as mp
from growth_cases import CUTS, Grown, asked, columns, grown
from medpsy.bind import ModelData, bind
from medpsy.engines.base import choose
from medpsy.engines.grid import Grid
from medpsy.inference.density import Density
from medpsy.latent.constructs import construct_system
from medpsy.ops import Numpy
from medpsy.posterior.further_scores import further_names, further_scores
from numeric_cases import values_at

TIMES = (0.0, 1.0, 2.5)


def growth(waves: int = 3, items: int = 3, **about: Any) -> mp.Model:
    return mp.LatentGrowth({"a": columns("a", waves, items)}, family="graded", **about)


def stable(waves: int = 3, items: int = 3, **about: Any) -> mp.Model:
    return mp.RandomInterceptCrossLagged({"a": columns("a", waves, items)}, family="graded", **about)


def two_series(seed: int = 1, n: int = 12) -> Grown:
    made = [grown(n, items=3, seed=seed + k) for k in range(2)]
    score = {"a": made[0].score["a"], "b": made[1].score["a"]}
    dose = made[0].survey.variables
    return Grown(
        asked(score, np.random.default_rng(seed), items=3, variables={"dose": dose["dose"]}), {}, {}, score
    )


def by_hand(data: ModelData, p: dict[str, np.ndarray], times: tuple[float, ...]) -> tuple[Any, Any]:
    """Means (person, wave) and covariance (wave, wave) of one growing construct with covariate ``dose``."""
    named = {
        q.name: dict(zip(q.coords[0], p[q.name], strict=True)) for q in data.parameters if len(q.dims) == 1
    }
    effect, sd = named["path"], named["residual_sd"]
    dose = data.design[:, 1]
    level = effect["level_a~dose"] * dose
    slope = named["intercept"]["slope_a"] + effect["slope_a~dose"] * dose
    t = np.array(times) - times[0]
    r = (p["correlation_chol"] @ p["correlation_chol"].T)[0, 1]
    root = np.array([[sd["level_a"], 0.0], [r * sd["slope_a"], np.sqrt(1 - r**2) * sd["slope_a"]]])
    load = np.column_stack([np.ones(len(t)), t])
    e = np.array([1.0, *(sd[f"a_{k}"] for k in range(2, len(t) + 1))])
    return level[:, None] + slope[:, None] * t, load @ root @ root.T @ load.T + np.diag(e**2)


def test_text_says_it_all() -> None:
    model = growth(times=TIMES, covariates=["dose"])
    assert mp.Model(model.syntax) == model
    assert "slope_a =~ 0*a_1 + 1*a_2 + 2.5*a_3" in model.syntax
    free = {p.name: p.coords[0] for p in bind(model.composed, grown(20, items=3).survey).parameters if p.free}
    assert free["intercept"] == ("slope_a",)
    assert free["residual_sd"] == ("level_a", "slope_a", "a_2", "a_3")
    other = stable(constant=True)
    assert mp.Model(other.syntax) == other
    free = {p.name: p.coords[0] for p in bind(other.composed, grown(20, items=3).survey).parameters if p.free}
    assert free["residual_sd"] == ("ri_a", "w_a_2", "w_a_3") and free["intercept"] == ("a_2", "a_3")
    rows = {row.target: str(row.prior) for row in other.composed.table}
    assert rows["residual_sd.w_a_2"] == "LogNormal(0, 0.5)" and rows["residual_sd.ri_a"] == "HalfNormal(2)"


def test_equations_say_what_is_free() -> None:
    lines = growth(covariates=["dose"]).equations
    assert "slope_a = [slope_a~1] + [slope_a~dose] * dose + e_slope_a" in lines
    assert {"e_a_1 ~ N(0, 1)", "e_a_2 ~ N(0, [a_2~~a_2])"} <= set(lines)
    lines = stable().equations
    assert {"a_2 = [a_2~1] + 1 * ri_a + 1 * w_a_2", "w_a_1 ~ N(0, 1)", "ri_a ~ N(0, [ri_a~~ri_a])"} <= set(
        lines
    )


def test_constructs_have_the_moments_of_growth() -> None:
    data = bind(growth(times=TIMES, covariates=["dose"]).composed, grown(20, items=3).survey)
    for seed in range(5):
        p = values_at(data, seed)
        mean, chol = construct_system(data.model.structure.equations(p, data.layout, Numpy), data.layout)
        location, covariance = by_hand(data, p, TIMES)
        np.testing.assert_allclose(data.design @ mean.T, location, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(chol @ chol.T, covariance, rtol=1e-10)


def test_constructs_have_the_moments_of_stable_parts_and_deviations() -> None:
    data = bind(stable(4).composed, grown(20, times=(0, 1, 2, 3), residual=(1,) * 4, items=3).survey)
    p = values_at(data, 3)
    named = {
        q.name: dict(zip(q.coords[0], p[q.name], strict=True)) for q in data.parameters if len(q.dims) == 1
    }
    sd, path = named["residual_sd"], named["path"]
    # What is new at wave s reaches wave t by the product of the paths between.
    reach = np.eye(4)
    for t in range(1, 4):
        reach[t] += path[f"w_a_{t + 1}~w_a_{t}"] * reach[t - 1]
    new = np.diag([1.0, *(sd[f"w_a_{t}"] for t in (2, 3, 4))])
    want = sd["ri_a"] ** 2 + reach @ new @ new @ reach.T
    mean, chol = construct_system(data.model.structure.equations(p, data.layout, Numpy), data.layout)
    np.testing.assert_allclose(chol @ chol.T, want, rtol=1e-10)
    np.testing.assert_allclose(mean[:, 0], [0.0, *named["intercept"].values()], atol=1e-12)


def test_likelihood_by_hand() -> None:
    """Scores at three waves summed over a cube, thresholds from the family's own definition."""
    data = bind(growth(times=TIMES, covariates=["dose"]).composed, grown(6, items=3).survey)
    p = values_at(data, 1, scale=0.3)
    nodes = np.linspace(-9, 9, 61)
    location, covariance = by_hand(data, p, TIMES)
    slope, prob = p["slope_a_1"], p["category_prob_a_1"]
    above = 1.0 - np.cumsum(prob, axis=1)[:, :-1]
    cuts = -np.sqrt(1 + 0.3457 * slope**2)[:, None] * np.log(above / (1 - above))
    cube = np.stack(np.meshgrid(nodes, nodes, nodes, indexing="ij"))
    inverse, det = np.linalg.inv(covariance), np.linalg.det(2 * np.pi * covariance)
    want = []
    for i in range(data.n_person):
        off = cube - location[i][:, None, None, None]
        total = np.exp(-0.5 * np.einsum("abcd,ae,ebcd->bcd", off, inverse, off)) / np.sqrt(det)
        for wave, block in enumerate(data.blocks):
            one = np.ones(nodes.size)
            for j, code in enumerate(block.values[i]):
                up = [one * 0 + 1, *(1 / (1 + np.exp(c - slope[j] * nodes)) for c in cuts[j]), one * 0]
                one = one * (up[code] - up[code + 1])
            shape = [1, 1, 1]
            shape[wave] = nodes.size
            total = total * one.reshape(shape)
        want.append(np.log(total.sum() * (nodes[1] - nodes[0]) ** 3))
    engine, _ = choose(data)
    assert engine.name == "quadrature"
    found = engine.log_likelihood(data, p, Numpy, Grid((nodes,) * 3))
    np.testing.assert_allclose(found, want, rtol=1e-8)


MODELS = {
    "growth": lambda: growth(times=TIMES, covariates=["dose"]),
    "growth, items released": lambda: growth(release=["a2_1", "thresholds.a3_2"]),
    "random intercept": lambda: stable(covariates=["dose"]),
    "random intercept, one path": lambda: stable(constant=True),
}


def density_of(data: ModelData, size: int) -> Density:
    engine, _ = choose(data)
    return Density(data, engine.compiled(data, engine.settings(data, size)))


@pytest.mark.parametrize("case", MODELS)
def test_gradient(case: str) -> None:
    data = bind(MODELS[case]().composed, grown(15, items=3).survey)
    density, step = density_of(data, 9), 1e-5
    u = np.random.default_rng(4).normal(0.0, 0.4, density.size)
    _, gradient = density.value_and_gradient(u)
    moved = [
        (density.value_and_gradient(u + e)[0] - density.value_and_gradient(u - e)[0]) / (2 * step)
        for e in step * np.eye(u.size)
    ]
    np.testing.assert_allclose(gradient, moved, rtol=1e-5, atol=2e-6 * np.abs(gradient).max())


@pytest.mark.parametrize("case", ["growth", "random intercept"])
def test_both_routes_state_one_density(case: str) -> None:
    from medpsy.inference.pymc_model import build
    from pymc_density import density_function

    data = bind(MODELS[case]().composed, grown(8, items=3).survey)
    engine, _ = choose(data)
    settings = engine.settings(data, 7)
    own = Density(data, engine.compiled(data, settings))
    pymc = density_function(build(data, engine, settings), own.space.slots)
    offsets = []
    for seed in range(4):
        u = np.random.default_rng(seed).normal(0.0, 0.5, own.size)
        (value, gradient), (mine, my_gradient) = pymc(u), own.value_and_gradient(u)
        np.testing.assert_allclose(my_gradient, gradient, rtol=1e-6, atol=1e-8 * np.abs(gradient).max())
        offsets.append(value - mine)
    np.testing.assert_allclose(offsets, offsets[0], rtol=0, atol=1e-7)


@pytest.mark.parametrize("case", MODELS)
def test_there_is_a_c_function(case: str) -> None:
    from medpsy.inference.native import Native, plain

    data = bind(MODELS[case]().composed, grown(40, items=3).survey)
    density = density_of(data, 13)
    u = np.random.default_rng(1).normal(0.0, 0.3, density.size)
    made = plain(density, u)
    assert isinstance(made, Native), made
    value, gradient = made.value_and_gradient(u)
    want, d_u = density.value_and_gradient(u)
    assert value == pytest.approx(want, rel=1e-10)
    np.testing.assert_allclose(gradient, d_u, rtol=1e-7, atol=1e-9 * np.abs(d_u).max())


def test_levels_and_slopes_given_the_scores_are_those_of_a_normal() -> None:
    """Persons made by hand at known parameters: drawn levels and slopes relate to the scores as the true."""
    n = 20_000
    made = grown(n, items=3, times=TIMES, effect=(0.5, -0.3), seed=5)
    data = bind(growth(times=TIMES, covariates=["dose"]).composed, made.survey)
    column = data.layout.columns[0]
    p = values_at(data, 1)
    places = {q.name: q.coords[0] for q in data.parameters if len(q.dims) == 1}
    truth = {
        "level_a~dose": 0.5,
        "slope_a~dose": -0.3,
        "level_a": 1.2,
        "slope_a": 0.5,
        "a_2": 0.8,
        "a_3": 0.9,
    }
    p["path"] = np.array([truth[name] for name in places["path"]]) * column.unit
    p["residual_sd"] = np.array([truth[name] for name in places["residual_sd"]])
    p["intercept"] = np.array([0.4 - 0.3 * column.centre])  # at the mean of the covariate
    p["correlation_chol"] = np.array([[1.0, 0.0], [-0.2, np.sqrt(0.96)]])
    assert further_names(data) == ["level_a", "slope_a"]
    # Levels are 0 at the mean of the covariate.
    theta = made.score["a"] - 0.5 * column.centre
    values = {name: value[None] for name, value in p.items()}
    drawn, mean, sd = further_scores(data, values, theta[None], np.random.default_rng(2))
    true = np.column_stack([made.level["a"] - 0.5 * column.centre, made.slope["a"]])
    dose = made.survey.variables["dose"]
    own, other = (np.cov(np.column_stack([x, theta, dose]).T) for x in (drawn[0], true))
    np.testing.assert_allclose(own, other, atol=0.06)
    np.testing.assert_allclose(drawn[0].mean(0), true.mean(0), atol=0.03)
    # What the conditional sd says is how far the conditional mean is off.
    np.testing.assert_allclose(np.sqrt(((mean - true) ** 2).mean(0)), sd.mean(0), rtol=0.03)


def test_two_series_are_sampled_and_said_to_be() -> None:
    model = mp.LatentGrowth(
        {"a": columns("a", 3, 3), "b": columns("b", 3, 3)}, family="graded", covariates=["dose"]
    )
    data = bind(model.composed, two_series().survey)
    engine, verdicts = choose(data)
    assert engine.name == "conditional"
    assert "6 constructs" in dict(verdicts)["quadrature"]
    # Levels and slopes are normals of their own.
    assert engine.person_normals(data) == 10
    p = values_at(data, 2)
    z = np.random.default_rng(1).standard_normal((data.n_person, 10))
    from medpsy.engines.conditional import node_values

    latent = dict(zip(data.layout.nodes, z.T, strict=True))
    eq = data.model.structure.equations(p, data.layout, Numpy)
    mean = data.design @ eq.g.T
    at = {name: i for i, name in enumerate(data.layout.nodes)}
    noise = z @ eq.z.T * eq.d
    got = node_values(data, z, p)
    for series in "ab":
        level, slope = (
            mean[:, at[f"{w}_{series}"]] + noise[:, at[f"{w}_{series}"]] for w in ("level", "slope")
        )
        for t in range(3):
            name = f"{series}_{t + 1}"
            want = level + t * slope + eq.d[at[name]] * latent[name]
            column = [block.name for block in data.blocks].index(name)
            np.testing.assert_allclose(got[:, column], want, rtol=1e-10, atol=1e-12)


def test_sampled_persons_have_stable_parts_and_deviations() -> None:
    """Constructs without a residual need no normal of their own."""
    data = bind(stable().composed, grown(10, items=3).survey)
    engine, _ = choose(data, "conditional")
    assert engine.person_normals(data) == 4
    p = values_at(data, 2)
    z = np.random.default_rng(1).standard_normal((10, 4))
    named = {
        q.name: dict(zip(q.coords[0], p[q.name], strict=True)) for q in data.parameters if len(q.dims) == 1
    }
    sd, path, mean = named["residual_sd"], named["path"], named["intercept"]
    names = [n for n in data.layout.nodes if not n.startswith("a_")]
    own = dict(zip(names, z.T, strict=True))
    from medpsy.engines.conditional import node_values

    got, deviation = node_values(data, z, p), own["w_a_1"]
    np.testing.assert_allclose(got[:, 0], sd["ri_a"] * own["ri_a"] + deviation, rtol=1e-10)
    for t in (2, 3):
        deviation = path[f"w_a_{t}~w_a_{t - 1}"] * deviation + sd[f"w_a_{t}"] * own[f"w_a_{t}"]
        want = mean[f"a_{t}"] + sd["ri_a"] * own["ri_a"] + deviation
        np.testing.assert_allclose(got[:, t - 1], want, rtol=1e-10)


def test_mediation_by_growth_of_ordinal_items() -> None:
    series = {"a": columns("a", 3, 3), "b": columns("b", 3, 3)}
    model = mp.LatentGrowth(series, family="graded", exposure="dose")
    assert mp.Model(model.syntax) == model
    assert {d.name: d.expression for d in model.spec.definitions}["indirect"] == "a*b"
    assert "slope_b ~ b*slope_a + c*dose" in model.syntax


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: growth(equal=["loadings"]), "the mean of 'slope_a' is free"),
        (lambda: growth(equal=["thresholds"]), "slopes of its indicators are free"),
        (lambda: stable(equal=["thresholds"]), "random intercepts compare a variable with itself"),
        (lambda: growth(waves=2), "2 waves are too few"),
        (lambda: stable(waves=2), "2 waves are too few"),
        (lambda: mp.LatentGrowth({"a": "a1..a3"}, family="graded"), "single columns"),
        (lambda: text("i ~ 1"), "the mean of 'i' is free and so is the place of the thresholds"),
        (lambda: text("v =~ 1*a_1", "a_1 ~~ 0*a_1"), "nothing sets the unit of 'a_1'"),
    ],
)
def test_what_nothing_settles_is_refused(make: Any, word: str) -> None:
    with pytest.raises(mp.SpecError, match=word):
        make()


def text(*more: str) -> mp.Model:
    """Growth as users of lavaan write it."""
    waves = ["a_1 =~ a1_1..a1_3", *(f"a_{t} =~ a{t}_1..a{t}_3 + same*a_1" for t in (2, 3))]
    line = ["i =~ 1*a_1 + 1*a_2 + 1*a_3", "s =~ 0*a_1 + 1*a_2 + 2*a_3"]
    return mp.Model("\n".join([*waves, *line, *more]))


def test_text_of_ones_own() -> None:
    """Means of later waves come from the slope where it has one; centred times are as good."""
    free = {p.name: p.coords[0] for p in bind(text("s ~ 1").composed, grown(20, items=3).survey).parameters}
    assert free["intercept"] == ("s",)
    waves = text().syntax.split("i =~")[0]
    centred = mp.Model(f"{waves}\ni =~ 1*a_1 + 1*a_2 + 1*a_3\ns =~ -1*a_1 + 0*a_2 + 1*a_3\ns ~ 1\na_2 ~ 0*1")
    assert mp.Model(centred.syntax) == centred


def test_many_steep_items_tell_what_the_scores_tell() -> None:
    """With scores all but known, the likelihood changes as that of growth of the scores themselves."""
    made = grown(150, items=20, steep=8.0, wide=4.0, seed=3)
    data = bind(growth(items=20).composed, made.survey)
    p = values_at(data, 1, scale=0.1)
    slope, place = 8.0 * np.linspace(1.2, 2.2, 20), np.linspace(-0.6, 0.6, 20)
    cuts = 4.0 * slope[:, None] * (place[:, None] + CUTS) / 1.7 / np.sqrt(1 + 0.3457 * slope**2)[:, None]
    edges = np.concatenate([np.ones((20, 1)), 1 / (1 + np.exp(cuts)), np.zeros((20, 1))], axis=1)
    p |= {"slope_a_1": slope, "category_prob_a_1": -np.diff(edges, axis=1)}
    p |= {name: p[name.replace("_2", "_1").replace("_3", "_1")] for name in p if name.endswith(("_2", "_3"))}
    names = next(q.coords[0] for q in data.parameters if q.name == "residual_sd")
    engine, _ = choose(data)
    likelihood = engine.compiled(data, engine.settings(data, 121))
    for _ in range(3):
        likelihood = likelihood.adapted(p, 1.5)

    def known(moved: dict[str, np.ndarray]) -> float:
        sd = dict(zip(names, moved["residual_sd"], strict=True))
        root = np.diag([sd["level_a"], sd["slope_a"]]) @ moved["correlation_chol"]
        load = np.column_stack([np.ones(3), np.arange(3.0)])
        e = np.diag([1.0, sd["a_2"] ** 2, sd["a_3"] ** 2])
        mean = moved["intercept"] * np.arange(3.0)
        normal = multivariate_normal(mean, load @ root @ root.T @ load.T + e)
        return float(normal.logpdf(made.score["a"]).sum())

    _, gradient = likelihood.value_and_gradient(p)
    found, want = [], []
    for name in ("residual_sd", "intercept"):
        for i in range(p[name].size):
            step = np.zeros(p[name].size)
            step[i] = 1e-4
            ahead, behind = (known(p | {name: p[name] + sign * step}) for sign in (1, -1))
            found.append(gradient[name][i])
            want.append((ahead - behind) / 2e-4)
    np.testing.assert_allclose(found, want, rtol=0.1, atol=0.03 * np.abs(want).max())
