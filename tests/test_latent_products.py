"""Constructs multiplied with each other: the engine against brute force, its gradient, and sampled
persons.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

import medpsy as mp
from hand_made import result
from medpsy.bind import ModelData, local
from medpsy.engines.base import choose, engines
from medpsy.engines.grid import Grid
from medpsy.engines.product_plan import ProductGrid
from medpsy.errors import SpecError
from medpsy.ops import Numpy
from medpsy.posterior.conditional import conditional
from medpsy.posterior.confounding import tipping
from medpsy.posterior.draws import population, thinned
from medpsy.posterior.moderator_curves import curve
from medpsy.posterior.naive import naive_vs_latent
from medpsy.posterior.scores import scores
from medpsy.simulate.replicate import replicate
from numeric_cases import bound, composed, measured, survey, values_at
from pymc_density import check_one_density

MODERATED = measured("x", "m", "y") + "\ny ~ b*x + d*m + b_m*x:m + age\nx ~ age\nm ~ age"
#: A mediation of constructs whose first path changes with another construct, an observed outcome beside it.
MEDIATED = measured("x", "v", "m") + "\nm ~ a*x + v + a_v*x:v\ngrade ~ b*m + x"
INTERACTION = measured("x", "m", "y") + "\nm ~ a*x\ny ~ b*m + c*x + b_x*m:x + gender"
NUMBERS = {"x": "gaussian", "m": "gaussian", "y": "gaussian"}


def made(
    text: str, *, n: int = 8, seed: int = 4, families: Mapping[str, str] | None = None, **options: object
):  # type: ignore[no-untyped-def]
    data = bound(text, survey(n, **options), families=families)  # type: ignore[arg-type]
    return data, values_at(data, seed)


def grids(data: ModelData, size: int, reach: float = 6.0) -> ProductGrid:
    plan = engines()["products"].settings(data, 5)
    t = np.linspace(-reach, reach, size)
    return ProductGrid(Grid((t,) * len(plan.held.nodes)), Grid((t,) * len(plan.rest.nodes)))


def brute_force(data: ModelData, p: dict[str, np.ndarray], t: np.ndarray) -> np.ndarray:
    """Log-likelihood person by person: products of conditional normals over all nodes of all constructs."""
    layout = data.layout
    coefficient = dict(zip([c.name for c in layout.coefficients], p["path"], strict=True))
    latent = [layout.nodes[i] for i in layout.factors]
    place = {name: i for i, name in enumerate(layout.nodes)}
    shape = (len(t),) * len(latent)
    mesh = dict(zip(latent, np.meshgrid(*([t] * len(latent)), indexing="ij"), strict=True))
    exogenous = [layout.nodes[i] for clique in layout.cliques for i in clique]
    out = np.empty(data.n_person)
    for person in range(data.n_person):
        column = {c.name: data.design[person, i + 1] for i, c in enumerate(layout.columns)}
        value = mesh | {n: data.observed[person, place[n]] for n in layout.nodes if n not in latent}
        total, residual = np.zeros(shape), {}
        for name in layout.nodes:
            if name not in latent and np.isnan(value[name]):
                continue
            mean = (
                p["intercept"][[n for n in layout.nodes if n not in latent].index(name)] * np.ones(shape)
                if (name not in latent)
                else np.zeros(shape)
            )
            for key, slope in coefficient.items():
                target, _, term = key.partition("~")
                if target == name:
                    mean = mean + slope * np.prod(
                        [column[f] if f in column else value[f] for f in term.split(":")], axis=0
                    )
            if name in exogenous:
                residual[name] = value[name] - mean
                continue
            where = [n for n in layout.nodes if n not in latent]
            sd = 1.0 if name in latent else p["residual_sd"][where.index(name)]
            total += -0.5 * ((value[name] - mean) / sd) ** 2 - np.log(sd) - 0.5 * np.log(2 * np.pi)
        if residual:
            chol = p["correlation_chol"]
            stacked = np.stack([residual[n] for n in exogenous], axis=-1)
            white = np.linalg.solve(chol, stacked.reshape(-1, len(exogenous)).T)
            log_density = -0.5 * (white**2).sum(0) - np.log(np.diag(chol)).sum()
            total += (log_density - 0.5 * len(exogenous) * np.log(2 * np.pi)).reshape(shape)
        for block in data.blocks:
            family, own = data.model.families[block.name], local(data, block, p)
            sums = np.zeros(len(t))
            for j, answer in enumerate(block.values[person]):
                if family.categorical and answer >= 0:
                    sums += family.log_prob(t, own, Numpy)[j, answer]
                elif not family.categorical and not np.isnan(answer):
                    sd = own["residual_sd"][j]
                    off = (answer - own["intercept"][j] - own["loading"][j] * t) / sd
                    sums += -0.5 * off**2 - np.log(sd) - 0.5 * np.log(2 * np.pi)
            axes = [1] * len(latent)
            axes[latent.index(block.name)] = len(t)
            total += sums.reshape(axes)
        top = total.max()
        out[person] = top + np.log(np.exp(total - top).sum() * (t[1] - t[0]) ** len(latent))
    return out


CASES = {
    "ordinal, covariates": (MODERATED, None),
    "ordinal, exposure by mediator": (INTERACTION, None),
    "observed outcome": (MEDIATED, None),
    "gaussian": (INTERACTION, NUMBERS),
    "mixed": (MODERATED, {"y": "gaussian"}),
    "held gaussian": (MODERATED, {"m": "gaussian", "x": "gaussian"}),
}


def gaussian_items(text: str, families: Mapping[str, str] | None) -> str:
    for name in families or {}:
        text = text.replace(f"{name} =~ {name}1..{name}3", f"{name} =~ c{name}1..c{name}3")
    return text


@pytest.mark.parametrize("case", CASES)
def test_the_engine_sums_the_joint_density(case: str) -> None:
    text, families = CASES[case]
    data, p = made(gaussian_items(text, families), families=families)
    engine, verdicts = choose(data)
    assert engine.name == "products" and engine.compiles(data).accepted
    assert any("multiplied with each other" in reason for _, reason in verdicts)
    t = np.linspace(-8, 8, 65)
    expected = brute_force(data, p, t)
    got = engine.log_likelihood(data, p, Numpy, grids(data, 65, 8.0))
    # Who answered next to nothing has a posterior as wide as the prior, whose tails leave the twin's grid.
    some = np.sum([(b.values >= 0).sum(1) if b.n_categories else (~np.isnan(b.values)).sum(1)
                   for b in data.blocks], axis=0) > 3  # fmt: skip
    assert some.sum() >= 6
    np.testing.assert_allclose(got[some], expected[some], rtol=1e-4)
    np.testing.assert_allclose(got[~some], expected[~some], atol=2e-2)
    compiled = engine.compiled(data, grids(data, 65, 8.0))
    np.testing.assert_allclose(compiled.per_person(p), got, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_the_gradient_is_that_of_the_value(case: str) -> None:
    text, families = CASES[case]
    data, p = made(gaussian_items(text, families), families=families)
    compiled = choose(data)[0].compiled(data, grids(data, 25))
    value, gradient = compiled.value_and_gradient(p)
    assert value == pytest.approx(compiled.per_person(p).sum(), rel=1e-12)
    rng = np.random.default_rng(1)
    for name, grad in gradient.items():
        if name == "correlation_chol":
            continue  # held to in the contract, on its own coordinates
        step = rng.standard_normal(grad.shape) * (1e-6 if name.startswith("category") else 1e-5)
        ahead, behind = ({**p, name: p[name] + sign * step} for sign in (1, -1))
        slope = (compiled.value_and_gradient(ahead)[0] - compiled.value_and_gradient(behind)[0]) / 2
        assert (grad * step).sum() == pytest.approx(slope, rel=2e-4, abs=1e-9), name


def test_both_routes_state_one_density() -> None:
    text = measured("x", "m", "y") + "\ny ~ b*x + d*m + b_m*x:m"
    data, _ = made(text, n=8)
    check_one_density(data, choose(data)[0], grids(data, 7, 4.0), floor=1e-8)


def test_sampled_persons_average_to_the_grid() -> None:
    data, p = made(measured("x", "m") + "\ngrade ~ b*x + d*m + b_m*x:m", n=10)
    t = np.linspace(-5.4, 5.4, 37)
    mesh = np.stack([g.ravel() for g in np.meshgrid(t, t, indexing="ij")], axis=1)
    weight = np.exp(-0.5 * (mesh**2).sum(1)) * (t[1] - t[0]) ** 2 / (2 * np.pi)
    sampled = engines()["conditional"]
    terms = np.stack(
        [sampled.log_likelihood(data, p | {"z": np.tile(z, (data.n_person, 1))}, Numpy) for z in mesh]
    )
    got = np.log(weight @ np.exp(terms))
    expected = choose(data)[0].log_likelihood(data, p, Numpy, grids(data, 49, 7.0))
    np.testing.assert_allclose(got, expected, atol=2e-3)


def test_windows_and_grids_fit_the_posterior() -> None:
    data, p = made(MODERATED, n=30)
    engine = choose(data)[0]
    compiled = engine.compiled(data, engine.settings(data))
    fitted = compiled.adapted(p, 2.0).adapted(p, 1.5)
    exact = engine.compiled(data, grids(data, 61)).per_person(p)
    assert abs(fitted.per_person(p).sum() - exact.sum()) < 0.05
    assert abs(fitted.numerical_error(p)) < 0.05
    assert "multiplied constructs" in fitted.describe()


def test_more_constructs_than_the_grid_takes_leave_sampled_persons() -> None:
    text = measured("x", "m", "y", "v", "u") + "\ny ~ x + m + x:m + v + u"
    data, _ = made(text, n=20)
    engine, verdicts = choose(data)
    assert engine.name == "conditional"
    assert any("the grid takes 4 in all" in reason for _, reason in verdicts)
    with pytest.raises(SpecError, match="multiplied with each other"):
        choose(data, "quadrature")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x =~ x1\nm =~ m1..m3\ny =~ y1..y3\ny ~ x + m + x:m", "has a single item"),
        (measured("x", "m", "y") + "\ny ~ x + x:m", "but not by 'm'"),
        (measured("x", "y") + "\ny ~ x + x:x", "multiplies a variable with itself"),
        (
            measured("x", "m", "y") + "\ny ~ x + m + age + x:m + x:age + m:age + x:m:age",
            "that nothing explains",
        ),
    ],
)
def test_products_that_nothing_can_tell_are_refused(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        composed(text)


MODERATOR = """
x =~ x1..x3
m =~ m1..m3
y =~ y1..y3
m ~ a*x + y + a_y*x:y
passed ~ b*m + c*x
direct := c
index := a_y*b
"""


def test_a_construct_moderates_in_all_three_forms() -> None:
    x, m, y = (mp.GradedResponse(name, f"{name}1..{name}3") for name in "xmy")
    model = mp.Mediation(x, [m], "passed", moderator=y, moderates="first")
    assert mp.Model(MODERATOR) == model and mp.Model(model.syntax) == model
    assert mp.Mediation.from_process(7, x=x, m=m, y="passed", w=y) == model
    assert mp.Mediation(x, [m], "passed", moderation={"first": [y]}) == model


def test_effects_that_change_with_a_construct_are_told_at_its_values() -> None:
    fitted = result(MODERATOR, chains=1, draws=6)
    names = [c.name for c in fitted.data.layout.coefficients]
    raw = dict(zip(names, fitted.tree["posterior"]["coefficient"].to_numpy()[0].T, strict=True))
    table = conditional(fitted, at={"y": [-1.0, 2.0]})
    indirect = table[table["effect"] == "indirect"].set_index("y")["mean"]
    for value in (-1.0, 2.0):
        expected = (raw["m~x"] + raw["m~x:y"] * value) * raw["passed~m"]
        assert indirect[value] == pytest.approx(expected.mean())
    assert set(table["text"]) == {"x -> m -> passed", "x -> passed"}  # the moderator is no mediator
    line = curve(fitted, "y")
    assert line["value"].iloc[0] < -2 and line["value"].iloc[-1] > 2
    middle = (raw["m~x"] + raw["m~x:y"] * line["value"].iloc[30]) * raw["passed~m"]
    assert line["mean"].iloc[30] == pytest.approx(middle.mean())
    assert len(tipping(fitted)) == 1 and len(naive_vs_latent(fitted)) == 9


def test_scores_and_spreads_follow_the_product() -> None:
    fitted = result(MODERATOR, chains=1, draws=4)
    drawn = scores(fitted, draws=4)
    assert np.isfinite(drawn["mean"].to_numpy()).all() and drawn["draw"].shape == (4, 40, 3)
    p = thinned(fitted, 4)
    weight, location, spread = population(fitted.data, p)
    # Against simulation: E and sd of m = a x + d y + f x y + e with x, y of correlation r.
    rng = np.random.default_rng(1)
    path = {c.name: p["path"][:, i] for i, c in enumerate(fitted.data.layout.coefficients)}
    chol = p["correlation_chol"]
    d = [b.name for b in fitted.data.blocks].index("m")
    for s in range(4):
        z = rng.standard_normal((400_000, 2)) @ chol[s].T
        m = path["m~x"][s] * z[:, 0] + path["m~y"][s] * z[:, 1] + path["m~x:y"][s] * z.prod(1)
        m = m + rng.standard_normal(len(m))
        assert location[s, :, d] @ weight == pytest.approx(m.mean(), abs=0.02)
        assert spread[s, d] == pytest.approx(m.std(), rel=0.02)


def test_replicated_answers_carry_the_product() -> None:
    fitted = result(MODERATOR, chains=1, draws=2)
    p = {name: value[0] for name, value in thinned(fitted, 2).items()}
    p["path"] = np.where([":" in c.name for c in fitted.data.layout.coefficients], 3.0, 0.0)
    made = replicate(fitted.data, p, np.random.default_rng(0))
    assert made.observed.shape == fitted.data.observed.shape
    assert not np.array_equal(made.blocks[0].values, fitted.data.blocks[0].values)
