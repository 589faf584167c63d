"""Alignment of group means and spreads, against exact cases, a grid, and numerical gradients."""

from __future__ import annotations

import numpy as np
import pytest

from medpsy.posterior.alignment import align, loss


def own_scales(
    loading: np.ndarray, intercept: np.ndarray, mean: np.ndarray, sd: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What each group would estimate with mean 0 and sd 1 of its own, (group, item)."""
    return loading * sd[:, None], intercept + loading * mean[:, None]


def test_exactly_invariant_items_give_the_truth() -> None:
    rng = np.random.default_rng(1)
    loading = np.tile(rng.uniform(0.5, 2.0, 6), (4, 1))
    intercept = np.tile(rng.normal(0, 1, 6), (4, 1))
    mean, sd = np.array([0.0, 0.6, -0.4, 1.1]), np.array([1.0, 1.5, 0.8, 1.2])
    a, b = own_scales(loading, intercept, mean, sd)
    found = align(a[None], b[None], np.array([100, 200, 50, 80]))
    np.testing.assert_allclose(found.mean[0], mean, atol=1e-5)
    np.testing.assert_allclose(found.sd[0], sd, atol=1e-5)
    np.testing.assert_allclose(found.loading[0], loading, atol=1e-5)
    np.testing.assert_allclose(found.intercept[0], intercept, atol=1e-4)


def test_one_item_that_differs_stands_out_and_moves_little_else() -> None:
    loading, intercept = np.ones((2, 6)), np.zeros((2, 6))
    intercept[1, 2] = 1.0
    a, b = own_scales(loading, intercept, np.array([0.0, 0.5]), np.array([1.0, 1.3]))
    found = align(a[None], b[None], np.array([200, 200]))
    # A least-squares alignment would spread the difference: mean 0.67.
    assert found.mean[0, 1] == pytest.approx(0.5, abs=0.03)
    off = found.intercept[0, 1] - found.intercept[0, 0]
    assert off[2] == pytest.approx(1.0, abs=0.05)
    assert np.abs(np.delete(off, 2)).max() < 0.05


def test_the_minimum_is_the_lowest_of_a_grid() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.uniform(0.5, 1.5, (2, 4)), rng.normal(0, 0.7, (2, 4))
    found = align(a[None], b[None], np.array([50, 90]))
    means, sds = np.linspace(-2, 2, 161), np.exp(np.linspace(-1, 1, 161))
    lambda_2 = a[1] / sds[:, None]
    nu_2 = b[1] - lambda_2[None] * means[:, None, None]
    total = (((lambda_2 - a[0]) ** 2 + 0.01) ** 0.25).sum(-1)
    total = total + (((nu_2 - b[0]) ** 2 + 0.01) ** 0.25).sum(-1)
    m, s = found.mean[0, 1], found.sd[0, 1]
    lambda_f, nu_f = a[1] / s, b[1] - a[1] / s * m
    value = (((lambda_f - a[0]) ** 2 + 0.01) ** 0.25).sum() + (((nu_f - b[0]) ** 2 + 0.01) ** 0.25).sum()
    assert value <= total.min() + 1e-6


def test_gradient_of_the_loss() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.uniform(0.5, 1.5, (3, 5)), rng.normal(0, 1, (3, 5))
    pairs, weight = np.array([(0, 1), (0, 2), (1, 2)]), np.array([0.2, 0.5, 0.3])
    x = rng.normal(0, 0.5, 4)
    value, gradient = loss(x, a, b, [0, 2], pairs, weight, 0.01)
    assert value > 0
    for i, step in enumerate(np.eye(4) * 1e-6):
        ahead = loss(x + step, a, b, [0, 2], pairs, weight, 0.01)[0]
        behind = loss(x - step, a, b, [0, 2], pairs, weight, 0.01)[0]
        assert gradient[i] == pytest.approx((ahead - behind) / 2e-6, rel=1e-5, abs=1e-8)


def test_every_draw_has_its_own_alignment_and_the_reference_stays() -> None:
    rng = np.random.default_rng(4)
    mean, sd = rng.normal(0.5, 0.1, 20), rng.uniform(0.9, 1.1, 20)
    loading, intercept = rng.uniform(0.5, 2.0, 5), rng.normal(0, 1, 5)
    a = np.stack([np.tile(loading, (20, 1)) * sd[:, None], np.tile(loading, (20, 1))], axis=1)
    b = np.stack([intercept + loading * mean[:, None], np.tile(intercept, (20, 1))], axis=1)
    found = align(a, b, np.array([100, 100]), reference=1)
    np.testing.assert_allclose(found.mean[:, 0], mean, atol=1e-4)
    assert (found.mean[:, 1] == 0).all() and (found.sd[:, 1] == 1).all()
