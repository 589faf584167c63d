"""Common method variance: the method factor by hand, the estimates by hand, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

import hand_made
import medpsy as mp
from group_cases import drawn
from medpsy.bind import bind
from medpsy.latent.base import system
from medpsy.model import compose
from medpsy.ops import Numpy
from medpsy.plots.with_without import with_without
from medpsy.posterior.common_method import (
    HYPOTHESISED,
    METHOD,
    MethodFits,
    _linear,
    as_numbers,
    estimates,
    hypothesised_terms,
    method_share,
    with_method_factor,
)
from medpsy.posterior.draws import thinned
from medpsy.posterior.judging.method_tables import method_tables
from medpsy.report.context import Context
from medpsy.report.sections import common_method as section
from medpsy.result import Result
from medpsy.spec.linear import completed
from medpsy.spec.model_spec import ModelSpec
from medpsy.survey.instrument import Instrument, Variable
from medpsy.survey.survey import Survey

ITEMS = tuple(f"{name}{j}" for name in "xmy" for j in (1, 2, 3))


def specification() -> ModelSpec:
    return mp.Model(hand_made.MEDIATION).spec


def at_priors(spec: ModelSpec, survey: Survey, draws: int = 40) -> Result:
    """A result with draws of the priors."""
    return drawn(bind(compose(spec), survey), survey, draws=draws)


@pytest.fixture(scope="module")
def made() -> MethodFits:
    """The three models at draws of their priors; x2 is turned."""
    spec = specification()
    numbers, turned = as_numbers(spec, hand_made.survey(60))
    results = {
        HYPOTHESISED: at_priors(_linear(hypothesised_terms(spec), spec), numbers),
        METHOD: at_priors(with_method_factor(spec, ITEMS, ("method", "mirror"), turned, "equal"), numbers),
    }
    return MethodFits(results, ("x", "m", "y"), ITEMS, "method", turned, "mirror")


def implied(result: Result) -> tuple[np.ndarray, dict[str, int], Any]:
    """Covariance (draw, node, node) of all variables without covariates, places of the nodes, B."""
    data, p = result.data, thinned(result, 1000)
    eq = data.model.structure.equations(p, data.layout, Numpy)
    _, chol = system(eq, data.layout, Numpy)
    return chol @ np.swapaxes(chol, -1, -2), {n: i for i, n in enumerate(data.layout.nodes)}, eq


def test_items_go_in_as_the_construct_reads_them_and_turned_ones_are_known() -> None:
    survey = hand_made.survey(30)
    numbers, turned = as_numbers(specification(), survey)
    assert turned == ("x2",) and numbers.instrument.modules == ()
    codes = survey.codes[:, survey.instrument.items.index("x2")]
    expected = np.where(codes < 0, np.nan, codes + 1.0)
    np.testing.assert_allclose(numbers.variables["x2"], expected)
    assert "sex" in [v.name for v in numbers.instrument.variables]


def test_items_of_several_answer_scales_are_standardised() -> None:
    survey = hand_made.survey(50)
    last = replace(survey.instrument.modules[-1], codes=(0, 1, 2, 3))
    mixed = replace(
        survey, instrument=replace(survey.instrument, modules=(*survey.instrument.modules[:-1], last))
    )
    numbers, _ = as_numbers(specification(), mixed)
    for item in ITEMS:
        assert np.nanmean(numbers.variables[item]) == pytest.approx(0, abs=1e-12)
        assert np.nanstd(numbers.variables[item]) == pytest.approx(1)


def test_method_factor_adds_the_same_covariance_to_all_pairs_turned_ones_negative(made: MethodFits) -> None:
    result = made.results[METHOD]
    covariance, place, eq = implied(result)
    unit = np.array([result.data.layout.unit[place[item]] for item in ITEMS])
    sign = np.where(np.array(ITEMS) == "x2", -1.0, 1.0)
    latent = [place[name] for name in "xmy"]
    own = [place[item] for item in ITEMS]
    load = eq.b[:, own][:, :, latent]
    phi = covariance[:, latent][:, :, latent]
    plain = load @ phi @ np.swapaxes(load, -1, -2)
    rest = covariance[:, own][:, :, own] - plain
    rest = rest * np.outer(unit, unit)  # raw units, in which the loadings are equal
    off = ~np.eye(9, dtype=bool)
    shared = rest[:, 0, 2]
    assert (shared > 0).all()
    expected = shared[:, None, None] * np.outer(sign, sign)
    np.testing.assert_allclose(rest[:, off], expected[:, off], rtol=1e-8, atol=1e-12)


def test_method_factor_is_uncorrelated_with_what_nothing_explains(made: MethodFits) -> None:
    covariance, place, _ = implied(made.results[METHOD])
    np.testing.assert_allclose(covariance[:, place["method"], [place[n] for n in "xmy"]], 0, atol=1e-12)
    np.testing.assert_allclose(covariance[:, place["method"], place["mirror"]], -1, atol=1e-9)


def test_estimates_are_standardised_by_hand(made: MethodFits) -> None:
    for result in made.results.values():
        covariance, place, eq = implied(result)
        found = estimates(result, ("x", "m", "y"))
        x, m, y = (place[name] for name in "xmy")
        sd = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
        a = eq.b[:, m, x] * sd[:, x] / sd[:, m]
        b, c = eq.b[:, y, m] * sd[:, m] / sd[:, y], eq.b[:, y, x] * sd[:, x] / sd[:, y]
        np.testing.assert_allclose(found["path", "x -> m"], a)
        np.testing.assert_allclose(found["correlation", "x ~~ m"], a, rtol=1e-9)
        np.testing.assert_allclose(found["correlation", "x ~~ y"], c + a * b, rtol=1e-9)
        np.testing.assert_allclose(found["effect", "indirect"], a * b, rtol=1e-9)
        np.testing.assert_allclose(found["effect", "total"], a * b + c, rtol=1e-9)


def test_shares_are_squared_standardised_loadings(made: MethodFits) -> None:
    covariance, place, eq = implied(made.results[METHOD])
    shares = method_share(made)
    for item, factor in (("x1", "method"), ("x2", "mirror"), ("y3", "method")):
        load = eq.b[:, place[item], place[factor]]
        np.testing.assert_allclose(shares[item], load**2 / covariance[:, place[item], place[item]])
    assert set(shares) == set(ITEMS)


def test_tables_figure_and_section(made: MethodFits) -> None:
    found = method_tables(made)
    assert found.names == ("estimates", "models", "method", "first_factor")
    rows = found["estimates"].set_index("quantity")
    assert rows.loc["indirect", "change"] == pytest.approx(
        rows.loc["indirect", "with_mean"] - rows.loc["indirect", "mean"]
    )
    assert list(found["models"]["model"]) == [HYPOTHESISED, METHOD]
    assert found["method"]["item"].iloc[-1] == "all items" and len(found["method"]) == 10
    assert 0 < found["first_factor"]["share"].iloc[0] < 1
    assert any("no proof of its absence" in note for note in found.notes)
    assert isinstance(with_without(found["estimates"]), Figure)
    built = section.build(Context("fit", parts={"common_method": section.Part(found=found)}))
    assert built is not None and len(built.blocks) >= 5
    assert section.gather(made.results[HYPOTHESISED], 0.95) is None


def test_small_loadings_are_free_and_shrunk() -> None:
    model = with_method_factor(specification(), ITEMS, ("method", "mirror"), ("x2",), "small")
    table = compose(model).table
    targets = [row.target for row in table.rows if row.lhs == "method" and row.op == "=~" and row.free]
    assert len(targets) == 9
    assert completed(model) == model or model.linear is not None


@pytest.mark.parametrize(
    "text, said",
    [
        ("x =~ x1..x3\nm =~ m1..m3\nm ~ x + sex + x:sex", "paths that change with another variable"),
        ("x =~ x1..x2", "no construct with three items"),
        ("x =~ x1..x3\nx ~ sex\npassed ~ x", "family 'bernoulli'"),
    ],
)
def test_models_that_are_not_linear_are_refused(text: str, said: str) -> None:
    families = {"passed": "bernoulli"} if "passed" in text else None
    model = mp.Model(text, families=families) if families else mp.Model(text)
    with pytest.raises(mp.SpecError, match=said):
        mp.common_method(hand_made.survey(), model)


def test_what_is_no_survey_and_constant_items_are_refused() -> None:
    with pytest.raises(mp.DataError, match="not as a Survey"):
        mp.common_method([1, 2], hand_made.MEASURED)  # type: ignore[arg-type]
    with pytest.raises(mp.SpecError, match="no method loadings"):
        mp.common_method(hand_made.survey(), hand_made.MEASURED, loadings="big")
    survey = hand_made.survey()
    survey.codes[:, 0] = 1
    with pytest.raises(mp.DataError, match="'x1' is constant"):
        mp.common_method(survey, hand_made.MEASURED)


def simulated(n: int, method: float, seed: int = 1) -> Survey:
    """Two constructs that correlate .3, four items each, and a method on all items."""
    rng = np.random.default_rng(seed)
    score = rng.multivariate_normal([0, 0], [[1, 0.3], [0.3, 1]], n)
    load = np.array([0.9, 0.7, 0.5, 0.8])
    y = np.repeat(score, 4, axis=1) * np.tile(load, 2) + method * rng.normal(size=(n, 1))
    y += 0.6 * rng.normal(size=(n, 8))
    names = [f"{c}{j}" for c in "ab" for j in range(1, 5)]
    values = {name: y[:, j] for j, name in enumerate(names)}
    instrument = Instrument((), tuple(Variable(name) for name in names))
    return Survey(instrument, np.array([f"p{i}" for i in range(n)]), np.empty((n, 0), dtype=np.int8), values)


@pytest.mark.slow
def test_a_method_inflates_the_correlation_and_two_constructs_can_hardly_tell() -> None:
    text = "a =~ a1..a4\nb =~ b1..b4"
    found = mp.common_method(simulated(800, 0.5), text, seed=2, draws=400, chains=2, progress=False)
    row = found["estimates"].iloc[0]
    assert row["mean"] > 0.4 and row["with_mean"] < row["mean"]
    assert row["with_upper"] - row["with_lower"] > 2 * (row["upper"] - row["lower"])
    assert found["method"]["mean"].iloc[-1] > 0.1
    assert any("hardly more than a guess" in note for note in found.notes)
