"""Priors: text, ranges of arguments, density and interval against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from medpsy.errors import SpecError
from medpsy.spec.priors import KINDS, Prior, density, interval, parse_prior

UNIVARIATE = {
    "Normal(0.3, 0.5)": stats.norm(0.3, 0.5),
    "StudentT(4, -1, 2.5)": stats.t(4, -1, 2.5),
    "LogNormal(0.25, 0.6)": stats.lognorm(0.6, scale=np.exp(0.25)),
    "HalfNormal(1.5)": stats.halfnorm(0, 1.5),
    "Exponential(0.7)": stats.expon(scale=1 / 0.7),
    "Gamma(2.5, 0.8)": stats.gamma(2.5, scale=1 / 0.8),
    "Gamma(1, 2)": stats.gamma(1, scale=0.5),
    "Gamma(0.5, 2)": stats.gamma(0.5, scale=0.5),
    "Beta(5, 17)": stats.beta(5, 17),
    "Beta(1, 3)": stats.beta(1, 3),
}


@pytest.mark.parametrize("text", UNIVARIATE)
def test_density_and_interval_agree_with_scipy(text: str) -> None:
    prior, reference = parse_prior(text), UNIVARIATE[text]
    x = np.concatenate([np.linspace(-6, 6, 49), [1e-12, 40.0]])
    with np.errstate(divide="ignore"):
        expected = reference.logpdf(x)
    np.testing.assert_allclose(density(prior, x), expected, rtol=1e-12)
    for prob in (0.5, 0.95):
        np.testing.assert_allclose(interval(prior, prob), reference.interval(prob), rtol=1e-12)


def test_half_student_t_is_the_folded_student_t() -> None:
    prior = parse_prior("HalfStudentT(3, 2)")
    x = np.array([-1.0, 0.0, 0.5, 7.0])
    expected = np.where(x < 0, -np.inf, np.log(2) + stats.t(3, 0, 2).logpdf(x))
    np.testing.assert_allclose(density(prior, x), expected, rtol=1e-13)
    lower, upper = interval(prior, 0.9)
    inside = stats.t(3, 0, 2)
    assert inside.cdf(lower) - inside.cdf(-lower) == pytest.approx(0.05)
    assert inside.cdf(upper) - inside.cdf(-upper) == pytest.approx(0.95)


def test_density_keeps_shape_and_missing_values() -> None:
    value = density(parse_prior("LogNormal(0, 1)"), [[0.0, np.nan], [1.0, np.inf]])
    assert value.shape == (2, 2)
    assert value[0, 0] == -np.inf and np.isnan(value[0, 1]) and value[1, 1] == -np.inf
    assert density(parse_prior("HalfNormal(1)"), 0.5).shape == ()


@pytest.mark.parametrize("text", ["Dirichlet(1)", "LKJ(2)"])
def test_joint_priors_have_no_single_density(text: str) -> None:
    for function in (lambda prior: density(prior, 0.1), interval):
        with pytest.raises(SpecError, match="no single density or interval"):
            function(parse_prior(text))


def test_interval_wants_a_probability() -> None:
    with pytest.raises(SpecError, match="prob must lie between 0 and 1, not 95"):
        interval(parse_prior("Normal(0, 1)"), 95)


@pytest.mark.parametrize(
    ("text", "printed", "support"),
    [
        (" Normal( 0 , .5 ) ", "Normal(0, 0.5)", "real"),
        ("Normal(mu=-1, sd=2.0)", "Normal(-1, 2)", "real"),
        ("Normal(sd=2, mu=1e-3)", "Normal(0.001, 2)", "real"),
        ("StudentT(4, sd=1, mu=0)", "StudentT(4, 0, 1)", "real"),
        ("LogNormal(0.25,0.6)", "LogNormal(0.25, 0.6)", "positive"),
        ("HalfNormal(sd=1)", "HalfNormal(1)", "positive"),
        ("HalfStudentT(3, 1)", "HalfStudentT(3, 1)", "positive"),
        ("Exponential(2)", "Exponential(2)", "positive"),
        ("Gamma(rate=1, shape=1e-7)", "Gamma(1e-07, 1)", "positive"),
        ("Dirichlet(c=2)", "Dirichlet(2)", "simplex"),
        ("LKJ(eta=2)", "LKJ(2)", "correlation"),
    ],
)
def test_text_and_back(text: str, printed: str, support: str) -> None:
    prior = parse_prior(text)
    assert (str(prior), prior.support) == (printed, support)
    assert parse_prior(printed) == prior


def test_arguments_by_name() -> None:
    assert parse_prior("StudentT(4, 0, 1.5)")["sd"] == 1.5
    assert Prior("Normal", (0, 1)) == parse_prior("Normal(0, 1)")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("normal(0, 1)", ("unknown prior distribution 'normal'", "Did you mean 'Normal'?")),
        ("Cauchy(0, 1)", ("unknown prior distribution 'Cauchy'", "StudentT")),
        ("Normal", ("'Normal' is no prior", "Normal(0, 0.5)")),
        ("Normal(0, 1) + 1", ("is no prior",)),
        ("", ("'' is no prior",)),
        ("Normal(0)", ("takes 2 arguments, 1 given", "Write Normal(mu, sd).")),
        ("Normal()", ("takes 2 arguments, 0 given",)),
        ("HalfNormal(0, 1)", ("takes 1 argument, 2 given", "Write HalfNormal(sd).")),
        ("Normal(0, -1)", ("prior Normal(0, -1): sd must be positive, not -1", "Write Normal(mu, sd).")),
        ("Normal(0, 0)", ("sd must be positive, not 0",)),
        ("StudentT(0, 0, 1)", ("nu must be positive",)),
        ("Dirichlet(0)", ("c must be positive",)),
        ("Normal(1e999, 1)", ("mu must be finite, not inf",)),
        ("Normal(zero, 1)", ("'zero' is no number",)),
        ("Normal(nan, 1)", ("'nan' is no number",)),
        ("Normal(0, )", ("'' is no number",)),
        ("Normal(0, sigma=1)", ("prior Normal has no argument 'sigma'", "Known: mu, sd.")),
        ("Gamma(2, raet=1)", ("no argument 'raet'", "Did you mean 'rate'?")),
        ("Normal(mu=0, 1)", ("1 stands after a named argument",)),
        ("Normal(0, mu=1)", ("'mu' is given twice",)),
        ("Normal(sd=1)", ("mu is missing",)),
    ],
)
def test_errors_say_what_and_how(text: str, parts: tuple[str, ...]) -> None:
    with pytest.raises(SpecError) as caught:
        parse_prior(text)
    for part in parts:
        assert part in str(caught.value)


def test_the_list_is_closed_and_every_kind_is_used_here() -> None:
    shown = {text.partition("(")[0] for text in [*UNIVARIATE, "HalfStudentT(", "Dirichlet(", "LKJ("]}
    assert shown == set(KINDS)
