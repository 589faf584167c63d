"""What priors say about reliability: known cases, and the posterior on the same scale."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

import hand_made
import made_up
from medpsy.api.fits import Fit
from medpsy.api.models import Model
from medpsy.errors import DataError, SpecError
from medpsy.plots.prior_reliability import prior_reliability as drawn
from medpsy.posterior.prior_reliability import prior_reliability, prior_reliability_draws
from medpsy.report.sections import prior_reliability as section


def test_priors_that_fix_the_model_fix_its_omega() -> None:
    priors = {"loading": "LogNormal(-0.5, 1e-6)", "residual_sd": "LogNormal(-0.3, 1e-6)"}
    data = hand_made.result("f =~ n1 + n2 + n3", families={"f": "gaussian"}, priors=priors, draws=5).data
    unit = data.blocks[0].unit
    true = (np.exp(-0.5) * unit.sum()) ** 2
    noise = np.exp(-0.6) * (unit**2).sum()
    assert prior_reliability_draws(data, draws=20)["f"] == pytest.approx(true / (true + noise), rel=1e-4)


def test_steeper_slopes_promise_more_reliability() -> None:
    def expected(slope: str) -> float:
        data = hand_made.result("x =~ x1..x3", priors={"slope": slope}, draws=5).data
        return float(prior_reliability(data, draws=100)["mean"].iloc[0])

    assert expected("LogNormal(1, 0.2)") > expected("LogNormal(0, 0.2)") + 0.1 > 0.2


def test_table_and_public_verbs() -> None:
    model = Model("x =~ x1..x3\ny =~ y1..y3")
    table = model.prior_reliability(hand_made.survey(), draws=60, seed=4)
    assert list(table.columns) == ["construct", "mean", "lower", "median", "upper", "p_above_080"]
    assert table["construct"].tolist() == ["x", "y"]
    assert (table["lower"] < table["median"]).all() and (table["median"] < table["upper"]).all()
    again = model.prior_reliability(hand_made.survey(), draws=60, seed=4)
    assert again.equals(table)
    with pytest.raises(SpecError, match="draws = 0"):
        model.prior_reliability(hand_made.survey(), draws=0)


def test_figure_and_section_show_prior_and_posterior() -> None:
    result = hand_made.result("x =~ x1..x3", draws=20)
    fit = Fit(result)
    fit.__dict__["gate"] = type("Gate", (), {"trusted": True, "reasons": []})()
    assert isinstance(fit.plot_prior_reliability(), Figure)
    built = section.build(made_up.context(parts={"prior_reliability": section.gather(result, 0.95)}))
    assert built is not None and "x: prior median" in built.blocks[0].caption  # type: ignore[union-attr]
    assert section.build(made_up.context(parts={})) is None
    with pytest.raises(DataError, match="no construct"):
        drawn({})
