"""Items explained by their properties, hierarchical priors over items, raters: against the plain families."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import medpsy as mp
from mediation_cases import around_mode
from medpsy.bind import ModelData, bind, local
from medpsy.engines.base import choose
from medpsy.errors import DataError, SpecError
from medpsy.families.base import family
from medpsy.families.explained import Explained
from medpsy.inference.density import Density, start_point
from medpsy.inference.transforms import Unconstrained, unconstrain_start
from medpsy.ops import Numpy
from medpsy.parameter import zero_sum_basis
from medpsy.posterior.item_effects import item_effects
from medpsy.spec.model_file import read_model_file, to_toml
from medpsy.spec.model_spec import Construct
from medpsy.survey.survey import Survey

MODELS = Path(__file__).parents[1] / "models"
FAMILIES = {
    "rasch": "family-rasch", "bernoulli": "family-rasch", "graded": "family-graded-rating-scale",
    "partial_credit": "family-partial-credit", "rating_scale": "family-rating-scale",
    "generalised_partial_credit": "family-generalised-partial-credit",
    "graded_rating_scale": "family-graded-rating-scale",
}  # fmt: skip


def made(name: str, pooled: bool) -> ModelData:
    """A few items of one family, explained by a number and a category; or with a hierarchical prior."""
    answers = mp.load_model(MODELS / f"{FAMILIES[name]}.toml").simulate(n=60)
    items = answers.instrument.modules[0].items[:6]
    construct = Construct("q", items, name)
    if not pooled:
        properties = {"load": [1.0, 2.5, 0.3, 4.0, 2.0, 1.5], "form": ["a", "b", "c", "a", "b", "b"]}
        construct = mp.explain_items(construct, properties)
    return bind(
        mp.Model([construct], priors={"preset": "hierarchical"} if pooled else None).composed, answers
    )


@pytest.mark.parametrize("pooled", [False, True], ids=["properties", "hierarchical"])
@pytest.mark.parametrize("name", FAMILIES)
def test_density_and_gradient_of_every_family(name: str, pooled: bool) -> None:
    data = made(name, pooled)
    engine, _ = choose(data)
    settings = engine.settings(data, 31)
    compiled = engine.compiled(data, settings)
    space = Unconstrained(data.parameters)
    rng = np.random.default_rng(2)
    p = space.constrain(start_point(data) + 0.2 * rng.standard_normal(space.size))
    value, gradient = compiled.value_and_gradient(p)
    assert value == pytest.approx(engine.log_likelihood(data, p, Numpy, settings).sum(), rel=1e-11)
    for parameter in data.parameters:
        direction = rng.standard_normal(parameter.shape)
        ends = [compiled.per_person(p | {parameter.name: p[parameter.name] + s * direction}).sum()
                for s in (1e-6, -1e-6)]  # fmt: skip
        slope = float((gradient[parameter.name] * direction).sum())
        assert slope == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5, abs=1e-5), parameter.name


@pytest.mark.parametrize("name", ["graded", "partial_credit", "rating_scale"])
def test_items_are_those_of_the_family_at_the_locations_that_the_properties_give(name: str) -> None:
    """The slow twin adds the effects item by item and asks the plain family."""
    data = made(name, False)
    block, made_family = data.blocks[0], data.model.families["q"]
    assert isinstance(made_family, Explained)
    rng = np.random.default_rng(1)
    p = Unconstrained(data.parameters).constrain(start_point(data) + 0.2 * rng.standard_normal(
        Unconstrained(data.parameters).size))  # fmt: skip
    own = local(data, block, p)
    load = np.array([1.0, 2.5, 0.3, 4.0, 2.0, 1.5])
    levels = zero_sum_basis(3) @ own["location_level"] * own["location_level_sd"][0]
    assert levels.sum() == pytest.approx(0)
    wanted = [
        own["location_mean"][0]
        + own["location_effect"][0] * (load[j] - load.mean()) / load.std()
        + levels["abc".index("abcabb"[j])]
        + own["location_sd"][0] * own["location_residual"][j]
        for j in range(6)
    ]
    np.testing.assert_allclose(made_family.location(own, Numpy), wanted)
    threshold = family(name).derived(made_family.to_base(own, Numpy), Numpy)["threshold"]
    np.testing.assert_allclose(threshold.mean(axis=-1), wanted, atol=1e-10)
    table = made_family.log_prob(np.array([-1.0, 0.5]), own, Numpy)
    np.testing.assert_allclose(np.exp(table).sum(axis=1), 1.0)


def test_products_of_constructs_whose_items_have_properties() -> None:
    model = mp.Model("x =~ mh1..mh10\nw =~ ml1..ml10\ny =~ pm1..pm6\ny ~ x + w + x:w")
    explained = mp.explain_items(mp.GradedResponse("x", "mh1..mh10"), {"length": np.arange(10.0) % 4})
    constructs = tuple(
        replace(c, properties=explained.properties) if c.name == "x" else c for c in model.spec.constructs
    )
    answers = mp.load_model(MODELS / "mission.toml").simulate(n=60)
    data = bind(mp.Model(replace(model.spec, constructs=constructs)).composed, answers)
    engine, _ = choose(data)
    assert engine.name == "products"
    density = Density(data, engine.compiled(data, engine.settings(data, None)))
    point = start_point(data) + 0.05 * np.random.default_rng(5).standard_normal(density.size)
    _, gradient = density.value_and_gradient(point)
    for j in range(0, density.size, 3):
        step = np.zeros(density.size)
        step[j] = 1e-5
        slope = (
            density.value_and_gradient(point + step)[0] - density.value_and_gradient(point - step)[0]
        ) / 2e-5
        assert gradient[j] == pytest.approx(slope, rel=1e-5, abs=1e-4)


def best(model: mp.Model, answers: Survey) -> pd.Series:
    """Effects at the mode of the posterior alone: draws around it are skewed in models with several sds."""
    table = around_mode(model, answers, draws=1, copies=2).item_effects()
    return table.set_index(["property", "level"])["mean"]


def test_raters_and_properties_are_recovered_at_the_mode() -> None:
    """Effects of the two model files, from more persons, within what the mode can be off."""
    model = mp.load_model(MODELS / "structure-many-facet.toml")
    found = best(model, model.simulate(n=1500, seed=3))
    for rater, effect in {"anna": 0.7, "ben": -0.6, "carla": 0.1, "dan": -0.2}.items():
        assert found["rater", rater] == pytest.approx(effect, abs=0.1)
    assert sum(found["rater", r] for r in ("anna", "ben", "carla", "dan")) == pytest.approx(0, abs=1e-9)
    assert found["criterion", "form"] == pytest.approx(-0.5, abs=0.1)
    model = mp.load_model(MODELS / "structure-item-properties.toml")
    answers = model.simulate(n=2000, seed=3)
    found = best(model, answers)
    # Per step of thought: the truth is per sd, and twelve residuals of sd .18 lie between the two.
    assert found["steps", ""] == pytest.approx(0.9 / np.repeat([1.0, 2.0, 3.0], 4).std(), abs=0.25)
    assert found["share explained", ""] > 0.7
    names = around_mode(model, answers, draws=1).summary().query("section == 'Item locations'")["lhs"]
    assert {"r1", "r12"} <= set(names)


def test_hierarchical_items_lend_each_other_strength() -> None:
    """An item that four persons answered, all alike, is drawn to the others by their common spread."""
    model = mp.load_model(MODELS / "family-generalised-partial-credit.toml")
    answers = model.simulate(n=200, seed=2)
    codes = answers.codes.copy()
    codes[:, 0] = -1
    codes[:4, 0] = codes.max()
    few = replace(answers, codes=codes)
    away = []
    for priors in ({"location_sd": "LogNormal(2, 0.1)"}, {}):
        one = mp.Model(model.spec.constructs, priors={"preset": "hierarchical", **priors})
        items = around_mode(one, few, draws=1, copies=2).items()
        place = (
            items[items["parameter"].str.startswith("threshold")].groupby("item", sort=False)["mean"].mean()
        )
        away.append(abs(place.iloc[0] - place.iloc[1:].mean()))
    assert away[1] < 0.7 * away[0]


def long(rng: np.random.Generator, n: int = 40) -> pd.DataFrame:
    rows = [
        (f"s{i}", rater, task, int(rng.integers(1, 5)))
        for i in range(n) for rater in ("anna", "ben", "carla") for task in ("a", "b")
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["student", "rater", "task", "score"])


def test_ratings_become_columns() -> None:
    frame = long(np.random.default_rng(1))
    frame.loc[5, "score"] = np.nan
    found = mp.read_ratings(frame, person="student", score="score", facets=["task", "rater"])
    assert found.items == ("a.anna", "a.ben", "a.carla", "b.anna", "b.ben", "b.carla")
    assert found.properties["rater"] == ("anna", "ben", "carla") * 2
    survey = found.survey
    assert survey.n_person == 40
    row = frame.iloc[17]
    j = found.items.index(f"{row['task']}.{row['rater']}")
    assert survey.codes[list(survey.person).index(row["student"]), j] == row["score"] - 1
    assert (survey.codes < 0).sum() == 1 == survey.ledger[0].before - survey.ledger[0].after
    assert found.counts["rater"] == {"anna": 40, "ben": 40, "carla": 40}


def test_a_rater_who_rated_one_person_is_kept_near_the_others() -> None:
    frame = long(np.random.default_rng(1))
    frame = pd.concat([frame, pd.DataFrame([("s1", "zoe", "a", 1)], columns=frame.columns)])
    found = mp.read_ratings(frame, person="student", score="score", facets=["task", "rater"])
    fit = around_mode(mp.Model([mp.ManyFacet("q", found)]), found.survey, draws=1, copies=2)
    table = item_effects(fit.result, "q").set_index(["property", "level"])
    assert table.loc[("rater", "zoe"), "answers"] == 1
    assert table.loc[("rater", "anna"), "answers"] == 80
    assert abs(table.loc[("rater", "zoe"), "mean"]) < 1.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.rename(columns={"rater": "judge"}), "the ratings have no column 'rater'"),
        (lambda f: f.assign(score="high"), "row 1: 'high' in column 'score' is no whole number"),
        (lambda f: f.assign(score=2), "every score is 2"),
        (lambda f: pd.concat([f, f.iloc[:1]]), "row 241: person 's0' is rated twice under task 'a', rater"),
        (lambda f: f.assign(rater=f["rater"].where(f.index != 3)), "column 'rater' is empty in 1 rows"),
        (lambda f: f.assign(score=np.nan), "holds no score at all"),
    ],
)  # fmt: skip
def test_ratings_that_cannot_be_used_are_refused(change: object, message: str) -> None:
    frame = change(long(np.random.default_rng(1)))  # type: ignore[operator]
    with pytest.raises(DataError, match=message):
        mp.read_ratings(frame, person="student", score="score", facets=["task", "rater"])


def test_properties_that_cannot_be_used_are_refused() -> None:
    rasch = mp.Rasch("q", "r1..r4")
    for given, message in (
        ({"steps": [1, 2, 3]}, "has 3 values for 4 items"),
        ({"steps": [1, 1, 1, 1]}, "is the same for all items"),
        ({"steps": [1, "two", 3, 4]}, "mixes numbers and texts"),
        ({"steps": {"r1": 1, "r2": 2, "r3": 2}}, "no value for item 'r4'"),
        ({"steps": [1, None, 2, 3]}, "missing for item 'r2'"),
        ({}, "no table"),
    ):
        with pytest.raises(SpecError, match=message):
            mp.explain_items(rasch, given)
    twice = {"a": [1, 2, 3, 4], "b": [2, 4, 6, 8]}
    with pytest.raises(SpecError, match="cannot tell the effects of their properties apart"):
        mp.Model([mp.explain_items(rasch, twice, residual=False)])
    mp.Model([mp.explain_items(rasch, twice)])
    with pytest.raises(SpecError, match="family 'nominal' has no location to explain"):
        mp.Model([mp.explain_items(mp.Nominal("q", "r1..r4"), {"a": [1, 2, 3, 4]})])
    text = "q =~ r1..r4\ns =~ r1 + r2\ns ~~ 0*q"
    both = replace(mp.Model(text).spec.constructs[0], properties=mp.explain_items(
        mp.GradedResponse("q", "r1..r4"), {"a": [1, 2, 3, 4]}).properties)  # fmt: skip
    with pytest.raises(SpecError, match="cannot be combined"):
        mp.Model([both])


def test_model_files_say_the_same() -> None:
    for name in ("structure-item-properties", "structure-many-facet"):
        file = read_model_file(MODELS / f"{name}.toml")
        text = to_toml(file.spec)
        assert "[item_properties." in text
        model = mp.load_model(MODELS / f"{name}.toml")
        (construct,) = model.spec.constructs
        held = dict(construct.properties.values)
        again = mp.explain_items(
            replace(construct, properties=None), held, residual=construct.properties.residual
        )
        assert again == construct


def test_walking_in_products_changes_coordinates_only() -> None:
    """The density of the same values, moved by the Jacobian alone; its gradient is the numerical one."""
    data = made("graded", True)
    plain = replace(data, parameters=tuple(replace(p, scale=None) for p in data.parameters))
    engine, _ = choose(data)
    compiled = engine.compiled(data, engine.settings(data, 31))
    one, other = Density(data, compiled, products=True), Density(plain, compiled)
    rng = np.random.default_rng(4)
    u = start_point(data) + 0.3 * rng.standard_normal(one.size)
    values = one.space.constrain(u)
    assert one.space._scaled[0].size == 12
    v = other.space.constrain(np.zeros(other.size)) | values
    again = unconstrain_start(plain.parameters, v)
    # Between entries and products: n answers tell a location to 2 / sqrt(n), a log slope to 3 / sqrt(n).
    given = (data.blocks[0].values >= 0).sum(axis=0)
    jacobian = sum(
        0.5 * np.log1p(given * (values[f"{name}_sd_q"][0] / error) ** 2).sum()
        for name, error in (("location", 2.0), ("slope", 3.0))
    )
    value, gradient = one.value_and_gradient(u)
    assert value == pytest.approx(other.value_and_gradient(again)[0] - jacobian, rel=1e-10)
    np.testing.assert_allclose(one.space.from_plain(again, np.zeros((one.size, 1)))[0], u, atol=1e-10)
    # Directions move as the points do.
    direction = rng.standard_normal((one.size, 1))
    ends = [one.space.from_plain(again + s * direction[:, 0], direction)[0] for s in (1e-6, -1e-6)]
    np.testing.assert_allclose(
        one.space.from_plain(again, direction)[1][:, 0], (ends[0] - ends[1]) / 2e-6, atol=1e-6
    )
    prior, prior_gradient = one.space.log_prior(u)
    for _ in range(6):
        direction = rng.standard_normal(one.size)
        ends = [one.value_and_gradient(u + s * direction)[0] for s in (1e-5, -1e-5)]
        assert gradient @ direction == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-5)
        ends = [one.space.log_prior(u + s * direction)[0] for s in (1e-5, -1e-5)]
        assert prior_gradient @ direction == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-5)
    assert np.isfinite(prior)


def test_equations_say_what_explains_the_items() -> None:
    model = mp.Model(
        [mp.explain_items(mp.Rasch("q", "r1..r4"), {"steps": [1, 2, 2, 3], "form": list("abab")})]
    )
    said = "the location of an item of q = mean + steps * effect + effect of its form + residual"
    assert said in model.equations
