"""Clusters: one density on both routes, equal to a dense normal, at its maximum what lavaan and nlme find."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from cluster_cases import as_survey, clustered_data, density_of, maximum, sample, sampled
from medpsy.bind import ModelData
from medpsy.inference.transforms import Unconstrained
from medpsy.simulate.prior_draws import draw_prior
from numeric_cases import measured, survey
from pymc_density import density_function

TEXT = "dose ~ a*age\ngrade ~ b*dose + c*age"
CASES: dict[str, dict[str, object]] = {
    "intercepts": {"text": TEXT},
    "slopes": {"text": TEXT, "slopes": ("a", "b")},
    "levels": {"text": TEXT, "between": ("grade~dose",)},
    "levels, slopes, constructs": {
        "text": measured("x", "m", family="gaussian") + "\nm ~ a*x\ngrade ~ b*m + c*x + age",
        "slopes": ("a", "b"), "between": ("m~x", "grade~m", "grade~x"),
    },
    "graded, intercepts": {"text": measured("x", "y") + "\ny ~ b*x", "family": "graded"},
    "graded, levels, slopes": {
        "text": measured("x", "m") + "\nm ~ a*x", "slopes": ("a",), "between": ("m~x",), "family": "graded",
    },
}  # fmt: skip


def case(name: str) -> ModelData:
    about = dict(CASES[name])
    return clustered_data(str(about.pop("text")), survey(30), **about)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", CASES)
def test_gradient_is_the_derivative_of_the_density(name: str) -> None:
    density = density_of(case(name))
    rng = np.random.default_rng(1)
    u = 0.5 * rng.normal(size=density.size)
    _, gradient = density.value_and_gradient(u)
    step = 1e-5 * np.eye(density.size)
    ahead = [density.value_and_gradient(u + e)[0] for e in step]
    behind = [density.value_and_gradient(u - e)[0] for e in step]
    numeric = (np.array(ahead) - behind) / 2e-5
    np.testing.assert_allclose(gradient, numeric, atol=1e-6 * np.abs(gradient).max())


QUICK = ("intercepts", "levels", "graded, intercepts")


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in CASES]
)
def test_both_routes_state_one_density(name: str) -> None:
    from medpsy.inference.pymc_model import build

    data = case(name)
    density = density_of(data)
    engine, part, settings = sampled(data)
    pymc = density_function(build(part, engine, settings), Unconstrained(part.parameters).slots)
    rng, offsets = np.random.default_rng(2), []
    for scale in (0.1, 0.5, 1.0):
        u = scale * rng.normal(size=density.size)
        value, gradient = density.value_and_gradient(u)
        other, other_gradient = pymc(u)
        np.testing.assert_allclose(gradient, other_gradient, rtol=1e-6, atol=1e-9 * np.abs(gradient).max())
        offsets.append(other - value)
    np.testing.assert_allclose(offsets, offsets[0], rtol=0, atol=1e-8 * abs(value))


def twin(data: ModelData, p: dict[str, np.ndarray], slopes: tuple[str, ...], split: bool) -> np.ndarray:
    """Log-density of dose and grade of every cluster from one large covariance matrix, written out."""
    names = [c.name for c in data.layout.coefficients]
    path = dict(zip(names, p["path"], strict=True))
    age = data.design[:, 1 + [c.name for c in data.layout.columns].index("age")]
    sizes = [len(slopes) + 2]
    corr = [p["cluster_correlation_chol"]] if "cluster_correlation_chol" in p else []
    chol = np.eye(sizes[0])
    if corr and not split:
        chol = corr[0]
    k = np.diag(p["cluster_sd"]) @ chol
    out = []
    for c in range(len(data.layout.levels.labels)):
        rows = np.flatnonzero(data.layout.levels.index == c)
        own = k[:, : len(slopes)] @ p["slope_z"][c] if slopes else np.zeros(sizes[0])
        a = path["dose~age"] + (own[slopes.index("a")] if "a" in slopes else 0.0)
        b = path["grade~dose"] + (own[slopes.index("b")] if "b" in slopes else 0.0)
        shift, free = own[len(slopes) :], k[len(slopes) :, len(slopes) :]
        across = p["path_between"][0] if split else b
        mean, cov = np.zeros((rows.size, 2)), np.zeros((rows.size, 2, rows.size, 2))
        to = np.array([[1.0, 0.0], [b, 1.0]])
        up = np.array([[1.0, 0.0], [across, 1.0]])
        inner = to @ np.diag(p["residual_sd"] ** 2) @ to.T
        outer = up @ free @ free.T @ up.T
        for i, row in enumerate(rows):
            lower = np.array([a, path["grade~age"]]) * age[row]
            mean[i] = to @ lower + up @ (p["intercept"] + shift)
            for j in range(rows.size):
                cov[i, :, j, :] = outer + (inner if i == j else 0.0)
        y = data.observed[rows].ravel()
        given = ~np.isnan(y)
        flat = cov.reshape(2 * rows.size, -1)[np.ix_(given, given)]
        out.append(multivariate_normal(mean.ravel()[given], flat).logpdf(y[given]))
    return np.array(out)


@pytest.mark.parametrize("name", ["intercepts", "slopes", "levels"])
def test_closed_form_is_the_dense_normal(name: str) -> None:
    data = case(name)
    assert np.isnan(data.observed).any()
    density = density_of(data)
    slopes = tuple(CASES[name].get("slopes", ()))  # type: ignore[arg-type]
    rng = np.random.default_rng(4)
    for _ in range(3):
        p = {k: v[0] for k, v in draw_prior(density.data.parameters, rng, 1).items()}
        own = density.likelihood.per_person(p)
        np.testing.assert_allclose(own, twin(data, p, slopes, name == "levels"), rtol=1e-8)


def test_integrated_effects_are_drawn_from_their_distribution() -> None:
    """log p(y) = log p(y | z) + log p(z) - log p(z | y) at any z: the middle two from other engines."""
    data = case("levels, slopes, constructs")
    engine, part, _ = sampled(data)
    p = {k: v[0] for k, v in draw_prior(part.parameters, np.random.default_rng(6), 1).items()}
    statistics = engine.compiled(part)
    repeated = {k: np.broadcast_to(v, (1, 400, *v.shape)) for k, v in p.items()}
    drawn = statistics.draw(repeated, np.random.default_rng(1))[0]
    given = density_of(data, "gaussian")
    index = data.layout.levels.index
    run = statistics._run(p)
    z = drawn[0]
    terms = np.bincount(index, weights=given.likelihood.per_person(p | {"cluster_z": z}))
    width = z.shape[1]
    prior = -0.5 * (z**2).sum(1) - 0.5 * width * np.log(2 * np.pi)
    after = [multivariate_normal(run.effect[c], run.inverse[c]).logpdf(z[c]) for c in range(len(run.effect))]
    np.testing.assert_allclose(statistics.per_person(p), terms + prior - after, rtol=1e-8)
    error = np.sqrt(np.diagonal(run.inverse, axis1=1, axis2=2) / 400)
    assert (np.abs(drawn.mean(0) - run.effect) < 5 * error).all()


def raw(data: ModelData, values: np.ndarray, keys: list[str]) -> dict[str, float]:
    """Paths in raw units."""
    place, unit = data.layout.nodes, data.layout.unit
    out = {}
    for key, value in zip(keys, values, strict=True):
        target, source = key.split("~")
        columns = {c.name: c.unit for c in data.layout.columns}
        by = unit[place.index(source)] if source in place else columns[source]
        out[key] = float(value * unit[place.index(target)] / by)
    return out


def test_maximum_is_that_of_lavaan_with_levels() -> None:
    """lavaan 0.6-14: sem(model, data, cluster = "school"), the same paths on both levels."""
    answers = as_survey(sample())
    data = clustered_data("m ~ a*x\ny ~ b*m + c*x", answers, between=("m~x", "y~m", "y~x"))
    p, best = maximum(data)
    within = raw(data, p["path"], ["m~x", "y~m", "y~x"])
    between = raw(data, p["path_between"], ["m~x", "y~m", "y~x"])
    np.testing.assert_allclose([*within.values()], [0.363, 0.241, 0.161], atol=6e-4)
    np.testing.assert_allclose([*between.values()], [0.629, 0.828, -0.030], atol=6e-4)
    unit = data.layout.unit
    np.testing.assert_allclose((p["residual_sd"] * unit) ** 2, [0.942, 0.656, 0.460], atol=6e-4)
    np.testing.assert_allclose((p["cluster_sd"] * unit) ** 2, [0.588, 0.203, 0.117], atol=6e-4)
    assert best - data.n_person * np.log(unit).sum() == pytest.approx(-1357.110037, abs=1e-3)


def test_maximum_of_a_cluster_exposure_is_that_of_lavaan() -> None:
    answers = as_survey(sample())
    data = clustered_data("m ~ a*z\ny ~ b*m + c*z", answers, between=("y~m",))
    p, _ = maximum(data)
    np.testing.assert_allclose(
        [*raw(data, p["path"], [c.name for c in data.layout.coefficients]).values()],
        [0.615, 0.311, -0.131], atol=6e-4,
    )  # fmt: skip
    np.testing.assert_allclose([*raw(data, p["path_between"], ["y~m"]).values()], [0.902], atol=6e-4)


def test_maximum_of_random_intercepts_is_that_of_nlme() -> None:
    """nlme: both equations stacked, correlated intercepts, a residual variance for each, method = "ML"."""
    answers = as_survey(sample())
    data = clustered_data("m ~ a*x\ny ~ b*m + c*x", answers)
    p, best = maximum(data)
    paths = raw(data, p["path"], [c.name for c in data.layout.coefficients])
    np.testing.assert_allclose([*paths.values()], [0.39344539, 0.24088229, 0.17264363], atol=2e-5)
    unit, chol = data.layout.unit, p["cluster_correlation_chol"]
    np.testing.assert_allclose(p["cluster_sd"] * unit, [0.4877767, 0.4515688], atol=2e-4)
    assert chol[1, 0] == pytest.approx(0.652, abs=1e-3)
    np.testing.assert_allclose(p["residual_sd"] * unit, [0.81002504, 0.67804386], atol=2e-4)
    assert best - data.n_person * np.log(unit).sum() == pytest.approx(-836.5733015, abs=1e-3)
