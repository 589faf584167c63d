"""From a specification to a model: one specification for three forms, the choice of structure, the errors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path as FilePath

import pytest

from medpsy.errors import SpecError
from medpsy.model import ComposedModel, compose
from medpsy.spec.model_file import read_model_file, to_toml
from medpsy.spec.model_spec import Construct, Covariance, Definition, Design, ModelSpec, Observed, Path
from medpsy.spec.syntax import parse_model
from numeric_cases import composed, measured

X, M, Y = (Construct(name, (f"{name}1", f"{name}2", f"{name}3")) for name in "xmy")
THREE = (X, M, Y)
TEXT = """
x =~ x1..x3
m =~ m1..m3
y =~ y1..y3
x ~ age + gender
m ~ a*x + age + gender
y ~ b*m + c*x + age + gender
indirect := a*b
direct := c
total := a*b + c
"""
SIMPLE = Design("simple", "x", ("m",), "y", ("age", "gender"))
FILE = """schema = 1
name = "a file"
[constructs.x]
items = "x1..x3"
[constructs.m]
items = "m1..m3"
[constructs.y]
items = "y1..y3"
[mediation]
design = "simple"
exposure = "x"
mediator = "m"
outcome = "y"
covariates = ["age", "gender"]
"""


def from_file(folder: FilePath, text: str) -> ComposedModel:
    file = folder / "model.toml"
    file.write_text(text, encoding="utf-8")
    return compose(read_model_file(file).spec)


def error(spec: ModelSpec) -> SpecError:
    with pytest.raises(SpecError) as caught:
        compose(spec)
    return caught.value


def test_text_design_and_file_are_one_specification(tmp_path: FilePath) -> None:
    text, design = compose(parse_model(TEXT)), compose(ModelSpec(THREE, design=SIMPLE))
    file = from_file(tmp_path, FILE)
    assert text.spec == design.spec == file.spec
    assert text.spec.design == SIMPLE
    assert text.table == design.table == file.table
    assert text.sketch.nodes == design.sketch.nodes == file.sketch.nodes == ("x", "m", "y")
    assert text.fingerprint == design.fingerprint
    assert len({text.fingerprint, compose(ModelSpec(THREE)).fingerprint}) == 2


def test_equal_specifications_have_equal_fingerprints_whatever_their_name(tmp_path: FilePath) -> None:
    text = compose(parse_model(TEXT))
    assert text.fingerprint == from_file(tmp_path, FILE).fingerprint
    assert text.fingerprint == compose(replace(parse_model(TEXT), name="other", note="a note")).fingerprint
    other = compose(replace(parse_model(TEXT), priors=(("correlation", "LKJ(1)"),)))
    assert text.fingerprint != other.fingerprint


def test_the_order_of_statements_and_factors_does_not_matter() -> None:
    lines = TEXT.strip().splitlines()
    shuffled = "\n".join([*lines[:3], lines[5], lines[3], lines[4], *lines[6:8], "total := c + b*a"])
    assert compose(parse_model(shuffled)).spec == compose(parse_model(TEXT)).spec


def test_an_observed_mediator_in_three_forms(tmp_path: FilePath) -> None:
    text = compose(parse_model("x =~ x1..x3\ny =~ y1..y3\ndose ~ a*x\ny ~ b*dose + c*x\n"
                               "indirect := a*b\ndirect := c\ntotal := a*b + c"))  # fmt: skip
    design = compose(
        ModelSpec((X, Y), observed=(Observed("dose"),), design=Design("simple", "x", ("dose",), "y"))
    )
    file = FILE.replace('[constructs.m]\nitems = "m1..m3"\n', "").replace('"m"', '"dose"')
    assert text.spec == design.spec == from_file(tmp_path, file.split("covariates")[0]).spec
    assert text.structure.name == "path"
    assert text.sketch.families == ("latent", "gaussian", "latent")


def test_composing_twice_changes_nothing() -> None:
    for spec in (parse_model(TEXT), ModelSpec(THREE, design=SIMPLE), ModelSpec(THREE)):
        once = compose(spec)
        assert compose(once.spec).spec == once.spec
        assert compose(once.spec).table == once.table


def test_a_composed_specification_survives_a_file(tmp_path: FilePath) -> None:
    once = compose(ModelSpec(THREE, design=SIMPLE, priors=(("slope.m", "LogNormal(0, 0.5)"),)))
    assert from_file(tmp_path, to_toml(once.spec)).spec == once.spec


def test_other_effects_are_no_recognised_design() -> None:
    for text in (TEXT.replace("total :=", "sum :="), TEXT.replace("m ~ a*x + age", "m ~ a*x", 1)):
        assert compose(parse_model(text)).spec.design is None
    # A latent exposure that no covariate explains is taken as unrelated to them: the design is the same.
    assert compose(parse_model(TEXT.replace("x ~ age + gender\n", "", 1))).spec.design == SIMPLE


@pytest.mark.parametrize(
    ("text", "structure", "nodes"),
    [
        (measured("x"), "correlated", ("x",)),
        (measured("x", "m", "y"), "correlated", ("x", "m", "y")),
        (measured("y", "m", "x") + "\nm ~ x\ny ~ m + x", "correlated", ("x", "m", "y")),
        (measured("x", "m", "y") + "\nm ~ x\ny ~ m", "path", ("x", "m", "y")),
        (measured("x", "m", "y") + "\ny ~ m + x", "path", ("x", "m", "y")),
        (measured("x", "m") + "\nx ~ age\nm ~ age + x", "correlated", ("x", "m")),
        (measured("x", "m") + "\nm ~ age + x", "path", ("x", "m")),
        (measured("x", "m") + "\nx ~ age\nm ~ gender", "correlated", ("x", "m")),
        (measured("x") + "\ngrade ~ x", "path", ("x", "grade")),
        (measured("m", "x") + "\nm ~ x", "correlated", ("x", "m")),
        (measured("x", "m", "y") + "\nm ~ x\ny ~ x\nm ~~ y", "path", ("x", "m", "y")),
    ],
)
def test_the_structure_is_chosen_by_what_is_free(text: str, structure: str, nodes: tuple[str, ...]) -> None:
    model = composed(text)
    assert model.structure.name == structure
    assert model.sketch.nodes == nodes
    assert tuple(c.name for c in model.constructs) == tuple(n for n in nodes if n != "grade")


@pytest.mark.parametrize("target", ["path", "path.a", "path.m~x", "path.m~age"])
def test_an_own_prior_on_a_path_makes_the_paths_parameters(target: str) -> None:
    text = measured("x", "m") + "\nx ~ age\nm ~ a*x + age"
    assert composed(text).structure.name == "correlated"
    model = composed(text, priors={target: "Normal(0, 0.2)"})
    assert model.structure.name == "path"
    assert str(model.table[target if target != "path" else "path.a"].prior) == "Normal(0, 0.2)"


def test_rows_of_derived_paths_take_no_prior_and_say_why() -> None:
    model = compose(parse_model(TEXT))
    row = model.table["path.a"]
    assert (row.target, row.prior, row.free) == ("path.m~x", None, False)
    assert row.note == "follows from the correlations"
    assert str(model.table["correlation"].prior) == "LKJ(2)"
    assert str(model.table["path.m~age"].prior) == "Normal(0, 1)"
    assert [row.target for row in model.table.section("Defined")] == [
        "defined.indirect", "defined.direct", "defined.total",
    ]  # fmt: skip


def test_the_first_slope_is_positive_and_the_others_are_not_unless_declared() -> None:
    kinds = [str(row.prior) for row in composed(measured("x")).table.section("Slopes")]
    assert kinds == ["LogNormal(0.25, 0.6)", "StudentT(4, 1, 1)", "StudentT(4, 1, 1)"]
    declared = compose(parse_model(measured("x"), positive="x"))
    assert {str(row.prior) for row in declared.table.section("Slopes")} == {"LogNormal(0.25, 0.6)"}
    numbers = composed(measured("x", family="gaussian"), family="gaussian").table
    assert [row.support for row in numbers.section("Loadings")] == ["positive", "real", "real"]
    assert {row.support for row in numbers.section("Residual SDs")} == {"positive"}


def test_covariates_are_what_is_never_explained() -> None:
    assert composed(measured("x") + "\ngrade ~ x + dose\ndose ~ age").covariates == ("age",)
    assert composed(measured("x") + "\nx ~ gender + age").covariates == ("age", "gender")


ERRORS: dict[str, tuple[ModelSpec, str, str]] = {
    "item in two constructs": (
        ModelSpec((X, Construct("m", ("x2", "m1")))), "item 'x2' measures both 'x' and 'm'", "one construct",
    ),
    "construct twice": (ModelSpec((X, Construct("x", ("m1", "m2")))), "construct 'x' is defined twice", ""),
    "cycle": (
        ModelSpec(THREE, paths=(Path("m", "x"), Path("y", "m"), Path("x", "y"))),
        "the paths form a cycle: ", "turn round",
    ),
    "explained by itself": (ModelSpec(THREE, paths=(Path("m", "m"),)), "'m' is explained by itself", ""),
    "undefined target": (
        ModelSpec(THREE, paths=(Path("mm", "x"),)),
        "'mm' is explained by 'x' but is neither a construct nor an observed variable", "Did you mean 'm'?",
    ),
    "undefined role": (
        ModelSpec((X, M), design=Design("simple", "x", ("m",), "yy")), "'yy' is explained by 'm'",
        "Known: m, x.",
    ),
    "path from an item": (
        ModelSpec(THREE, paths=(Path("m", "x1"),)), "'x1' is an item of 'x'", "Use the construct 'x'",
    ),
    "undefined construct in a covariance": (
        ModelSpec(THREE, covariances=(Covariance("x", "mm"),)), "only constructs have covariances, and 'mm'",
        "Did you mean 'm'?",
    ),
    "incomplete residual group": (
        ModelSpec(
            (*THREE, Construct("v", ("v1", "v2"))), paths=tuple(Path(n, "x") for n in "mvy"),
            covariances=(Covariance("m", "v"), Covariance("v", "y")),
        ),
        "the residual covariances among m, v, y leave out m ~~ y", "add that pair",
    ),
    "unknown design": (
        ModelSpec(THREE, design=replace(SIMPLE, kind="simpel")), "there is no mediation design 'simpel'",
        "Did you mean 'simple'?",
    ),
    "two mediators": (
        ModelSpec(THREE, design=replace(SIMPLE, mediators=("m", "y"), outcome="x")),
        "the design 'simple' takes one mediator, not 2", "",
    ),
    "two roles": (ModelSpec(THREE, design=replace(SIMPLE, covariates=("x",))), "'x' has two roles", ""),
    "unknown family": (
        ModelSpec((replace(X, family="bernouli"),)), "there is no response family 'bernouli'",
        "Did you mean 'bernoulli'?",
    ),
    "unknown label": (
        ModelSpec(THREE, paths=(Path("m", "x", "a"),), definitions=(Definition("d", "a*bb"),)),
        "'d' uses the unknown label 'bb'", "Known: a.",
    ),
    "prior on a missing parameter": (
        ModelSpec((X,), priors=(("slope.m", "Normal(0, 1)"),)),
        "prior on a parameter that does not exist: 'slope.m'", "Did you mean 'slope.x'?",
    ),
    "prior on the correlation of a path model": (
        ModelSpec((X, M, Y), paths=(Path("m", "x"), Path("y", "m")), priors=(("correlation", "LKJ(1)"),)),
        "prior on a parameter that does not exist: 'correlation'", "",
    ),
    "prior of the wrong support": (
        ModelSpec((X,), priors=(("slope.x.x1", "Normal(0, 1)"),)),
        "does not fit 'slope.x.x1', which is positive", "LogNormal",
    ),
    "no prior": (ModelSpec((X,), priors=(("slope", "Normal(0)"),)), "prior Normal takes 2 arguments", ""),
    "unexplained observed variable": (
        ModelSpec((X,), observed=(Observed("dose"),)), "nothing explains the observed variable 'dose'",
        "covariate",
    ),
    "unknown observed family": (
        ModelSpec((X,), observed=(Observed("dose", "poison"),), paths=(Path("dose", "x"),)),
        "'dose' has the unknown family 'poison'", "Did you mean 'poisson'?",
    ),
    "product through a binary mediator": (
        ModelSpec(
            (X, Y), observed=(Observed("passed", "bernoulli"),),
            paths=(Path("passed", "x", "a"), Path("y", "passed", "b")),
            definitions=(Definition("indirect", "a*b"),),
        ),
        "multiplies paths into and out of 'passed', which is binary", "natural_effects()",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_impossible_models_are_named_with_their_cure(name: str) -> None:
    spec, message, hint = ERRORS[name]
    found = error(spec)
    assert message in found.message
    assert hint in found.hint


@pytest.mark.parametrize(("left", "right"), [("x", "y"), ("y", "x")])
def test_more_paths_and_covariances_than_pairs_of_constructs_are_refused(left: str, right: str) -> None:
    """One correlation between two constructs cannot be split into a path and a residual covariance."""
    found = error(ModelSpec((X, Y), paths=(Path("y", "x"),), covariances=(Covariance(left, right),)))
    assert found.hint
