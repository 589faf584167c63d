"""Fit of ordinal models: two-way tables and polychoric correlations, against formulas and spoilt answers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import hand_made
from group_cases import drawn, grouped
from group_cases import simulated as in_groups
from medpsy.api.fits import Fit
from medpsy.classical.polychoric import table_correlations
from medpsy.errors import DataError, SpecError
from medpsy.posterior import pair_tables
from medpsy.posterior.ordinal_fit import SRMR, ordinal_fit, residual_polychorics
from medpsy.posterior.pair_tables import pair_draws
from medpsy.posterior.replicates import Replicates, ppp
from medpsy.report.context import Context
from medpsy.report.sections import ordinal_fit as section
from medpsy.result import Result
from medpsy.spec.groups import Groups
from test_fit_of_answers import J, K, at_truth, graded_probabilities, simulated

SLOPES = {"x": np.array([1.4, 0.8, 1.1]), "m": np.array([2.0, 1.0, 0.6]), "y": np.array([0.7, 1.5, 1.2])}


def probit_result(draws: int = 2) -> Result:
    """Three constructs, correlated .5, .2 and .6, of items with known slopes on the probit scale."""
    fixed = {f"slope_{name}": value for name, value in SLOPES.items()}
    fixed |= {f"category_prob_{name}": np.tile([0.4, 0.3, 0.2, 0.1], (3, 1)) for name in SLOPES}
    fixed["factor_chol"] = hand_made.cholesky(0.5, 0.2, 0.6)
    free = hand_made.result(hand_made.MEASURED, family="graded_probit", draws=draws)
    known = {name: value for name, value in fixed.items() if name in free.values()}
    if "factor_chol" not in known:
        (chol,) = [
            name for name, value in free.values().items() if value.shape[2:] == (3, 3) and "chol" in name
        ]
        known[chol] = fixed["factor_chol"]
    return hand_made.result(
        hand_made.MEASURED, known, family="graded_probit", draws=draws, answers=hand_made.survey(200)
    )


def test_correlations_of_normal_tables_are_found_again() -> None:
    rho, cuts = np.array([-0.6, 0.0, 0.35, 0.9]), np.array([-0.8, 0.2, 1.1])
    edges = np.concatenate([[-8], cuts, [8]])
    tables = []
    for r in rho:
        cdf = stats.multivariate_normal([0, 0], [[1, r], [r, 1]]).cdf
        corner = np.array([[cdf([a, b]) for b in edges] for a in edges])
        tables.append(np.pad(np.diff(np.diff(corner, axis=0), axis=1), ((0, 1), (0, 1))))
    assert table_correlations(np.array(tables)) == pytest.approx(rho, abs=1e-4)


def test_implied_correlations_are_those_of_the_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pair_tables, "POINTS", 60000)
    found = pair_draws(Replicates(probit_result(), 1))
    slope = np.concatenate(list(SLOPES.values()))
    loading = slope / np.sqrt(1 + slope**2)
    phi = np.array([[1, 0.5, 0.2], [0.5, 1, 0.6], [0.2, 0.6, 1]])
    implied = np.outer(loading, loading) * np.repeat(np.repeat(phi, 3, axis=0), 3, axis=1)
    first, second = np.triu_indices(9, 1)
    assert found.implied[0] == pytest.approx(implied[first, second], abs=0.02)
    assert found.constructs == tuple("xxxmmmyyy")


def test_expected_tables_are_integrals_over_the_construct() -> None:
    result = at_truth(simulated(300)[1], draws=2)
    made = pair_tables._PairTables(Replicates(result, 1))
    shares = np.mean([made.shares(0)], axis=0)
    theta = np.linspace(-6, 6, 241)
    weight = stats.norm.pdf(theta) / stats.norm.pdf(theta).sum()
    prob = graded_probabilities(theta).reshape(len(theta), J * K).T
    exact = (prob * weight) @ prob.T
    off = ~np.kron(np.eye(J, dtype=bool), np.ones((K, K), dtype=bool))
    assert np.abs(shares - exact)[off].max() < 0.02
    assert shares.sum() == pytest.approx(J * J)


def test_specific_factors_are_in_the_expected_tables() -> None:
    text = "x =~ x1..x3 + m1..m3\ns =~ x1..x3\ns ~~ 0*x"
    values = {"slope_x": np.full(6, 1.0), "specific_slope_x": np.full(3, 2.0)}
    found = pair_draws(Replicates(hand_made.result(text, values, draws=2, answers=hand_made.survey(600)), 2))
    inside = [a in ("x1", "x2", "x3") and b in ("x1", "x2", "x3") for a, b in _pairs(found.items)]
    implied = found.implied.mean(axis=0)
    assert implied[inside].min() > 0.5 > 0.35 > implied[~np.array(inside)].max()


def test_answers_of_the_model_pass_and_spoilt_ones_do_not() -> None:
    sound = at_truth(simulated(400, 3, missing=0.02)[1], draws=40)
    table = ordinal_fit(sound, draws=40)
    d, srmr = table.to_dict("records")
    assert d["measure"] == "D" and srmr["measure"] == SRMR
    assert 0.05 < d["ppp"] < 0.95 and d["mean"] == pytest.approx(d["by_chance"], rel=0.25)
    assert srmr["mean"] < 0.09 and srmr["mean"] == pytest.approx(srmr["by_chance"], rel=0.5)
    assert table.attrs["pairs"] == J * (J - 1) // 2 and table.attrs["flags"] <= 5
    codes = simulated(400, 3)[1]
    codes[:, 1] = np.where(np.arange(400) % 2, codes[:, 0], codes[:, 1])
    spoilt = at_truth(codes, draws=40)
    d, srmr = ordinal_fit(spoilt, draws=40).to_dict("records")
    assert d["ppp"] < 0.02 and srmr["ppp"] < 0.02
    worst = residual_polychorics(spoilt, draws=40).iloc[0]
    assert {worst["item_1"], worst["item_2"]} == {"q1", "q2"}
    assert worst["residual"] > 0.2 and worst["p_relevant"] == 1 and worst["table_ppp"] < 0.02


def test_p_values_at_the_truth_are_uniform() -> None:
    found = []
    for seed in range(8):
        d, srmr = ordinal_fit(at_truth(simulated(120, seed)[1], draws=20), draws=20, seed=seed)["ppp"]
        found.append((d, srmr))
    for values in np.array(found).T:
        assert stats.kstest(values, "uniform").pvalue > 0.001


def test_srmr_is_the_root_mean_square_of_the_residuals() -> None:
    result = probit_result(draws=5)
    draws = pair_draws(Replicates(result, 10))
    table = ordinal_fit(result, draws=10).set_index("measure")
    slow = [
        np.sqrt(sum((o - i) ** 2 for o, i in zip(draws.observed, row, strict=True)) / 36)
        for row in draws.implied
    ]
    assert table.loc[SRMR, "mean"] == pytest.approx(np.mean(slow))
    assert table.loc[SRMR, "p_passes"] == pytest.approx(np.mean(np.array(slow) <= 0.05))
    counted = [sum(row) for row in draws.distance]
    assert table.loc["D", "mean"] == pytest.approx(np.mean(counted))
    assert table.loc["D", "ppp"] == pytest.approx(
        ppp(np.array(counted), draws.replicated_distance.sum(axis=1)).item()
    )
    lenient = ordinal_fit(result, draws=10, cuts={SRMR: 1.0}).set_index("measure")
    assert lenient.loc[SRMR, "p_passes"] == 1.0


def test_groups_add_up() -> None:
    survey, _ = in_groups((60, 50), items=4)
    result = drawn(grouped("x =~ x1..x4", survey, Groups("arm")), survey, draws=10)
    table = ordinal_fit(result, draws=20)
    pairs = residual_polychorics(result, draws=20)
    assert table.attrs["groups"] == 2 and table.attrs["pairs"] == len(pairs)
    assert set(pairs["group"]) == set(result.data.groups.levels)
    assert table.attrs["n"] == result.data.n_person


def test_what_is_refused_says_why() -> None:
    result = probit_result()
    with pytest.raises(SpecError, match="ordinal items have no fit index 'BRMSEA'"):
        Fit(result).model_fit(cuts={"BRMSEA": 0.06})
    with pytest.raises(SpecError, match="the cut 5"):
        ordinal_fit(result, cuts={SRMR: 5})
    with pytest.raises(DataError, match="one item has no two-way tables"):
        ordinal_fit(hand_made.result("x =~ x1", draws=5))


def test_the_fit_has_the_verbs_and_the_report_its_section() -> None:
    result = probit_result(draws=10)
    fit = Fit(result)
    assert list(fit.model_fit(draws=5)["measure"]) == ["D", SRMR]
    assert len(fit.residual_correlations(draws=5)) == 36
    part = section.gather(result, 0.95)
    built = section.build(Context("fit", parts={"ordinal_fit": part}))
    assert built is not None and built.title == "Fit of the model"
    assert isinstance(part.fit, pd.DataFrame) and "36 pairs" in built.blocks[0].paragraphs[0]


def _pairs(items: tuple[str, ...]) -> list[tuple[str, str]]:
    first, second = np.triu_indices(len(items), 1)
    return [(items[i], items[j]) for i, j in zip(first, second, strict=True)]
