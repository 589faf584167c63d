"""Fit of Gaussian models against lavaan at its estimates, and against answers made one by one."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import hand_made
from medpsy.api.fits import Fit
from medpsy.bind import bind
from medpsy.dims import ANSWERS, CHAIN, DRAW, LOG_LIKELIHOOD, PERSON
from medpsy.engines.base import choose
from medpsy.engines.gaussian import ENGINE
from medpsy.errors import DataError, SpecError
from medpsy.fit import _tree
from medpsy.inference.compiled_route import Posterior
from medpsy.model import compose
from medpsy.ops import Numpy
from medpsy.posterior.by_group import views
from medpsy.posterior.draws import at, thinned
from medpsy.posterior.fit_indices import brmsea, indices, srmr
from medpsy.posterior.model_fit import model_fit, residual_correlations
from medpsy.posterior.moments import compared
from medpsy.posterior.replicated_moments import (
    complete_replicates,
)
from medpsy.report.blocks import Bullets, Table, Text
from medpsy.report.context import Context
from medpsy.report.sections import gaussian_fit
from medpsy.result import Result
from medpsy.spec.groups import Groups
from medpsy.spec.syntax import parse_model
from medpsy.survey.instrument import Instrument, Variable
from medpsy.survey.survey import Survey

FACTORS = {"visual": "x1..x3", "textual": "x4..x6", "speed": "x7..x9"}
ITEMS = tuple(f"x{j}" for j in range(1, 10))
TEXT = "\n".join(f"{name} =~ {items}" for name, items in FACTORS.items())
GAUSSIAN = dict.fromkeys(FACTORS, "gaussian")
P, N = 54, 301


def numbers_survey(values: dict[str, np.ndarray], sex: np.ndarray | None = None) -> Survey:
    variables = [Variable(name) for name in values]
    held = dict(values)
    if sex is not None:
        variables.append(Variable("sex", "category", ("f", "m")))
        held["sex"] = sex
    n = len(next(iter(held.values())))
    person = np.array([f"p{i}" for i in range(n)])
    return Survey(Instrument((), tuple(variables)), person, np.zeros((n, 0), dtype=np.int8), held)


def with_likelihood(result: Result) -> Result:
    """The same draws with the log-likelihood of every person at each."""
    parts = views(result) or {"": result}
    chains, draws = (result.tree["posterior"].sizes[d] for d in (CHAIN, DRAW))
    terms = np.zeros((chains * draws, result.data.n_person))
    place = {name: i for i, name in enumerate(result.data.person)}
    for part in parts.values():
        p = thinned(part, chains * draws)
        rows = [place[name] for name in part.data.person]
        for s in range(chains * draws):
            terms[s, rows] = ENGINE.log_likelihood(part.data, at(p, s), Numpy)
    tree = result.tree.copy()
    about = dict(tree[LOG_LIKELIHOOD].attrs)
    held = terms.reshape(chains, draws, -1)
    tree[LOG_LIKELIHOOD] = xr.DataTree(xr.Dataset({ANSWERS: ((CHAIN, DRAW, PERSON), held)}))
    tree[LOG_LIKELIHOOD].attrs = about
    return replace(result, tree=tree)


@pytest.fixture(scope="module")
def lavaan(shared: Path) -> dict[str, Any]:
    entries = json.loads((shared / "reference" / "holzinger_swineford.json").read_text())["entries"]
    return {entry["id"]: entry["results"] for entry in entries}["sem.cfa3_stdlv"]


@pytest.fixture(scope="module")
def answers(shared: Path) -> Survey:
    with open(shared / "data" / "holzinger_swineford" / "holzinger_swineford.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return numbers_survey({item: np.array([float(row[item]) for row in rows]) for item in ITEMS})


def ml_values(lavaan: dict[str, Any], answers: Survey) -> dict[str, np.ndarray]:
    """The estimates of lavaan in the units of the fit."""
    found = {(e["lhs"], e["op"], e["rhs"]): e["est"] for e in lavaan["estimates"]}
    sd = {item: answers.variables[item].std() for item in ITEMS}
    out = {}
    for name, items in zip(FACTORS, (ITEMS[:3], ITEMS[3:6], ITEMS[6:]), strict=True):
        out[f"loading_{name}"] = np.array([found[name, "=~", i] / sd[i] for i in items])
        out[f"residual_sd_{name}"] = np.array([found[i, "~~", i] ** 0.5 / sd[i] for i in items])
        out[f"intercept_{name}"] = np.zeros(3)
    r = np.eye(3)
    for (i, a), (j, b) in ((x, y) for x in enumerate(FACTORS) for y in enumerate(FACTORS)):
        if i < j:
            r[i, j] = r[j, i] = found[a, "~~", b]
    return out | {"correlation_chol": np.linalg.cholesky(r)}


@pytest.fixture(scope="module")
def at_ml(lavaan: dict[str, Any], answers: Survey) -> Result:
    """All draws are the maximum-likelihood estimates."""
    values = ml_values(lavaan, answers)
    return hand_made.result(TEXT, values, families=GAUSSIAN, answers=answers, draws=20)


@pytest.fixture(scope="module")
def near_ml(lavaan: dict[str, Any], answers: Survey) -> Result:
    """Draws scattered around the estimates, with their likelihood."""
    rng = np.random.default_rng(3)
    values = {
        k: v + 0.05 * rng.standard_normal((2, 100, *v.shape)) for k, v in ml_values(lavaan, answers).items()
    }
    chol = np.tril(values["correlation_chol"])
    values["correlation_chol"] = chol / np.linalg.norm(chol, axis=-1, keepdims=True)
    return with_likelihood(hand_made.result(TEXT, values, families=GAUSSIAN, answers=answers, draws=100))


def test_discrepancy_and_srmr_at_the_estimates_are_those_of_lavaan(
    at_ml: Result, lavaan: dict[str, Any]
) -> None:
    [part] = compared(at_ml, 5)
    assert part.sample.p == P and part.sample.n == N and part.sample.names == ITEMS
    assert part.d == pytest.approx(lavaan["fit"]["chisq"], abs=1e-4)
    assert srmr(part.sample.covariance, part.implied) == pytest.approx(lavaan["fit"]["srmr"], abs=1e-5)
    null = part.sample.discrepancy(part.sample.coefficient, np.diag(np.diag(part.sample.covariance)))
    assert null == pytest.approx(lavaan["fit"]["baseline.chisq"], abs=1e-4)


def test_indices_at_the_posterior_mean_discrepancy_are_those_of_lavaan(lavaan: dict[str, Any]) -> None:
    """Where pD is the number of parameters, the posterior mean of D is chi-square + pD."""
    fit = lavaan["fit"]
    p_d, p_d0 = 30, 18
    d, d0 = fit["chisq"] + p_d, fit["baseline.chisq"] + p_d0
    found = indices(d, p_d, d0, p_d0, p=P, n=N, variables=9)
    assert found["BCFI"] == pytest.approx(0.931, abs=0.002) and found["BCFI"] == pytest.approx(fit["cfi"])
    assert found["BTLI"] == pytest.approx(0.896, abs=0.002) and found["BTLI"] == pytest.approx(fit["tli"])
    assert found["BRMSEA"] == pytest.approx(0.092, abs=0.002)
    assert found["BRMSEA"] == pytest.approx(fit["rmsea"], abs=1e-9)
    excess = fit["chisq"] - 24
    assert found["BGammaHat"] == pytest.approx(9 / (9 + 2 * excess / N))
    assert found["adjusted BGammaHat"] == pytest.approx(1 - P / 24 * (1 - 9 / (9 + 2 * excess / N)))
    assert found["BMc"] == pytest.approx(np.exp(-excess / (2 * N)))
    assert found["BNFI"] == pytest.approx(1 - fit["chisq"] / fit["baseline.chisq"])


def test_discrepancy_is_twice_the_difference_of_log_densities() -> None:
    """With covariates, against SciPy; the unrestricted model is a regression of every variable."""
    text = "f =~ n1 + n2 + n3\nf ~ age + sex\ngrade ~ f + age"
    whole = hand_made.survey(60)
    for name in ("n2", "grade"):
        whole.variables[name] = np.nan_to_num(whole.variables[name], nan=3.0)
    result = hand_made.result(text, families={"f": "gaussian"}, answers=whole, draws=6)
    [part] = compared(result, 6)
    own, p = part.sample, thinned(result, 6)
    assert own.names == ("n1", "n2", "n3", "grade") and own.columns == 3 and own.p == 10 + 12
    y, w = own.y, result.data.design
    b = np.linalg.solve(w.T @ w, w.T @ y)
    s = (y - w @ b).T @ (y - w @ b) / len(y)
    best = sum(stats.multivariate_normal(w[i] @ b, s).logpdf(y[i]) for i in range(len(y)))
    for draw in range(len(part.d)):
        ell = ENGINE.log_likelihood(result.data, at(p, draw), Numpy).sum()
        assert part.d[draw] == pytest.approx(2 * (best - ell), rel=1e-9)


def test_discrepancy_with_gaps_is_that_of_the_engine(near_ml: Result, lavaan: dict[str, Any]) -> None:
    answers = numbers_survey({k: v.copy() for k, v in near_ml.survey.variables.items()})
    rng = np.random.default_rng(1)
    for item in ITEMS:
        answers.variables[item][rng.random(N) < 0.02] = np.nan
    values = {name: near_ml.tree["posterior"][name].to_numpy()[:, :20] for name in ml_values(lavaan, answers)}
    result = with_likelihood(
        hand_made.result(TEXT, values, families=GAUSSIAN, answers=answers, chains=2, draws=20)
    )
    [part] = compared(result, 40)
    ell = result.tree[LOG_LIKELIHOOD][ANSWERS].to_numpy().sum(-1).ravel()
    assert part.d == pytest.approx(2 * (part.sample.best - ell), rel=1e-8)
    table = model_fit(result, draws=10).set_index("measure")
    assert "persons have missing values" in table.attrs["notes"][0]
    assert table.loc["PPP", "mean"] < 0.1 and table.loc["D", "mean"] > 60
    assert residual_correlations(result, draws=10)["ppp"].between(0, 1).all()


def test_the_table_is_made_of_these(near_ml: Result) -> None:
    table = model_fit(near_ml, draws=200)
    rows = table.set_index("measure")
    about = table.attrs
    assert (about["moments"], about["n"], about["variables"], about["groups"]) == (P, N, 9, 1)
    assert about["p_d0"] == pytest.approx(18, abs=6)
    [part] = compared(near_ml, 200)
    assert rows.loc["D", "mean"] == pytest.approx(part.d.mean())
    want = brmsea(part.d, about["p_d"], P, N)
    assert rows.loc["BRMSEA", "mean"] == pytest.approx(want.mean())
    assert rows.loc["BRMSEA", "p_passes"] == pytest.approx((want <= 0.06).mean())
    want = srmr(part.sample.covariance, part.implied)
    assert rows.loc["SRMR", ["mean", "p_passes"]].tolist() == pytest.approx(
        [want.mean(), (want <= 0.08).mean()]
    )
    assert rows.loc["PPP", "mean"] < 0.01
    assert ((rows["lower"] <= rows["mean"]) & (rows["mean"] <= rows["upper"]) | rows["lower"].isna()).all()
    again = model_fit(near_ml, draws=200, cuts={"SRMR": 0.001}).set_index("measure")
    assert again.loc["SRMR", ["cut", "p_passes"]].tolist() == [0.001, 0.0]
    assert again.drop("SRMR").equals(rows.drop("SRMR"))


def test_residual_correlations_find_the_pair_that_was_left_out(near_ml: Result) -> None:
    """Observed correlations against NumPy; x7 with x9 and x1 with x9 are the known weak spots."""
    table = residual_correlations(near_ml, draws=200)
    assert len(table) == 36
    r = np.corrcoef(np.column_stack([near_ml.survey.variables[i] for i in ITEMS]), rowvar=False)
    for row in table.itertuples():
        i, j = ITEMS.index(row.item_1), ITEMS.index(row.item_2)
        assert row.observed == pytest.approx(r[i, j])
        assert row.residual == pytest.approx(row.observed - row.implied)
    assert {tuple(pair) for pair in table[["item_1", "item_2"]].head(4).to_numpy()} & {
        ("x1", "x9"),
        ("x3", "x9"),
    }
    assert table["residual"].abs().is_monotonic_decreasing
    assert table["ppp"].iloc[0] < 0.05


def test_posterior_predictive_p_is_calibrated_where_the_model_is_true() -> None:
    """At the true parameters the p value is uniform."""
    truth = {
        "loading_f": np.array([0.8, 0.7, 0.6, 0.5]), "intercept_f": np.zeros(4),
        "residual_sd_f": np.sqrt(1 - np.array([0.8, 0.7, 0.6, 0.5]) ** 2),
    }  # fmt: skip
    found, rng = [], np.random.default_rng(8)
    for _ in range(60):
        y = rng.normal(size=(80, 1)) * truth["loading_f"] + rng.normal(size=(80, 4)) * truth["residual_sd_f"]
        survey = numbers_survey({f"n{j}": y[:, j] for j in range(4)})
        sd, mean = y.std(axis=0), y.mean(axis=0)
        own = {"loading_f": truth["loading_f"] / sd, "residual_sd_f": truth["residual_sd_f"] / sd}
        own["intercept_f"] = -mean / sd
        families = {"f": "gaussian"}
        result = hand_made.result("f =~ n0..n3", own, families=families, answers=survey, draws=1, chains=1)
        [part] = compared(result, 1)
        made = complete_replicates(part.sample, np.repeat(part.implied, 400, axis=0), rng)[0]
        found.append((made >= part.d).mean())
    assert stats.kstest(found, "uniform").pvalue > 0.001


def test_groups_add_up(answers: Survey) -> None:
    sex = np.arange(N) % 2
    both = numbers_survey({item: answers.variables[item] for item in ITEMS}, sex)
    spec = replace(parse_model(TEXT, families=GAUSSIAN), groups=Groups("sex"))
    data = bind(compose(spec), both)
    rng, held = np.random.default_rng(0), {}
    centres = {"loading": 0.7, "residual_sd": 0.8}
    for name, shape in ((q.name, q.shape) for q in data.parameters):
        value = np.eye(3) if "chol" in name else centres.get(name.rpartition("_")[0], 0.0)
        noise = 0.0 if "chol" in name else 0.03
        held[name] = value + noise * rng.standard_normal((2, 30, *shape))
    posterior = Posterior(held, {}, np.zeros((2, 30, N)), None)
    result = with_likelihood(Result(_tree(data, posterior, choose(data)[0]), data, both, {}))
    parts = compared(result, 60)
    assert [part.sample.group for part in parts] == ["f", "m"]
    ell = result.tree[LOG_LIKELIHOOD][ANSWERS].to_numpy().reshape(60, -1)
    for g, part in enumerate(parts):
        own = part.sample
        best = stats.multivariate_normal(np.zeros(9), own.covariance).logpdf(own.y - own.y.mean(0)).sum()
        assert part.d == pytest.approx(2 * (best - ell[:, sex == g].sum(axis=1)), rel=1e-8)
    table = model_fit(result, draws=60)
    assert table.attrs["moments"] == 2 * P and table.attrs["groups"] == 2
    assert table["mean"].iloc[0] == pytest.approx(sum(part.d for part in parts).mean())
    assert residual_correlations(result, draws=60)["group"].value_counts().to_dict() == {"f": 36, "m": 36}


def test_what_is_refused_says_why_and_what_to_do(near_ml: Result) -> None:
    with pytest.raises(SpecError, match=r"'x' has ordinal or binary items\n.*item_fit\(\)"):
        model_fit(hand_made.result("x =~ x1..x3", draws=20))
    with pytest.raises(SpecError, match="no fit index 'RMSEA'\n  Did you mean 'BRMSEA'"):
        model_fit(near_ml, cuts={"RMSEA": 0.05})
    with pytest.raises(SpecError, match="the cut 5"):
        model_fit(near_ml, cuts={"SRMR": 5})
    few = hand_made.survey(9)
    few.variables["n2"][:] = np.arange(9)
    few.variables["n4"] = few.variables["n1"] + few.variables["n2"]
    few = replace(
        few, instrument=replace(few.instrument, variables=(*few.instrument.variables, Variable("n4")))
    )
    with pytest.raises(DataError, match="no invertible covariance matrix of 4 variables"):
        compared(hand_made.result("f =~ n1..n4", families={"f": "gaussian"}, answers=few, draws=5), 5)
    text = "dose ~ n1\ngrade ~ dose + age + dose:age"
    with pytest.raises(SpecError, match="product with the explained variable 'dose'"):
        compared(hand_made.result(text, families={}, draws=5), 5)


def test_the_fit_has_the_verbs_and_the_report_its_section(near_ml: Result) -> None:
    fit = Fit(near_ml)
    assert fit.model_fit(draws=50)["measure"].tolist()[:3] == ["D", "PPP", "BRMSEA"]
    assert len(fit.residual_correlations(draws=50)) == 36
    part = gaussian_fit.gather(near_ml, 0.95)
    section = gaussian_fit.build(Context("t", parts={"gaussian_fit": part}))
    assert section is not None and section.title == "Fit of the model"
    kinds = [type(block) for block in section.blocks]
    assert kinds.count(Table) == 2 and Text in kinds and Bullets in kinds
    product = hand_made.result("dose ~ n1\ngrade ~ dose + age + dose:age", families={}, draws=20)
    refused = gaussian_fit.build(Context("t", parts={"gaussian_fit": gaussian_fit.gather(product, 0.95)}))
    assert refused is not None and "a product with the explained variable" in str(refused.blocks)
    assert gaussian_fit.gather(hand_made.result("x =~ x1..x3", draws=20), 0.95) is None
    assert gaussian_fit.build(Context("t")) is None
