"""Reliability coefficients against published software, brute force and known truth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

from medpsy.classical.coefficients import (
    alpha_of,
    ave_of,
    composite_of,
    greatest_lower_bound,
    htmt,
    items_needed,
    lambda2_of,
    omega_of,
    spearman_brown,
)
from medpsy.classical.factor_gibbs import factor_draws, log_likelihood
from medpsy.classical.icc import anova_icc, clusters, icc_draws, icc_log_posterior
from medpsy.classical.inputs import read_answers
from medpsy.classical.two_level_gibbs import two_level_draws
from medpsy.errors import DataError, SpecError
from medpsy.posterior.judging.reliability import reliability
from medpsy.posterior.judging.validity import discriminant
from medpsy.survey.examples import load_example

LOADING = np.array([0.9, 0.8, 0.7, 0.6])
RESIDUAL = np.array([0.3, 0.5, 0.4, 0.6])
COVARIANCE = np.outer(LOADING, LOADING) + np.diag(RESIDUAL)


def entries(shared: Path, name: str) -> dict[str, Any]:
    found = json.loads((shared / "reference" / f"{name}.json").read_text())["entries"]
    return {entry["id"]: entry["results"] for entry in found}


def one_factor(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.outer(rng.normal(size=n), LOADING) + rng.normal(size=(n, 4)) * np.sqrt(RESIDUAL) + 2


def test_coefficients_by_hand() -> None:
    total = COVARIANCE.sum()
    assert alpha_of(COVARIANCE) == pytest.approx(4 / 3 * (1 - np.trace(COVARIANCE) / total))
    away = COVARIANCE - np.diag(np.diag(COVARIANCE))
    expected = (away.sum() + np.sqrt(4 / 3 * (away**2).sum())) / total
    assert lambda2_of(COVARIANCE) == pytest.approx(expected)
    assert omega_of(LOADING, RESIDUAL) == pytest.approx(LOADING.sum() ** 2 / total)
    assert alpha_of(COVARIANCE) < lambda2_of(COVARIANCE) < omega_of(LOADING, RESIDUAL)
    standard = LOADING / np.sqrt(np.diag(COVARIANCE))
    assert ave_of(standard) == pytest.approx(np.mean(standard**2))
    assert composite_of(standard) == pytest.approx(
        standard.sum() ** 2 / (standard.sum() ** 2 + (1 - standard**2).sum())
    )
    stack = np.stack([COVARIANCE, np.eye(4)])
    np.testing.assert_allclose(alpha_of(stack), [alpha_of(COVARIANCE), 0], atol=1e-12)


def test_test_length_by_hand() -> None:
    assert items_needed(0.6, 4, 0.8) == pytest.approx(4 * 0.8 * 0.4 / (0.6 * 0.2))
    assert spearman_brown(np.array(0.6), items_needed(0.6, 4, 0.8) / 4) == pytest.approx(0.8)
    assert np.isnan(items_needed(-0.1, 4, 0.8))
    with pytest.raises(SpecError, match="no reliability"):
        items_needed(0.5, 4, 1.0)


def test_greatest_lower_bound_of_one_factor_is_its_omega() -> None:
    assert greatest_lower_bound(COVARIANCE) == pytest.approx(omega_of(LOADING, RESIDUAL).item(), abs=1e-6)


def test_greatest_lower_bound_is_the_optimum_that_a_general_optimiser_finds() -> None:
    rng = np.random.default_rng(8)
    values = rng.normal(size=(60, 5)) @ rng.normal(size=(5, 5)) + rng.normal(size=(60, 1))
    covariance = np.cov(values, rowvar=False)
    found = greatest_lower_bound(covariance)
    unit = np.diag(covariance)

    def smallest(psi: np.ndarray) -> float:
        return float(np.linalg.eigvalsh(covariance - np.diag(psi))[0])

    best = max(
        (
            optimize.minimize(
                lambda psi: -psi.sum(), unit * start, bounds=[(0, u) for u in unit],
                constraints={"type": "ineq", "fun": smallest}, method="SLSQP",
                options={"maxiter": 500, "ftol": 1e-12},
            )
            for start in (0.05, 0.2, 0.4)
        ),
        key=lambda result: -result.fun if smallest(result.x) > -1e-7 else -np.inf,
    )  # fmt: skip
    assert found == pytest.approx(1 + best.fun / covariance.sum(), abs=2e-3)
    assert found <= 1 + best.fun / covariance.sum() + 2e-3
    assert found >= alpha_of(covariance) and found >= lambda2_of(covariance) - 1e-9


def test_greatest_lower_bound_refuses_a_singular_matrix() -> None:
    with pytest.raises(DataError, match="positive definite"):
        greatest_lower_bound(np.ones((3, 3)))


@pytest.mark.parametrize("module", ["phq", "gad"])
def test_alpha_and_omega_of_the_students_agree_with_psych(module: str, shared: Path) -> None:
    results = entries(shared, "mexmed_students")
    table = reliability(read_answers(load_example("students"), [module]), draws=800, seed=5).table
    table = table.set_index("coefficient")
    alpha, omega = table.loc["alpha"], table.loc["omega total"]
    assert alpha["estimate"] == pytest.approx(results[f"classical.{module}.alpha"]["raw_alpha"], abs=1e-9)
    assert alpha["mean"] == pytest.approx(alpha["estimate"], abs=2e-3)
    assert alpha["sd"] == pytest.approx(results[f"classical.{module}.alpha"]["ase"], rel=0.1)
    assert omega["mean"] == pytest.approx(results[f"classical.{module}.omega1"]["omega_total"], abs=4e-3)
    assert table.loc["greatest lower bound (classical)", "estimate"] > omega["mean"]


def test_omega_recovers_the_truth_and_its_interval_covers_it() -> None:
    truth = omega_of(LOADING, RESIDUAL).item()
    drawn = factor_draws(one_factor(4000), 1, draws=400, tune=200, seed=1)
    omega = omega_of(drawn.raw_loading[..., 0], drawn.raw_residual)
    assert omega.mean() == pytest.approx(truth, abs=4 * omega.std())
    np.testing.assert_allclose(drawn.raw_loading[..., 0].mean((0, 1)), LOADING, atol=0.06)
    np.testing.assert_allclose(drawn.raw_residual.mean((0, 1)), RESIDUAL, atol=0.06)
    assert abs(omega[0].mean() - omega[1].mean()) < omega.std()


def test_missing_answers_change_omega_little_and_widen_it() -> None:
    values = one_factor(600, seed=4)
    holes = values.copy()
    holes[np.random.default_rng(5).random(values.shape) < 0.25] = np.nan
    full, partial = (
        omega_of(drawn.raw_loading[..., 0], drawn.raw_residual)
        for drawn in (factor_draws(v, 1, draws=500, tune=200, seed=2) for v in (values, holes))
    )
    assert partial.mean() == pytest.approx(full.mean(), abs=3 * partial.std())
    assert partial.std() > full.std()


def test_log_likelihood_is_the_normal_density_of_the_given_answers() -> None:
    values = one_factor(30, seed=6)
    values[0, 1] = values[3, 2] = values[3, 0] = np.nan
    values[7] = np.nan
    drawn = factor_draws(values, 2, draws=3, tune=2, seed=3)
    found = log_likelihood(values, drawn)
    for s in range(3):
        covariance = drawn.covariance[1, s] * np.outer(drawn.unit, drawn.unit)
        mean = drawn.centre + drawn.unit * drawn.intercept[1, s]
        for i in (0, 3, 10):
            given = ~np.isnan(values[i])
            normal = stats.multivariate_normal(mean[given], covariance[np.ix_(given, given)])
            assert found[1, s, i] == pytest.approx(normal.logpdf(values[i, given]), rel=1e-10)
        assert found[1, s, 7] == 0


@pytest.mark.parametrize("score", ["lead", "tsig", "hostile"])
def test_intraclass_correlations_agree_with_lme4_and_multilevel(score: str, shared: Path) -> None:
    frame = pd.read_csv(shared / "data" / "lq2002" / "lq2002.csv")
    expected = entries(shared, "lq2002")[f"groups.icc_{score}"]
    groups = clusters(frame[score].to_numpy(), frame["compid"].to_numpy())
    first, second = anova_icc(groups)
    assert [first, second] == pytest.approx([expected["ICC1"], expected["ICC2"]], rel=1e-6)
    rho = np.linspace(0, 0.3, 300_001)
    mode = rho[np.argmax(icc_log_posterior(groups, rho))]
    assert mode == pytest.approx(expected["icc_lmer"], abs=2e-6)


def test_posterior_of_the_icc_is_that_of_the_whole_covariance_matrix() -> None:
    rng = np.random.default_rng(3)
    label = np.repeat(np.arange(6), (2, 5, 3, 7, 1, 4))
    values = rng.normal(size=6)[label] + rng.normal(size=len(label))
    groups = clusters(values, label)

    def slow(rho: float) -> float:
        v = (1 - rho) * np.eye(len(label)) + rho * (label[:, None] == label)
        inverse, one = np.linalg.inv(v), np.ones(len(label))
        precision = one @ inverse @ one
        away = values - (one @ inverse @ values) / precision
        square = away @ inverse @ away
        return float(
            -0.5 * np.linalg.slogdet(v)[1] - 0.5 * np.log(precision) - (len(label) - 1) / 2 * np.log(square)
        )

    points = np.array([0.0, 0.1, 0.5, 0.9])
    found = icc_log_posterior(groups, points)
    np.testing.assert_allclose(found - found[0], [slow(x) - slow(0.0) for x in points], atol=1e-9)
    grid = np.linspace(0, 0.999, 5000)
    weight = np.exp([slow(x) for x in grid])
    drawn = icc_draws(groups, 20_000, rng)
    assert drawn.mean() == pytest.approx((grid * weight).sum() / weight.sum(), abs=0.01)


def test_clusters_that_tell_nothing_are_refused() -> None:
    values = np.array([1.0, 2, 3, 4])
    for label, score, text in (
        (np.zeros(4), values, "1 cluster cannot"),
        (np.arange(4), values, "one person only"),
        (np.array([0, 0, 1, 1]), np.array([1.0, 1, 2, 2]), "do not differ within"),
    ):
        with pytest.raises(DataError, match=text):
            clusters(score, label)


def two_level(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(80), 12)
    within, between = np.array([0.8, 0.7, 0.6, 0.9]), np.array([0.5, 0.4, 0.45, 0.35])
    u = np.outer(rng.normal(size=80), between) + rng.normal(size=(80, 4)) * 0.15
    noise = rng.normal(size=(960, 4)) * np.sqrt(0.5)
    return u[label] + np.outer(rng.normal(size=960), within) + noise, label


def test_multilevel_omega_recovers_both_levels() -> None:
    values, label = two_level()
    values[np.random.default_rng(1).random(values.shape) < 0.03] = np.nan
    drawn = two_level_draws(values, label, draws=400, tune=300, seed=2)
    within = omega_of(drawn.within_loading, drawn.within_residual)
    between = omega_of(drawn.between_loading, drawn.between_residual)
    assert within.mean() == pytest.approx(3.0**2 / (3.0**2 + 2.0), abs=4 * within.std())
    assert between.mean() == pytest.approx(1.7**2 / (1.7**2 + 4 * 0.0225), abs=4 * between.std())
    assert within.std() < 0.02
    with pytest.raises(DataError, match="2 clusters cannot tell"):
        two_level_draws(values, label // 40)


def test_reliability_by_cluster_has_its_tables(shared: Path) -> None:
    frame = pd.read_csv(shared / "data" / "lq2002" / "lq2002.csv")
    label = frame["compid"].to_numpy(dtype=float, copy=True)
    label[:3] = np.nan
    answers = read_answers(frame.filter(like="tsig0"), {"tsig": "tsig01..tsig03"})
    found = reliability(answers, cluster=label, draws=200)
    row = found["icc"].iloc[0]
    assert row["n"] == 2039 and row["clusters"] == 49
    assert row["lower"] < 0.081 < row["upper"]
    assert row["design_effect"] == pytest.approx(1 + (row["average_size"] - 1) * row["mean"])
    levels = found["multilevel"].set_index("level")["mean"]
    assert levels["within"] < levels["between"] <= 1
    assert any("3 persons without a cluster" in note for note in found.notes)
    with pytest.raises(DataError, match="2 cluster labels for 2042"):
        reliability(answers, cluster=label[:2], draws=200)


def test_short_constant_and_doubled_modules_are_told() -> None:
    rng = np.random.default_rng(2)
    values = rng.integers(0, 4, (60, 3)).astype(float)
    frame = pd.DataFrame(np.column_stack([values, values[:, 0], np.ones(60)]), columns=list("abcde"))
    found = reliability(
        read_answers(frame, {"two": ["a", "b"], "one": ["c"], "twin": ["a", "b", "d"]}), draws=200
    )
    assert list(found.table[found.table["module"] == "two"]["coefficient"]) == [
        "alpha", "greatest lower bound (classical)",
    ]  # fmt: skip
    notes = " ".join(found.notes)
    for text in ("two has two items", "one has a single item", "a and d were answered alike", "smoothed"):
        assert text in notes
    with pytest.raises(DataError, match="'e' is constant: all 60 answers are 1"):
        reliability(read_answers(frame, {"x": ["a", "e"]}), draws=200)
    with pytest.raises(SpecError, match="cut"):
        reliability(read_answers(frame, {"x": ["a", "b"]}), cut=1.5)


def test_htmt_by_hand_and_of_the_students() -> None:
    r = np.array([[1, 0.6, 0.3, 0.4], [0.6, 1, 0.2, 0.5], [0.3, 0.2, 1, 0.7], [0.4, 0.5, 0.7, 1]])
    assert htmt(r, [0, 1], [2, 3]) == pytest.approx(0.35 / np.sqrt(0.6 * 0.7))
    geometric = (0.3 * 0.4 * 0.2 * 0.5) ** 0.25 / np.sqrt(0.6 * 0.7)
    assert htmt(r, [0, 1], [2, 3], geometric=True) == pytest.approx(geometric)
    r[0, 2] = r[2, 0] = -0.3
    assert htmt(r, [0, 1], [2, 3]) == pytest.approx(0.35 / np.sqrt(0.6 * 0.7))
    assert np.isnan(htmt(r, [0, 1], [2, 3], geometric=True))
    found = discriminant(read_answers(load_example("students"), ["phq", "gad"]), draws=100)
    row = found.table.set_index("ratio").loc["HTMT"]
    assert row["lower"] < row["estimate"] < row["upper"]
    with pytest.raises(DataError, match="two modules"):
        discriminant(read_answers(load_example("students"), ["phq"]), draws=100)
