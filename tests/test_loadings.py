"""Standardised loadings: own, cross, specific, second order; against formulas and simulated variables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import medpsy as mp
from made_posterior import made
from medpsy.bind import bind
from medpsy.errors import SpecError
from medpsy.posterior.loadings import loadings
from medpsy.result import Result
from numeric_cases import measured, survey


def fitted(model: mp.Model) -> tuple[Result, dict[str, np.ndarray]]:
    """Hand-made draws, and the same flat by name."""
    answers = survey(40, items=4)
    result = made(data=bind(model.composed, answers), answers=answers, draws=50)
    values = {str(k): v.to_numpy() for k, v in result.tree["posterior"].data_vars.items()}
    return result, {k: v.reshape(-1, *v.shape[2:]) for k, v in values.items()}


def means(table: pd.DataFrame) -> pd.Series:
    return table.set_index(["item", "factor", "kind"])["mean"]


def test_cross_loadings_and_communalities_follow_from_slopes_and_correlations() -> None:
    model = mp.Model(f"{measured('x', 'y', items=4)} + cross*x2")
    result, values = fitted(model)
    table = loadings(result, relevant=0.25)
    found = means(table)
    r = values["correlation"][:, 0, 1]
    a, c = values["slope_x"][:, 1], values["cross_slope_x"][:, 0]
    variance = a**2 + c**2 + 2 * r * a * c
    total = np.sqrt(variance + 1.702**2)
    assert found["x2", "x", "own"] == pytest.approx((a / total).mean())
    assert found["x2", "y", "cross"] == pytest.approx((c / total).mean())
    assert found["x2", "", "communality"] == pytest.approx((variance / total**2).mean())
    row = table[table["kind"] == "cross"].iloc[0]
    assert row["p_relevant"] == pytest.approx((np.abs(c / total) >= 0.25).mean())
    assert row["p_direction"] == pytest.approx(max((c > 0).mean(), (c < 0).mean()))
    plain = values["slope_x"][:, 0] / np.sqrt(values["slope_x"][:, 0] ** 2 + 1.702**2)
    assert found["x1", "x", "own"] == pytest.approx(plain.mean())
    assert table["kind"].value_counts().to_dict() == {"own": 8, "communality": 8, "cross": 1}


def test_loadings_of_a_second_order_multiply() -> None:
    """Indirect: own times second order. What is left is beyond it, and squares add up."""
    text = f"{measured('x', 'm', 'y', items=4)}\nhigh =~ x + m + y"
    result, values = fitted(mp.Model(text))
    table = loadings(result)
    found = means(table)
    lam = values["second_order_loading"]
    assert found["x", "high", "second order"] == pytest.approx(lam[:, 0].mean())
    own = values["slope_y"][:, 3] / np.sqrt(values["slope_y"][:, 3] ** 2 + 1.702**2)
    assert found["y4", "high", "indirect"] == pytest.approx((own * lam[:, 2]).mean())
    assert found["y4", "y", "beyond"] == pytest.approx((own * np.sqrt(1 - lam[:, 2] ** 2)).mean())


def test_a_second_order_with_paths_is_standardised_by_what_its_constructs_vary() -> None:
    text = f"{measured('x', 'm', 'y', 'v', items=3)}\nhigh =~ m + y + v\nhigh ~ x + age"
    answers = survey(40)
    data = bind(mp.Model(text).composed, answers)
    result = made(data=data, answers=answers, draws=50, engine="conditional")
    values = {str(k): v.to_numpy() for k, v in result.tree["posterior"].data_vars.items()}
    names = [c.name for c in data.layout.coefficients]
    path = dict(zip(names, values["path"].reshape(-1, len(names)).T, strict=True))
    # Variance of high: of x, of age (z-scored), and 1; of a construct: gamma^2 times it, and 1.
    high = path["high~x"] ** 2 + path["high~age"] ** 2 + 1
    gamma = path["m~high"]
    sd = np.sqrt(gamma**2 * high + 1)
    found = means(loadings(result))
    assert found["m", "high", "second order"] == pytest.approx((gamma * np.sqrt(high) / sd).mean())
    slope = values["slope_m"].reshape(-1, 3)[:, 0]
    own = slope * sd / np.sqrt(slope**2 * sd**2 + 1.702**2)
    assert found["m1", "m", "own"] == pytest.approx(own.mean())
    assert found["m1", "m", "beyond"] == pytest.approx((own / sd).mean())


def test_specific_loadings_are_correlations_of_simulated_variables() -> None:
    """A million persons drawn by hand: independent factors make loadings correlations."""
    model = mp.Model([mp.Bifactor("x", "x1..x4", {"s": ["x1", "x2"], "t": ["x3", "x4"]})])
    result, values = fitted(model)
    found = means(loadings(result))
    rng = np.random.default_rng(0)
    a, c = values["slope_x"].mean(0), values["specific_slope_x"].mean(0)
    # The draws are narrow, so that the loading at their mean is nearly the mean of the loadings.
    g, s = rng.standard_normal((2, 400_000))
    behind = a[0] * g + c[0] * s + 1.702 * rng.standard_normal(g.size)
    assert found["x1", "x", "own"] == pytest.approx(np.corrcoef(behind, g)[0, 1], abs=0.01)
    assert found["x1", "s", "specific"] == pytest.approx(np.corrcoef(behind, s)[0, 1], abs=0.01)


def test_numbers_have_their_own_residuals_and_other_families_are_named() -> None:
    result, values = fitted(mp.Model(measured("x", family="gaussian", items=4), family="gaussian"))
    loading, residual = values["loading_x"], values["residual_sd_x"]
    own = loading / np.sqrt(loading**2 + residual**2)
    assert loadings(result)["mean"].iloc[0] == pytest.approx(own[:, 0].mean())
    mixed = mp.Model(measured("x", "y", items=4), families={"y": "nominal"})
    result, _ = fitted(mixed)
    table = loadings(result)
    assert set(table["construct"]) == {"x"} and table.attrs["left_out"] == ["y"]
    with pytest.raises(SpecError, match="no standardised loadings"):
        loadings(fitted(mp.Model(measured("x", items=4), family="nominal"))[0])
    with pytest.raises(SpecError, match="relevant"):
        loadings(result, relevant=3.0)


def test_the_report_prints_what_items_measure_beside_their_construct() -> None:
    from medpsy.report.context import Context
    from medpsy.report.sections import loadings as section

    result, _ = fitted(mp.Model(f"{measured('x', 'y', items=4)} + cross*x2"))
    built = section.build(Context("t", parts={"loadings": section.gather(result, 0.95)}))
    assert built is not None and len(built.blocks) == 2
    assert section.gather(fitted(mp.Model(measured("x", items=4)))[0], 0.95) is None
