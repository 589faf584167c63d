"""Fits of simulated answers against their truth, of one engine against another, and against least squares."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2

from medpsy.fit import fit
from medpsy.model import ComposedModel, compose
from medpsy.ops import Numpy
from medpsy.posterior.scores import scores
from medpsy.result import Result
from medpsy.simulate import Truth, read_truth, simulate
from medpsy.spec.model_file import read_model_file
from medpsy.spec.model_spec import Construct, Design, ModelSpec, Observed
from medpsy.spec.syntax import parse_model
from medpsy.survey.instrument import Instrument, Module, Variable
from medpsy.survey.read import read_survey
from medpsy.survey.survey import Survey

MODELS = Path(__file__).resolve().parent.parent / "models"
QUICK: dict[str, Any] = {"progress": False, "cores": 2, "chains": 2}


# --- One family after the other ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A model, what was asked, and the truth."""

    text: str
    family: str
    instrument: Instrument
    truth: dict[str, Any]
    missing: float = 0.03


CASES = {
    "graded": Case(
        "x =~ x1..x4\ny =~ y1..y3\ny ~ b*x",
        "graded",
        Instrument(
            (
                Module("x", ("x1", "x2", "x3", "x4"), (1, 2, 3, 4), reverse=("x2",)),
                Module("y", ("y1", "y2", "y3"), (0, 1, 2)),
            )
        ),
        {
            "n_person": 700,
            "seed": 61,
            "paths": {"b": 0.5},
            "items": {
                "x": {"slope": [1.0, 2.5, 1.5, 1.8], "mean": [1.6, 2.3, 2.7, 3.2], "sd": 0.9},
                "y": {"slope": [2.0, 1.2, 1.6], "mean": [0.6, 1.0, 1.4], "sd": 0.8},
            },
        },
    ),
    "bernoulli": Case(
        "x =~ x1..x8",
        "bernoulli",
        Instrument((Module("x", tuple(f"x{j}" for j in range(1, 9)), (0, 1)),)),
        {
            "n_person": 1000,
            "seed": 62,
            "items": {
                "x": {
                    "slope": [0.7, 1.0, 1.3, 1.6, 1.9, 2.2, -1.2, 0.9],
                    "mean": [0.15, 0.3, 0.45, 0.5, 0.6, 0.7, 0.8, 0.85],
                }
            },
        },
    ),
    "gaussian": Case(
        "x =~ x1..x4\ny =~ y1..y3\nx ~ age\ny ~ b*x + age",
        "gaussian",
        Instrument((), tuple(map(Variable, ("x1", "x2", "x3", "x4", "y1", "y2", "y3", "age")))),
        {
            "n_person": 1000,
            "seed": 63,
            "variables": {"age": {"mean": 40, "sd": 12}},
            "paths": {"b": 0.45, "x~age": 0.3, "y~age": -0.2},
            "items": {
                "x": {"loading": [2.0, 0.4, 6.0, -1.0], "intercept": [10, 0, -3, 5],
                      "residual_sd": [1.5, 0.5, 4.0, 0.8]},
                "y": {"loading": [0.8, 1.1, 0.9], "intercept": [1, 2, 3], "residual_sd": [0.6, 0.7, 1.0]},
            },
        },
        # Every pattern of missing numbers costs a decomposition a step; other tests have them.
        missing=0.0,
    ),
}  # fmt: skip


def made(case: Case) -> tuple[ComposedModel, Truth, Survey]:
    """The composed model, its truth and a simulated survey with some answers missing."""
    model = compose(parse_model(case.text, family=case.family))
    truth = read_truth(model, case.instrument, case.truth)
    return model, truth, simulate(model, case.instrument, truth, missing=case.missing)


def draws_and_truth(result: Result, truth: Truth) -> tuple[np.ndarray, np.ndarray]:
    """Draws (draw, quantity) of everything that the truth states, in raw units, and the truth itself."""
    drawn: list[np.ndarray] = []
    true: list[np.ndarray] = []

    def add(value: np.ndarray, target: np.ndarray) -> None:
        drawn.append(value.reshape(result.tree["posterior"].sizes["chain"] * value.shape[1], -1))
        true.append(np.ravel(target))

    posterior = {str(name): array.to_numpy() for name, array in result.tree["posterior"].data_vars.items()}
    for block in result.data.blocks:
        items, name = truth.items[block.name], block.name
        if "slope" in items:
            add(posterior[f"slope_{name}"], items["slope"])
            derived = result.model.families[name].derived(items, Numpy)
            add(posterior[f"threshold_{name}"], derived["threshold"])
        else:
            add(posterior[f"loading_{name}"] * block.unit, items["loading"])
            add(posterior[f"residual_sd_{name}"] * block.unit, items["residual_sd"])
            intercept = posterior[f"intercept_{name}"] * block.unit + block.centre
            age = result.survey.variables["age"].mean() - truth.variables["age"].mean
            path = truth.paths
            slope = path["x~age"] if name == "x" else path["y~age"] + path["y~x"] * path["x~age"]
            # The model centres age at its sample mean, the truth at that of the population.
            shift = items["loading"] * slope * age / truth.variables["age"].sd
            add(intercept, items["intercept"] + shift)
    if "coefficient" in posterior:
        for c, coefficient in enumerate(result.data.layout.coefficients):
            unit = truth.variables["age"].sd if coefficient.from_column else 1.0
            add(posterior["coefficient"][..., [c]] * unit, np.array([truth.paths[coefficient.name]]))
    return np.concatenate(drawn, axis=1), np.concatenate(true)


@pytest.mark.parametrize("name", CASES)
def test_the_truth_lies_where_the_posterior_says(name: str) -> None:
    model, truth, survey = made(CASES[name])
    result = fit(model, survey, draws=500, seed=1, **QUICK)
    assert result.provenance["route"]["name"] == "compiled"
    draws, true = draws_and_truth(result, truth)
    assert draws.shape == (1000, {"graded": 26, "bernoulli": 16, "gaussian": 24}[name])
    # All at once, because thresholds of one construct move together: the truth is a draw of the posterior.
    off = draws.mean(0) - true
    distance = off @ np.linalg.solve(np.cov(draws.T), off)
    low, high = chi2.ppf([0.001, 0.999], true.size)
    assert low < distance < high
    # An interval may also hold the truth by being wide.
    assert np.median(draws.std(0) / np.maximum(np.abs(true), 0.3)) < 0.15


# --- The same posterior with persons summed over and with persons sampled --------------------------------


@pytest.mark.slow
def test_sampled_persons_and_integrated_persons_give_one_posterior() -> None:
    import arviz as az

    instrument = Instrument((Module("x", ("x1", "x2", "x3", "x4"), (0, 1, 2)),))
    model = compose(ModelSpec((Construct("x", ("x1", "x2", "x3", "x4"), positive=True),)))
    items = {"x": {"slope": [1.2, 1.6, 2.0, 0.9], "mean": [0.7, 1.0, 1.1, 1.4], "sd": 0.8}}
    truth = read_truth(model, instrument, {"n_person": 60, "seed": 64, "items": items})
    survey = simulate(model, instrument, truth, missing=0.05)
    summed = fit(model, survey, draws=2000, seed=2, **QUICK)
    persons = fit(model, survey, draws=2000, seed=3, engine="conditional", **QUICK)
    assert persons.provenance["route"]["name"] == "pymc"
    assert summed.tree["log_likelihood"].attrs["level"] == "person"
    assert persons.tree["log_likelihood"].attrs["level"] == "person, scores given"
    for name in ("slope_x", "threshold_x"):
        one, other = summed.tree["posterior"][name], persons.tree["posterior"][name]
        error = np.hypot(
            *(v.std(("chain", "draw")).to_numpy() / np.sqrt(az.ess(v).to_numpy()) for v in (one, other))
        )
        off = one.mean(("chain", "draw")).to_numpy() - other.mean(("chain", "draw")).to_numpy()
        assert np.abs(off / error).max() < 4
        spread = one.std(("chain", "draw")).to_numpy() / other.std(("chain", "draw")).to_numpy()
        np.testing.assert_allclose(spread, 1.0, atol=0.2)
    one, other = scores(summed, draws=1000), scores(persons, draws=4000)
    np.testing.assert_allclose(one["mean"], other["mean"], atol=0.08)
    np.testing.assert_allclose(one["sd"], other["sd"], rtol=0.12)


# --- Least squares -----------------------------------------------------------------------------------------


def test_an_observed_mediation_is_the_least_squares_one(shared: Path) -> None:
    """Presumed media influence (Tal-Or, Cohen, Tsfati & Gunther, 2010, doi:10.1177/0093650210362684)."""
    text = (shared / "reference" / "talor_pmi.json").read_text(encoding="utf-8")
    entries = {entry["id"]: entry["results"] for entry in json.loads(text)["entries"]}
    least, mplus = entries["mediation.ols"], entries["published.mplus_bayes_simple"]
    asked = Instrument((), (Variable("cond"), Variable("pmi"), Variable("reaction")))
    survey = read_survey(shared / "data" / "talor_pmi" / "talor_pmi.csv", asked)
    flat = (("intercept", "Normal(0, 100)"), ("path", "Normal(0, 100)"), ("residual_sd", "HalfNormal(100)"))
    observed, design = (Observed("pmi"), Observed("reaction")), Design("simple", "cond", ("pmi",), "reaction")
    model = compose(ModelSpec(observed=observed, design=design, priors=flat))
    result = fit(model, survey, draws=4000, seed=4, **QUICK)
    assert result.provenance["engine"]["name"] == "gaussian"
    coefficient = result.tree["posterior"]["coefficient"]
    names = map(str, coefficient["regression"].to_numpy())
    draws = {name: coefficient.sel(regression=name).to_numpy().ravel() for name in names}
    places = {
        "pmi~cond": ("pmi_on_cond", "cond"),
        "reaction~pmi": ("reaction_on_pmi_cond", "pmi"),
        "reaction~cond": ("reaction_on_pmi_cond", "cond"),
    }
    assert set(draws) == set(places)
    for name, (equation, source) in places.items():
        estimate, error = least[equation]["coef"][source], least[equation]["se"][source]
        assert abs(draws[name].mean() - estimate) / error < 0.1
        assert draws[name].std() / error == pytest.approx(1, abs=0.06)
    a, b = draws["pmi~cond"], draws["reaction~pmi"]
    indirect = result.tree["posterior"]["indirect"].to_numpy().ravel()
    np.testing.assert_allclose(indirect, a * b, rtol=1e-12)
    product = least["pmi_on_cond"]["coef"]["cond"] * least["reaction_on_pmi_cond"]["coef"]["pmi"]
    assert abs(indirect.mean() - product) / mplus["indirect"]["sd"] < 0.1
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.08
    # Flat priors in Mplus, too.
    for level, quantile in ((0.025, "q025"), (0.5, "median"), (0.975, "q975")):
        assert np.quantile(indirect, level) == pytest.approx(mplus["indirect"][quantile], abs=0.025)


# --- The founding case --------------------------------------------------------------------------------------


def inside_intervals(result: Result, truth: Truth) -> dict[str, bool]:
    """Whether the 95 % interval of every labelled path holds its true value."""
    coefficient = result.tree["posterior"]["coefficient"]
    inside = {}
    for place, c in enumerate(result.data.layout.coefficients):
        if c.label is not None:
            lower, upper = np.quantile(coefficient.to_numpy()[..., place], [0.025, 0.975])
            inside[c.label] = bool(lower < truth.labels[c.label] < upper)
    return inside


@pytest.mark.slow
def test_intervals_of_the_mission_model_hold_the_truth() -> None:
    """Of twenty 95 % intervals of a path at least 17 hold it; by chance alone 1.6 % of such twenties fail."""
    file = read_model_file(MODELS / "mission.toml")
    model = compose(file.spec)
    assert file.instrument is not None
    assert file.truth is not None
    truth = read_truth(model, file.instrument, file.truth, file.source)
    held: dict[str, int] = dict.fromkeys("abc", 0)
    for number in range(20):
        survey = simulate(model, file.instrument, truth, seed=1000 + number)
        assert survey.n_person == 321
        inside = inside_intervals(fit(model, survey, draws=250, seed=number, **QUICK), truth)
        assert set(inside) == set(held)
        held = {label: count + inside[label] for label, count in held.items()}
    assert min(held.values()) >= 17, held
