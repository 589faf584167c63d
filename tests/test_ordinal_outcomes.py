"""Single questions with answers in order: densities against SciPy, maximum likelihood, natural effects."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import optimize, stats

import medpsy as mp
import numeric_cases  # noqa: F401 - sets the flags of PyTensor before its first import
from mediation_cases import around_mode, survey
from medpsy.bind import bind
from medpsy.engines.base import choose
from medpsy.engines.equations import ENGINE, Regressions
from medpsy.errors import DataError, SpecError
from medpsy.inference.density import start_point
from medpsy.inference.transforms import Unconstrained
from medpsy.observed.base import observed_families
from medpsy.ops import Numpy
from medpsy.survey.instrument import Instrument, Module, Variable

LINKS: dict[str, Any] = {"ordinal": stats.logistic, "ordinal_probit": stats.norm}
PROB = np.array([0.2, 0.05, 0.4, 0.35])
FLAT = {"path": "Normal(0, 1000)", "category_prob": "Dirichlet(1)"}
LEVELS = {"m": ("never", "sometimes", "often", "always"), "y": ("low", "mid", "high")}


def twin(link: Any, family: Any, eta: np.ndarray, prob: np.ndarray) -> np.ndarray:
    """Probabilities (value, category) as differences of the distribution function."""
    cut = np.concatenate([[-np.inf], family.thresholds(prob, Numpy), [np.inf]])
    return np.diff(link.cdf(cut - eta[:, None]), axis=1)


@pytest.mark.parametrize("name", LINKS)
def test_density_mean_and_quantiles_are_those_of_the_latent_response(name: str) -> None:
    family: Any = observed_families()[name]
    eta, p = np.array([-2.1, 0.0, 0.4, 3.0]), {"category_prob": PROB}
    expected = twin(LINKS[name], family, eta, PROB)
    for k in range(4):
        found = family.log_prob(np.full(4, float(k)), eta, p, Numpy)
        np.testing.assert_allclose(found, np.log(expected[:, k]), rtol=1e-9)
    np.testing.assert_allclose(family.probabilities(eta, p), expected, rtol=1e-9)
    np.testing.assert_allclose(family.mean(eta, p), expected @ np.arange(4))
    # At eta = 0 the probabilities are the parameter: the logit exactly, the probit nearly.
    np.testing.assert_allclose(expected[1], PROB, atol=1e-12 if name == "ordinal" else 3e-4)
    u = np.random.default_rng(1).random((4, 20_000))
    drawn = np.stack([family.quantile(row, np.full(row.shape, e), p) for row, e in zip(u, eta, strict=True)])
    shares = np.stack([(drawn == k).mean(1) for k in range(4)], axis=1)
    np.testing.assert_allclose(shares, expected, atol=0.012)


@pytest.mark.parametrize("name", LINKS)
@pytest.mark.parametrize("size", [2, 3, 5])
def test_derivatives_are_the_numerical_ones(name: str, size: int) -> None:
    family: Any = observed_families()[name]
    prob = np.random.default_rng(size).dirichlet(np.ones(size))
    y = np.arange(float(size))
    eta = np.linspace(-1.2, 1.5, size)
    slope, own = family.reverse(y, eta, {"category_prob": prob})

    def at(shift: float, moved: np.ndarray) -> np.ndarray:
        return family.log_prob(y, eta + shift, {"category_prob": moved}, Numpy)

    step = 1e-6
    np.testing.assert_allclose(slope, (at(step, prob) - at(-step, prob)) / (2 * step), rtol=1e-5, atol=1e-8)
    for k in range(size):
        h = step * prob[k] * np.eye(size)[k]
        numerical = (at(0, prob + h) - at(0, prob - h)) / (2 * h[k])
        np.testing.assert_allclose(own["category_prob"][:, k], numerical, rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize("name", LINKS)
def test_the_tails_and_unused_categories_stay_finite(name: str) -> None:
    family: Any = observed_families()[name]
    prob = np.array([0.5, 1e-13, 0.5 - 1e-13])
    y, eta = np.repeat(np.arange(3.0), 5), np.tile([-35.0, -8.0, 0.0, 8.0, 35.0], 3)
    value = family.log_prob(y, eta, {"category_prob": prob}, Numpy)
    slope, own = family.reverse(y, eta, {"category_prob": prob})
    assert np.isfinite(value).all() and np.isfinite(slope).all() and np.isfinite(own["category_prob"]).all()
    assert (value <= 0).all()
    # Below everything the lowest category is certain, above everything the highest.
    assert value[0] == pytest.approx(0, abs=1e-12) and value[-1] == pytest.approx(0, abs=1e-12)


def answers(n: int = 500, seed: int = 3) -> Any:
    """Simulated apart from the package: latent responses cut at thresholds."""
    rng = np.random.default_rng(seed)
    x, c = rng.normal(10, 2, n), rng.normal(size=n)
    m = (0.45 * (x - 10) + rng.logistic(size=n))[:, None] > np.array([-1.2, 0.3, 1.5])
    m = m.sum(1)
    number = 0.5 * m + 0.2 * x + rng.normal(size=n)
    y = ((0.6 * m + 0.2 * (x - 10) + 0.3 * c + rng.logistic(size=n))[:, None] > np.array([0.4, 2.0])).sum(1)
    return survey({"x": x, "c": c, "m": m, "y": y, "number": number}, LEVELS)


def test_engines_agree_and_the_gradient_is_the_numerical_one() -> None:
    text = "m ~ x\ny ~ m + x + c\nnumber ~ m"
    data = bind(mp.Model(text, families={"m": "ordinal", "y": "ordinal_probit"}).composed, answers(60))
    assert choose(data)[0].name == "equations"
    space = Unconstrained(data.parameters)
    u = start_point(data) + 0.2 * np.random.default_rng(1).standard_normal(space.size)
    p = space.constrain(u)
    value, gradient = Regressions(data).value_and_gradient(p)
    assert value == pytest.approx(ENGINE.log_likelihood(data, p, Numpy).sum())
    assert set(gradient) == {parameter.name for parameter in data.parameters}
    for name, d in gradient.items():
        for i in np.flatnonzero(np.abs(p[name].ravel()) > 1e-200):
            ends = []
            for step in (1e-6, -1e-6):
                moved = p[name].copy()
                moved.flat[i] += step
                ends.append(ENGINE.log_likelihood(data, p | {name: moved}, Numpy).sum())
            assert d.flat[i] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5, abs=1e-4), (name, i)


def test_the_pymc_model_states_the_same_density() -> None:
    from medpsy.inference.density import Density
    from medpsy.inference.pymc_model import build
    from pymc_density import density_function

    text = "m ~ x\ny ~ m + c"
    data = bind(mp.Model(text, families={"m": "ordinal", "y": "ordinal_probit"}).composed, answers(30))
    compiled, space = Density(data, Regressions(data)), Unconstrained(data.parameters)
    pymc = density_function(build(data, ENGINE), space.slots)
    rng, offsets = np.random.default_rng(5), []
    for scale in (0.2, 1.0, 2.0):
        u = scale * rng.standard_normal(space.size)
        (one, slope), (other, own) = pymc(u), compiled.value_and_gradient(u)
        np.testing.assert_allclose(own, slope, rtol=1e-6, atol=1e-8 * np.abs(slope).max())
        offsets.append(one - other)
    np.testing.assert_allclose(offsets, offsets[0], rtol=1e-8, atol=1e-6)


@pytest.mark.parametrize("name", LINKS)
def test_modes_at_flat_priors_are_maximum_likelihood_of_ordered_regression(name: str) -> None:
    """The slow twin climbs the likelihood of slopes, first threshold and log distances in raw units."""
    held = answers()
    model = mp.Model("y ~ x + c + number", families={"y": name}, priors=FLAT)
    table = around_mode(model, held, draws=1).summary()
    v = held.variables
    design = np.column_stack([v["x"], v["c"], v["number"]])
    y = v["y"].astype(int)

    def minus(b: np.ndarray) -> float:
        cut = np.array([-np.inf, b[3], b[3] + np.exp(b[4]), np.inf])
        eta = design @ b[:3]
        below, above = LINKS[name].cdf(cut[y] - eta), LINKS[name].cdf(cut[y + 1] - eta)
        return float(-np.log(np.maximum(above - below, 1e-300)).sum())

    best = optimize.minimize(minus, [0, 0, 0, 0, 0], method="BFGS", options={"gtol": 1e-6}).x
    found = table.set_index("rhs")["mean"]
    np.testing.assert_allclose(found[["x", "c", "number"]], best[:3], rtol=0.01, atol=2e-3)
    np.testing.assert_allclose(
        found[["t1", "t2"]], [best[3], best[3] + np.exp(best[4])], rtol=0.01, atol=0.02
    )
    # A threshold carries the name of the category that it opens.
    assert list(table.loc[table.section == "Thresholds", "label"]) == ["mid", "high"]


def test_an_ordinal_mediator_carries_its_difference_in_score() -> None:
    """With a linear outcome the natural indirect effect is b times the difference in expected score."""
    held = answers()
    model = mp.Mediation("x", mp.Observed("m", "ordinal"), "number", covariates=["c"])
    fit = around_mode(model, held, draws=1, copies=150)
    p = {name: v[0] for name, v in fit.result.tree["posterior"].data_vars.items()}
    path = dict(zip(p["coefficient"]["regression"].to_numpy(), p["coefficient"].to_numpy()[0], strict=True))
    x, c = held.variables["x"], held.variables["c"]
    cut, score = p["threshold_m"].to_numpy()[0], []
    for at in (9.0, 11.0):
        eta = path["m~x"] * (at - x.mean()) + path["m~c"] * (c - c.mean())
        score.append(stats.logistic.cdf(eta[:, None] - cut).sum(1).mean())
    table = fit.natural_effects(9.0, 11.0, draws=150).set_index("effect")["mean"]
    assert table["natural indirect"] == pytest.approx(path["number~m"] * (score[1] - score[0]), abs=0.006)
    assert table["natural direct"] == pytest.approx(2 * path["number~x"], abs=1e-9)
    assert any("natural indirect effect on number through m" in text for text in fit.sentences())


def test_natural_effects_on_an_ordinal_outcome_are_sums_over_categories() -> None:
    held = answers()
    model = mp.Mediation("x", mp.Observed("m", "ordinal"), mp.Observed("y", "ordinal"))
    fit = around_mode(model, held, draws=1, copies=200)
    tree = fit.result.tree["posterior"]
    b = dict(zip(tree["regression"].to_numpy(), tree["coefficient"].to_numpy()[0, 0], strict=True))
    cut = {name: tree[f"threshold_{name}"].to_numpy()[0, 0] for name in ("m", "y")}
    mean = held.variables["x"].mean()

    def shares(name: str, eta: float) -> np.ndarray:
        return np.diff(stats.logistic.cdf(np.concatenate([[-np.inf], cut[name], [np.inf]]) - eta))

    def chance(x: float, at: float) -> np.ndarray:
        """Probabilities of the outcome under x, the mediator as it is under ``at``."""
        m = shares("m", b["m~x"] * (at - mean))
        y = [shares("y", b["y~m"] * k + b["y~x"] * (x - mean)) for k in range(4)]
        return m @ np.array(y)

    moved, stayed = chance(12, 12), chance(12, 8)
    table = fit.natural_effects(8, 12, draws=200)
    assert table.attrs["scale"] == "score"
    found = table.set_index("effect")["mean"]
    assert found["natural indirect"] == pytest.approx((moved - stayed) @ np.arange(3), abs=0.006)
    assert found["total"] == pytest.approx((moved - chance(8, 8)) @ np.arange(3), abs=0.006)
    table = fit.natural_effects(8, 12, category="high", draws=200)
    assert (table.attrs["scale"], table.attrs["category"]) == ("probability", "high")
    assert table["mean"][1] == pytest.approx((moved - stayed)[2], abs=0.004)
    ratio = fit.mediational_e_value(8, 12, category="high", draws=200).set_index("effect")["ratio"]
    assert ratio["natural indirect"] == pytest.approx(moved[2] / stayed[2], abs=0.02)
    with pytest.raises(SpecError, match="'huge' is no category of 'y'"):
        fit.natural_effects(8, 12, category="huge")
    with pytest.raises(SpecError, match="has no risk ratio"):
        fit.mediational_e_value(8, 12)


def test_products_along_an_ordinal_mediator_are_refused_and_the_right_estimand_named() -> None:
    with pytest.raises(SpecError, match="is ordinal: that is no indirect effect") as refused:
        mp.Model("m ~ a*x\ny ~ b*m + c*x\nindirect := a*b", families={"m": "ordinal"})
    assert "natural_effects()" in refused.value.hint
    # Into an ordinal outcome products are effects on the latent response, in logits.
    model = mp.Mediation("x", "m", mp.Observed("y", "ordinal"))
    assert {"indirect", "direct", "total"} == {d.name for d in model.spec.definitions}
    held = answers(200)
    fit = around_mode(mp.Mediation("x", "number", mp.Observed("y", "ordinal")), held, draws=4)
    said = "The indirect effect of x on y (in logits of the latent response) through number is"
    assert any(text.startswith(said) for text in fit.sentences())


def test_categories_come_from_levels_items_and_whole_numbers() -> None:
    codes = np.array([[0, 4], [3, 1], [-1, 2], [2, 2], [1, 0], [3, 3]], dtype=np.int8)
    held = survey({"x": np.arange(6.0), "number": [2, 3, 3, 5, np.nan, 2], "rating": [1, 1, 2, 1, 2, 2]})
    modules = (Module("q", ("q1",), (1, 2, 3, 4)), Module("r", ("r1",), (0, 1, 2, 3, 4), reverse=("r1",)))
    variables = (Variable("x"), Variable("number"), Variable("rating", minimum=1, maximum=7))
    held = replace(held, instrument=Instrument(modules, variables), codes=codes)
    families = dict.fromkeys(("q1", "r1", "number", "rating"), "ordinal")
    text = "q1 ~ x\nr1 ~ x\nnumber ~ x\nrating ~ x"
    data = bind(mp.Model(text, families=families).composed, held)
    layout = data.layout
    about = dict(zip(layout.nodes, zip(layout.categories, layout.centre, strict=True), strict=True))
    assert about["q1"] == (("1", "2", "3", "4"), 1.0)
    assert about["r1"] == (("4", "3", "2", "1", "0"), 0.0)
    assert about["number"] == (("2", "3", "4", "5"), 2.0)
    assert about["rating"] == (tuple("1234567"), 1.0)
    assert np.isnan(data.observed[2, layout.nodes.index("q1")])
    np.testing.assert_array_equal(data.observed[:4, layout.nodes.index("number")], [0, 1, 1, 3])


def test_what_is_no_ordinal_variable_is_refused_with_the_cure() -> None:
    held = answers(50)
    with pytest.raises(SpecError, match="'m' is a category with 4 levels, which is no number") as refused:
        bind(mp.Model("m ~ x").composed, held)
    assert 'families={"m": "ordinal"}' in refused.value.hint
    with pytest.raises(DataError, match="'number' is modelled as ordinal and holds the value"):
        bind(mp.Model("number ~ x", families={"number": "ordinal"}).composed, held)
    wide = survey({"x": np.arange(90.0), "y": np.arange(90.0)})
    with pytest.raises(DataError, match="runs from 0 to 89"):
        bind(mp.Model("y ~ x", families={"y": "ordinal"}).composed, wide)


def test_the_model_file_simulates_its_truth_and_the_mode_recovers_it() -> None:
    model = mp.load_model(Path(__file__).parents[1] / "models" / "mediation-ordinal.toml")
    made = model.simulate(n=4000, seed=2)
    shares = np.bincount(made.variables["health"], minlength=5) / 4000
    np.testing.assert_allclose(shares, [0.1, 0.2, 0.35, 0.25, 0.1], atol=0.03)
    fit = around_mode(model, made, draws=200)
    table = fit.summary().query("section == 'Paths'").set_index(["lhs", "rhs"])
    true = {("sleep", "stress"): -0.8 / 6, ("health", "sleep"): 0.6, ("health", "stress"): -0.3 / 6}
    for place, value in true.items():
        assert abs(table.loc[place, "mean"] - value) < 4 * table.loc[place, "sd"]
    # New answers from the fit stay in the categories.
    assert set(fit.simulate(1).variables["health"]) <= set(range(5))
    frame = made.variables["sleep"]
    assert np.abs(np.bincount(fit.simulate(2).variables["sleep"]) - np.bincount(frame)).max() < 150
