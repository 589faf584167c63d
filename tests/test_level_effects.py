"""Levels of person variables with effects from a common distribution: ``anxiety ~ (1|centre)``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import multivariate_normal

import medpsy as mp
from group_cases import drawn
from made_posterior import made
from mediation_cases import around_mode
from medpsy.api.fits import Fit
from medpsy.bind import ModelData, bind
from medpsy.engines.base import choose, without_integrated
from medpsy.errors import DataError, SpecError
from medpsy.inference.density import Density, start_point
from medpsy.ops import Numpy
from medpsy.posterior.by_group import view
from medpsy.posterior.level_effects import level_contrasts, level_effects
from medpsy.spec.write_toml import to_toml
from numeric_cases import measured, survey, values_at
from pymc_density import check_one_density

ONE = f"{measured('x')}\nx ~ age + (1|school)"
TWO = f"{measured('x', 'y')}\nx ~ (1|school) + (1|gender)\ny ~ gender"
PATH = f"{measured('x', 'y')}\nx ~ (1|school)\ny ~ b*x + (1|school)"
OBSERVED = f"{measured('x')}\ngrade ~ x + (1|school)\nx ~ (1|gender)"
GAUSSIAN = f"{measured('x', 'm', family='gaussian')}\nm ~ x + (1|school)"
SECOND = f"{measured('x', 'm', 'y')}\nhigh =~ x + m + y\nx ~ (1|school)"
HIGHER = f"{measured('x', 'm', 'y')}\nhigh =~ x + m + y\nhigh ~ (1|school)"
PRODUCT = f"{measured('x', 'm', 'y')}\ny ~ x + m + x:m + (1|school)"


def data_of(text: str, **about: object) -> ModelData:
    return bind(mp.Model(text, **about).composed, survey(40))  # type: ignore[arg-type]


CASES = {
    "one construct": lambda: data_of(ONE),
    "two constructs": lambda: data_of(TWO),
    "paths": lambda: data_of(PATH),
    "observed outcome": lambda: bind(mp.Model(OBSERVED).composed, survey(40)),
    "numbers": lambda: data_of(GAUSSIAN, family="gaussian"),
    "second order": lambda: data_of(SECOND),
    "on the second order": lambda: data_of(HIGHER),
    "products": lambda: data_of(PRODUCT),
    "groups": lambda: data_of(f"{measured('x')}\nx ~ (1|school)", groups="gender"),
    "groups of their own": lambda: data_of(
        f"{measured('x')}\nx ~ (1|school)", groups="gender", equal=["loadings", "thresholds"]
    ),
    "clusters": lambda: data_of(f"{measured('x')}\nx ~ (1|gender)", clusters="school"),
    "clusters of numbers": lambda: data_of(
        f"{measured('x', family='gaussian')}\nx ~ (1|gender)", clusters="school", family="gaussian"
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_gradient_of_every_engine_is_that_of_its_density(name: str) -> None:
    data = CASES[name]()
    engine, _ = choose(data)
    data = without_integrated(data, engine)
    density = Density(data, engine.compiled(data, engine.settings(data, 31)))
    rng = np.random.default_rng(2)
    point = start_point(data) + 0.2 * rng.standard_normal(density.size)
    _, gradient = density.value_and_gradient(point)
    names = [q.name for q in data.parameters]
    assert any(n.startswith("level_sd") for n in names) and any(n.startswith("level_z") for n in names)
    for _ in range(4):
        way = rng.standard_normal(density.size)
        ends = [density.value_and_gradient(point + s * way)[0] for s in (1e-5, -1e-5)]
        assert gradient @ way == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-5, abs=1e-4)


def test_the_likelihood_is_that_of_numbers_around_the_means_of_their_levels() -> None:
    """Person by person: a multivariate normal whose mean moves with the effects of two variables."""
    text = f"{measured('x', family='gaussian')}\nx ~ age + (1|school) + (1|gender)"
    data = data_of(text, family="gaussian")
    p = values_at(data, 3)
    answers = survey(40)
    z, sd = p["level_z"], p["level_sd"]
    keys = [one.key for one in data.layout.pooled]
    assert keys == ["x~gender", "x~school"]
    # Written out, not by Helmert's formula: two levels stand sqrt(2) apart per sd, three on a triangle.
    gender = sd[0] * z[0] / np.sqrt(2) * np.array([-1.0, 1.0])
    first, second = z[1] / np.sqrt(2), z[2] / np.sqrt(6)
    school = sd[1] * np.array([-first - second, first - second, 2 * second])
    assert school.sum() == pytest.approx(0)
    shift = gender[answers.variables["gender"]] - gender[answers.variables["gender"]].mean()
    shift = shift + school[answers.variables["school"]] - school[answers.variables["school"]].mean()
    age = answers.variables["age"]
    eta = shift + p["covariate_effect"][0] * (age - age.mean()) / age.std()
    loading, residual = p["loading_x"], p["residual_sd_x"]
    raw = np.column_stack([answers.variables[f"cx{j}"] for j in (1, 2, 3)])
    y = (raw - np.nanmean(raw, axis=0)) / np.nanstd(raw, axis=0)
    wanted = 0.0
    for person, mean in zip(y, eta, strict=True):
        seen = ~np.isnan(person)
        if seen.any():
            cov = np.outer(loading, loading) + np.diag(residual**2)
            centre = p["intercept_x"] + loading * mean
            wanted += multivariate_normal(centre[seen], cov[np.ix_(seen, seen)]).logpdf(person[seen])
    engine, _ = choose(data)
    found = engine.log_likelihood(data, p, Numpy, engine.settings(data, None)).sum()
    assert engine.name == "gaussian"
    assert found == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("text", [ONE, GAUSSIAN])
def test_both_routes_have_one_density(text: str) -> None:
    data = data_of(text, family="gaussian") if text == GAUSSIAN else data_of(text)
    engine, _ = choose(data)
    check_one_density(data, engine, engine.settings(data, 15), floor=1e-8)


# --- Forms -------------------------------------------------------------------------------------------------


def test_text_objects_and_files_are_one_model(tmp_path: Path) -> None:
    text = mp.Model("anxiety =~ gad1..gad7\nanxiety ~ age + (1 | year) + (1|`home town`)")
    made_of = mp.Model([mp.GradedResponse("anxiety", "gad1..gad7")],
                       regression="age + (1|year) + (1|`home town`)")  # fmt: skip
    by_name = mp.Model([mp.GradedResponse("anxiety", "gad1..gad7")],
                       regression={"anxiety": "(1|`home town`) + age + (1|year)"})  # fmt: skip
    assert text == made_of == by_name
    assert text.composed.covariates == ("age", "home town", "year")
    path = tmp_path / "model.toml"
    path.write_text(to_toml(text.spec))
    assert mp.load_model(path) == text
    path.write_text(
        'schema = 1\n[constructs.anxiety]\nitems = "gad1..gad7"\n[regression]\n'
        'anxiety = "age + (1|year) + (1|`home town`)"\n'
    )
    assert mp.load_model(path) == text
    rows = text.parameters.set_index("name")
    assert rows.loc["level_sd.anxiety.year", "prior"] == "HalfNormal(0.5)"
    other = mp.Model(text.spec, priors={"level_sd": "HalfNormal(0.2)"}).parameters.set_index("name")
    assert set(other.loc[other["section"] == "SDs of levels", "prior"]) == {"HalfNormal(0.2)"}


def test_a_mediation_takes_pooled_covariates(tmp_path: Path) -> None:
    design = mp.Mediation("x", ["m"], "y", covariates=["age", "(1|centre)"])
    text = mp.Model("m ~ a*x + age + (1|centre)\ny ~ b*m + c*x + age + (1|centre)\n"
                    "indirect := a*b\ndirect := c\ntotal := a*b + c")  # fmt: skip
    assert design == text
    assert design.spec.design is not None and design.spec.design.covariates == ("age",)
    path = tmp_path / "model.toml"
    path.write_text('schema = 1\n[mediation]\ndesign = "simple"\nexposure = "x"\nmediator = "m"\n'
                    'outcome = "y"\ncovariates = ["age", "(1|centre)"]\n')  # fmt: skip
    assert mp.load_model(path) == design
    path.write_text(to_toml(design.spec))
    assert mp.load_model(path) == design


@pytest.mark.parametrize(
    ("text", "about", "said"),
    [
        ("x =~ x1..x3\nx ~ a*(1|school)", {}, "unexpected '(1|school)'"),
        ("x =~ x1..x3\nx ~ school + (1|school)", {}, "twice: each level by itself, and pooled"),
        ("x =~ x1..x3\nx ~ (1|school) + (1|school)", {}, "is listed twice"),
        ("x =~ x1..x3\ny =~ y1..y3\nx ~ (1|y)", {}, "is no person variable but a part of the model"),
        ("x =~ x1..x3\nx ~ (1|x2)", {}, "is no person variable but a part of the model"),
        ("x =~ x1..x3\nx ~~ (1|school)", {}, "they have no covariance"),
        ("x =~ x1..x3\nx ~ (1|school)", {"groups": "school"}, "makes the groups as well"),
        ("x =~ x1..x3\nx ~ (1|school)", {"clusters": "school"}, "makes the clusters as well"),
        ("x =~ x1..x3\nx ~ (age|school)", {}, "are written (1|variable)"),
        ("x =~ 1*x1 + x2 + x3\nx ~ (1|school)", {"family": "gaussian"}, "(1|school)"),
    ],
)
def test_what_cannot_be_is_refused_in_words(text: str, about: dict[str, str], said: str) -> None:
    with pytest.raises(SpecError) as caught:
        mp.Model(text, **about)  # type: ignore[arg-type]
    assert said in str(caught.value)


def test_levels_that_say_nothing_are_refused() -> None:
    answers = survey(30)
    model = mp.Model(f"{measured('x')}\nx ~ (1|school)").composed
    answers.variables["school"][:] = 1
    with pytest.raises(DataError, match="everybody is in the same level of 'school'"):
        bind(model, answers)
    answers = survey(30)
    with pytest.raises(DataError, match="every person is a level of 'age' of its own"):
        bind(mp.Model(f"{measured('x')}\nx ~ (1|age)").composed, answers)


# --- What comes out ----------------------------------------------------------------------------------------


def test_tables_of_levels_against_loops() -> None:
    answers = survey(60)
    data = bind(mp.Model(f"{measured('x', 'y')}\nx ~ (1|school)\ny ~ school").composed, answers)
    result = made(data=data, answers=answers)
    values = {str(k): v.to_numpy() for k, v in result.tree["posterior"].data_vars.items()}
    sd, z = values["level_sd"][..., 0].ravel(), values["level_z"].reshape(-1, 2)
    first, second = z[:, 0] / np.sqrt(2), z[:, 1] / np.sqrt(6)
    effect = sd[:, None] * np.column_stack([-first - second, first - second, 2 * second])
    table = level_effects(result)
    own = table[table["pooled"]]
    assert own["level"].tolist() == ["a", "b", "c", "sd"]
    np.testing.assert_allclose(own["mean"], [*effect.mean(0), sd.mean()])
    np.testing.assert_allclose(own["lower"], np.quantile(np.column_stack([effect, sd]), 0.025, axis=0))
    fixed = table[~table["pooled"]]
    b, c = values["coefficient"].reshape(-1, 2).T
    np.testing.assert_allclose(fixed["mean"], [(-b - c).mean() / 3, (2 * b - c).mean() / 3,
                                               (2 * c - b).mean() / 3])  # fmt: skip
    assert fixed["n"].tolist() == [20, 20, 20]
    pairs = level_contrasts(result, rope=0.2)
    assert pairs[["level", "against"]].to_numpy().tolist() == [["b", "a"], ["c", "a"], ["c", "b"]] * 2
    draws = effect[:, 2] - effect[:, 0]
    row = pairs.iloc[1]
    assert row["difference"] == pytest.approx(draws.mean())
    assert row["p_direction"] == pytest.approx(max((draws > 0).mean(), (draws < 0).mean()))
    assert row["p_negligible"] == pytest.approx((np.abs(draws) <= 0.2).mean())
    assert pairs.iloc[4]["difference"] == pytest.approx(c.mean())
    with pytest.raises(SpecError, match="no variable with levels"):
        level_effects(made())


def test_a_saved_fit_keeps_its_levels(tmp_path: Path) -> None:
    answers = survey(40)
    result = made(data=bind(mp.Model(ONE).composed, answers), answers=answers, draws=20, chains=2)
    Fit(result).save(tmp_path / "fit.nc")
    again = mp.load_fit(tmp_path / "fit.nc")
    assert again.spec == result.model.spec and again.spec.pooled
    np.testing.assert_allclose(again.level_effects()["mean"], level_effects(result)["mean"])


def test_levels_are_recovered_and_drawn_together() -> None:
    """Effects of a file from many persons; with few persons they are nearer to each other than apart."""
    model = mp.load_model(Path(__file__).parents[1] / "models" / "structure-latent-regression.toml")
    truth = {"law": 0.45, "arts": -0.35, "medicine": 0.2, "physics": -0.15, "history": -0.15}
    found = around_mode(model, model.simulate(n=4000, seed=2), draws=200)
    table = found.level_effects().query("variable == 'major'").set_index("level")
    for level, effect in truth.items():
        assert table.loc[level, "mean"] == pytest.approx(effect, abs=0.12)
    pairs = found.level_contrasts().set_index(["level", "against"])
    assert len(pairs.query("variable == 'major'")) == 10


def test_levels_that_a_group_does_not_have_are_not_taken_for_others() -> None:
    answers = survey(120)
    school, gender = answers.variables["school"], answers.variables["gender"]
    moved = np.where((school == 1) & (gender == 0), 2, school)
    answers = replace(answers, variables={**answers.variables, "school": moved})
    data = bind(mp.Model(f"{measured('x')}\nx ~ school", groups="gender").composed, answers)
    result = drawn(data, answers, draws=50)
    found = level_effects(result).set_index(["group", "level"])
    assert list(found.loc["m"].index) == ["a", "c"] and list(found.loc["f"].index) == ["a", "b", "c"]
    own = view(result, "m")
    names = [c.name for c in own.data.layout.coefficients]
    against_a = own.tree["posterior"]["coefficient"].to_numpy()[..., names.index("x~school[c]")]
    assert found.loc[("m", "c"), "mean"] == pytest.approx(against_a.mean() / 2)
    assert found.loc[("m", "a"), "mean"] == pytest.approx(-against_a.mean() / 2)


def test_levels_whose_effect_changes_have_none_by_themselves() -> None:
    answers = survey(60)
    data = bind(mp.Model(f"{measured('x')}\nx ~ age + school + age:school").composed, answers)
    with pytest.raises(SpecError, match="'school' do changes with another variable"):
        level_effects(drawn(data, answers, draws=5))
    data = bind(mp.Model(f"{measured('x')}\nx ~ age + school + age:school + (1|gender)").composed, answers)
    found = level_effects(drawn(data, answers, draws=5))
    assert set(found["variable"]) == {"gender"} and found.attrs["left_out"] == ["school"]


def test_a_mean_and_pooled_levels_alone_are_a_model() -> None:
    answers = survey(40)
    data = bind(mp.Model("grade ~ (1|school)").composed, answers)
    result = drawn(data, answers, draws=5)
    assert set(level_effects(result)["target"]) == {"grade"}
    assert np.isfinite(values_at(data, 1)["level_z"]).all()
