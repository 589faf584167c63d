"""Every family against its textbook twin, its special cases, and items that differ in their categories."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from family_twins import TWINS, log_probabilities, one_item
from medpsy.bind import bind, local
from medpsy.engines.quadrature import ENGINE as QUADRATURE
from medpsy.engines.quadrature_compiled import CompiledQuadrature
from medpsy.errors import SpecError
from medpsy.families.base import families
from medpsy.families.rating_scale import free_of_zero_sum, zero_sum
from medpsy.jit import jit
from medpsy.ops import Numpy
from medpsy.simulate.prior_draws import draw_prior
from medpsy.spec.priors import parse_prior
from numeric_cases import bound, composed, even_grid, measured, survey, values_at, with_fewer
from test_families import CATEGORICAL, categories_of, random_parameters

FAMILIES = families()
SCORES = np.array([-4.0, -1.3, 0.0, 0.4, 2.5])


def table(name: str, p: dict[str, np.ndarray], theta: np.ndarray = SCORES) -> np.ndarray:
    return np.asarray(FAMILIES[name].log_prob(theta, p, Numpy))


def test_every_family_of_categorical_items_has_a_twin() -> None:
    assert set(TWINS) == set(CATEGORICAL)


@pytest.mark.parametrize("name", CATEGORICAL)
def test_log_probabilities_are_the_textbook_ones(name: str) -> None:
    """Slopes between .01 and 8 in size, categories of probability 1e-9 and less."""
    for categories in {categories_of(name)[0], categories_of(name)[-1], min(4, categories_of(name)[-1])}:
        for seed in range(3):
            p = random_parameters(name, categories, seed)
            if name == "rating_scale":
                p = p | {"common_step": zero_sum(p["contrast"], Numpy)}
            got = table(name, p)
            for j in range(3):
                want = np.array([log_probabilities(name, one_item(p, j), float(t)) for t in SCORES]).T
                # The series of the normal twin has no digits left in the far tail.
                known = np.isfinite(want)
                np.testing.assert_allclose(got[j][known], want[known], rtol=2e-10, atol=1e-13)
                assert known.mean() > (0.3 if name == "graded_probit" else 0.99)


def test_the_narrow_and_the_wide_probit_category_are_integrals_of_the_density() -> None:
    """Also far in the tails, by Gauss-Legendre over the category."""
    from scipy import stats

    from medpsy.families.graded_probit import log_between

    x, w = np.polynomial.legendre.leggauss(120)
    for gap in np.geomspace(1e-12, 3.0, 40):
        for u in (-35.0, -8.0, -1.0, 0.2, 3.0, 30.0):
            log_density = stats.norm.logpdf(u - gap * (1 - x) / 2)
            top = log_density.max()
            want = top + np.log(np.exp(log_density - top) @ w * gap / 2)
            got = float(log_between(np.array(u), np.array(gap), Numpy))
            assert got == pytest.approx(want, rel=1e-10, abs=1e-10)


def test_one_slope_for_all_makes_the_rasch_models() -> None:
    for common, free in (("rasch", "bernoulli"), ("partial_credit", "generalised_partial_credit")):
        p = random_parameters(common, categories_of(common)[-1], 3)
        slope = {"slope": np.repeat(p["spread"], 3), "category_prob": p["category_prob"]}
        np.testing.assert_allclose(table(common, p), table(free, slope), rtol=1e-13)


def test_with_two_categories_adjacent_and_sequential_models_are_logistic() -> None:
    for name in ("generalised_partial_credit", "sequential"):
        p = random_parameters(name, 2, 4)
        odds = np.log(p["category_prob"][:, 1] / p["category_prob"][:, 0])
        eta = p["slope"][:, None] * SCORES + odds[:, None]
        want = np.stack([-np.logaddexp(0, eta), -np.logaddexp(0, -eta)], axis=1)
        np.testing.assert_allclose(table(name, p), want, rtol=1e-11, atol=1e-13)


def test_the_nominal_model_with_fixed_scores_is_generalised_partial_credit() -> None:
    p = random_parameters("generalised_partial_credit", 5, 5)
    fixed = p | {"score_shift": np.zeros((3, 3))}
    np.testing.assert_allclose(table("nominal", fixed), table("generalised_partial_credit", p), rtol=1e-13)


def test_the_rating_scale_models_restrict_partial_credit_and_graded() -> None:
    p = random_parameters("rating_scale", 4, 6)
    threshold = FAMILIES["rating_scale"].derived(p, Numpy)["threshold"]
    weight = np.exp(-np.concatenate([np.zeros((3, 1)), np.cumsum(threshold, 1)], axis=1))
    free = {"spread": p["spread"], "category_prob": weight / weight.sum(1, keepdims=True)}
    np.testing.assert_allclose(table("rating_scale", p), table("partial_credit", free), rtol=1e-11)

    p = random_parameters("graded_rating_scale", 4, 6)
    threshold = FAMILIES["graded_rating_scale"].derived(p, Numpy)["threshold"]
    scale = np.sqrt(1 + 0.3457 * p["slope"] ** 2)[:, None]
    above = 1 / (1 + np.exp(threshold / scale))
    prob = -np.diff(np.concatenate([np.ones((3, 1)), above, np.zeros((3, 1))], axis=1), axis=1)
    free = {"slope": p["slope"], "category_prob": prob}
    np.testing.assert_allclose(table("graded_rating_scale", p), table("graded", free), rtol=1e-7, atol=1e-9)


def test_without_guessing_and_slips_the_asymptotic_models_are_the_two_parameter_model() -> None:
    p = random_parameters("three_parameter_logistic", 2, 7)
    nothing = p | {"guessing": np.full(3, 1e-13)}
    two = {role: p[role] for role in ("slope", "category_prob")}
    near = np.linspace(-1, 1, 5)
    got = table("three_parameter_logistic", nothing, near)
    moderate = table("bernoulli", two, near) > -10
    np.testing.assert_allclose(got[moderate], table("bernoulli", two, near)[moderate], atol=1e-8)
    four = table("four_parameter_logistic", p | {"rise": np.full(3, 1 - 1e-12)}, near)
    three = table("three_parameter_logistic", p, near)
    np.testing.assert_allclose(four[moderate], three[moderate], atol=1e-7)


def test_the_upper_asymptote_has_the_published_prior() -> None:
    """Beta(5, 17) below, Beta(12, 5) of what remains: Beta(17, 5) above (moments of a Dirichlet)."""
    data = bound(measured("x"), survey(categories=2), family="four_parameter_logistic")
    rise = next(q for q in data.parameters if q.name == "rise_x")
    assert rise.priors[0] == parse_prior("Beta(12, 5)")
    drawn = draw_prior(data.parameters, np.random.default_rng(8), 40_000)
    upper = drawn["guessing_x"] + (1 - drawn["guessing_x"]) * drawn["rise_x"]
    assert (upper > drawn["guessing_x"]).all()
    assert upper.mean() == pytest.approx(17 / 22, abs=0.002)
    assert upper.var() == pytest.approx(17 * 5 / (22**2 * 23), rel=0.03)


def test_category_probabilities_of_the_probit_model_are_the_shares_in_the_population() -> None:
    z = np.linspace(-8, 8, 2001)
    weight = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi) * (z[1] - z[0])
    prob = np.array([[0.1, 0.2, 0.4, 0.25, 0.05], [0.002, 0.3, 0.4, 0.288, 0.01], [0.5, 0.2, 0.1, 0.1, 0.1]])
    p = {"slope": np.array([0.5, 1.0, 3.0]), "category_prob": prob}
    share = np.exp(table("graded_probit", p, z)) @ weight
    assert np.abs(np.cumsum(share - prob, axis=1)).max() < 1.5e-4


@pytest.mark.parametrize("size", [2, 3, 4, 7])
def test_steps_that_sum_to_zero_keep_lengths_and_come_back(size: int) -> None:
    rng = np.random.default_rng(9)
    free = rng.normal(size=(5, size - 1))
    steps = zero_sum(free, Numpy)
    np.testing.assert_allclose(steps.sum(-1), 0, atol=1e-13)
    np.testing.assert_allclose(steps @ steps.T, free @ free.T, rtol=1e-12, atol=1e-13)
    for row, want in zip(steps, free, strict=True):
        np.testing.assert_allclose(free_of_zero_sum(row), want, rtol=1e-12, atol=1e-13)


MIXED = [name for name in CATEGORICAL if categories_of(name)[-1] > 2 and not FAMILIES[name].one_scale]


@pytest.mark.parametrize("name", MIXED)
def test_an_item_with_fewer_categories_is_what_it_would_be_alone(name: str) -> None:
    answers = with_fewer(survey(categories=5), "x2", 3)
    data = bound(measured("x"), answers, family=name)
    block = data.blocks[0]
    assert block.sizes.tolist() == [5, 3, 5]
    p = local(data, block, values_at(data, 1))
    family = data.model.families["x"]
    got = family.log_prob(SCORES, p, Numpy)
    alone = {role: value if len(value) == 1 else value[1:2] for role, value in p.items()}
    alone = {role: v[:, : v.shape[1] - 2] if v.ndim == 2 else v for role, v in alone.items()}
    np.testing.assert_allclose(got[1, :3], family.log_prob(SCORES, alone, Numpy)[0], rtol=1e-11, atol=1e-13)
    assert np.exp(got[1, 3:]).max() < 1e-90
    compiled = np.empty_like(got)
    jit(family.kernels[0])(*(p[role] for role in family.roles), SCORES, compiled)
    np.testing.assert_allclose(compiled[:, :3], got[:, :3], rtol=1e-10, atol=1e-13)
    drawn = family.draw(np.random.default_rng(2).normal(size=400), p, np.random.default_rng(3))
    assert drawn[:, 1].max() <= 2 < drawn[:, [0, 2]].max()
    kept = family.kept(block, p, Numpy)["threshold"][1]
    assert np.isnan(kept).tolist() == [[False] * 4, [False, False, True, True], [False] * 4]


@pytest.mark.parametrize("name", MIXED)
def test_the_likelihood_of_mixed_scales_is_the_product_over_items(name: str) -> None:
    data = bound(measured("x"), with_fewer(survey(categories=4), "x3", 2), family=name)
    p, grid = values_at(data, 4), even_grid(1, 41, 6.0)
    nodes = grid.nodes[0]
    tables = FAMILIES[name].log_prob(nodes, local(data, data.blocks[0], p), Numpy)
    weight = np.exp(-0.5 * nodes**2) / np.sqrt(2 * np.pi) * (nodes[1] - nodes[0])
    want = []
    for row in data.blocks[0].values:
        total = sum((tables[j, k] for j, k in enumerate(row) if k >= 0), np.zeros(nodes.size))
        want.append(np.log(np.exp(total) @ weight))
    np.testing.assert_allclose(CompiledQuadrature(data, grid).per_person(p), want, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(QUADRATURE.log_likelihood(data, p, Numpy, grid), want, rtol=1e-10, atol=1e-14)


REFUSALS: dict[str, tuple[str, Any, str, str]] = {
    "guessing on an answer scale": ("three_parameter_logistic", survey(), "its items have 4", "no"),
    "slips on an answer scale": ("four_parameter_logistic", survey(), "its items have 4", "right answer"),
    "Rasch with four categories": ("rasch", survey(), "for two categories", "'partial_credit'"),
    "rating scale of two": ("rating_scale", survey(categories=2), "at least 3 categories", "'rasch'"),
    "graded scale of two": ("graded_rating_scale", survey(categories=2), "at least 3", "'bernoulli'"),
    "nominal with two": ("nominal", survey(categories=2), "at least 3 categories", "'bernoulli'"),
    "steps of different scales": (
        "rating_scale", with_fewer(survey(), "x2", 3), "different numbers of categories: 3, 4", "'graded'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS)
def test_a_family_that_does_not_suit_its_items_is_refused_with_the_reason(case: str) -> None:
    name, answers, message, hint = REFUSALS[case]
    with pytest.raises(SpecError) as caught:
        bind(composed(measured("x"), family=name), answers)
    assert f"family '{name}' of 'x'" in caught.value.message
    assert message in caught.value.message
    assert hint in caught.value.hint
