"""Leave-one-person-out cross-validation against exact values, and what may be compared."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import arviz as az
import numpy as np
import pytest
from scipy import stats

from made_posterior import Made, bound, made, survey
from medpsy.errors import DataError, FitError, SpecError
from medpsy.posterior.loo import compare, level, loo, pareto_k
from medpsy.result import Result


def shifted(by: np.ndarray | float, **about: Any) -> Result:
    """The same posterior with every person's terms moved."""

    def move(m: Made) -> None:
        m.log_likelihood += by

    return made(move, draws=200, **about)


def test_loo_equals_the_exact_value_of_a_normal_mean() -> None:
    rng = np.random.default_rng(2)
    y = rng.normal(0.3, 1, 30)

    def normal(m: Made) -> None:
        mu = rng.normal(y.mean(), 30**-0.5, (4, 1000))
        m.log_likelihood[...] = stats.norm.logpdf(y, mu[..., None])

    others = (y.sum() - y) / 29
    exact = stats.norm.logpdf(y, others, np.sqrt(1 + 1 / 29))
    result = made(normal)
    found = loo(result)
    assert found.elpd_i.to_numpy() == pytest.approx(exact, abs=0.02)
    assert float(found.elpd) == pytest.approx(exact.sum(), abs=0.1)
    assert float(found.se) == pytest.approx(np.sqrt(30 * exact.var(ddof=1)), rel=0.02)
    assert found.elpd_i["person"].to_numpy().tolist() == [f"p{i}" for i in range(30)]
    assert pareto_k(result).shape == (30,) and (pareto_k(result) < 0.7).all()
    assert level(result) == "person"


def test_loo_is_that_of_arviz() -> None:
    result = made(draws=200)
    ours, theirs = loo(result), az.loo(result.tree, pointwise=True)
    assert float(ours.elpd) == float(theirs.elpd) and float(ours.se) == float(theirs.se)


def test_weights_are_computed_once_and_are_those_of_arviz(monkeypatch: pytest.MonkeyPatch) -> None:
    from medpsy.posterior import loo as module

    result = made(draws=200)
    result.provenance["numerics"] = {"efficiency": 0.8}
    ours, theirs = loo(result), az.loo(result.tree, pointwise=True, reff=0.8)
    np.testing.assert_array_equal(ours.elpd_i.to_numpy(), theirs.elpd_i.to_numpy())
    np.testing.assert_array_equal(ours.pareto_k.to_numpy(), theirs.pareto_k.to_numpy())
    monkeypatch.setattr(module, "_computed", lambda result: pytest.fail("computed again"))
    again = loo(result)
    assert again is not ours
    np.testing.assert_array_equal(again.elpd_i.to_numpy(), ours.elpd_i.to_numpy())


def test_person_without_answers_changes_nothing() -> None:
    def silent(m: Made) -> None:
        m.log_likelihood[..., [2, 9]] = 0.0
        m.log_likelihood[..., 9] += 1e-12 * np.random.default_rng(1).normal(size=(4, 200))

    keep = np.delete(np.arange(30), [2, 9])
    fewer = survey().take(keep)
    found = loo(made(silent, draws=200))

    def same(m: Made) -> None:
        m.log_likelihood = np.delete(made(draws=200).tree["log_likelihood"]["answers"].to_numpy(), [2, 9], -1)

    rest = loo(made(same, draws=200, answers=fewer))
    k = found.pareto_k.to_numpy()
    assert float(found.elpd) == pytest.approx(float(rest.elpd), abs=1e-9)
    assert k[[2, 9]].tolist() == [-np.inf, -np.inf]
    assert found.elpd_i.to_numpy()[[2, 9]] == pytest.approx([0, 0], abs=1e-9)
    assert found.elpd_i.to_numpy()[keep] == pytest.approx(rest.elpd_i.to_numpy(), abs=1e-9)
    assert found.n_data_points == 30
    assert float(found.se) == pytest.approx(np.sqrt(30 * found.elpd_i.to_numpy().var(ddof=1)))


def test_influential_person_has_a_large_k_without_a_warning() -> None:
    def influential(m: Made) -> None:
        m.log_likelihood[..., 7] = -5 - np.random.default_rng(3).exponential(1.5, (4, 1000))

    result = made(influential)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        k = pareto_k(result)
    assert k.argmax() == 7 and k[7] > 0.9
    verdict = compare({"one": result, "two": made()}).loc["one", "verdict"]
    assert "unreliable: Pareto k too high for 1 person" in verdict


def test_terms_that_cannot_be_used_are_refused() -> None:
    with pytest.raises(FitError, match="needs 25 draws, there are 20"):
        loo(made(chains=4, draws=5))

    def infinite(m: Made) -> None:
        m.log_likelihood[0, 0, [3, 8]] = -np.inf

    with pytest.raises(FitError, match=r"log-likelihood of 2 persons is not a finite number \(p3, p8\)"):
        loo(made(infinite, draws=100))
    bare = made(draws=100)
    tree = bare.tree.copy()
    del tree["log_likelihood"]
    with pytest.raises(FitError, match="holds no log-likelihood terms"):
        loo(replace(bare, tree=tree))


def test_compare_gives_differences_per_person() -> None:
    rng = np.random.default_rng(4)
    by = rng.normal(-1, 0.5, 30)
    table = compare({"low": shifted(by), "high": shifted(0.0)})
    assert list(table.index) == ["high", "low"] and table.index.name == "model"
    assert list(table.columns) == ["elpd", "se", "p_loo", "elpd_diff", "se_diff", "weight", "verdict"]
    assert table.loc["low", "elpd_diff"] == pytest.approx(by.sum())
    # Twice the standard error, for there are fewer than 100 persons.
    assert table.loc["low", "se_diff"] == pytest.approx(2 * np.sqrt(30 * by.var()), rel=1e-6)
    assert table.attrs["se_diff"] == "doubled: 30 persons"
    assert table.loc["high", "elpd_diff"] == 0
    assert table.loc["high", "elpd"] == pytest.approx(float(loo(shifted(0.0)).elpd))
    assert table["p_loo"].nunique() == 1 or np.ptp(table["p_loo"]) < 1e-6
    assert table["weight"].sum() == pytest.approx(1) and table.loc["high", "weight"] > 0.8
    assert table.loc["high", "verdict"] == "predicts best"
    assert table.loc["low", "verdict"] == "predicts worse than 'high'"


def test_standard_errors_of_enough_persons_are_left_as_they_are() -> None:
    by = np.random.default_rng(4).normal(-1, 0.5, 120)
    table = compare({"low": shifted(by, answers=survey(120)), "high": shifted(0.0, answers=survey(120))})
    assert table.loc["low", "se_diff"] == pytest.approx(np.sqrt(120 * by.var()), rel=1e-6)
    assert table.attrs["se_diff"] == "as it is"


@pytest.mark.parametrize(
    ("by", "near"),
    [
        (np.full(30, -0.1), True),  # 3 log units: small, though its standard error is 0
        (np.full(30, -0.2), False),  # 6 log units, standard error 0
        (np.r_[-10.0, np.full(29, 0.05)], True),  # large, but all of it one person
    ],
)
def test_small_or_uncertain_differences_do_not_rank(by: np.ndarray, near: bool) -> None:
    table = compare({"a": shifted(0.0), "b": shifted(by)})
    assert (table.loc["b", "verdict"] == "indistinguishable from 'a'") is near
    assert ("indistinguishable from 'b'" in table.loc["a", "verdict"]) is near


def test_long_questionnaires_do_not_underflow() -> None:
    table = compare({"a": shifted(-2000.0), "b": shifted(-2001.0)})
    assert np.isfinite(table["weight"]).all() and table.loc["a", "weight"] > 0.9


def test_order_of_persons_does_not_matter() -> None:
    by = np.linspace(-2, 0, 30)
    order = np.random.default_rng(6).permutation(30)
    turned = survey().take(order)

    def permuted(m: Made) -> None:
        m.log_likelihood = (m.log_likelihood + by)[..., order]

    straight = compare({"a": shifted(0.0), "b": shifted(by)})
    crossed = compare({"a": shifted(0.0), "b": made(permuted, draws=200, answers=turned)})
    numbers = ["elpd", "elpd_diff", "se_diff", "weight"]
    assert crossed[numbers].to_numpy(float) == pytest.approx(straight[numbers].to_numpy(float), abs=1e-6)


def test_one_factor_against_two_is_a_comparison() -> None:
    one = made(data=bound("f =~ x1..x3 + y1..y3"), draws=100)
    assert len(compare({"two": made(draws=100), "one": one})) == 2


def test_levels_are_not_mixed_and_conditional_terms_rank_nothing() -> None:
    marginal, given = made(draws=100), made(draws=100, engine="conditional")
    with pytest.raises(SpecError, match="marginal and conditional LOO answer different questions") as error:
        compare({"a": marginal, "b": given})
    assert "'b'" in error.value.message and "engine='quadrature'" in error.value.hint
    with pytest.raises(SpecError, match="'a', 'b' are given sampled scores") as error:
        compare({"a": given, "b": given})
    assert "engine='quadrature'" in error.value.hint
    with pytest.raises(SpecError, match="at least two"):
        compare({"a": marginal})


def test_different_persons_are_refused_by_name() -> None:
    fewer = survey().take(np.arange(28))
    with pytest.raises(DataError, match=r"2 only in 'all' \(p28, p29\), 0 only in 'some' \(none\)") as error:
        compare({"all": made(draws=100), "some": made(draws=100, answers=fewer)})
    assert "Screen the survey once" in error.value.hint


def test_different_answers_are_refused_by_item() -> None:
    other = survey()
    other.codes[5, 4] = (other.codes[5, 4] + 1) % 3
    with pytest.raises(DataError, match="answers to 'y2' differ between 'a' and 'b'"):
        compare({"a": made(draws=100), "b": made(draws=100, answers=other)})


def test_different_items_and_scales_are_refused() -> None:
    with pytest.raises(DataError, match="y1, y2, y3 in one of them only"):
        compare({"a": made(draws=100), "b": made(draws=100, data=bound("x =~ x1..x3"))})
    numbers = made(draws=100, data=bound("x =~ x1..x3", family="gaussian"), engine="gaussian")
    with pytest.raises(DataError, match="'x1' is categorical in 'a' and a number in 'b'"):
        compare({"a": made(draws=100, data=bound("x =~ x1..x3")), "b": numbers})
    with pytest.raises(DataError, match="grade in one of them only"):
        compare({"a": made(draws=100, data=bound("x =~ x1..x3")),
                 "b": made(draws=100, data=bound("x =~ x1..x3\ngrade ~ x"))})  # fmt: skip
