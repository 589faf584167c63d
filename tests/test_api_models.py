"""Models by object, by text and by file: one specification, the same verbs."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import medpsy as mp
import medpsy.fit as pipeline
from made_posterior import made
from medpsy.api.size import n_parameters, sizes
from medpsy.spec.model_spec import Construct, Observed
from medpsy.survey.survey import Survey

MODELS = Path(__file__).resolve().parent.parent / "models"
TEXT = """
mental_health =~ mh1..mh10
meaning =~ ml1..ml10
mission =~ pm1..pm6
mental_health ~ gender
meaning ~ a*mental_health + gender
mission ~ b*meaning + c*mental_health + gender
indirect := a*b
direct := c
total := a*b + c
"""


def by_objects(**options: Any) -> mp.Mediation:
    return mp.Mediation(
        exposure=mp.GradedResponse("mental_health", items="mh1..mh10"),
        mediators=[mp.GradedResponse("meaning", items="ml1..ml10")],
        outcome=mp.GradedResponse("mission", items="pm1..pm6"),
        covariates=["gender"],
        **options,
    )


def test_three_forms_make_one_specification() -> None:
    objects, text, file = by_objects(), mp.Model(TEXT), mp.load_model(MODELS / "mission.toml")
    assert objects.spec == text.spec == file.spec
    assert objects == text == file
    assert len({objects, text, file}) == 1
    assert objects.composed.fingerprint != by_objects(priors={"slope": "HalfNormal(2)"}).composed.fingerprint
    assert objects != mp.Model(TEXT.replace("pm1..pm6", "pm1..pm5"))


def test_priors_are_the_same_in_every_form(tmp_path: Path) -> None:
    given = {"slope.meaning": "LogNormal( 0,0.50 )", "correlation": "LKJ(1)"}
    file = tmp_path / "m.toml"
    source = (MODELS / "mission.toml").read_text(encoding="utf-8")
    priors = '[priors]\ncorrelation = "LKJ(1)"\n"slope.meaning" = "LogNormal(0, 0.5)"\n'
    file.write_text(f"{source}\n{priors}", encoding="utf-8")
    assert by_objects(priors=given).spec == mp.Model(TEXT, priors=given).spec == mp.load_model(file).spec
    table = by_objects(priors=given).parameters
    assert set(table.loc[table["name"].str.startswith("slope.meaning."), "prior"]) == {"LogNormal(0, 0.5)"}


def test_a_model_reads_its_own_text_back() -> None:
    assert mp.Model(by_objects().syntax) == by_objects()


def test_constructs_expand_their_items_and_name_their_family() -> None:
    assert mp.GradedResponse("f", "a1..a3") == Construct("f", ("a1", "a2", "a3"), "graded", False)
    two = mp.TwoParameterLogistic("f", ["a1", "b2..b3"], positive=True)
    assert two == Construct("f", ("a1", "b2", "b3"), "bernoulli", True)
    assert mp.LinearFactor("f", ["a"]).family == "gaussian"
    with pytest.raises(mp.SpecError, match="item 'a1' is listed twice"):
        mp.GradedResponse("f", ["a1", "a1..a3"])


def test_roles_may_be_variables() -> None:
    model = mp.Mediation("hours", mp.LinearFactor("f", "a1..a3"), mp.Observed("passed", "bernoulli"))
    assert model.spec.observed == (Observed("passed", "bernoulli"),)
    assert model.composed.covariates == ("hours",)
    plain = mp.Mediation("hours", "sleep", "grade")
    assert plain.spec.observed == (Observed("sleep"), Observed("grade"))
    assert "observed variables only" in repr(plain)
    assert mp.Mediation(mp.Observed("hours"), "sleep", "grade") == plain


def test_constructs_alone_make_a_measurement_model() -> None:
    model = mp.Model([mp.GradedResponse("f", "a1..a3"), mp.GradedResponse("g", "b1..b3")], name="two")
    assert (model.name, model.spec.paths, model.composed.structure.name) == ("two", (), "correlated")
    assert repr(model) == "<Model 'two': f (3 graded items), g (3 graded items)>"


@pytest.mark.parametrize(
    ("make", "message", "cure"),
    [
        (lambda: mp.Model("f =~ a1..a3\nf ~ f"), "line 2", "f"),
        (lambda: mp.Model([3]), "cannot be made of 3", "Pass model text"),  # type: ignore[list-item]
        (lambda: mp.Model(3), "cannot be made of 3", "Pass model text"),  # type: ignore[arg-type]
        (lambda: mp.Model([mp.GradedResponse("f", "a1")], families={"f": "graded"}), "as text", "where"),
        (lambda: by_objects(priors={"slope.meening": "Normal(0, 1)"}), "slope.meening", "slope.meaning"),
        (lambda: by_objects(priors={"slope": "Norml(0, 1)"}), "prior of 'slope'", "Normal"),
        (lambda: mp.Mediation("x", "x", "y"), "'x'", "role"),
        (lambda: mp.Mediation("x", 3, "y"), "can play no role", "GradedResponse"),  # type: ignore[arg-type]
        (lambda: mp.Mediation("x", "m", "y", design="simpel"), "simpel", "simple"),
        (lambda: mp.Mediation("x", ["m1", "m2"], "y", design="simple"), "takes one mediator", "parallel"),
        (lambda: by_objects().simulate(), "has no truth", "[truth]"),
        (lambda: by_objects(truth={}).simulate(), "has no instrument", "[instrument]"),
        (lambda: by_objects().answers(), "names no answers", "model.fit(survey)"),
        (lambda: by_objects().fit("answers.csv"), "come as str", "read_survey"),
    ],
)
def test_mistakes_name_their_cure(make: Any, message: str, cure: str) -> None:
    with pytest.raises(mp.MedpsyError) as caught:
        make()
    assert message in str(caught.value)
    assert cure in str(caught.value)


def test_sizes_are_those_of_the_study() -> None:
    file = mp.load_model(MODELS / "mission.toml")
    assert file.instrument is not None
    bare = mp.Model("\n".join(TEXT.strip().splitlines()[:3]))
    assert n_parameters(bare.composed, file.instrument) == 133  # 26 x (1 + 4) + 3
    assert sizes(file.composed, file.instrument).startswith("3 constructs, 26 items, 136 parameters")
    assert sizes(bare.composed, None) == "3 constructs, 26 items"


def test_size_is_the_length_of_what_is_sampled() -> None:
    for model in (mp.load_model(MODELS / "mission.toml"), mp.load_model(MODELS / "students.toml")):
        assert model.instrument is not None
        free = 0
        for parameter in model._data(None).parameters:
            rows, *rest = parameter.shape
            free += {"scalar": rows, "simplex": rows * (rest[0] - 1) if rest else 0}.get(
                parameter.event, rows * (rows - 1) // 2
            )
        assert n_parameters(model.composed, model.instrument) == free


def test_equations_state_measurement_paths_and_effects() -> None:
    lines = by_objects().equations
    assert lines[0] == "P(Y >= k) = logistic(slope * mental_health - threshold_k)   for Y = mh1, ..., mh10"
    assert "mission = b * meaning + c * mental_health + [mission~gender] * gender + e_mission" in lines
    names = "(mental_health, meaning, mission)"
    assert f"{names} ~ N(mean, R), given gender, R ~ LKJ(2), every variance 1" in lines
    assert lines[-1] == "total = a*b + c"
    free = mp.Model("f =~ a1..a3\ny ~ b*f", families={"f": "gaussian"}).equations
    assert "y = intercept + b * f + residual_sd * e, e ~ N(0, 1)" in free
    assert free[-1] == "f ~ N(0, 1)"


def test_simulated_answers_say_so_and_repeat() -> None:
    model = mp.load_model(MODELS / "mission.toml")
    survey = model.simulate(n=50, seed=3)
    assert survey.n_person == 50
    assert survey.fingerprint == model.simulate(n=50, seed=3).fingerprint
    assert survey.fingerprint != model.simulate(n=50, seed=4).fingerprint
    kept = model.answers()
    assert "simulated" in kept.survey.simulated
    assert kept.flow[-1].rule == "max_missing"


def test_answers_come_from_the_example_that_the_file_names() -> None:
    kept = mp.load_model(MODELS / "students.toml").answers()
    assert (kept.survey.n_person, kept.survey.simulated) == (771, "")
    assert list(kept.table()["rule"]) == ["read", "out_of_range", "max_missing"]


def test_fit_takes_options_from_the_file_and_then_from_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def pretend(model: Any, survey: Survey, **options: Any) -> Any:
        seen.update(options, n=survey.n_person)
        return made(draws=50)

    pretend.__signature__ = inspect.signature(pipeline.fit)  # type: ignore[attr-defined]
    monkeypatch.setattr(pipeline, "fit", pretend)
    fit = mp.load_model(MODELS / "students.toml").fit(draws=7, tune=None)
    assert seen == {"seed": 20131101, "draws": 7, "n": 771}
    assert fit.title == "Sleepiness, anxiety and depression of medical students"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"draw": 5}, "no option 'draw'\n  Did you mean 'draws'"),
        ({"draws": 0}, "draws is 0, not a whole number from 1 up"),
        ({"chains": True}, "chains is True"),
        ({"tune": 1.5}, "tune is 1.5"),
        ({"target_accept": 1.0}, "target_accept is 1.0, not between 0 and 1"),
    ],
)
def test_options_of_the_sampler_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(mp.SpecError) as caught:
        mp.load_model(MODELS / "mission.toml").fit(**options)
    assert message in str(caught.value)


def test_the_same_model_in_pymc_has_one_term_per_person() -> None:
    model = mp.load_model(MODELS / "mission.toml")
    pymc_model = model.to_pymc(model.simulate(n=40), engine="conditional")
    names = {variable.name for variable in pymc_model.free_RVs}
    assert {"z", "category_prob_meaning", "correlation_chol", "covariate_effect"} <= names
    assert "slope_meaning" in pymc_model.named_vars
    assert pymc_model.dim_lengths["person"].eval() == 40
    with pytest.raises(mp.SpecError, match="no engine 'grid'"):
        model.to_pymc(model.simulate(n=40), engine="grid")


def test_prior_predictive_is_in_questionnaire_units() -> None:
    model = mp.load_model(MODELS / "mission.toml")
    categories, scores = model.prior_predictive(model.simulate(n=60), draws=40)
    counts = categories.groupby("item")["predicted"].sum()
    np.testing.assert_allclose(counts, 60, rtol=1e-6)
    assert set(scores["construct"]) == {"mental_health", "meaning", "mission"}
