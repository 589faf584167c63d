"""Binary and counted mediators: natural effects against sums over their values, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import poisson

import medpsy as mp
from mediation_cases import FLAT, around_mode, survey
from medpsy.errors import SpecError
from medpsy.posterior.e_value import e_value
from medpsy.spec.syntax import parse_model

N = 1500
#: FLAT without the sd of residuals, which a model of counts and binary variables does not have.
WIDE = {name: text for name, text in FLAT.items() if name != "residual_sd"}


def logistic(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def answers(seed: int = 2):  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(seed)
    x, c = rng.normal(size=(2, N))
    m = (rng.random(N) < logistic(-0.3 + 0.9 * x + 0.4 * c)).astype(float)
    k = rng.poisson(np.exp(0.2 + 0.4 * x)).astype(float)
    y = 0.7 * m + 0.3 * x + 0.2 * c + rng.normal(size=N)
    passed = (rng.random(N) < logistic(-1 + 0.4 * k + 0.3 * x)).astype(float)
    return survey({"x": x, "c": c, "m": m, "k": k, "y": y, "passed": passed}), x, c


def by_name(fit: mp.Fit) -> dict[str, float]:
    """Coefficients and intercepts of the only draw; no variable has been moved or stretched but x and c."""
    posterior = fit.tree["posterior"]
    path = posterior["path"].to_numpy()[0, 0]
    names = [c.name for c in fit.result.data.layout.coefficients]
    out = dict(zip(names, path, strict=True))
    intercept = posterior["intercept"].to_numpy()[0, 0]
    return out | {f"{n}~1": v for n, v in zip(posterior["intercept_of"].to_numpy(), intercept, strict=True)}


def test_a_binary_mediator_carries_its_difference_in_probability() -> None:
    held, x, c = answers()
    fit = around_mode(mp.Mediation("x", mp.Observed("m", "bernoulli"), "y", covariates=["c"], priors=FLAT),
                      held, 1, copies=150)  # fmt: skip
    p, layout = by_name(fit), fit.result.data.layout
    z = (c - c.mean()) / c.std()
    at = [(value - x.mean()) / x.std() for value in (0.0, 1.0)]
    prob = [logistic(p["m~1"] + p["m~x"] * v + p["m~c"] * z).mean() for v in at]
    unit = layout.unit[layout.nodes.index("y")]
    table = fit.natural_effects(0.0, 1.0, draws=150).set_index("effect")["mean"]
    assert table["natural indirect"] == pytest.approx(p["y~m"] * unit * (prob[1] - prob[0]), abs=0.004)
    assert table["natural direct"] == pytest.approx(p["y~x"] * unit * (at[1] - at[0]), abs=1e-9)
    assert 0.08 < table["natural indirect"] < 0.22  # .7 times about a fifth
    assert any("natural indirect effect on y through m" in text for text in fit.sentences())


def test_a_counted_mediator_of_a_binary_outcome_is_summed_over_its_values() -> None:
    held, x, _ = answers()
    fit = around_mode(
        mp.Mediation("x", mp.Observed("k", "poisson"), mp.Observed("passed", "bernoulli"), priors=WIDE),
        held, 1, copies=150,
    )  # fmt: skip
    p = by_name(fit)
    at = [(value - x.mean()) / x.std() for value in (0.0, 1.0)]
    values = np.arange(60)
    share = [poisson.pmf(values, np.exp(p["k~1"] + p["k~x"] * v)) for v in at]
    chance = [logistic(p["passed~1"] + p["passed~k"] * values + p["passed~x"] * v) for v in at]
    e00, e10, e11 = share[0] @ chance[0], share[0] @ chance[1], share[1] @ chance[1]
    table = fit.natural_effects(0.0, 1.0, draws=150).set_index("effect")["mean"]
    assert table["natural indirect"] == pytest.approx(e11 - e10, abs=0.004)
    assert table["natural direct"] == pytest.approx(e10 - e00, abs=0.004)
    ratios = fit.mediational_e_value(0.0, 1.0, draws=150).set_index("effect")
    assert ratios.loc["natural indirect", "ratio"] == pytest.approx(e11 / e10, abs=0.01)
    assert ratios.loc["natural indirect", "e_value"] == pytest.approx(e_value(e11 / e10), abs=0.05)


def test_e_values_are_those_of_the_formula() -> None:
    assert e_value(2.0) == pytest.approx(2 + np.sqrt(2))
    assert e_value(0.5) == pytest.approx(2 + np.sqrt(2))
    assert e_value(1.0) == 1.0


def test_natural_effects_can_be_asked_for_at_values_of_covariates() -> None:
    held, x, c = answers()
    fit = around_mode(mp.Mediation("x", mp.Observed("m", "bernoulli"), "y", covariates=["c"], priors=FLAT),
                      held, 1, copies=100)  # fmt: skip
    p, layout = by_name(fit), fit.result.data.layout
    at = [(value - x.mean()) / x.std() for value in (0.0, 1.0)]
    z = (2.0 - c.mean()) / c.std()
    prob = [logistic(p["m~1"] + p["m~x"] * v + p["m~c"] * z) for v in at]
    table = fit.natural_effects(0.0, 1.0, at={"c": 2.0}, draws=100).set_index("effect")["mean"]
    unit = layout.unit[layout.nodes.index("y")]
    assert table["natural indirect"] == pytest.approx(p["y~m"] * unit * (prob[1] - prob[0]), abs=0.004)
    with pytest.raises(SpecError, match="explained by the model and cannot be set"):
        fit.natural_effects(0.0, 1.0, at={"m": 1.0})


def test_the_linear_formula_is_refused_and_the_right_estimand_named() -> None:
    families = {"m": "bernoulli"}
    with pytest.raises(SpecError, match="that is no indirect effect") as refused:
        mp.Model("m ~ a*x\ny ~ b*m + c*x\nindirect := a*b", families=families)
    assert "natural_effects()" in refused.value.hint
    with pytest.raises(SpecError, match="total := step"):
        mp.Model("m ~ a*x\ny ~ b*m + c*x\nstep := 2*a\ntotal := step*b + c", families=families)
    model = mp.Mediation("x", mp.Observed("m", "bernoulli"), "y")
    assert [d.name for d in model.spec.definitions] == ["direct"]
    assert mp.Model("m ~ a*x\ny ~ b*m + c*x\ndirect := c", families=families) == model
    # A linear mediator beside it keeps its product.
    both = mp.Mediation("x", [mp.Observed("m", "bernoulli"), "k"], "y")
    assert {"indirect_k", "direct"} == {d.name for d in both.spec.definitions}


def test_what_rests_on_products_says_so() -> None:
    held, *_ = answers()
    fit = around_mode(mp.Mediation("x", mp.Observed("m", "bernoulli"), "y", priors=FLAT), held, 2)
    for ask, message in (
        (fit.conditional, "is no indirect effect"), (fit.tipping_points, "its residual has no correlation"),
        (fit.stability_grid, "normal residuals"),
    ):  # fmt: skip
        with pytest.raises(SpecError, match=message):
            ask()
    with pytest.raises(SpecError, match="has no risk ratio"):
        fit.mediational_e_value()


def test_the_report_has_natural_effects_and_says_what_is_absent() -> None:
    from medpsy.report.sections import gather

    held, *_ = answers()
    fit = around_mode(
        mp.Mediation("x", mp.Observed("m", "bernoulli"), mp.Observed("passed", "bernoulli"), priors=WIDE),
        held,
        4,
    )
    parts = gather(fit.result, interval=0.9)
    assert len(parts["natural_effects"]["effects"]) == 1 and len(parts["natural_effects"]["e_values"]) == 1
    assert any(
        text.startswith("Tipping points: 'm' is binary") for text in parts["mediation_limits"]["absent"]
    )


def test_text_and_design_agree_on_effects_without_products() -> None:
    spec = parse_model(
        "k ~ a*x\npassed ~ b*k + c*x\ndirect := c", families={"k": "poisson", "passed": "bernoulli"}
    )
    assert mp.Model(spec).spec.design is not None
