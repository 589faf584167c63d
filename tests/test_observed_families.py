"""Families of observed variables against SciPy, numerical derivatives and maximum likelihood."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

import medpsy as mp
from mediation_cases import FLAT, around_mode, survey
from medpsy.api.fits import Fit
from medpsy.bind import bind
from medpsy.engines.base import choose
from medpsy.engines.conditional import Conditional
from medpsy.engines.equations import Regressions
from medpsy.errors import DataError, SpecError
from medpsy.inference.density import start_point
from medpsy.inference.transforms import Unconstrained
from medpsy.observed.base import has_categories, observed_families
from medpsy.ops import Numpy
from medpsy.simulate import replicate

FAMILIES = observed_families()
#: Parameters of every family beside the intercept, where it has any.
OWN: dict[str, dict[str, float]] = {
    "gaussian": {"residual_sd": 0.7}, "student_t": {"residual_sd": 0.7, "df": 3.4}, "bernoulli": {},
    "poisson": {}, "negative_binomial": {"overdispersion": 0.6},
}  # fmt: skip


def twin(name: str, eta: float, p: dict[str, float]) -> Any:
    """The distribution itself, as SciPy has it."""
    if name == "gaussian":
        return stats.norm(eta, p["residual_sd"])
    if name == "student_t":
        return stats.t(p["df"], eta, p["residual_sd"])
    if name == "bernoulli":
        return stats.bernoulli(1 / (1 + np.exp(-eta)))
    if name == "poisson":
        return stats.poisson(np.exp(eta))
    size = 1 / p["overdispersion"]
    return stats.nbinom(size, size / (size + np.exp(eta)))


def test_every_family_has_a_twin() -> None:
    # Those of categories in order have theirs in test_ordinal_outcomes.py.
    assert set(OWN) == {name for name, family in FAMILIES.items() if not has_categories(family)}


@pytest.mark.parametrize("name", OWN)
def test_density_mean_and_quantiles_are_those_of_the_distribution(name: str) -> None:
    family, p = FAMILIES[name], OWN[name]
    for eta in (-1.3, 0.2, 1.9):
        other = twin(name, eta, p)
        y = np.array([0.0, 1.0]) if name == "bernoulli" else np.arange(200.0)
        if family.standardised:
            y = np.linspace(-4, 4, 9)
            density = other.logpdf(y)
            whole, _ = integrate.quad(
                lambda x, e=eta: float(np.exp(family.log_prob(x, e, p, Numpy))), -np.inf, np.inf
            )
        else:
            density = other.logpmf(y)
            whole = np.exp(family.log_prob(y, np.full(y.shape, eta), p, Numpy)).sum()
        np.testing.assert_allclose(family.log_prob(y, np.full(y.shape, eta), p, Numpy), density, rtol=1e-9)
        assert whole == pytest.approx(1, abs=1e-6)
        np.testing.assert_allclose(family.mean(np.array([eta]), p), [other.mean()])
        u = np.array([0.03, 0.31, 0.72, 0.994])
        np.testing.assert_allclose(family.quantile(u, np.full(4, eta), p), other.ppf(u), rtol=1e-9)


@pytest.mark.parametrize("name", OWN)
def test_derivatives_are_the_numerical_ones(name: str) -> None:
    family, p, step = FAMILIES[name], OWN[name], 1e-6
    y = np.array([0.0, 1.0, 1.0]) if name == "bernoulli" else np.array([0.0, 2.0, 7.0])
    eta = np.array([-0.8, 0.3, 1.4])
    d_eta, d_own = family.reverse(y, eta, p)

    def at(shift: float, changed: dict[str, float]) -> np.ndarray:
        return family.log_prob(y, eta + shift, p | changed, Numpy)

    np.testing.assert_allclose(d_eta, (at(step, {}) - at(-step, {})) / (2 * step), rtol=1e-6, atol=1e-7)
    assert set(d_own) == {role.name for role in family.roles} - {"intercept"}
    for role, d in d_own.items():
        up, down = at(0, {role: p[role] + step}), at(0, {role: p[role] - step})
        np.testing.assert_allclose(d, (up - down) / (2 * step), rtol=1e-5, atol=1e-6)


def answers(n: int = 240, seed: int = 3) -> Any:
    """A covariate, a mediator with outliers and outcomes of all kinds."""
    rng = np.random.default_rng(seed)
    x = rng.normal(10, 2, n)
    m = 0.5 * x + rng.standard_t(3, n)
    mean = np.exp(-0.5 + 0.1 * x + 0.1 * m)
    return survey({
        "x": x, "m": m, "count": rng.poisson(mean), "spread": rng.negative_binomial(2, 2 / (2 + mean)),
        "yes": (rng.random(n) < 1 / (1 + np.exp(5 - m))).astype(float),
        "number": m - 0.2 * x + rng.normal(size=n),
    })  # fmt: skip


TEXT = """
m ~ a*x
count ~ m + x
spread ~ b*m + x
yes ~ m
number ~ m + x
indirect := a*b
"""
KINDS = {"m": "student_t", "count": "poisson", "spread": "negative_binomial", "yes": "bernoulli"}


def test_engines_agree_and_the_gradient_is_the_numerical_one() -> None:
    model = mp.Model(TEXT, families=KINDS).composed
    data = bind(model, answers())
    engine, _ = choose(data)
    assert engine.name == "equations"
    space = Unconstrained(data.parameters)
    u = start_point(data) + 0.1 * np.random.default_rng(1).standard_normal(space.size)
    p = space.constrain(u)
    own = engine.log_likelihood(data, p, Numpy)
    np.testing.assert_allclose(
        own, Conditional().log_likelihood(data, p | {"z": np.zeros((data.n_person, 0))}, Numpy), rtol=1e-10
    )
    compiled = Regressions(data)
    value, gradient = compiled.value_and_gradient(p)
    assert value == pytest.approx(own.sum())
    assert set(gradient) == {parameter.name for parameter in data.parameters}
    for name, d in gradient.items():
        for i in range(d.size):
            ends = []
            for step in (1e-6, -1e-6):
                moved = p[name].copy()
                moved.flat[i] += step
                ends.append(compiled.per_person(p | {name: moved}).sum())
            assert d.flat[i] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-4, abs=1e-3), (name, i)


def coefficients(fit: Fit) -> dict[str, float]:
    table = fit.summary()
    return {f"{r.lhs}{r.op}{r.rhs}": r.mean for r in table.itertuples()}


def test_modes_at_flat_priors_are_maximum_likelihood() -> None:
    """The slow twin maximises SciPy's densities over raw units."""
    from scipy.optimize import minimize

    held = answers()
    v = held.variables
    flat = FLAT | {"df": "HalfNormal(1000)", "overdispersion": "HalfNormal(1000)"}
    got = coefficients(around_mode(mp.Model(TEXT, families=KINDS, priors=flat), held, draws=1))

    def ascend(minus: Any, start: list[float]) -> np.ndarray:
        options = {"xatol": 1e-9, "fatol": 1e-11, "maxiter": 40_000, "maxfev": 40_000}
        return minimize(minus, start, method="Nelder-Mead", options=options).x

    best = ascend(
        lambda b: -stats.poisson.logpmf(v["count"], np.exp(b[0] + b[1] * v["m"] + b[2] * v["x"])).sum(),
        [0, 0, 0],
    )
    np.testing.assert_allclose([got["count~1"], got["count~m"], got["count~x"]], best, rtol=2e-4, atol=1e-5)
    best = ascend(
        lambda b: -stats.bernoulli.logpmf(v["yes"], 1 / (1 + np.exp(-b[0] - b[1] * v["m"]))).sum(), [0, 0]
    )
    np.testing.assert_allclose([got["yes~1"], got["yes~m"]], best, rtol=2e-4)
    best = ascend(
        lambda b: -stats.t.logpdf(v["m"], np.exp(b[3]), b[0] + b[1] * v["x"], np.exp(b[2])).sum(),
        [0, 0.5, 0, 1],
    )
    names = ["m~1", "m~x", "m~~m", "mdf"]
    # Half-normal priors on a log scale add the Jacobian, which moves the mode of df and sd a little.
    np.testing.assert_allclose([got[name] for name in names[:2]], best[:2], atol=0.02)
    np.testing.assert_allclose([got[name] for name in names[2:]], np.exp(best[2:]), rtol=0.12)


def test_summary_is_in_own_units_and_names_the_families() -> None:
    model = mp.Model(TEXT, families=KINDS)
    fit = around_mode(model, answers())
    table = fit.summary().set_index("section")
    assert table.loc["Degrees of freedom", "prior"] == "Gamma(2, 0.1)"
    assert "spread ~ negative binomial" in " ".join(model.equations)
    m = answers().variables["m"]
    # The scale of t lies below the sd of the residuals, and both are in the units of the variable.
    spread = table[table["lhs"] == "m"].loc["Residual SDs", "mean"]
    assert 0.5 * m.std() < spread < m.std()


def test_replicates_look_like_the_answers() -> None:
    """Draws from a twin's distribution: mean and variance of many persons at known values."""
    model = mp.Model("y ~ b*x", families={"y": "negative_binomial"}).composed
    n = 40_000
    rng = np.random.default_rng(1)
    data = bind(model, survey({"x": rng.normal(size=n), "y": rng.poisson(2, n)}))
    p = {"path": np.array([0.0]), "intercept": np.array([np.log(3.0)]), "overdispersion": np.array([0.5])}
    y = replicate(data, p, rng).observed[:, 0]
    assert y.mean() == pytest.approx(3, abs=0.06)
    assert y.var() == pytest.approx(3 + 0.5 * 9, rel=0.06)


def test_natural_effects_of_a_count_are_differences_of_expected_counts() -> None:
    held = answers()
    model = mp.Mediation("x", "m", mp.Observed("count", "poisson"), priors=FLAT)
    fit = around_mode(model, held, draws=1, copies=60)
    found = fit.natural_effects(low=9, high=11).set_index("effect")["mean"]
    got = coefficients(fit)
    sd = got["m~~m"]

    def expected(x: float, at: float) -> float:
        # E exp(linear) over the normal residual of the mediator
        eta = got["count~1"] + got["count~m"] * (got["m~1"] + got["m~x"] * at) + got["count~x"] * x
        return float(np.exp(eta + 0.5 * (got["count~m"] * sd) ** 2))

    assert found["total"] == pytest.approx(expected(11, 11) - expected(9, 9), rel=0.03)
    assert found["natural indirect"] == pytest.approx(expected(11, 11) - expected(11, 9), rel=0.05)


def test_what_does_not_suit_a_family_is_refused() -> None:
    held = answers()
    with pytest.raises(DataError, match=r"'m' is modelled as a count and holds the value .*\."):
        bind(mp.Model("m ~ x", families={"m": "poisson"}).composed, held)
    with pytest.raises(DataError, match="binary variable 'count' holds the value"):
        bind(mp.Model("count ~ x", families={"count": "bernoulli"}).composed, held)
    with pytest.raises(SpecError, match="unknown family 'poison'") as caught:
        mp.Model("count ~ x", families={"count": "poison"}).composed  # noqa: B018
    assert "poisson" in str(caught.value.hint)
    with pytest.raises(DataError, match="same value for everybody"):
        bind(
            mp.Model("y ~ x", families={"y": "bernoulli"}).composed,
            survey({"x": np.arange(9.0), "y": np.ones(9)}),
        )
