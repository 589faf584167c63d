"""Margins by construction: exact means, exact thresholds, exact counts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats
from scipy.special import expit

from medpsy.families.graded import GradedResponse
from medpsy.ops import Numpy
from medpsy.simulate.margins import (
    blurred,
    combine,
    discretised_normal,
    graded_category_prob,
    solve_threshold,
)
from medpsy.simulate.spread import Quota, Spread, cut_normal


@pytest.mark.parametrize(
    ("mean", "codes", "sd"),
    [
        (2.41, [1, 2, 3, 4, 5], 1.0),
        (3.96, [1, 2, 3, 4, 5], 0.4),
        (0.11, [0, 1, 2, 3], 1.0),
        (3.0, [-1, 0, 7], 2.0),
    ],
)
def test_discretised_normal_has_exactly_the_mean(mean: float, codes: list[int], sd: float) -> None:
    share = discretised_normal(mean, np.array(codes, dtype=float), sd)
    assert share.min() > 0
    assert share.sum() == pytest.approx(1, abs=1e-12)
    assert share @ codes == pytest.approx(mean, abs=1e-10)


def test_discretised_normal_is_a_normal_cut_half_way() -> None:
    share = discretised_normal(3.0, np.arange(1.0, 6.0), 0.8)
    edges = np.array([-np.inf, 1.5, 2.5, 3.5, 4.5, np.inf])
    np.testing.assert_allclose(share, np.diff(stats.norm.cdf(edges, 3.0, 0.8)), atol=1e-10)


@pytest.mark.parametrize("slope", [0.0, 0.7, 1.8, 5.0, -2.0])
def test_thresholds_agree_with_a_brute_force_integral(slope: float) -> None:
    """Shares of a graded item over a mixture of three normals, integrated adaptively."""
    points, mass = np.array([-1.5, 0.2, 0.9]), np.array([0.2, 0.5, 0.3])
    share = np.array([0.05, 0.3, 0.4, 0.24, 0.01])
    prob = graded_category_prob(slope, share, *blurred(points, mass, 1.0))
    p = {"slope": np.array([slope]), "category_prob": prob[None]}
    threshold = GradedResponse().derived(p, Numpy)["threshold"][0]

    def above(k: int) -> float:
        def integrand(t: float) -> float:
            return float(expit(slope * t - threshold[k]) * (mass @ stats.norm.pdf(t, points)))

        return integrate.quad(integrand, -12, 12, epsabs=1e-12, limit=400, points=[-1.5, 0.2, 0.9])[0]

    expected = np.array([1.0, *(above(k) for k in range(4)), 0.0])
    np.testing.assert_allclose(-np.diff(expected), share, atol=1e-9)
    assert prob.sum() == pytest.approx(1, abs=1e-12)


def test_category_prob_is_close_to_the_share_but_not_the_same() -> None:
    """The family's own parameter is an approximation of the share; the difference must be kept."""
    share = np.array([0.1, 0.2, 0.4, 0.2, 0.1])
    prob = graded_category_prob(2.5, share, *blurred(np.zeros(1), np.ones(1), 1.0))
    assert np.abs(prob - share).max() < 0.025
    assert np.abs(prob - share).max() > 1e-4


def test_solve_threshold_without_spread_is_a_logit() -> None:
    assert solve_threshold(1.0, 0.3, np.zeros(1), np.ones(1)) == pytest.approx(np.log(0.7 / 0.3), abs=1e-10)


def test_combine_keeps_mean_and_variance_and_merges_equal_sums() -> None:
    coin = (np.array([-0.5, 0.5]), np.array([0.5, 0.5]))
    values, mass = combine([coin, coin, (np.array([0.0, 9.0]), np.array([1.0, 0.0]))])
    np.testing.assert_allclose(values, [-1, 0, 1])
    np.testing.assert_allclose(mass, [0.25, 0.5, 0.25])
    normal = cut_normal(0.0, 1.0)
    assert normal is not None
    values, mass = combine([(0.5 * normal.values, normal.mass), (2 * normal.values, normal.mass)])
    assert mass @ values == pytest.approx(0, abs=1e-12)
    assert mass @ values**2 == pytest.approx(4.25, abs=1e-6)


@pytest.mark.parametrize("sd", [0.0, 0.03, 0.5])
def test_blurred_adds_the_variance(sd: float) -> None:
    nodes, weights = blurred(np.array([-1.0, 2.0]), np.array([0.6, 0.4]), sd)
    assert weights.sum() == pytest.approx(1)
    assert weights @ nodes == pytest.approx(0.2, abs=1e-12)
    assert weights @ nodes**2 - 0.04 == pytest.approx(0.24 * 9 + sd**2, abs=1e-10)


@pytest.mark.parametrize(("n", "expected"), [(321, (115, 206)), (642, (230, 412)), (10, (4, 6)), (1, (0, 1))])
def test_quota_is_exact_at_its_size_and_proportional_elsewhere(n: int, expected: tuple[int, int]) -> None:
    quota = Quota(np.arange(2), np.array([115, 206]) / 321)
    drawn = quota.draw(n, np.random.default_rng(5))
    assert tuple(np.bincount(drawn, minlength=2)) == expected


def test_quota_comes_in_random_order() -> None:
    quota = Quota(np.arange(2), np.array([0.5, 0.5]))
    first, second = (quota.draw(40, np.random.default_rng(seed)) for seed in (1, 2))
    assert first.tolist() != second.tolist()


def test_shares_vary_from_sample_to_sample() -> None:
    spread = Spread(np.arange(2), np.array([0.3, 0.7]))
    counts = {int(spread.draw(100, np.random.default_rng(seed)).sum()) for seed in range(10)}
    assert len(counts) > 3


@pytest.mark.parametrize(("low", "high"), [(-np.inf, np.inf), (18.0, np.inf), (18.0, 24.0)])
def test_cut_normal_agrees_with_scipy(low: float, high: float) -> None:
    made = cut_normal(20.0, 2.0, low, high)
    assert made is not None
    peer = stats.truncnorm((low - 20) / 2, (high - 20) / 2, 20, 2)
    assert made.mean == pytest.approx(peer.mean(), abs=1e-8)
    assert made.sd == pytest.approx(peer.std(), abs=1e-8)
    drawn = made.draw(4000, np.random.default_rng(3))
    assert stats.kstest(drawn, peer.cdf).pvalue > 0.001
    assert low <= drawn.min() <= drawn.max() <= high


def test_cut_normal_refuses_a_range_it_never_reaches() -> None:
    assert cut_normal(20.0, 1.0, 40.0, 50.0) is None


def test_standard_centres_levels_at_their_shares() -> None:
    quota = Quota(np.arange(3), np.array([0.2, 0.3, 0.5]))
    np.testing.assert_allclose(quota.standard(np.array([0, 1, 2]), 1), [-0.3, 0.7, -0.3])
    number = Spread(np.array([1.0, 3.0]), np.array([0.5, 0.5]))
    np.testing.assert_allclose(number.standard(np.array([1.0, 3.0])), [-1, 1])
