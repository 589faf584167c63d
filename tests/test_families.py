"""Every response family against its twin: densities, gradients, draws, errors."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

import twins
from medpsy.bind import bind, local
from medpsy.errors import DataError, SpecError
from medpsy.families.base import families, family
from medpsy.inference.transforms import Unconstrained
from medpsy.jit import jit
from medpsy.ops import Numpy
from numeric_cases import MODULES, bound, composed, measured, points, survey

FAMILIES = families()
CATEGORICAL = [name for name, part in FAMILIES.items() if part.categorical]
COMPILED = [name for name, part in FAMILIES.items() if hasattr(part, "kernels")]
SCORES = np.array([-9.0, -4.0, -1.5, -0.3, 0.0, 0.7, 2.0, 5.0, 9.0])


def random_items(n: int, categories: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Slopes of either sign between .01 and 8; a category in three has a probability near 1e-9."""
    rng = np.random.default_rng([seed, categories])
    slope = np.exp(rng.uniform(np.log(0.01), np.log(8), n)) * rng.choice([-1, 1], n)
    prob = rng.dirichlet(np.full(categories, 0.5), n) + 1e-4
    for j in range(0, n, 3):
        prob[j, rng.integers(categories)] = 1e-9
    return slope, prob / prob.sum(-1, keepdims=True)


def random_parameters(name: str, categories: int, seed: int) -> dict[str, np.ndarray]:
    """Values of every role of three items of any registered family, made from its own parameters."""
    data = bound(measured("x", family=name), survey(categories=categories), family=name)
    space = Unconstrained(data.parameters)
    return local(data, data.blocks[0], space.constrain(points(data.parameters, 2, seed)[1]))


def categories_of(name: str) -> list[int]:
    """Numbers of categories that a family can take, 2 to 7."""
    most = getattr(FAMILIES[name], "max_categories", 7)
    return [k for k in range(getattr(FAMILIES[name], "min_categories", 2), 8) if k <= most]


def test_the_families_that_are_promised_are_registered() -> None:
    assert {"graded", "bernoulli", "gaussian"} <= set(FAMILIES)
    for name, part in FAMILIES.items():
        assert part.name == name
        assert family(name) is part


@pytest.mark.parametrize("name", CATEGORICAL)
def test_probabilities_sum_to_one(name: str) -> None:
    theta = np.linspace(-30, 30, 41)
    for categories in categories_of(name):
        for seed in range(8):
            p = random_parameters(name, categories, seed)
            table = FAMILIES[name].log_prob(theta, p, Numpy)
            assert table.shape == (3, categories, 41)
            np.testing.assert_allclose(np.exp(table).sum(-2), 1.0, rtol=1e-12)


@pytest.mark.parametrize("categories", range(2, 8))
def test_graded_equals_the_difference_of_cumulative_probabilities(categories: int) -> None:
    slope, prob = random_items(50, categories, 1)
    got = FAMILIES["graded"].log_prob(SCORES, {"slope": slope, "category_prob": prob}, Numpy)
    want = np.array(
        [
            [twins.graded_log_prob(a, share, t) for t in SCORES]
            for a, share in zip(slope.tolist(), prob.tolist(), strict=True)
        ],
        dtype=float,
    )
    np.testing.assert_allclose(got, want.swapaxes(1, 2), rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("categories", range(2, 8))
def test_thresholds_and_gaps_follow_from_the_category_probabilities(categories: int) -> None:
    slope, prob = random_items(50, categories, 2)
    derived = FAMILIES["graded"].derived({"slope": slope, "category_prob": prob}, Numpy)
    want = [twins.thresholds(a, share) for a, share in zip(slope.tolist(), prob.tolist(), strict=True)]
    np.testing.assert_allclose(derived["threshold"], np.array(want, dtype=float), rtol=1e-11, atol=1e-13)
    gaps = np.array([[float(b - a) for a, b in itertools.pairwise(t)] for t in want])
    np.testing.assert_allclose(derived["gap"], gaps.reshape(50, categories - 2), rtol=1e-11)
    assert (derived["gap"] > 0).all()


def test_a_category_of_probability_1e9_keeps_ten_digits() -> None:
    p = {"slope": np.array([1.3]), "category_prob": np.array([[0.3, 1e-9, 0.7 - 1e-9]])}
    got = FAMILIES["graded"].log_prob(np.array([0.4]), p, Numpy)[0, 1, 0]
    want = twins.graded_log_prob(1.3, p["category_prob"][0].tolist(), 0.4)[1]
    assert got == pytest.approx(float(want), rel=1e-12)
    assert np.exp(got) == pytest.approx(1e-9, rel=0.5)


def test_cumulated_category_probabilities_are_nearly_the_shares_in_a_standard_normal_population() -> None:
    z = np.linspace(-8, 8, 2001)
    weight = stats.norm.pdf(z) * (z[1] - z[0])
    prob = np.array([[0.1, 0.2, 0.4, 0.25, 0.05]] * 3)
    p = {"slope": np.array([0.5, 1.0, 2.0]), "category_prob": prob}
    share = np.exp(FAMILIES["graded"].log_prob(z, p, Numpy)) @ weight
    assert np.abs(np.cumsum(share - prob, axis=1)).max() < 0.0105


def test_graded_with_two_categories_is_the_two_parameter_logistic_model() -> None:
    slope, prob = random_items(50, 2, 3)
    p = {"slope": slope, "category_prob": prob}
    got = FAMILIES["bernoulli"].log_prob(SCORES, p, Numpy)
    np.testing.assert_array_equal(got, FAMILIES["graded"].log_prob(SCORES, p, Numpy))
    for j in range(50):
        for q, t in enumerate(SCORES):
            want = twins.bernoulli_log_prob(slope[j], prob[j], t)
            np.testing.assert_allclose(got[j, :, q], want, rtol=1e-12, atol=1e-14)


def test_gaussian_density_is_scipys() -> None:
    rng = np.random.default_rng(4)
    p = {
        "loading": rng.choice([-1, 1], 50) * np.exp(rng.uniform(np.log(0.01), np.log(8), 50)),
        "intercept": rng.normal(size=50),
        "residual_sd": np.exp(rng.uniform(-3, 2, 50)),
    }
    mean, sd = FAMILIES["gaussian"].log_prob(SCORES, p, Numpy)
    assert mean.shape == (50, SCORES.size)
    y = rng.normal(size=(50, 1))
    got = -0.5 * ((y - mean) / sd) ** 2 - np.log(sd) - 0.5 * np.log(2 * np.pi)
    for j in range(50):
        for q, t in enumerate(SCORES):
            want = twins.answers_log_prob(
                "gaussian", {k: v[[j]] for k, v in p.items()}, y[j], np.array(float(t))
            )
            assert got[j, q] == pytest.approx(float(want), rel=1e-12)


@pytest.mark.parametrize("name", list(FAMILIES))
def test_leading_axes_are_carried_along(name: str) -> None:
    draws = [random_parameters(name, categories_of(name)[-1], seed) for seed in range(6)]
    stacked = {role: np.stack([p[role] for p in draws]) for role in draws[0]}
    twice = {role: value.reshape(2, 3, *value.shape[1:]) for role, value in stacked.items()}

    def table(p: dict[str, np.ndarray]) -> list[np.ndarray]:
        out = FAMILIES[name].log_prob(SCORES, p, Numpy)
        return [out] if isinstance(out, np.ndarray) else list(out)

    single = [table(p) for p in draws]
    for part, many in enumerate(zip(table(stacked), table(twice), strict=True)):
        want = np.stack([one[part] for one in single])
        np.testing.assert_array_equal(many[0], want)
        np.testing.assert_array_equal(many[1].reshape(want.shape), want)


@pytest.mark.parametrize("name", COMPILED)
def test_the_compiled_table_is_the_defined_one(name: str) -> None:
    part = FAMILIES[name]
    for categories in categories_of(name):
        for seed in range(10):
            p = random_parameters(name, categories, seed)
            out = np.empty((3, categories, SCORES.size))
            jit(part.kernels[0])(*(p[role] for role in part.roles), SCORES, out)
            np.testing.assert_allclose(out, part.log_prob(SCORES, p, Numpy), rtol=1e-11, atol=1e-14)


def reverse(name: str, p: dict[str, np.ndarray], counts: np.ndarray) -> dict[str, np.ndarray]:
    """Gradient of sum(counts * log_prob) by the compiled reverse."""
    part = FAMILIES[name]
    out = {role: np.zeros_like(p[role]) for role in part.roles}
    jit(part.kernels[1])(*(p[role] for role in part.roles), SCORES, counts, *out.values())
    return out


@pytest.mark.parametrize("categories", range(2, 8))
def test_the_compiled_gradient_of_the_graded_table_is_exact(categories: int) -> None:
    slope, prob = random_items(9, categories, 5)
    counts = np.random.default_rng(6).uniform(0, 3, (9, categories, SCORES.size))
    counts[0, categories // 2] = 0.0
    got = reverse("graded", {"slope": slope, "category_prob": prob}, counts)
    for j in range(9):
        want = twins.graded_gradient(float(slope[j]), prob[j].tolist(), SCORES.tolist(), counts[j])
        assert got["slope"][j] == pytest.approx(want[0], rel=1e-8, abs=1e-9 * np.abs(want[0]))
        # The probabilities sum to one: only differences between categories matter.
        along = got["category_prob"][j] * prob[j]
        scale = np.abs(want[1:] * prob[j]).max()
        np.testing.assert_allclose(along, want[1:] * prob[j], rtol=1e-8, atol=1e-10 * scale)


@pytest.mark.parametrize("categories", range(2, 8))
def test_the_compiled_gradient_equals_the_complex_step_derivative(categories: int) -> None:
    rng = np.random.default_rng(7)
    theta, counts = np.linspace(-2, 2, 5), rng.uniform(0, 3, (1, categories, 5))
    for _ in range(10):
        point = np.array([rng.normal(1, 1), *(rng.dirichlet(np.full(categories, 5.0)))])
        gradient = []
        for i in range(point.size):
            moved = point.astype(complex)
            moved[i] += 1e-30j
            value = (counts[0] * twins.graded_log_prob_complex(moved[0], moved[1:], theta)).sum()
            gradient.append(value.imag / 1e-30)
        d_slope, d_prob = np.zeros(1), np.zeros((1, categories))
        kernel = jit(FAMILIES["graded"].kernels[1])
        kernel(point[:1], point[None, 1:], theta, counts, d_slope, d_prob)
        np.testing.assert_allclose([d_slope[0], *d_prob[0]], gradient, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", COMPILED)
def test_the_compiled_gradient_equals_finite_differences(name: str) -> None:
    """Any family, through the unconstrained coordinates of its own parameters."""
    part = FAMILIES[name]
    for categories in categories_of(name)[-2:]:
        data = bound(measured("x", family=name), survey(categories=categories), family=name)
        space = Unconstrained(data.parameters)
        counts = np.random.default_rng(8).uniform(0, 3, (3, categories, SCORES.size))

        def total(u: np.ndarray, at: Any = (data, space, counts)) -> np.ndarray:
            p = local(at[0], at[0].blocks[0], at[1].constrain(u))
            return np.array([(at[2] * part.log_prob(SCORES, p, Numpy)).sum()])

        for u in np.random.default_rng(9).normal(size=(5, space.size)):
            values = space.constrain(u)
            got = reverse(name, local(data, data.blocks[0], values), counts)
            pulled = np.zeros(space.size)
            space.pull_back(values, {f"{role}_x": d for role, d in got.items()}, pulled)
            np.testing.assert_allclose(pulled, twins.jacobian(total, u)[0], rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("name", CATEGORICAL)
def test_draws_have_the_frequencies_of_the_density(name: str) -> None:
    part, rng, n = FAMILIES[name], np.random.default_rng(10), 4000
    for categories in (categories_of(name)[0], categories_of(name)[-1]):
        data = bound(measured("x", family=name), survey(categories=categories), family=name)
        space = Unconstrained(data.parameters)
        p = local(data, data.blocks[0], space.constrain(rng.normal(0, 0.5, space.size)))
        for theta in (-1.5, 0.0, 1.0):
            answers = part.draw(np.full(n, theta), p, rng)
            assert answers.shape == (n, 3)
            want = np.exp(part.log_prob(np.array([theta]), p, Numpy))[:, :, 0]
            for j in range(3):
                seen = np.bincount(answers[:, j], minlength=categories)
                assert stats.chisquare(seen, n * want[j] / want[j].sum()).pvalue > 1e-4


def test_gaussian_draws_have_the_density() -> None:
    p = {
        "loading": np.array([0.8, -2.0]),
        "intercept": np.array([0.1, -1.0]),
        "residual_sd": np.array([0.5, 2.0]),
    }
    rng = np.random.default_rng(11)
    theta = rng.normal(size=4000)
    y = FAMILIES["gaussian"].draw(theta, p, rng)
    standard = (y - p["intercept"] - theta[:, None] * p["loading"]) / p["residual_sd"]
    assert min(stats.kstest(standard[:, j], "norm").pvalue for j in range(2)) > 1e-3
    assert abs(np.corrcoef(standard.T)[0, 1]) < 0.05


@pytest.mark.parametrize("name", list(FAMILIES))
def test_the_start_is_inside_the_support_and_finite(name: str) -> None:
    categories = categories_of(name)[0]
    data = bound(measured(*MODULES[:2], family=name), survey(categories=categories), family=name)
    for block in data.blocks:
        part = FAMILIES[name]
        start = part.start(block)
        assert set(start) == set(part.roles)
        shapes = {q.name: q.shape for q in data.parameters}
        assert {r: v.shape for r, v in start.items()} == {r: shapes[f"{r}_{block.name}"] for r in start}
        assert all(np.isfinite(v).all() for v in start.values())


def test_the_start_follows_the_keying_of_the_items() -> None:
    answers = survey(300, missing=0.0)
    codes = answers.codes.copy()
    codes[:, 2] = np.where(codes[:, 2] < 0, -1, 3 - codes[:, 2])
    data = bound(measured("x"), replace(answers, codes=codes))
    assert np.sign(data.model.families["x"].start(data.blocks[0])["slope"]).tolist() == [1, 1, -1]


def test_bernoulli_refuses_more_than_two_categories() -> None:
    with pytest.raises(SpecError, match="is for two categories; its items have 4") as caught:
        bind(composed(measured("x"), family="bernoulli"), survey(categories=4))
    assert "graded" in caught.value.hint


def test_an_unknown_family_is_named_with_the_nearest() -> None:
    with pytest.raises(SpecError, match="no response family 'gradde'") as caught:
        composed(measured("x"), family="gradde")
    assert "Did you mean 'graded'?" in caught.value.hint


def test_an_item_that_is_no_column_is_named() -> None:
    with pytest.raises(DataError, match="no variable 'cx9'"):
        bound("x =~ cx1 + cx9", survey(), family="gaussian")
    with pytest.raises(DataError, match="no item 'x9'"):
        bound("x =~ x1 + x9", survey())
