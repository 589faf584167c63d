"""The public comparison of fits, and the table of prior sensitivity."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import medpsy as mp
from made_posterior import Made, bound, made, survey
from medpsy.diagnostics.prior_sensitivity import log_prior, sensitivity, sensitivity_table
from medpsy.errors import DataError, FitError, SpecError


def fit(by: float = 0.0, **about: Any) -> mp.Fit:
    def move(m: Made) -> None:
        m.log_likelihood += by

    return mp.Fit(made(move, draws=200, **about))


def test_comparison_by_name_is_that_of_the_method() -> None:
    worse, better = fit(-1.0), fit()
    table = mp.compare({"worse": worse, "better": better})
    assert list(table.index) == ["better", "worse"] and table.columns[0] == "trusted"
    assert table["trusted"].tolist() == [better.trusted, worse.trusted]
    assert table.loc["worse", "elpd_diff"] == pytest.approx(-30)
    assert table.loc["worse", "verdict"] == "predicts worse than 'better'"
    assert table.equals(worse.compare(better, names=["worse", "better"]))


def test_unlike_models_are_refused_with_the_reason() -> None:
    one = fit()
    with pytest.raises(SpecError, match="at least two fits by name"):
        mp.compare({"one": one})
    with pytest.raises(SpecError, match="at least two fits by name"):
        mp.compare([one, one])  # type: ignore[arg-type]
    with pytest.raises(SpecError, match="'two' is no fit but str"):
        mp.compare({"one": one, "two": "two"})  # type: ignore[dict-item]
    with pytest.raises(SpecError, match="marginal and conditional LOO answer different questions"):
        mp.compare({"one": one, "sampled": fit(engine="conditional")})
    with pytest.raises(DataError, match="different persons"):
        mp.compare({"one": one, "fewer": fit(answers=survey(20))})
    with pytest.raises(DataError, match="the answers to 'x1' differ"):
        mp.compare({"one": one, "others": fit(answers=survey(seed=9))})
    with pytest.raises(DataError, match="do not predict the same items"):
        mp.compare({"one": one, "half": fit(data=bound("x =~ x1..x3"))})


def test_sensitivity_of_every_quantity_most_sensitive_first() -> None:
    result = made(draws=250, data=bound(priors=(("slope", "LogNormal(0.3, 0.01)"),)))
    table = sensitivity_table(result)
    assert list(table.columns) == ["quantity", "prior", "data", "verdict"]
    assert table["prior"].is_monotonic_decreasing
    assert table["quantity"].str.startswith("slope_").iloc[:3].all()
    assert {"coefficient[y~x]", "category_prob_x[x1, 0]"} <= set(table["quantity"])
    draws = result.tree["posterior"]["slope_x"].to_numpy()
    own = table.set_index("quantity").loc[[f"slope_x[x{j}]" for j in (1, 2, 3)], "prior"]
    assert own.to_numpy() == pytest.approx(sensitivity(draws, log_prior(result)))
    assert table["verdict"].iloc[0] == "the data say little"
    assert mp.Fit(result).prior_sensitivity()["prior"].equals(table["prior"])


def test_sensitivity_needs_draws() -> None:
    with pytest.raises(FitError, match="20 draws are too few"):
        sensitivity_table(made(draws=5))
    assert np.isfinite(sensitivity_table(made(draws=50))["prior"]).all()
