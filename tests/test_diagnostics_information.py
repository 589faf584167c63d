"""Findings for information: reverse-keyed items, empty categories, what hangs on the priors."""

from __future__ import annotations

import arviz as az
import numpy as np
import pytest
import xarray as xr
from scipy import stats

from made_posterior import Made, bound, made, survey
from medpsy.diagnostics.base import CheckResult
from medpsy.diagnostics.gate import gate
from medpsy.diagnostics.prior_sensitivity import log_prior, sensitivity
from medpsy.result import Result


def finding(result: Result, code: str) -> CheckResult:
    (only,) = [one for one in gate(result).checks if one.code == code]
    return only


def test_reverse_keyed_item_is_named_and_does_not_fail_the_gate() -> None:
    def reverse(m: Made) -> None:
        m.values["slope_y"][..., 2] *= -1

    result = made(reverse)
    one = finding(result, "POL-01")
    assert one.passed is None and one.value == 1.0
    assert one.text == "y3 of 'y' looks reverse-keyed: P(slope < 0) = 1.00"
    assert "`reverse`" in one.cure
    assert gate(result).trusted


def test_reversed_anchor_is_found_by_the_others() -> None:
    def reverse(m: Made) -> None:
        m.values["slope_x"][..., 1:] *= -1

    one = finding(made(reverse), "POL-01")
    assert one.text == "x1 looks reverse-keyed: 2 of 2 other items of 'x' run against it"


def test_slope_that_is_negative_less_often_than_not_is_left_alone() -> None:
    def weaken(m: Made) -> None:
        m.values["slope_y"][..., 2] = np.random.default_rng(1).normal(0.1, 1, (4, 1000))

    one = finding(made(weaken), "POL-01")
    assert one.passed is True and one.value == pytest.approx(stats.norm.cdf(-0.1), abs=0.03)


def test_empty_categories_are_named_with_their_labels() -> None:
    answers = survey()
    answers.codes[:, 1] = np.where(answers.codes[:, 1] == 1, 0, answers.codes[:, 1])
    answers.codes[:, 5] = np.where(answers.codes[:, 5] == 2, 0, answers.codes[:, 5])
    result = made(data=bound(answers=answers), answers=answers)
    one = finding(result, "CAT-03")
    assert one.passed is None and one.value == 2.0
    assert one.text.startswith("nobody chose x2 'some', y3 'much'")
    assert gate(result).trusted


def test_log_prior_is_the_density_of_the_priors_without_a_jacobian() -> None:
    priors = (
        ("category_prob.x", "Dirichlet(2.5)"),
        ("correlation", "LKJ(3)"),
        ("slope.y.y1", "Gamma(2, 1)"),
        ("slope.y.y2", "Normal(1, 0.5)"),
    )
    result = made(data=bound(priors=priors), draws=40)
    values = result.values()
    r = values["correlation_chol"][..., 1, 0]
    expected = (
        stats.lognorm(0.6, scale=np.exp(0.25)).logpdf(values["slope_x"][..., 0])
        + stats.t(4, 1, 1).logpdf(values["slope_x"][..., 1:]).sum(-1)
        + stats.gamma(2).logpdf(values["slope_y"][..., 0])
        + stats.norm(1, 0.5).logpdf(values["slope_y"][..., 1])
        + stats.t(4, 1, 1).logpdf(values["slope_y"][..., 2])
        + 1.5 * np.log(values["category_prob_x"]).sum((-1, -2))
        + 2 * np.log(1 - r**2)
    )
    found = log_prior(result)
    assert np.ptp(found - expected) < 1e-9
    assert found.std() > 0.3


def test_sensitivity_agrees_with_arviz() -> None:
    result = made(draws=250)
    prior = log_prior(result)
    names = ["coefficient", "double", "slope_x"]
    posterior = result.tree["posterior"].to_dataset()[names]
    draws = np.concatenate([posterior[name].to_numpy().reshape(4, 250, -1) for name in names], axis=-1)
    tree = xr.DataTree(
        children={
            "posterior": xr.DataTree(posterior),
            "log_likelihood": result.tree["log_likelihood"],
            "log_prior": xr.DataTree(xr.Dataset({"joint": (("chain", "draw"), prior)})),
        }
    )
    table = az.psense_summary(tree, round_to=12)
    terms = result.tree["log_likelihood"]["answers"].to_numpy().sum(-1)
    assert sensitivity(draws, prior) == pytest.approx(table["prior"].to_numpy(), abs=1e-9)
    assert sensitivity(draws, terms) == pytest.approx(table["likelihood"].to_numpy(), abs=1e-9)


def test_effect_that_hangs_on_its_prior_is_named() -> None:
    result = made(data=bound(priors=(("correlation", "LKJ(200)"),)))
    one = finding(result, "PRI-25")
    assert one.passed is None and one.value is not None and one.value > 0.05
    assert "the data say little" in one.text and "coefficient[y~x]" in one.text
    assert "wider priors" in one.cure


def test_sensitivity_is_that_of_a_scaled_normal() -> None:
    """A standard normal raised to the power c has sd 1 / sqrt(c): the distance by numerical integration."""
    rng = np.random.default_rng(7)
    draws = rng.normal(size=(4, 2000, 1))
    step = 0.01
    grid = np.linspace(draws.min(), draws.max(), 20001)
    p, q = stats.norm.cdf(grid), stats.norm(scale=(1 + step) ** -0.5).cdf(grid)

    def distance(p: np.ndarray, q: np.ndarray) -> float:
        middle = (p + q) / 2
        both = p * np.log2(p / middle) + q * np.log2(q / middle)
        return float(np.sqrt(np.trapezoid(both, grid) / np.trapezoid(p + q, grid)))

    expected = max(distance(p, q), distance(1 - p[::-1], 1 - q[::-1])) / np.log2(1 + step)
    assert sensitivity(draws, -0.5 * draws[..., 0] ** 2)[0] == pytest.approx(expected, rel=0.1)


def test_flat_component_moves_nothing() -> None:
    draws = np.random.default_rng(8).normal(size=(4, 100, 2))
    assert sensitivity(draws, np.zeros((4, 100))).tolist() == [0.0, 0.0]
