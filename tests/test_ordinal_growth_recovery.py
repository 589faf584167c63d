"""Levels, slopes and random intercepts above ordinal items: the truth of simulated surveys comes back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import medpsy as mp
from growth_cases import columns, grown, intercepts
from medpsy.bind import bind
from medpsy.engines.base import choose


def growth(waves: int = 3, **about: Any) -> mp.Model:
    return mp.LatentGrowth({"a": columns("a", waves)}, family="graded", **about)


def check_recovered(fit: Any, truth: dict[str, float]) -> None:
    table = fit.summary().set_index(["lhs", "op", "rhs"])
    for name, value in truth.items():
        row = table.loc[tuple(name.split(" "))]
        assert abs(row["mean"] - value) < 3.5 * row["sd"], (name, row["mean"], row["sd"], value)


@pytest.mark.slow
def test_growth_is_recovered() -> None:
    made = grown(300, effect=(0.4, -0.25), correlation=0.3, seed=11)
    fit = growth(covariates=["dose"]).fit(made.survey, seed=1, draws=300, chains=2, progress=False)
    assert fit.result.provenance["engine"]["name"] == "quadrature"
    truth = {
        "level_a ~ dose": 0.4, "slope_a ~ dose": -0.25, "slope_a ~ 1": 0.4, "level_a ~~ level_a": 1.44,
        "slope_a ~~ slope_a": 0.25, "level_a ~~ slope_a": 0.3 * 1.2 * 0.5, "a_2 ~~ a_2": 0.64,
        "a_3 ~~ a_3": 0.81, "a_1 =~ a1_1": 1.2, "a_1 =~ a1_5": 2.2,
    }  # fmt: skip
    check_recovered(fit, truth)
    found = fit.scores()
    score = found["mean"].sel(factor="slope_a").to_numpy()
    assert np.corrcoef(score, made.slope["a"])[0, 1] > 0.5
    off = (score - made.slope["a"]) / found["sd"].sel(factor="slope_a").to_numpy()
    # As uncertain as the sd of the slopes, which 300 persons tell to a quarter.
    assert abs(off.std() - 1.0) < 0.3


@pytest.mark.slow
def test_random_intercepts_are_recovered() -> None:
    made = intercepts(700, seed=4)
    fit = mp.RandomInterceptCrossLagged({"a": columns("a", 3)}, family="graded", constant=True).fit(
        made.survey, seed=1, draws=300, chains=2, progress=False
    )
    truth = {
        "w_a_2 ~ w_a_1": 0.4, "ri_a ~~ ri_a": 1.0, "a_2 ~ 1": 0.3, "a_3 ~ 1": 0.1, "w_a_2 ~~ w_a_2": 0.81,
        "w_a_3 ~~ w_a_3": 0.81,
    }  # fmt: skip
    check_recovered(fit, truth)


@pytest.mark.slow
def test_the_mode_of_four_waves_is_near_the_truth() -> None:
    from medpsy.inference.prepare import prepared

    made = grown(500, times=(0, 1, 2, 3), residual=(1.0, 0.8, 0.9, 1.0), seed=2)
    data = bind(growth(4).composed, made.survey)
    engine, _ = choose(data)
    assert engine.name == "layered"
    density, mode, _ = prepared(data, engine, None, [])
    around = np.random.default_rng(3).standard_normal((500, density.size)) @ mode.spread.T
    values = density.space.constrain(mode.u + around)
    names = {p.name: p.coords[0] for p in data.parameters}
    truth = {
        "residual_sd": {"level_a": 1.2, "slope_a": 0.5, "a_2": 0.8, "a_3": 0.9, "a_4": 1.0},
        "intercept": {"slope_a": 0.4},
    }
    for name, known in truth.items():
        assert set(known) == set(names[name])
        for k, of in enumerate(names[name]):
            found = values[name][:, k]
            assert abs(found.mean() - known[of]) < 3.5 * found.std(), (name, of)
