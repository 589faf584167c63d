"""Draws from priors, and new answers at given parameters, against densities and likelihood engines."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy import stats

from medpsy.bind import ModelData, bind
from medpsy.engines.base import engines
from medpsy.engines.gaussian import moments
from medpsy.model import compose
from medpsy.ops import Numpy
from medpsy.parameter import Parameter
from medpsy.simulate import draw_prior, replicate, simulate_from
from medpsy.simulate.prior_draws import lkj_cholesky
from medpsy.spec.priors import parse_prior
from medpsy.spec.syntax import parse_model
from medpsy.survey.instrument import Instrument, Module, Variable
from medpsy.survey.survey import Survey

UNIVARIATE = {
    "Normal(1, 2)": stats.norm(1, 2),
    "StudentT(4, 1, 0.5)": stats.t(4, 1, 0.5),
    "LogNormal(0.25, 0.6)": stats.lognorm(0.6, scale=np.exp(0.25)),
    "HalfNormal(2)": stats.halfnorm(0, 2),
    "Exponential(3)": stats.expon(scale=1 / 3),
    "Gamma(2, 4)": stats.gamma(2, scale=1 / 4),
    "Beta(5, 17)": stats.beta(5, 17),
}


def scalars(*texts: str) -> Parameter:
    """A vector whose entries have these priors."""
    names = tuple(f"e{i}" for i in range(len(texts)))
    return Parameter("x", ("entry",), (names,), tuple(parse_prior(text) for text in texts))


def test_univariate_draws_follow_their_priors_entry_by_entry() -> None:
    texts = [*UNIVARIATE, "HalfStudentT(3, 2)"]
    drawn = draw_prior((scalars(*texts),), np.random.default_rng(11), 4000)["x"]
    assert drawn.shape == (4000, 8)
    for column, distribution in zip(drawn.T, UNIVARIATE.values(), strict=False):
        assert stats.kstest(column, distribution.cdf).pvalue > 0.001
    half_t = drawn[:, -1]
    assert half_t.min() > 0
    assert stats.kstest(half_t, lambda x: 2 * stats.t.cdf(x / 2, 3) - 1).pvalue > 0.001


def test_entries_of_one_kind_keep_their_own_arguments() -> None:
    drawn = draw_prior(
        (scalars("Normal(0, 1)", "HalfNormal(1)", "Normal(50, 1)"),), np.random.default_rng(1), 500
    )
    np.testing.assert_allclose(drawn["x"].mean(0), [0, 0.8, 50], atol=0.2)


@pytest.mark.parametrize("concentration", [0.001, 1.0, 3.0])
def test_dirichlet_margins_are_beta(concentration: float) -> None:
    prior = parse_prior(f"Dirichlet({concentration})")
    labels = (("i1", "i2"), ("0", "1", "2", "3"))
    parameter = Parameter("category_prob", ("item", "category"), labels, (prior, parse_prior("Dirichlet(2)")))
    drawn = draw_prior((parameter,), np.random.default_rng(2), 3000)["category_prob"]
    assert drawn.shape == (3000, 2, 4)
    np.testing.assert_allclose(drawn.sum(-1), 1)
    np.testing.assert_allclose(drawn[:, 0].mean(0), 0.25, atol=0.05)
    assert stats.kstest(drawn[:, 1, 3], stats.beta(2, 6).cdf).pvalue > 0.001
    if concentration >= 1:
        assert stats.kstest(drawn[:, 0, 2], stats.beta(concentration, 3 * concentration).cdf).pvalue > 0.001


@pytest.mark.parametrize(("dim", "eta"), [(2, 1.0), (3, 2.0), (5, 1.0), (4, 0.5)])
def test_lkj_correlations_have_their_beta_margins(dim: int, eta: float) -> None:
    chol = lkj_cholesky(dim, eta, np.random.default_rng(3), 4000)
    assert np.all(chol[:, *np.triu_indices(dim, 1)] == 0)
    matrix = chol @ np.swapaxes(chol, 1, 2)
    np.testing.assert_allclose(np.diagonal(matrix, axis1=1, axis2=2), 1)
    shape = eta - 1 + dim / 2
    for i, j in zip(*np.tril_indices(dim, -1), strict=True):
        assert stats.kstest((matrix[:, i, j] + 1) / 2, stats.beta(shape, shape).cdf).pvalue > 0.001


@pytest.mark.parametrize("eta", [1.0, 2.5])
def test_lkj_is_the_determinant_density_over_correlation_matrices(eta: float) -> None:
    """Against brute force: uniform correlations, kept where positive definite, weighted by det^(eta - 1)."""
    x, y, z = np.random.default_rng(12).uniform(-1, 1, (3, 400_000))
    det = 1 - x**2 - y**2 - z**2 + 2 * x * y * z
    kept = det > 0
    weight = det[kept] ** (eta - 1)
    weight /= weight.sum()
    chol = lkj_cholesky(3, eta, np.random.default_rng(13), 100_000)
    matrix = chol @ np.swapaxes(chol, 1, 2)
    product_of_three = matrix[:, 1, 0] * matrix[:, 2, 0] * matrix[:, 2, 1]
    assert product_of_three.mean() == pytest.approx(weight @ (x * y * z)[kept], abs=0.002)
    assert np.linalg.det(matrix).mean() == pytest.approx(weight @ det[kept], abs=0.004)


def test_the_prior_of_a_model_is_drawn_whole() -> None:
    data = patterns()
    drawn = draw_prior(data.parameters, np.random.default_rng(5), 3)
    assert {name: values.shape for name, values in drawn.items()} == {
        parameter.name: (3, *parameter.shape) for parameter in data.parameters
    }


def patterns(n_each: int = 1) -> ModelData:
    """Two constructs of two binary items: every pattern of answers, for men and for women."""
    spec = parse_model("f =~ a1 + a2\ng =~ b1 + b2\nf ~ sex\ng ~ f + sex")
    modules = (Module("a", ("a1", "a2"), (0, 1)), Module("b", ("b1", "b2"), (0, 1)))
    asked = Instrument(modules, (Variable("sex", "category", ("m", "f")),))
    rows = np.array(list(product((0, 1), repeat=5)) * n_each)
    person = np.array([str(i) for i in range(len(rows))])
    survey = Survey(asked, person, rows[:, 1:].astype(np.int8), {"sex": rows[:, 0]})
    return bind(compose(spec), survey)


def test_frequencies_of_patterns_agree_with_the_quadrature_engine() -> None:
    """The simulator shares nothing with the engine but the family: 2 x 16 probabilities must agree."""
    data = patterns()
    p = {name: values[0] for name, values in draw_prior(data.parameters, np.random.default_rng(9), 1).items()}
    p["covariate_effect"] = np.array([0.8, -0.5])
    engine = engines()["quadrature"]
    exact = np.exp(engine.log_likelihood(data, p, Numpy, engine.settings(data, 61))).reshape(2, 16)
    np.testing.assert_allclose(exact.sum(1), 1, atol=1e-6)
    many = patterns(2500)
    scores, answers = simulate_from(many, p, np.random.default_rng(10))
    assert scores.shape == (80_000, 2)
    cell = np.column_stack([np.tile(np.repeat([0, 1], 16), 2500), *answers]) @ [16, 8, 4, 2, 1]
    seen = np.bincount(cell, minlength=32).reshape(2, 16) / 40_000
    error = np.sqrt(exact * (1 - exact) / 40_000)
    assert np.abs((seen - exact) / error).max() < 4


def continuous(n: int) -> ModelData:
    """Gaussian items, two exogenous constructs, an observed mediator and an observed outcome."""
    text = "f =~ x1 + x2\ng =~ x3 + x4\nm ~ f + g + age\ny ~ m + f"
    spec = parse_model(text, family="gaussian")
    names = ("x1", "x2", "x3", "x4", "m", "y", "age")
    rng = np.random.default_rng(6)
    values = {name: rng.normal(3, 2, n) for name in names}
    values["x2"][:5] = np.nan
    values["y"][3] = np.nan
    asked = Instrument((), tuple(Variable(name) for name in names))
    survey = Survey(asked, np.arange(n).astype(str), np.zeros((n, 0), np.int8), values)
    return bind(compose(spec), survey)


def test_moments_agree_with_the_gaussian_engine() -> None:
    data = continuous(60_000)
    p = {name: values[0] for name, values in draw_prior(data.parameters, np.random.default_rng(7), 1).items()}
    new = replicate(data, p, np.random.default_rng(8))
    design_mean, spread = moments(data, p, Numpy)
    full = np.column_stack([*(b.values for b in new.blocks), new.observed[:, ~data.layout.latent]])[5:]
    off = full - data.design[5:] @ design_mean.T
    scale = np.sqrt(np.diag(spread))
    np.testing.assert_allclose(off.mean(0) / scale, 0, atol=0.02)
    seen = np.cov(off, rowvar=False) / np.outer(scale, scale)
    np.testing.assert_allclose(seen, spread / np.outer(scale, scale), atol=0.03)


def test_what_is_missing_stays_missing() -> None:
    data = continuous(50)
    p = {name: values[0] for name, values in draw_prior(data.parameters, np.random.default_rng(7), 1).items()}
    new = replicate(data, p, np.random.default_rng(8))
    for old, made in zip(data.blocks, new.blocks, strict=True):
        assert np.isnan(old.values).tolist() == np.isnan(made.values).tolist()
    assert np.isnan(data.observed).tolist() == np.isnan(new.observed).tolist()
    assert np.isnan(new.blocks[0].values[:5, 1]).all()
    assert new.person is data.person

    ordinal = patterns()
    block = ordinal.blocks[0]
    holes = block.values.copy()
    holes[4, 1] = -1
    ordinal = replace(ordinal, blocks=(replace(block, values=holes), *ordinal.blocks[1:]))
    p = {
        name: values[0]
        for name, values in draw_prior(ordinal.parameters, np.random.default_rng(1), 1).items()
    }
    _, answers = simulate_from(ordinal, p, np.random.default_rng(2))
    assert answers[0].dtype == np.int8
    assert np.argwhere(answers[0] == -1).tolist() == [[4, 1]]


def test_binary_outcome_follows_its_logistic_regression() -> None:
    n = 40_000
    rng = np.random.default_rng(1)
    values = {"x1": rng.normal(size=n), "x2": rng.normal(size=n), "y": rng.integers(0, 2, n).astype(float)}
    spec = parse_model("f =~ x1 + x2\ny ~ f", family="gaussian", families={"y": "bernoulli"})
    asked = Instrument((), tuple(Variable(name) for name in values))
    data = bind(compose(spec), Survey(asked, np.arange(n).astype(str), np.zeros((n, 0), np.int8), values))
    p = {name: v[0] for name, v in draw_prior(data.parameters, rng, 1).items()}
    p |= {"path": np.array([1.5]), "intercept": np.array([-0.5])}
    new = replicate(data, p, np.random.default_rng(4))
    y = new.observed[:, 1]
    assert set(np.unique(y)) == {0.0, 1.0}
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    expected = weights @ (1 / (1 + np.exp(0.5 - 1.5 * nodes))) / weights.sum()
    assert y.mean() == pytest.approx(expected, abs=4 * 0.5 / np.sqrt(n))
