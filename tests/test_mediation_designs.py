"""Designs: one table of paths and estimands, the same model in every form, roles read off the paths."""

from __future__ import annotations

import re
from pathlib import Path as File

import pytest

import medpsy as mp
from medpsy.errors import SpecError
from medpsy.mediation.base import designs
from medpsy.mediation.process import NUMBERS
from medpsy.spec.model_spec import Design, ModelSpec, Observed
from medpsy.spec.toml_model import spec_from_tables
from medpsy.spec.toml_table import TomlTable
from medpsy.spec.toml_text import read_toml_text
from medpsy.spec.write_toml import to_toml

CASES = {
    "simple": Design("simple", "x", ("m",), "y", ("g",)),
    "parallel": Design("parallel", "x", ("m1", "m2"), "y"),
    "serial": Design("serial", "x", ("m1", "m2", "m3"), "y", ("age",)),
    "stages": Design("mixed", "x", ("m1", "m2", "m3"), "y", stages=(2, 1)),
    "several": Design("parallel", "x", ("m1", "m2"), "y", ("g",), ("x2",), ("y2",)),
    "first": Design("simple", "x", ("m",), "y", ("g",), moderation=(("first", "w"),)),
    "all by one": Design(
        "simple", "x", ("m",), "y", moderation=(("first", "w"), ("second", "w"), ("direct", "w"))
    ),
    "two moderators": Design("simple", "x", ("m",), "y", moderation=(("first", "w"), ("second", "v"))),
    "interaction": Design("simple", "x", ("m",), "y", moderation=(("second", "x"),)),
    "moderated moderation": Design("simple", "x", ("m",), "y", moderation=(("first", "w", "z"),)),
    "parallel, second": Design("parallel", "x", ("m1", "m2"), "y", moderation=(("second", "v"),)),
    "no mediator": Design("moderation", "x", (), "y", moderation=(("direct", "w"),)),
}


def composed(design: Design) -> mp.Model:
    observed = tuple(Observed(name) for name in (*design.mediators, *design.outcomes))
    return mp.Model(ModelSpec(observed=observed, design=design))


@pytest.mark.parametrize("name", CASES)
def test_design_text_and_file_are_one_model(name: str, tmp_path: File) -> None:
    model = composed(CASES[name])
    assert mp.Model(model.syntax).spec == model.spec
    assert model.spec.design == CASES[name]
    file = tmp_path / "model.toml"
    unexpanded = ModelSpec(observed=model.spec.observed, design=CASES[name])
    file.write_text(to_toml(unexpanded))
    source = read_toml_text(file)
    assert mp.Model(spec_from_tables(TomlTable(source.parse(), source), "model")).spec == model.spec


def test_every_registered_design_has_a_case() -> None:
    # Designs about clusters have their cases in test_clusters_api.py.
    flat = {name for name, part in designs().items() if not hasattr(part, "leveled")}
    assert flat == {design.kind for design in CASES.values()}


def test_public_form_is_the_design() -> None:
    def of(**about: object) -> Design | None:
        return mp.Mediation("x", outcome="y", **about).spec.design  # type: ignore[arg-type]

    assert of(mediators=["m1", "m2"], serial=True) == Design("serial", "x", ("m1", "m2"), "y")
    assert of(mediators=[["m1", "m2"], "m3"]) == CASES["stages"]
    assert of(mediators="m", covariates=["g"], moderator="w") == CASES["first"]
    assert of(mediators="m", moderator="w", moderates="all") == CASES["all by one"]
    assert of(mediators="m", interaction=True) == CASES["interaction"]
    assert of(mediators="m", moderation={"first": [("w", "z")]}) == CASES["moderated moderation"]
    several = mp.Mediation(["x", "x2"], ["m1", "m2"], ["y", "y2"], covariates=["g"])
    assert several.spec.design == CASES["several"]


def test_effects_of_a_chain_are_products_along_it() -> None:
    definitions = {d.name: d.expression for d in composed(CASES["serial"]).spec.definitions}
    assert definitions["indirect_m1_m2_m3"] == "a1*d21*d32*b3"
    assert definitions["indirect_m1_m3"] == "a1*d31*b3"
    assert len([name for name in definitions if name.startswith("indirect_")]) == 7
    assert definitions["total"] == "indirect + c"
    two = {d.name: d.expression for d in composed(CASES["parallel"]).spec.definitions}
    assert two["contrast_m1_minus_m2"] == "indirect_m1 - indirect_m2"


def test_moderated_chains_have_an_index_and_no_single_indirect_effect() -> None:
    first = {d.name: d.expression for d in composed(CASES["first"]).spec.definitions}
    assert first == {"direct": "c", "index": "a_w*b"}
    both = composed(CASES["all by one"]).spec.definitions
    assert both == ()
    deep = {d.name: d.expression for d in composed(CASES["moderated moderation"]).spec.definitions}
    assert deep["index"] == "a_w_z*b"


def test_process_numbers() -> None:
    model = mp.Mediation.from_process
    assert model(59, x="x", m="m", y="y", w="w").spec.design == CASES["all by one"]
    assert model(21, x="x", m="m", y="y", w="w", z="v").spec.design == CASES["two moderators"]
    assert model(1, x="x", y="y", w="w").spec.design == CASES["no mediator"]
    assert model(4, x="x", m=["m1", "m2"], y="y").spec.design == CASES["parallel"]
    six = model(6, x="x", m=["m1", "m2", "m3"], y="y", covariates=["age"])
    assert six.spec.design == CASES["serial"]
    for number, (mediators, changes) in NUMBERS.items():
        letters = {letter for _, letters in changes for letter in letters}
        roles = {"w": "w" if "W" in letters else None, "z": "z" if "Z" in letters else None}
        some = {"none": [], "one or more": ["m"], "two or more": ["m1", "m2"]}[mediators]
        made = model(number, x="x", m=some, y="y", **roles)
        assert made.spec.design is not None and len(made.spec.design.moderation) == len(changes)


def test_a_latent_exposure_need_not_be_explained_by_covariates() -> None:
    text = """x =~ x1..x3
    m =~ m1..m3
    y =~ y1..y3
    m ~ a*x + g
    y ~ b*m + c*x + g
    indirect := a*b
    direct := c
    total := a*b + c
    """
    without = mp.Model(text)
    assert without.spec.design == CASES["simple"]
    assert "x ~ g" not in without.syntax
    full = mp.Model(text.replace("m ~ a*x + g", "x ~ g\nm ~ a*x + g"))
    assert full.spec.design == CASES["simple"] and full.spec != without.spec


def test_quantities_beside_those_of_the_design_are_kept() -> None:
    model = mp.Model("m ~ a*x\ny ~ b*m + c*x\nindirect := b*a\ndirect := c\ntotal := c + a*b\nhalf := a*b/2")
    assert model.spec.design == Design("simple", "x", ("m",), "y")
    assert [d.name for d in model.spec.definitions] == ["indirect", "direct", "total", "half"]


def test_parallel_constructs_have_correlated_residuals() -> None:
    constructs = [mp.GradedResponse(n, f"{n}_1..{n}_3") for n in ("m1", "m2", "y")]
    model = mp.Mediation("x", constructs[:2], constructs[2])
    assert [(c.left, c.right) for c in model.spec.covariances] == [("m1", "m2")]
    assert mp.Model(model.syntax).spec == model.spec


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mp.Mediation("x", "x", "y"), "'x' has two roles"),
        (lambda: mp.Mediation("x", "m", "y", moderator="m"), "'m' is mediator or outcome"),
        (lambda: mp.Mediation("x", "m", "y", moderator="x"), "cannot change with 'x' itself"),
        (lambda: mp.Mediation("x", "m", "y", moderator="w", moderates="frist"), "no 'frist' paths"),
        (lambda: mp.Mediation("x", "m", "y", moderator="w", moderates="between"), "no 'between' paths"),
        (lambda: mp.Mediation("x", ["m1", "m2"], "y", design="simple"), "takes one mediator, not 2"),
        (lambda: mp.Mediation("x", ["m1"], "y", design="serial"), "two or more mediators"),
        (lambda: mp.Mediation("x", [["m1"], "m2"], "y", design="mixed"), "into stages of 1, 1"),
        (lambda: mp.Mediation("x", [], "y"), "takes no mediator and at least one moderator"),
        (lambda: mp.Mediation("x", ["m 1", "m_1"], "y"), "would be called 'indirect_m_1'"),
        (lambda: mp.Mediation.from_process(99, x="x", m="m", y="y"), "model 99 has no counterpart"),
        (lambda: mp.Mediation.from_process(7, x="x", m="m", y="y"), "needs a moderator W"),
        (lambda: mp.Mediation.from_process(4, x="x", m="m", y="y", w="w"), "has no moderator W"),
        (lambda: mp.Mediation.from_process(6, x="x", m="m", y="y"), "takes two or more mediators"),
        (lambda: mp.Model("y ~ x:w + x"), "by the product 'x:w' but not by 'w'"),
        (lambda: mp.Model("y ~ x + x:x"), "multiplies a variable with itself"),
        (lambda: mp.Model("y ~ x + w + x:w + w:x"), "is listed twice"),
        (lambda: mp.Model("m ~ y + w\ny ~ m + w + m:w"), "the paths form a cycle"),
        (lambda: mp.Model("x =~ a..b\ny =~ c..d\nx ~~ y:z"), "cannot be read"),
    ],
)  # fmt: skip
def test_what_is_no_design_is_refused(call: object, message: str) -> None:
    if message == "cannot be read":
        message = "covariance is between two constructs|range"
    with pytest.raises(SpecError, match=message):
        call()  # type: ignore[operator]


def test_paths_beside_a_design_must_be_its_paths() -> None:
    model = composed(CASES["simple"])
    assert mp.Model(model.spec).spec == model.spec
    other = ModelSpec(
        observed=model.spec.observed, paths=model.spec.paths[:-1], definitions=model.spec.definitions,
        design=CASES["simple"],
    )  # fmt: skip
    with pytest.raises(SpecError, match="not those of the simple mediation"):
        mp.Model(other)


def test_designs_on_the_page_about_effects_can_be_made() -> None:
    page = (File(__file__).resolve().parent.parent / "docs" / "estimands.md").read_text(encoding="utf-8")
    code = page.partition("## Designs")[2].partition("```python\n")[2].partition("```")[0]
    known = {name: mp.GradedResponse(name, f"{name}1..{name}4") for name in "xmuvw"}
    made = [eval(line, {"mp": mp, **known}) for line in code.strip().split("\n")]
    assert len(made) == 11 and all(model.spec.design is not None for model in made)
    for verb in set(re.findall(r"`fit\.(\w+)\(", page)):
        assert hasattr(mp.Fit, verb), verb
