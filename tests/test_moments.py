"""Indices, replicates, independent variables and incomplete answers, against slow twins."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from medpsy.posterior.fit_indices import bcfi, brmsea, btli, indices, srmr
from medpsy.posterior.moments import Sample
from medpsy.posterior.replicated_moments import (
    complete_replicates,
    incomplete_replicate,
    independent_discrepancy,
    independent_parameters,
)
from medpsy.posterior.unrestricted import estimate, log_likelihood, patterns

P, N = 54, 301


def test_indices_at_their_ends() -> None:
    assert brmsea(np.array([10.0, 54.0]), 30, P, N) == pytest.approx([0, 0])
    assert brmsea(80.0, 30, P, N, groups=2) == pytest.approx(np.sqrt(2 * 26 / 24 / N))
    assert bcfi(np.array([10.0, 60.0]), np.array([20.0, 50.0]), P) == pytest.approx([1, 0])
    assert btli(30 + 24, 30, 900.0, 18, P) == pytest.approx(1)
    nothing_left = indices(np.array([60.0]), 55, np.array([900.0]), 18, p=P, n=N, variables=9)
    assert np.isnan([nothing_left[k] for k in ("BRMSEA", "BTLI", "adjusted BGammaHat")]).all()
    assert np.isfinite(nothing_left["BCFI"]).all()


def made_sample(n: int = 40, v: int = 4, q: int = 2, seed: int = 1) -> Sample:
    rng = np.random.default_rng(seed)
    design = np.column_stack([np.ones(n), rng.normal(size=(n, q - 1))])
    y = rng.normal(size=(n, v)) @ rng.normal(size=(v, v)) + design @ rng.normal(size=(q, v))
    b = np.linalg.lstsq(design, y, rcond=None)[0].T
    off = y - design @ b.T
    return Sample("", tuple("abcd"[:v]), y, design, b, off.T @ off / n)


def test_replicated_discrepancy_is_that_of_answers_made_one_by_one() -> None:
    own, rng = made_sample(), np.random.default_rng(2)
    mean, s = own.coefficient + 0.3, own.covariance * 1.7
    slow = []
    for _ in range(1500):
        y = own.design @ mean.T + rng.multivariate_normal(np.zeros(4), s, own.n)
        b = np.linalg.lstsq(own.design, y, rcond=None)[0].T
        off = y - own.design @ b.T
        new = replace(own, y=y, coefficient=b, covariance=off.T @ off / own.n)
        slow.append(new.discrepancy(mean, s))
    fast = complete_replicates(own, np.broadcast_to(s, (20_000, 4, 4)), rng)[0]
    assert stats.ks_2samp(slow, fast).pvalue > 0.001
    assert np.mean(fast) == pytest.approx(own.p, rel=0.1)
    one_gap = own.y.copy()
    one_gap[3, 2] = np.nan
    gap = [incomplete_replicate(replace(own, y=one_gap), mean, s, rng)[0] for _ in range(300)]
    assert stats.ks_2samp(gap, fast).pvalue > 0.001


def test_replicated_covariances_are_wishart() -> None:
    own, rng = made_sample(), np.random.default_rng(5)
    implied = np.broadcast_to(own.covariance, (4000, 4, 4))
    made = complete_replicates(own, implied, rng)[1]
    free = own.n - own.columns
    assert made.mean(axis=0) == pytest.approx(own.covariance * free / own.n, rel=0.05, abs=0.05)
    want = free * (own.covariance**2 + np.outer(np.diag(own.covariance), np.diag(own.covariance))) / own.n**2
    assert made.var(axis=0) == pytest.approx(want, rel=0.2)


def test_independent_variables_against_draws_of_every_regression() -> None:
    """Slow twin: conjugate draws of s^2 and b, and importance-free leave-one-out by refitting."""
    own, rng = made_sample(), np.random.default_rng(4)
    n, q = own.n, own.columns
    inverse = np.linalg.inv(own.design.T @ own.design)
    slow = []
    for _ in range(1500):
        s2 = n * np.diag(own.covariance) / rng.chisquare(n - q, 4)
        b = own.coefficient + np.stack([rng.multivariate_normal(np.zeros(q), v * inverse) for v in s2])
        slow.append(own.discrepancy(b, np.diag(s2)))
    fast = independent_discrepancy(own, 20_000, rng)
    assert stats.ks_2samp(slow, fast).pvalue > 0.001
    total = 0.0
    for j in range(4):
        for i in range(n):
            for rows, sign in ((np.arange(n), 1), (np.delete(np.arange(n), i), -1)):
                w, y = own.design[rows], own.y[rows, j]
                b = np.linalg.lstsq(w, y, rcond=None)[0]
                free = len(rows) - q
                s2 = ((y - w @ b) ** 2).sum() / free
                spread = s2 * (1 + own.design[i] @ np.linalg.inv(w.T @ w) @ own.design[i])
                at_i = own.y[i, j] - own.design[i] @ b
                total += sign * stats.t.logpdf(at_i, free, scale=np.sqrt(spread))
    assert independent_parameters(own) == pytest.approx(total, rel=1e-8)


def with_gaps(own: Sample, share: float = 0.15, seed: int = 3) -> np.ndarray:
    gone = np.random.default_rng(seed).random(own.y.shape) < share
    gone[0] = [False, True, True, True]
    return np.where(gone, np.nan, own.y)


def test_unrestricted_estimates_of_incomplete_answers_are_those_of_em_person_by_person() -> None:
    own = made_sample(n=60)
    y, w = with_gaps(own), own.design
    held = patterns(y, w)
    assert sum(len(part.rows) for part in held) == (~np.isnan(y).all(axis=1)).sum()
    mean, s = np.zeros((4, 2)), np.diag(np.nanvar(y, axis=0))
    slow_mean, slow_s = mean, s
    for _ in range(30):
        filled, spread = [], np.zeros((4, 4))
        for i in range(len(y)):
            there = ~np.isnan(y[i])
            expected, left = slow_mean @ w[i], np.zeros((4, 4))
            gain = slow_s[:, there] @ np.linalg.inv(slow_s[np.ix_(there, there)])
            filled.append(expected + gain @ (y[i] - expected)[there])
            left = slow_s - gain @ slow_s[there]
            spread += left
        full = np.array(filled)
        slow_mean = np.linalg.lstsq(w, full, rcond=None)[0].T
        off = full - w @ slow_mean.T
        slow_s = (off.T @ off + spread) / len(y)
    found = estimate(held, mean, s, steps=30, tolerance=0)
    assert found[0] == pytest.approx(slow_mean, rel=1e-8) and found[1] == pytest.approx(slow_s, rel=1e-8)
    mean, s = estimate(held, mean, s)
    best = log_likelihood(held, mean, s)
    each = [
        stats.multivariate_normal((mean @ w[i])[g], s[np.ix_(g, g)]).logpdf(y[i, g])
        for i, g in enumerate(~np.isnan(y))
    ]
    assert best == pytest.approx(sum(each), rel=1e-10)
    rng = np.random.default_rng(0)
    for _ in range(20):
        bend = 1e-3 * rng.normal(size=(4, 4))
        assert (
            log_likelihood(held, mean + 1e-3 * rng.normal(size=(4, 2)), s + bend @ bend.T + bend + bend.T)
            < best
        )


def test_complete_answers_need_one_step() -> None:
    own = made_sample()
    found = estimate(patterns(own.y, own.design), np.zeros((4, 2)), np.eye(4), steps=1)
    assert found[0] == pytest.approx(own.coefficient) and found[1] == pytest.approx(own.covariance)


def test_srmr_is_the_mean_over_pairs_and_variances() -> None:
    rng = np.random.default_rng(1)
    a = rng.normal(size=(6, 3, 3))
    implied = a @ a.swapaxes(-1, -2) + np.eye(3)
    observed = np.array([[2.0, 0.3, 0.1], [0.3, 1.5, -0.4], [0.1, -0.4, 1.0]])
    for s, found in enumerate(srmr(observed, implied)):
        total = 0.0
        for i in range(3):
            for j in range(i + 1):
                total += ((observed[i, j] - implied[s, i, j]) / (observed[i, i] * observed[j, j]) ** 0.5) ** 2
        assert found == pytest.approx((total / 6) ** 0.5)
