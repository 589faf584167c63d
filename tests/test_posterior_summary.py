"""The parameter table with its posterior: order, units, labels, priors and convergence."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hand_made import MEASURED, MEDIATION, WITH_SEX, cholesky, result, survey
from medpsy.errors import SpecError
from medpsy.posterior.summary import COLUMNS, convergence, summary
from medpsy.result import Result

OBSERVED = "x =~ x1..x3\ndose ~ a*x + age\ngrade ~ b*dose + c*x + age + sex\nindirect := a*b"


def row(table: pd.DataFrame, lhs: str, op: str, rhs: str) -> pd.Series:
    found = table[(table["lhs"] == lhs) & (table["op"] == op) & (table["rhs"] == rhs)]
    assert len(found) == 1, (lhs, op, rhs)
    return found.iloc[0]


def flat(fitted: Result, name: str) -> np.ndarray:
    value = fitted.tree["posterior"][name].to_numpy()
    return value.reshape(-1, *value.shape[2:])


def test_sections_come_in_order_and_every_parameter_has_its_row() -> None:
    table = summary(result(WITH_SEX))
    assert tuple(table.columns) == COLUMNS
    counts = table.groupby("section", sort=False).size()
    assert counts.to_dict() == {
        "Paths": 3, "Correlations": 3, "Covariates": 3, "Defined": 3, "Slopes": 9, "Thresholds": 27,
    }  # fmt: skip
    assert list(table["label"][:3]) == ["a", "b", "c"]
    assert list(table.loc[table["section"] == "Slopes", "rhs"][:3]) == ["x1", "x2", "x3"]


def test_numbers_are_those_of_the_draws() -> None:
    fitted = result(WITH_SEX)
    table = summary(fitted, interval=0.9)
    slopes = flat(fitted, "slope_m")[:, 1]
    found = row(table, "m", "=~", "m2")
    assert found["mean"] == pytest.approx(slopes.mean())
    assert found["sd"] == pytest.approx(slopes.std(ddof=1))
    assert [found["lower"], found["upper"]] == pytest.approx(list(np.quantile(slopes, (0.05, 0.95))))
    correlation = flat(fitted, "correlation")[:, 0, 2]
    assert row(table, "x", "~~", "y")["mean"] == pytest.approx(correlation.mean())
    total = flat(fitted, "correlation")[:, 0, 2]
    assert row(table, "total", ":=", "a*b + c")["mean"] == pytest.approx(total.mean())


def test_thresholds_follow_from_category_probabilities_and_name_the_category_they_open() -> None:
    fitted = result(draws=3, chains=1)
    table = summary(fitted)
    prob, slope = flat(fitted, "category_prob_x"), flat(fitted, "slope_x")
    above = prob[:, 0, 2:].sum(-1)
    expected = -np.sqrt(1 + 0.3457 * slope[:, 0] ** 2) * np.log(above / (1 - above))
    found = row(table, "x1", "|", "t2")
    assert found["mean"] == pytest.approx(expected.mean())
    assert found["prior"] == "Dirichlet(1) on category probabilities"
    labels = {item: list(table.loc[table["lhs"] == item, "label"]) for item in ("x1", "x2")}
    assert labels == {"x1": ["rarely", "often", "always"], "x2": ["often", "rarely", "never"]}


def test_priors_say_what_they_are_on() -> None:
    table = summary(result(WITH_SEX))
    assert row(table, "m", "~", "x")["prior"] == "follows from the correlations"
    assert row(table, "x", "~~", "m")["prior"] == "LKJ(2)"
    assert row(table, "x", "~", "sex[m]")["prior"] == "Normal(0, 1)"
    assert row(table, "y", "~", "sex[m]")["prior"] == "Normal(0, 1) on the total effect"
    assert row(table, "indirect", ":=", "a*b")["prior"] == "follows from its terms"
    path = summary(result(MEDIATION, priors={"path.a": "Normal(0, 0.3)"}))
    assert row(path, "m", "~", "x")["prior"] == "Normal(0, 0.3)"


def test_continuous_items_are_in_raw_units() -> None:
    fitted = result("f =~ n1..n3", family="gaussian")
    table = summary(fitted)
    raw = survey().variables["n2"]
    mean, sd = np.nanmean(raw), np.nanstd(raw)
    assert list(table["section"].unique()) == ["Loadings", "Intercepts", "Residual SDs"]
    expected = {
        ("f", "=~", "n2"): flat(fitted, "loading_f")[:, 1].mean() * sd,
        ("n2", "~", "1"): mean + flat(fitted, "intercept_f")[:, 1].mean() * sd,
        ("n2", "~~", "n2"): flat(fitted, "residual_sd_f")[:, 1].mean() * sd,
    }
    for key, value in expected.items():
        assert row(table, *key)["mean"] == pytest.approx(value)
        assert row(table, *key)["prior"].endswith("(z-scored)")


def test_regressions_of_observed_variables_predict_in_raw_units() -> None:
    fitted = result(OBSERVED, chains=1, draws=1)
    table, answers = summary(fitted), fitted.survey
    values = answers.variables
    theta, person = 0.7, 3
    b = {source: row(table, "grade", "~", source)["mean"] for source in ("dose", "x", "age", "sex[m]", "1")}
    predicted = (
        b["1"] + b["dose"] * values["dose"][person] + b["x"] * theta + b["age"] * values["age"][person]
        + b["sex[m]"] * (values["sex"][person] == 1)
    )  # fmt: skip

    def z(name: str) -> float:
        return (values[name][person] - np.nanmean(values[name])) / np.nanstd(values[name])

    inner = dict(zip([c.name for c in fitted.data.layout.coefficients], flat(fitted, "path")[0], strict=True))
    sex = (values["sex"] == 1).astype(float)
    scaled = flat(fitted, "intercept")[0, 1] + inner["grade~dose"] * z("dose") + inner["grade~x"] * theta
    scaled += inner["grade~age"] * z("age") + inner["grade~sex[m]"] * (sex[person] - sex.mean())
    grade = values["grade"]
    assert predicted == pytest.approx(np.nanmean(grade) + np.nanstd(grade) * scaled)
    residual = row(table, "grade", "~~", "grade")
    assert residual["mean"] == pytest.approx(flat(fitted, "residual_sd")[0, 1] * np.nanstd(grade))
    assert residual["prior"] == "HalfNormal(1) (z-scored)"


def test_a_binary_outcome_keeps_its_logits() -> None:
    fitted = result("x =~ x1..x3\npassed ~ c*x", families={"passed": "bernoulli"}, chains=1, draws=8)
    found = row(summary(fitted), "passed", "~", "1")
    assert found["mean"] == pytest.approx(flat(fitted, "intercept")[:, 0].mean())
    assert found["prior"] == "Normal(0, 2)"


def test_convergence_agrees_with_arviz_one_quantity_at_a_time() -> None:
    import arviz as az

    draws = np.random.default_rng(2).normal(size=(3, 4, 100))
    draws[1, 0] += 1
    out = convergence(draws)
    for at in range(3):
        data = {"v": draws[at]}
        assert out["r_hat"][at] == pytest.approx(float(az.rhat(az.from_dict({"posterior": data}))["v"]))
        found = az.ess(az.from_dict({"posterior": data}), method="bulk")["v"]
        assert out["ess_bulk"][at] == pytest.approx(float(found))
    assert out["r_hat"][1] > 1.05 > out["r_hat"][0]


def test_what_never_varies_has_no_convergence_and_no_warning() -> None:
    table = summary(result(MEDIATION, {"correlation_chol": cholesky(0.3, 0.4, 0.5)}))
    fixed = table["section"].isin(["Paths", "Correlations", "Defined"])
    assert table.loc[fixed, ["r_hat", "ess_bulk", "ess_tail"]].isna().all(axis=None)
    assert table.loc[~fixed, ["r_hat", "ess_bulk", "ess_tail"]].notna().all(axis=None)
    assert row(table, "x", "~~", "m")["mean"] == pytest.approx(0.3)
    assert row(table, "x", "~~", "m")["sd"] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("chains", "draws"), [(1, 50), (1, 2), (1, 1), (4, 3)])
def test_few_chains_and_few_draws_are_summarised(chains: int, draws: int) -> None:
    table = summary(result(MEASURED, chains=chains, draws=draws), kind="hdi")
    assert table[["mean", "lower", "upper"]].notna().all(axis=None)
    assert table["r_hat"].notna().all() == (draws >= 4 and chains > 1)
    assert table[["ess_bulk", "ess_tail"]].notna().all(axis=None) == (draws >= 4)


def test_one_construct_has_no_correlations() -> None:
    table = summary(result("x =~ x1..x3"))
    assert list(table["section"].unique()) == ["Slopes", "Thresholds"]
    assert len(table) == 12


def test_impossible_intervals_are_refused() -> None:
    with pytest.raises(SpecError, match="posterior mass 95"):
        summary(result(MEASURED), interval=95)
    with pytest.raises(SpecError, match="no interval of kind 'median'"):
        summary(result(MEASURED), kind="median")
