"""lz and lz*: double sums over categories, closed forms of the two-parameter model, their distribution."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from medpsy.classical.person_fit import likelihood


def two_parameter(a: np.ndarray, b: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log-probabilities and their slopes (person, item, category) of the two-parameter logistic model."""
    p = expit(a * (theta[:, None] - b))
    return np.log(np.stack([1 - p, p], -1)), np.stack([-a * p, a * (1 - p)], -1)


def highest(a: np.ndarray, b: np.ndarray, codes: np.ndarray, precision: float) -> np.ndarray:
    """Most probable scores under a normal prior of mean 0, by bisection of the derivative."""
    low, high = np.full(len(codes), -12.0), np.full(len(codes), 12.0)
    for _ in range(80):
        middle = (low + high) / 2
        p = expit(a * (middle[:, None] - b))
        rising = (np.where(codes >= 0, codes - p, 0) * a).sum(1) - precision * middle > 0
        low, high = np.where(rising, middle, low), np.where(rising, high, middle)
    return (low + high) / 2


def test_lz_equals_the_double_sum_over_categories() -> None:
    rng = np.random.default_rng(2)
    prob = rng.dirichlet(np.ones(4), (12, 6))
    codes = rng.integers(-1, 4, (12, 6))
    found = likelihood(np.log(prob), rng.normal(size=prob.shape), codes, np.zeros(12)).lz
    for i in range(12):
        total = mean = variance = 0.0
        for j in range(6):
            if codes[i, j] < 0:
                continue
            p = prob[i, j]
            total += np.log(p[codes[i, j]])
            mean += sum(q * np.log(q) for q in p)
            variance += sum(
                p[m] * p[k] * np.log(p[m]) * np.log(p[m] / p[k]) for m in range(4) for k in range(4)
            )
        assert found[i] == pytest.approx((total - mean) / np.sqrt(variance), abs=1e-10)


def test_lz_star_equals_the_closed_form_of_snijders() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.uniform(0.6, 2, 15), rng.normal(size=15)
    codes = rng.integers(0, 2, (20, 15))
    theta = highest(a, b, codes, 1.0)
    table, slope = two_parameter(a, b, theta)
    found = likelihood(table, slope, codes, -theta)
    for i in range(20):
        p = expit(a * (theta[i] - b))
        w, r = a * (theta[i] - b), a  # log-odds, and P' / (P (1 - P))
        c = sum(a * p * (1 - p) * w) / sum(a * p * (1 - p) * r)
        tilted = w - c * r
        excess = sum((codes[i] - p) * w)
        shifted = excess + c * -theta[i]
        assert found.lz[i] == pytest.approx(excess / np.sqrt(sum(p * (1 - p) * w**2)), abs=1e-10)
        assert found.lz_star[i] == pytest.approx(shifted / np.sqrt(sum(p * (1 - p) * tilted**2)), abs=1e-9)


def test_lz_star_is_standard_normal_where_lz_is_too_narrow() -> None:
    rng = np.random.default_rng(4)
    a, b = rng.uniform(0.8, 2, 40), rng.normal(size=40)
    score = rng.normal(size=3000)
    codes = (rng.random((3000, 40)) < expit(a * (score[:, None] - b))).astype(int)
    theta = highest(a, b, codes, 1.0)
    found = likelihood(*two_parameter(a, b, theta), codes, -theta)
    assert abs(found.lz_star.mean()) < 0.12 and found.lz_star.std() == pytest.approx(1, abs=0.06)
    assert abs(np.mean(found.lz_star < -1.645) - 0.05) < 0.025
    assert found.lz.std() < found.lz_star.std() - 0.02


def test_nothing_answered_has_no_lz_and_impossible_categories_do_not_count() -> None:
    table = np.log(np.array([[[0.3, 0.7, 1e-300]], [[0.3, 0.7, 1e-300]]]))
    table[:, :, 2] = -np.inf
    slope = np.array([[[-0.7, 0.3, np.nan]], [[-0.7, 0.3, np.nan]]])
    found = likelihood(table, slope, np.array([[1], [-1]]), np.zeros(2))
    mean = 0.3 * np.log(0.3) + 0.7 * np.log(0.7)
    sd = np.sqrt(0.3 * (np.log(0.3) - mean) ** 2 + 0.7 * (np.log(0.7) - mean) ** 2)
    assert found.lz[0] == pytest.approx((np.log(0.7) - mean) / sd)
    assert np.isnan(found.lz[1]) and np.isnan(found.lz_star[1])
