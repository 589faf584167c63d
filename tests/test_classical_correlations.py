"""Correlations, polychoric ones and their posteriors, against published software, SciPy and plain loops."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, optimize, stats

from medpsy.classical.bivariate_normal import corner_densities, corner_probabilities
from medpsy.classical.correlation import (
    bootstrap_weights,
    check_matrix,
    covariance_draws,
    pair_counts,
    pearson,
    pearson_posterior,
    smooth,
    spearman,
    spearman_draws,
)
from medpsy.classical.inputs import read_answers
from medpsy.classical.polychoric import polychoric, polychoric_draws
from medpsy.errors import DataError, SpecError
from medpsy.posterior.judging.correlations import correlations, matrix
from medpsy.survey.examples import load_example


def reference(shared: Path, name: str) -> dict[str, Any]:
    """Results by identifier of one reference file."""
    entries = json.loads((shared / "reference" / f"{name}.json").read_text())["entries"]
    return {entry["id"]: entry["results"] for entry in entries}


def ordinal(n: int = 300, items: int = 4, seed: int = 1, rho: float = 0.5) -> np.ndarray:
    """Four categories cut out of equicorrelated normals, some answers missing."""
    rng = np.random.default_rng(seed)
    z = np.sqrt(rho) * rng.normal(size=(n, 1)) + np.sqrt(1 - rho) * rng.normal(size=(n, items))
    values = np.digitize(z, (-0.8, 0.2, 1.0)).astype(float)
    values[rng.random(values.shape) < 0.04] = np.nan
    return values


def bfi(shared: Path, items: list[str], keys: list[int]) -> np.ndarray:
    frame = pd.read_csv(shared / "data" / "bfi" / "bfi.csv")[items]
    values = frame.to_numpy(dtype=float, copy=True)
    return np.where(np.array(keys) < 0, 7 - values, values)


@pytest.mark.parametrize("rho", [-0.9995, -0.9, -0.3, 0.0, 0.6, 0.97, 0.9995])
def test_bivariate_normal_probabilities_are_those_of_scipy(rho: float) -> None:
    x = np.array([[-2.5, -0.4, 0.0, 0.41, 2.2]])
    found = corner_probabilities(x, x, np.array([rho]))[0]
    normal = stats.multivariate_normal([0, 0], [[1, rho], [rho, 1]])
    np.testing.assert_allclose(found, [[normal.cdf([a, b]) for b in x[0]] for a in x[0]], atol=1e-9)
    step = 1e-6 if abs(rho) < 0.99 else 1e-9
    if abs(rho) < 0.99:
        up, down = (corner_probabilities(x, x, np.array([rho + s]))[0] for s in (step, -step))
        slope = corner_densities(x, x, np.array([rho]))[0]
        np.testing.assert_allclose((up - down) / (2 * step), slope, atol=1e-8)


@pytest.mark.parametrize("module", ["phq", "gad"])
def test_polychoric_of_the_students_agrees_with_psych(module: str, shared: Path) -> None:
    expected = reference(shared, "mexmed_students")[f"classical.{module}.polychoric"]
    answers = read_answers(load_example("students"), [module])
    found = polychoric(answers.values, answers.items)
    np.testing.assert_allclose(found.matrix, expected["rho"]["values"], atol=1e-4)
    np.testing.assert_allclose(np.array(found.thresholds), expected["tau"]["values"], atol=1e-8)
    assert not found.smoothed and found.corrected == ()


@pytest.mark.parametrize("scale", ["A", "N"])
def test_polychoric_of_turned_bfi_items_agrees_with_psych(scale: str, shared: Path) -> None:
    results = reference(shared, "bfi")
    expected = results[f"classical.scale_{scale}.polychoric"]["rho"]
    items = expected["rows"]
    values = bfi(shared, items, results[f"classical.scale_{scale}.alpha"]["keys"])
    np.testing.assert_allclose(polychoric(values, tuple(items)).matrix, expected["values"], atol=1e-3)


def test_polychoric_maximises_the_likelihood_of_the_table() -> None:
    values = ordinal()
    found = polychoric(values, tuple("abcd"))
    for i, j in combinations(range(4), 2):
        both = ~np.isnan(values[:, [i, j]]).any(axis=1)
        table = np.zeros((4, 4))
        for a, b in values[both][:, [i, j]].astype(int):
            table[a, b] += 1
        edges = [np.concatenate([[-9], found.thresholds[k], [9]]) for k in (i, j)]

        def loss(rho: float, table: np.ndarray = table, edges: list[np.ndarray] = edges) -> float:
            normal = stats.multivariate_normal([0, 0], [[1, rho], [rho, 1]])
            cdf = np.array([[normal.cdf([a, b]) for b in edges[1]] for a in edges[0]])
            cells = np.maximum(np.diff(np.diff(cdf, axis=0), axis=1), 1e-12)
            return -float((table * np.log(cells)).sum())

        best = optimize.minimize_scalar(loss, bounds=(-0.95, 0.95), method="bounded", options={"xatol": 1e-6})
        assert found.matrix[i, j] == pytest.approx(best.x, abs=2e-4)
        assert found.n[i, j] == both.sum()


def test_polychoric_recovers_the_correlation_behind_the_answers() -> None:
    found = polychoric(ordinal(20_000, rho=0.6), tuple("abcd"))
    np.testing.assert_allclose(found.matrix[np.triu_indices(4, 1)], 0.6, atol=0.025)


def test_items_with_different_numbers_of_categories_go_together() -> None:
    values = ordinal(2000)
    values[:, 1] = np.where(np.isnan(values[:, 1]), np.nan, values[:, 1] > 1)
    values[:, 2] = np.where(values[:, 2] == 1, 2, values[:, 2])  # a category that nobody used
    found = polychoric(values, tuple("abcd"))
    assert [len(own) for own in found.thresholds] == [3, 1, 2, 3]
    np.testing.assert_allclose(found.matrix[np.triu_indices(4, 1)], 0.5, atol=0.08)


def test_duplicate_items_are_corrected_smoothed_and_said() -> None:
    values = ordinal(200)
    values = np.column_stack([values, values[:, 0]])
    found = polychoric(values, tuple("abcde"))
    assert found.corrected == (("a", "e"),)
    assert "a with e" in found.notes[0]
    assert np.linalg.eigvalsh(found.matrix)[0] > 0
    assert 0.9 < found.matrix[0, 4] < 1


def test_polychoric_names_items_it_cannot_use() -> None:
    values = ordinal(60)
    with pytest.raises(DataError, match="'b' has fewer than two"):
        polychoric(np.column_stack([values[:, 0], np.ones(60)]), ("a", "b"))
    with pytest.raises(DataError, match="'b' has 60 different values"):
        polychoric(np.column_stack([values[:, 0], np.arange(60.0)]), ("a", "b"))
    apart = np.full((60, 2), np.nan)
    apart[:30, 0], apart[30:, 1] = np.arange(30) % 3, np.arange(30) % 3
    with pytest.raises(DataError, match="nobody answered both 'a' and 'b'"):
        polychoric(apart, ("a", "b"))


def test_bootstrapped_polychorics_scatter_as_the_bootstrap_of_rows() -> None:
    values = ordinal(250, items=3)
    rng = np.random.default_rng(4)
    drawn, smoothed = polychoric_draws(values, tuple("abc"), bootstrap_weights(250, 150, rng))
    rows = [polychoric(values[rng.integers(0, 250, 250)], tuple("abc")).matrix for _ in range(150)]
    assert smoothed == 0
    assert drawn[:, 0, 1].mean() == pytest.approx(polychoric(values, tuple("abc")).matrix[0, 1], abs=0.02)
    assert drawn[:, 0, 1].std() == pytest.approx(np.std([row[0, 1] for row in rows]), rel=0.25)


def test_pearson_and_spearman_are_those_of_pandas() -> None:
    values = ordinal(80)
    frame = pd.DataFrame(values)
    np.testing.assert_allclose(pearson(values), frame.corr(), atol=1e-12)
    np.testing.assert_allclose(spearman(values), frame.corr(method="spearman"), atol=1e-12)
    np.testing.assert_array_equal(pair_counts(values)[0, 1], frame[[0, 1]].dropna().shape[0])
    constant = np.column_stack([values[:, 0], np.ones(80)])
    assert np.isnan(pearson(constant)[0, 1])


@pytest.mark.parametrize("r, n", [(0.3, 12), (-0.71, 50), (0.05, 400)])
def test_posterior_of_a_correlation_is_that_of_the_bivariate_normal(r: float, n: int) -> None:
    # The sampling density of r given rho as an integral (Hotelling, 1953), with a uniform prior.
    def density(rho: float) -> float:
        inner = integrate.quad(
            lambda w: (np.cosh(w) - rho * r) ** (1 - n), 0, 40, epsabs=1e-14, points=(1, 4)
        )[0]
        return float((1 - rho**2) ** ((n - 1) / 2) * inner)

    # Scaled by its size near r, so that nothing underflows.
    grid = np.linspace(-0.999, 0.999, 2001)
    weight = np.array([density(rho) for rho in grid])
    weight /= weight.sum()
    mean = (grid * weight).sum()
    found = pearson_posterior(np.array([r]), np.array([n]), 0.9)
    assert found["mean"][0] == pytest.approx(mean, abs=2e-4)
    assert found["sd"][0] == pytest.approx(np.sqrt((weight * (grid - mean) ** 2).sum()), rel=2e-3)
    lower = np.interp(0.05, np.cumsum(weight), grid)
    assert found["lower"][0] == pytest.approx(lower, abs=2e-3)
    positive = weight[grid > 1e-9].sum() + weight[np.abs(grid) < 1e-9].sum() / 2
    assert found["p_direction"][0] == pytest.approx(max(positive, 1 - positive), abs=2e-3)


def test_posterior_of_undefined_correlations_is_not_defined() -> None:
    found = pearson_posterior(np.array([np.nan, 0.5, 1.0]), np.array([20, 3, 20]), 0.95)
    assert np.isnan(found["mean"][:2]).all() and found["mean"][2] > 0.999


def test_weighted_rank_correlation_with_equal_weights_is_spearmans() -> None:
    values = ordinal(90)
    both = values[~np.isnan(values[:, :2]).any(axis=1), :2]
    weights = np.full((1, len(both)), 1 / len(both))
    expected = stats.spearmanr(both[:, 0], both[:, 1]).statistic
    assert spearman_draws(both[:, 0], both[:, 1], weights)[0] == pytest.approx(expected, abs=1e-12)


def test_covariance_draws_have_the_moments_of_the_inverse_wishart() -> None:
    rng = np.random.default_rng(2)
    values = rng.multivariate_normal([0, 0, 0], [[1, 0.5, 0.2], [0.5, 2, 0.4], [0.2, 0.4, 0.5]], 120)
    drawn, n, smoothed = covariance_draws(values, 40_000, rng)
    scale = np.cov(values, rowvar=False) * (n - 1)
    freedom = n - 1 + 3
    assert n == 120 and not smoothed
    np.testing.assert_allclose(drawn.mean(axis=0), scale / (freedom - 4), rtol=0.01, atol=0.002)
    expected = stats.invwishart(freedom, scale).var()
    np.testing.assert_allclose(drawn.var(axis=0), expected, rtol=0.06)


def test_smoothing_leaves_a_regular_matrix_and_mends_another() -> None:
    regular = np.array([[1, 0.3], [0.3, 1]])
    assert smooth(regular)[1] is False
    broken = np.array([[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]])
    mended, changed = smooth(broken)
    assert changed and np.linalg.eigvalsh(mended)[0] > 0
    np.testing.assert_allclose(np.diag(mended), 1)


def test_a_matrix_that_is_none_is_refused() -> None:
    np.testing.assert_allclose(check_matrix(np.array([[4, 1.0], [1, 1]]), ["a", "b"])[0, 1], 0.5)
    for wrong, text in (
        (np.ones((2, 3)), "is no correlation matrix"),
        (np.array([[1, 0.2], [0.3, 1]]), "not symmetric"),
        (np.array([[1, np.nan], [np.nan, 1]]), "'a' and 'b' is not defined"),
        (np.array([[0, 0.0], [0, 1]]), "variance of 'a'"),
    ):
        with pytest.raises(DataError, match=text):
            check_matrix(wrong, ["a", "b"])


def test_the_table_of_correlations_says_n_interval_and_direction() -> None:
    values = ordinal(150)
    frame = pd.DataFrame(values, columns=list("abcd"))
    found = correlations(read_answers(frame), of="items", draws=100, seed=3)
    table = found["correlations"]
    assert list(table["kind"].unique()) == ["pearson", "spearman", "polychoric"] and len(table) == 18
    assert (table["lower"] < table["mean"]).all() and (table["mean"] < table["upper"]).all()
    assert (table["n"] == [frame[[a, b]].dropna().shape[0] for a, b in combinations("abcd", 2)] * 3).all()
    assert table["p_direction"].min() > 0.95
    square = matrix(found, "pearson")
    np.testing.assert_allclose(square, frame.corr(), atol=1e-12)
    again = correlations(read_answers(frame), of="items", draws=100, seed=3)["correlations"]
    pd.testing.assert_frame_equal(table, again)


def test_modules_have_scores_from_half_their_items_and_no_polychoric() -> None:
    answers = read_answers(load_example("students"))
    found = correlations(answers, draws=100)
    assert found.table[["left", "right"]].drop_duplicates().shape == (3, 2)
    assert "epworth 8" in found.notes[0]
    with pytest.raises(SpecError, match="no polychoric correlation"):
        correlations(answers, kinds="polychoric")
    with pytest.raises(SpecError, match="Did you mean 'spearman'"):
        correlations(answers, kinds="spearmann")
