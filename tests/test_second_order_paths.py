"""A second-order construct with paths of its own: outcome, exposure, mediator; against formulas written by
hand.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import multivariate_normal

import medpsy as mp
from medpsy.bind import bind
from medpsy.engines.base import choose, engines
from medpsy.engines.conditional import node_values
from medpsy.errors import SpecError
from medpsy.model import compose
from medpsy.ops import Numpy
from medpsy.spec.syntax import parse_model
from numeric_cases import bound, measured, survey, values_at

OUTCOME = "\ng =~ m + y + v\ng ~ c*x + age"


def by_name(data, p):  # type: ignore[no-untyped-def]
    return dict(zip([c.name for c in data.layout.coefficients], p["path"], strict=True))


def test_gaussian_items_have_the_covariance_that_the_equations_say() -> None:
    data = bound(measured("x", "m", "y", "v", family="gaussian") + OUTCOME, survey(20), family="gaussian")
    p = values_at(data, 3)
    engine, _ = choose(data)
    assert engine.name == "gaussian"
    path = by_name(data, p)
    gamma = np.array([path["m~g"], path["y~g"], path["v~g"]])
    assert gamma[0] > 0
    age = data.design[:, 1]
    g_mean = path["g~age"] * age
    c = path["g~x"]
    # x, then m, y, v: x ~ N(0, 1), g = c x + age + e, each part = gamma g + e.
    latent = np.eye(4)
    latent[0, 1:] = latent[1:, 0] = c * gamma
    latent[1:, 1:] = (c**2 + 1) * np.outer(gamma, gamma) + np.eye(3)
    names = ["x", "m", "y", "v"]
    blocks = {b.name: b for b in data.blocks}
    lam = np.zeros((12, 4))
    nu, theta = np.zeros(12), np.zeros(12)
    for k, name in enumerate(names):
        rows = slice(3 * k, 3 * k + 3)
        lam[rows, k], nu[rows] = p[f"loading_{name}"], p[f"intercept_{name}"]
        theta[rows] = p[f"residual_sd_{name}"] ** 2
    y = np.column_stack([blocks[name].values for name in names])
    mean = nu + np.outer(g_mean, np.concatenate([[0.0], gamma])) @ lam.T
    covariance = lam @ latent @ lam.T + np.diag(theta)
    got = engine.log_likelihood(data, p, Numpy)
    for i in range(data.n_person):
        at = np.flatnonzero(~np.isnan(y[i]))
        expected = (
            multivariate_normal(mean[i, at], covariance[np.ix_(at, at)]).logpdf(y[i, at]) if at.size else 0
        )
        assert got[i] == pytest.approx(expected, rel=1e-9, abs=1e-9)
    value, gradient = engine.compiled(data, None).value_and_gradient(p)
    assert value == pytest.approx(got.sum())
    for k in range(len(p["path"])):
        step = 1e-6 * np.eye(len(p["path"]))[k]
        ahead, behind = (
            engine.log_likelihood(data, {**p, "path": p["path"] + sign * step}, Numpy).sum()
            for sign in (1, -1)
        )
        assert gradient["path"][k] == pytest.approx((ahead - behind) / 2e-6, rel=1e-5, abs=1e-6)


def test_sampled_persons_follow_the_equations() -> None:
    data = bound(measured("x", "m", "y", "v") + OUTCOME, survey(20))
    p = values_at(data, 4)
    assert choose(data)[0].name == "layered"
    engine, _ = choose(data, "conditional")
    assert engine.person_normals(data) == 5  # one for the construct without items
    latent = [n for n, f in zip(data.layout.nodes, data.layout.families, strict=True) if f == "latent"]
    z = np.random.default_rng(1).standard_normal((20, 5))
    own = dict(zip(latent, z.T, strict=True))
    path = by_name(data, p)
    g = path["g~x"] * own["x"] + path["g~age"] * data.design[:, 1] + own["g"]
    expected = {"x": own["x"]} | {k: path[f"{k}~g"] * g + own[k] for k in ("m", "y", "v")}
    got = node_values(data, z, p)
    for d, block in enumerate(data.blocks):
        np.testing.assert_allclose(got[:, d], expected[block.name], rtol=1e-12, atol=1e-12)
    assert np.isfinite(engine.log_likelihood(data, p | {"z": z}, Numpy)).all()


def test_mediation_with_a_second_order_outcome_is_one_model_in_three_forms() -> None:
    parts = [mp.GradedResponse(n, f"{n}1..{n}3") for n in ("m", "y", "v")]
    x, u = mp.GradedResponse("x", "x1..x3"), mp.GradedResponse("u", "u1..u3")
    model = mp.Mediation(x, [u], mp.SecondOrder("g", ("m", "y", "v")), constructs=parts)
    assert model.spec.design is not None and model.spec.design.outcome == "g"
    assert "g =~ m + y + v" in model.syntax and "m ~ g" not in model.syntax
    assert mp.Model(model.syntax) == model
    fewer = mp.Mediation(mp.SecondOrder("g", ("m", "y", "v")), [u], x, constructs=parts)
    assert mp.Model(fewer.syntax) == fewer


def test_effects_on_a_second_order_outcome_are_those_of_its_paths() -> None:
    from hand_made import result

    # The made survey has three constructs with ordinal items and three numbers.
    text = "x =~ x1..x3\nm =~ m1..m3\ny =~ y1..y3\nh =~ x + m + y\nh ~ c*age\ngrade ~ b*h"
    fitted = result(text, chains=1, draws=5)
    path = fitted.tree["posterior"]["coefficient"].to_numpy()[0]
    names = [c.name for c in fitted.data.layout.coefficients]
    from medpsy.posterior.conditional import conditional

    table = conditional(fitted, exposure="age", outcome="grade")
    expected = path[:, names.index("h~age")] * path[:, names.index("grade~h")]
    assert table.set_index("effect")["mean"]["indirect"] == pytest.approx(expected.mean())


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("\nm ~ x", "explained by it and by covariates alone|with paths of its own and m ~ x"),
        ("\nu =~ u1..u3\nu ~ m", "with paths of its own and u ~ m"),
        ("\nm ~~ y", "with paths of its own and m ~~ y"),
    ],
)
def test_what_contradicts_the_second_order_is_refused(more: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        compose(parse_model(measured("x", "m", "y", "v") + OUTCOME + more))


def test_the_file_simulates_itself_and_persons_are_integrated_out() -> None:
    file = Path(__file__).parents[1] / "models" / "internalisation.toml"
    model = mp.load_model(file)
    answers = model.simulate(n=200, seed=5)
    data = bind(model.composed, answers)
    assert data.cells is not None and choose(data)[0].name == "layered"
    assert engines()["conditional"].person_normals(data) == 6
