"""The other five orders, and the assumptions in words."""

from __future__ import annotations

import numpy as np
import pytest

from hand_made import MEASURED, MEDIATION, WITH_SEX, cholesky, result
from medpsy.errors import SpecError
from medpsy.posterior.orders import assumptions, orders


def test_six_orders_are_regressions_on_the_same_correlations() -> None:
    r = {frozenset("xm"): 0.4, frozenset("xy"): 0.3, frozenset("my"): 0.5}
    table = orders(result(MEDIATION, {"correlation_chol": cholesky(0.4, 0.3, 0.5)}))
    assert table is not None and len(table) == 6
    for row in table.to_dict("records"):
        x, m, y = row["exposure"], row["mediator"], row["outcome"]
        predictors = np.array([[1, r[frozenset((x, m))]], [r[frozenset((x, m))], 1]])
        slopes = np.linalg.solve(predictors, [r[frozenset((x, y))], r[frozenset((m, y))]])
        expected = r[frozenset((x, m))] * slopes[1]
        assert [row["indirect_mean"], row["lower"], row["upper"]] == pytest.approx([expected] * 3)
        assert row["order"] == f"{x} -> {m} -> {y}"
    assert list(table["hypothesised"]) == [True] + [False] * 5
    assert table["order"][0] == "x -> m -> y"


def test_the_hypothesised_order_has_the_indirect_effect_of_the_model() -> None:
    fitted = result(WITH_SEX)
    table = orders(fitted, interval=0.5)
    draws = fitted.tree["posterior"]["indirect"].to_numpy().ravel()
    assert table is not None
    assert table["indirect_mean"][0] == pytest.approx(draws.mean())
    assert [table["lower"][0], table["upper"][0]] == pytest.approx(list(np.quantile(draws, (0.25, 0.75))))


@pytest.mark.parametrize(
    "text", ["x =~ x1..x3", MEASURED, MEASURED + "m ~ a*x\ny ~ b*m", MEASURED + "m ~ x\ny ~ x + m"]
)
def test_other_models_have_no_table_of_orders(text: str) -> None:
    assert orders(result(text)) is None


def test_a_mediation_with_priors_on_its_paths_has_no_table_but_says_so() -> None:
    fitted = result(MEDIATION, priors={"path": "Normal(0, 0.3)"})
    assert orders(fitted) is None
    assert "All six orders" in assumptions(fitted)[-1]


def test_assumptions_name_the_variables() -> None:
    said = assumptions(result(WITH_SEX))
    assert said[:4] == [
        "Nothing unmeasured affects both x and y, among persons alike in sex.",
        "Nothing unmeasured affects both m and y among persons alike in sex and x.",
        "Nothing unmeasured affects both x and m, among persons alike in sex.",
        "Nothing that x changes affects both m and y, other than m itself.",
    ]
    assert said[4].startswith("The items of x, m, y measure one thing each")
    assert "same at every level of x" in said[5] and "Maxwell & Cole" in said[6]
    assert said[7].startswith("All six orders of x, m and y have exactly the same likelihood")
    assert "adjusts for no covariate" in assumptions(result())[0]


def test_observed_variables_change_what_is_assumed() -> None:
    text = "m =~ m1..m3\ny =~ y1..y3\nm ~ a*sex\ny ~ b*m + c*sex\n"
    text += "indirect := a*b\ndirect := c\ntotal := a*b + c"
    said = assumptions(result(text))
    assert any("The items of m, y measure" in line for line in said)
    assert any(line.startswith("Measured without error: sex.") for line in said)
    assert said[-1].startswith("sex -> y -> m has exactly the same likelihood as sex -> m -> y")
    binary = text.replace("y =~ y1..y3\n", "").replace("y ~", "passed ~")
    said = assumptions(result(binary, families={"passed": "bernoulli"}))
    assert not any("likelihood" in line for line in said)
    assert any(line.startswith("Measured without error: sex, passed.") for line in said)


def test_other_path_models_have_assumptions_equation_by_equation_and_measurement_models_none() -> None:
    said = assumptions(result(MEASURED + "m ~ a*x + sex\ny ~ b*m"))
    assert said[0].startswith("Nothing outside the model affects both m and any of x, sex")
    assert said[1].startswith("Nothing outside the model affects both y and any of m")
    assert "m does not affect x" in said[-1]
    assert assumptions(result(MEASURED)) == []
    assert assumptions(result(MEASURED + "x ~ sex\nm ~ sex\ny ~ sex")) == []


def test_an_impossible_interval_is_refused() -> None:
    with pytest.raises(SpecError, match="posterior mass"):
        orders(result(), interval=1)
