"""Factorability, number of factors and exploratory factors, against published software and known truth.

Exploratory reference values are from the R package psych 2.2.9, ``fa(cor(X, use = "pairwise"), 5)``, on the
25 turned bfi items.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from medpsy.classical import efa as efa_module
from medpsy.classical.correlation import pearson
from medpsy.classical.efa import ROTATIONS, exploratory, most_factors
from medpsy.classical.factor_gibbs import factor_draws
from medpsy.classical.factorability import bartlett, check_regular, first_factor_share, kmo
from medpsy.classical.inputs import read_answers
from medpsy.classical.number_of_factors import average_partial, leading, parallel_analysis
from medpsy.classical.rotation import align, nearest_signed_order, varimax
from medpsy.errors import DataError, FitError, SpecError
from medpsy.posterior.judging.efa import efa
from medpsy.posterior.judging.factorability import factorability
from medpsy.posterior.judging.number_of_factors import number_of_factors
from medpsy.survey.examples import load_example

TURNED = ("A1", "C4", "C5", "E1", "E2", "O2", "O5")
#: Uniquenesses of A1 to A5, minres and ml; the same after any rotation.
UNIQUE = {
    "minres": [0.808364, 0.552836, 0.477105, 0.719965, 0.536203],
    "ml": [0.850203, 0.598524, 0.488525, 0.714324, 0.516785],
}
#: minres, oblimin: pattern of four items on MR2, MR1, MR3, MR5, MR4, and the correlations of the factors.
PATTERN = {
    "N1": [0.81470, 0.10290, 0.00448, -0.11141, -0.04670],
    "E4": [0.01351, 0.59083, 0.02434, 0.28745, -0.07722],
    "C2": [0.14863, -0.08514, 0.66640, 0.08141, 0.03865],
    "O3": [0.03092, 0.15193, 0.01740, 0.08259, 0.60944],
}
PHI = [
    [1, -0.21307, -0.18693, -0.03760, -0.01066],
    [-0.21307, 1, 0.22957, 0.32895, 0.16665],
    [-0.18693, 0.22957, 1, 0.20302, 0.19450],
    [-0.03760, 0.32895, 0.20302, 1, 0.19320],
    [-0.01066, 0.16665, 0.19450, 0.19320, 1],
]
#: ml, varimax: loadings on ML2, ML1, ML3, ML5, ML4.
TURNED_PATTERN = {
    "N1": [0.80048, 0.09443, -0.03660, -0.21763, -0.08425],
    "E2": [-0.23065, 0.67897, 0.09445, 0.14856, 0.05382],
    "C4": [-0.23041, 0.08558, 0.62888, 0.02066, 0.09405],
    "A3": [0.01925, 0.27434, 0.10706, 0.64798, 0.06712],
    "O3": [0.01559, 0.25854, 0.06969, 0.16531, 0.61122],
}


def entries(shared: Path, name: str) -> dict[str, Any]:
    found = json.loads((shared / "reference" / f"{name}.json").read_text())["entries"]
    return {entry["id"]: entry["results"] for entry in found}


def bfi(shared: Path) -> pd.DataFrame:
    frame = pd.read_csv(shared / "data" / "bfi" / "bfi.csv").iloc[:, 1:26]
    return frame.assign(**{item: 7 - frame[item] for item in TURNED})


def two_factors(n: int = 400, seed: int = 0) -> np.ndarray:
    """Eight ordinal items, four on each of two factors that correlate .3."""
    rng = np.random.default_rng(seed)
    factors = rng.multivariate_normal([0, 0], [[1, 0.3], [0.3, 1]], n)
    z = 0.75 * np.repeat(factors, 4, axis=1) + np.sqrt(1 - 0.75**2) * rng.normal(size=(n, 8))
    return np.digitize(z, (-0.7, 0.4, 1.2)).astype(float)


@pytest.mark.parametrize(
    "name, module",
    [("mexmed_students", "phq"), ("mexmed_students", "gad"), ("bfi", "all25"), ("lq2002", "lead")],
)
def test_kmo_and_bartlett_agree_with_psych(name: str, module: str, shared: Path) -> None:
    expected = entries(shared, name)[f"classical.{module}.kmo_bartlett"]
    items = list(expected["msa"])
    if name == "bfi":
        values = bfi(shared)[items].to_numpy(dtype=float)
    elif name == "lq2002":
        values = pd.read_csv(shared / "data" / name / f"{name}.csv")[items].to_numpy(dtype=float)
    else:
        values = read_answers(load_example("students"), [module]).values
    correlation = pearson(values)
    overall, each = kmo(correlation)
    assert overall == pytest.approx(expected["kmo"], rel=1e-8)
    np.testing.assert_allclose(each, list(expected["msa"].values()), rtol=1e-8)
    test = bartlett(correlation, expected["n"])
    assert test.chi2 == pytest.approx(expected["bartlett_chisq"], rel=1e-8)
    assert test.df == expected["bartlett_df"]


def test_kmo_by_regressions_and_bartlett_of_unrelated_items() -> None:
    values = two_factors()
    correlation = pearson(values)
    partial = np.zeros((8, 8))
    for i in range(8):
        for j in range(8):
            if i != j:
                rest = np.delete(values, [i, j], axis=1)
                x = np.column_stack([np.ones(len(rest)), rest])
                left, right = (v - x @ np.linalg.lstsq(x, v)[0] for v in (values[:, i], values[:, j]))
                partial[i, j] = left @ right / np.sqrt(left @ left * (right @ right))
    off = ~np.eye(8, dtype=bool)
    r2, q2 = (correlation[off] ** 2).sum(), (partial[off] ** 2).sum()
    assert kmo(correlation)[0] == pytest.approx(r2 / (r2 + q2))
    rng = np.random.default_rng(1)
    p = [bartlett(pearson(rng.normal(size=(60, 5))), 60).p for _ in range(300)]
    assert stats.kstest(p, "uniform").pvalue > 0.001


def test_a_singular_matrix_names_its_items() -> None:
    values = two_factors(100)
    sums = np.column_stack([values, values[:, 0] + values[:, 5]])
    names = (*"abcdefgh", "total")
    with pytest.raises(DataError, match=r"total, .*determine one another") as caught:
        check_regular(pearson(sums), names)
    named = str(caught.value).split(" singular: ")[1].split(" determine")[0].split(", ")
    assert set(named) == {"a", "f", "total"}
    frame = pd.DataFrame(sums, columns=list(names))
    with pytest.raises(DataError, match="determine one another"):
        factorability(read_answers(frame), draws=100)
    with pytest.raises(DataError, match="more than 4 persons"):
        bartlett(np.eye(8), 4)


def test_factorability_has_posterior_and_caveats() -> None:
    found = factorability(read_answers(two_factors()), draws=200, cut=0.6)
    row = found["kmo"].iloc[0]
    assert row["item"] == "all items" and row["lower"] < row["mean"] < row["upper"]
    assert row["mean"] == pytest.approx(row["estimate"], abs=0.04) and row["p_above"] > 0.9
    share = found["tests"].set_index("what")["value"]
    expected = np.linalg.eigvalsh(pearson(two_factors()))[-1] / 8
    assert share["First unrotated component, share of variance"] == pytest.approx(expected)
    assert any("cannot rule out" in note for note in found.notes)
    component, axis = first_factor_share(pearson(two_factors()))
    assert axis < component


@pytest.mark.parametrize("name, module", [("mexmed_students", "phq"), ("bfi", "all25")])
def test_observed_eigenvalues_agree_with_psych(name: str, module: str, shared: Path) -> None:
    expected = entries(shared, name)[f"classical.{module}.parallel"]
    answers = (
        read_answers(load_example("students"), ["phq"]) if module == "phq" else read_answers(bfi(shared))
    )
    found = parallel_analysis(answers.values, answers.items, ordinal=False, repetitions=20)
    np.testing.assert_allclose(found.observed, expected["eigen_pc"], atol=1e-8)
    assert found.n_factors == expected["ncomp"]


def test_permuted_eigenvalues_are_those_of_a_plain_loop() -> None:
    values = two_factors(120)
    found = parallel_analysis(values, tuple("abcdefgh"), ordinal=False, repetitions=300, seed=1)
    rng = np.random.default_rng(99)
    plain = []
    for _ in range(300):
        shuffled = np.column_stack([rng.permutation(column) for column in values.T])
        plain.append(np.linalg.eigvalsh(np.corrcoef(shuffled, rowvar=False))[::-1])
    np.testing.assert_allclose(found.mean, np.mean(plain, axis=0), atol=0.02)
    np.testing.assert_allclose(found.threshold, np.quantile(plain, 0.95, axis=0), atol=0.05)
    assert found.n_factors == 2


def test_parallel_analysis_of_polychorics_finds_two_factors_and_keeps_missing_answers() -> None:
    values = two_factors(300)
    values[np.random.default_rng(2).random(values.shape) < 0.05] = np.nan
    found = parallel_analysis(values, tuple("abcdefgh"), repetitions=40)
    assert found.n_factors == 2 and found.n_factors_reduced >= 2
    assert found.observed.sum() == pytest.approx(8)


def test_leading_eigenvalues_stop_at_the_first_below() -> None:
    assert [leading(np.array(x)) for x in ([True, True], [False, True], [True, False, True])] == [2, 0, 1]


def test_average_partial_agrees_with_psych_and_plain_regression(shared: Path) -> None:
    # psych::vss(R, 8)$map, after 1, 2, ... components
    expected = [
        0.02415864,
        0.01809756,
        0.01688339,
        0.01549940,
        0.01480103,
        0.01588165,
        0.01929081,
        0.02214638,
    ]
    squared, fourth = average_partial(pearson(bfi(shared).to_numpy(dtype=float)))
    np.testing.assert_allclose(squared[1:9], expected, atol=1e-7)
    assert np.argmin(squared) == 5
    assert (fourth[:9] < squared[:9]).all()
    correlation = pearson(bfi(shared).to_numpy(dtype=float))
    off = ~np.eye(25, dtype=bool)
    assert squared[0] == pytest.approx((correlation[off] ** 2).mean())


def test_rules_stand_side_by_side() -> None:
    found = number_of_factors(read_answers(two_factors(250)), repetitions=30, most=3, draws=200)
    rules = found["agreement"].set_index("rule")["factors"]
    assert (rules.drop("parallel analysis, reduced matrix") == 2).all()
    loo = found["loo"].set_index("factors")
    assert loo.loc[1, "difference"] < -20 and abs(loo.loc[3, "difference"]) < 6
    assert set(found.names) == {"agreement", "eigenvalues", "loo"}
    with pytest.raises(SpecError, match="no parallel analysis"):
        number_of_factors(read_answers(two_factors()), repetitions=2)


@pytest.mark.parametrize("method", ["minres", "ml"])
def test_exploratory_factors_agree_with_psych(method: str, shared: Path) -> None:
    frame = bfi(shared)
    correlation, items = pearson(frame.to_numpy(dtype=float)), list(frame.columns)
    rotation, pattern = ("oblimin", PATTERN) if method == "minres" else ("varimax", TURNED_PATTERN)
    found = exploratory(correlation, 5, method=method, rotation=rotation)
    np.testing.assert_allclose(found.uniqueness[:5], UNIQUE[method], atol=1e-5)
    rows = [items.index(item) for item in pattern]
    order, sign = nearest_signed_order(found.loading[rows], np.array(list(pattern.values())))
    np.testing.assert_allclose((found.loading[:, order] * sign)[rows], list(pattern.values()), atol=2e-5)
    phi = found.phi[np.ix_(order, order)] * np.outer(sign, sign)
    np.testing.assert_allclose(phi, PHI if rotation == "oblimin" else np.eye(5), atol=2e-5)


@pytest.mark.parametrize("rotation", ROTATIONS)
def test_a_rotation_changes_no_correlation(rotation: str) -> None:
    correlation = pearson(two_factors())
    plain = exploratory(correlation, 2, rotation="none")
    found = exploratory(correlation, 2, rotation=rotation)
    np.testing.assert_allclose(np.diag(found.phi), 1, atol=1e-10)
    np.testing.assert_allclose(
        found.loading @ found.phi @ found.loading.T, plain.loading @ plain.loading.T, atol=1e-10
    )
    np.testing.assert_allclose(found.uniqueness, plain.uniqueness)


def test_impossible_exploratory_requests_are_refused() -> None:
    correlation = pearson(two_factors())
    assert [most_factors(items) for items in (3, 4, 6, 8)] == [1, 1, 3, 4]
    for options, text in (
        ({"factors": 5}, "5 factors cannot be fitted to 8 items"),
        ({"factors": True}, "True factors"),
        ({"factors": 2, "method": "minre"}, "Did you mean 'minres'"),
        ({"factors": 2, "rotation": "obliman"}, "Did you mean 'oblimin'"),
    ):
        with pytest.raises(SpecError, match=text):
            exploratory(correlation, **options)  # type: ignore[arg-type]


def test_a_version_that_breaks_is_met_with_a_plain_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        class FactorAnalyzer:
            def __init__(self, *args: Any, **options: Any) -> None:
                raise TypeError("unexpected keyword 'is_corr_matrix'")

    monkeypatch.setattr(efa_module, "_module", lambda: Broken)
    with pytest.raises(
        FitError, match=r"factor_analyzer [\d.]+ does not work with scikit-learn [\d.]+"
    ) as caught:
        exploratory(pearson(two_factors()), 2)
    assert "constraints.txt" in str(caught.value)


def test_a_heywood_case_is_flagged() -> None:
    r = np.array([[1, 0.9, 0.9, 0.5], [0.9, 1, 0.7, 0.5], [0.9, 0.7, 1, 0.5], [0.5, 0.5, 0.5, 1.0]])
    assert list(exploratory(r, 1).heywood) == [True, False, False, False]
    rng = np.random.default_rng(0)
    values = rng.multivariate_normal(np.zeros(4), r, 4000)
    found = efa(read_answers(values), 1, correlation="pearson")
    assert any("Heywood" in note and "v1" in note for note in found.notes)


def test_varimax_reaches_the_largest_criterion_over_all_turns() -> None:
    loading = exploratory(pearson(two_factors()), 2, rotation="none").loading
    rows = loading / np.sqrt((loading**2).sum(1, keepdims=True))

    def criterion(turned: np.ndarray) -> float:
        return float((turned**2).var(axis=0).sum())

    turns = [np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) for a in np.linspace(0, np.pi, 3001)]
    best = max(criterion(rows @ turn) for turn in turns)
    turned = varimax(loading)
    assert criterion(turned / np.sqrt((turned**2).sum(1, keepdims=True))) == pytest.approx(best, abs=1e-6)
    np.testing.assert_allclose(turned @ turned.T, loading @ loading.T, atol=1e-10)
    np.testing.assert_allclose(varimax(np.stack([loading, 2 * loading]))[1], 2 * turned, atol=1e-8)


def test_alignment_undoes_any_order_and_signs() -> None:
    rng = np.random.default_rng(1)
    truth = np.kron(np.eye(3), np.full((3, 1), 0.7)) * np.array([1.2, 1.0, 0.8])
    draws = []
    for _ in range(200):
        noisy = truth + 0.1 * rng.normal(size=truth.shape)
        draws.append(noisy[:, rng.permutation(3)] * rng.choice([-1, 1], 3))
    found = align(np.array(draws))
    np.testing.assert_allclose(found.mean(axis=0), truth, atol=0.03)
    assert found.std(axis=0).max() < 0.15


def test_bayesian_factors_recover_the_truth_with_intervals() -> None:
    found = efa(read_answers(two_factors(600)), 2, method="bayes", draws=400)
    table = found["loadings"]
    classical = exploratory(pearson(two_factors(600)), 2, rotation="varimax")
    order, sign = nearest_signed_order(table[["f1", "f2"]].to_numpy(), classical.loading)
    np.testing.assert_allclose(table[["f1", "f2"]].to_numpy()[:, order] * sign, classical.loading, atol=0.05)
    assert (table["f1_lower"] < table["f1"]).all() and (table["f1"] < table["f1_upper"]).all()
    own = table[["f1", "f2"]].to_numpy().argmax(axis=1)
    assert len(set(own[:4])) == len(set(own[4:])) == 1 and own[0] != own[4]
    np.testing.assert_allclose(table["communality"], classical.communality, atol=0.06)


def test_the_chains_of_turning_factors_agree_on_what_does_not_turn() -> None:
    drawn = factor_draws(two_factors(300), 2, draws=300, tune=200, seed=4)
    mean = drawn.covariance.mean(axis=1)
    assert np.abs(mean[0] - mean[1]).max() < 0.05
    np.testing.assert_allclose(mean.mean(axis=0), pearson(two_factors(300)), atol=0.08)
    with pytest.raises(DataError, match="cannot carry"):
        factor_draws(two_factors(50), 8)


def test_efa_table_of_oblique_factors_has_their_correlations() -> None:
    found = efa(read_answers(two_factors(1500)), 2)
    factors = found["factors"]
    assert factors.loc[0, "with_f2"] == pytest.approx(0.3, abs=0.08)
    assert factors["share"].sum() == pytest.approx(found["loadings"]["communality"].mean(), abs=1e-9)
    np.testing.assert_allclose(found["loadings"][["f1", "f2"]].max(axis=1), 0.75, atol=0.08)
