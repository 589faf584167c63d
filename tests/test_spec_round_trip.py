"""Any specification survives being printed and read; any text is read or refused; importing is quick."""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medpsy.errors import SpecError
from medpsy.spec.check import check
from medpsy.spec.graph import order
from medpsy.spec.model_file import read_model_file, to_toml
from medpsy.spec.model_spec import Construct, Covariance, Definition, Design, ModelSpec, Observed
from medpsy.spec.model_spec import Path as Arrow
from medpsy.spec.syntax import parse_model, to_syntax

CHECKED = settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
PRIORS = ("Normal(0, 0.5)", "LogNormal(0.25, 0.6)", "HalfStudentT(3, 1)", "Dirichlet(2)", "LKJ(2)")
NAMES = ("f", "general_health", "sinn", "意义", "x1", "sqrt", "g9")
COLUMNS = (
    "age",
    "in come",
    "1st",
    "sex-2",
    'say "x"',
    "back\\slash",
    "école",
    "x~y",
    "a#b",
    "中 文",
    "a;b",
    "c'd",
)


@st.composite
def specs(draw: st.DrawFn, *, expanded: bool) -> ModelSpec:
    """Draw a specification that obeys every rule, with a design instead of paths if not ``expanded``."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=3, max_size=5, unique=True))
    constructs = []
    for at, name in enumerate(names):
        stems = draw(st.permutations([f"q{at}_", f"i-{at}.", f"{at}0"]))
        numbers = draw(st.lists(st.integers(0, 30), min_size=1, max_size=8, unique=True))
        width = draw(st.sampled_from(["", "02"]))
        items = tuple(f"{stems[0]}{number:{width}}" for number in sorted(numbers))
        family = draw(st.sampled_from(["graded", "bernoulli", "gaussian"]))
        constructs.append(Construct(name, items, family, draw(st.booleans())))
    columns = draw(st.permutations(COLUMNS))
    texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
    priors = draw(
        st.dictionaries(
            st.sampled_from(["slope", "path.a", "path.x~y", "correlation"]), st.sampled_from(PRIORS)
        )
    )
    base = ModelSpec(
        constructs=tuple(constructs), priors=tuple(sorted(priors.items())), name=draw(texts), note=draw(texts)
    )
    return _with_paths(draw, base, columns) if expanded else _with_design(draw, base, columns)


def _with_paths(draw: st.DrawFn, spec: ModelSpec, columns: list[str]) -> ModelSpec:
    chain = [*(c.name for c in spec.constructs), *columns[:2]]
    chain = draw(st.permutations(chain))
    pairs = [(target, source) for at, target in enumerate(chain) for source in [*chain[:at], *columns[2:4]]]
    chosen = draw(st.lists(st.sampled_from(pairs), min_size=1, max_size=7, unique=True))
    labels = draw(st.permutations([f"p{i}" for i in range(5)] + [None] * 5))
    paths = [Arrow(*pair, label) for pair, label in zip(chosen, labels, strict=False)]
    # Printing gathers what explains one variable in one statement.
    targets = list(dict.fromkeys(path.target for path in paths))
    paths.sort(key=lambda path: targets.index(path.target))
    latent = [c.name for c in spec.constructs]
    observed = [
        Observed(target, draw(st.sampled_from(["gaussian", "bernoulli"])))
        for target in targets
        if target not in latent
    ]
    covariances = [Covariance(latent[0], latent[1], "r"), Covariance(latent[2], latent[0])][
        : draw(st.integers(0, 2))
    ]
    known = [path.label for path in paths if path.label] + [c.label for c in covariances if c.label]
    definitions = []
    if known:
        definitions = [
            Definition("d1", f"{known[0]}*{known[-1]} - 1"),
            Definition("d2", f"-d1^2 + sqrt({known[0]})"),
        ]
    return replace(
        spec,
        paths=tuple(paths),
        observed=tuple(observed),
        covariances=tuple(covariances),
        definitions=tuple(definitions),
    )


def _with_design(draw: st.DrawFn, spec: ModelSpec, columns: list[str]) -> ModelSpec:
    latent = [c.name for c in spec.constructs]
    roles = draw(st.permutations([*latent, *columns[:3]]))
    mediators = tuple(roles[1 : 1 + draw(st.integers(1, 2))])
    design = Design("parallel", roles[0], mediators, roles[3], tuple(columns[4:6]))
    families = st.sampled_from(["gaussian", "bernoulli"])
    observed = tuple(Observed(name, draw(families)) for name in (*mediators, roles[3]) if name not in latent)
    return replace(spec, design=design, observed=observed)


@CHECKED
@given(specs(expanded=True))
def test_syntax_there_and_back(spec: ModelSpec) -> None:
    families = {c.name: c.family for c in spec.constructs} | {o.name: o.family for o in spec.observed}
    positive = [c.name for c in spec.constructs if c.positive]
    again = parse_model(to_syntax(spec), families=families, positive=positive)
    assert again == replace(spec, priors=())
    assert to_syntax(again) == to_syntax(spec)


@CHECKED
@given(st.one_of(specs(expanded=True), specs(expanded=False)))
def test_toml_there_and_back(spec: ModelSpec) -> None:
    check(spec)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "spec.toml"
        file.write_text(to_toml(spec), encoding="utf-8")
        again = read_model_file(file).spec
    assert again == spec
    assert (again.name, again.note) == (spec.name, spec.note)


def test_a_design_with_paths_keeps_both(tmp_path: Path) -> None:
    spec = parse_model("m =~ m1..m3\ny =~ y1..y3\nm ~ a*x\ny ~ b*m + c*x\nindirect := a*b")
    spec = replace(spec, design=Design("simple", "x", ("m",), "y"))
    (tmp_path / "m.toml").write_text(to_toml(spec), encoding="utf-8")
    assert read_model_file(tmp_path / "m.toml").spec == spec


def test_control_characters_in_texts_are_escaped(tmp_path: Path) -> None:
    spec = ModelSpec((Construct("f", ("q1", "q2")),), note="a\x00b\x7fc\td\ne\x85f")
    (tmp_path / "m.toml").write_text(to_toml(spec), encoding="utf-8")
    assert read_model_file(tmp_path / "m.toml").spec.note == spec.note


def test_the_printed_file_reads_like_one_written_by_hand() -> None:
    spec = ModelSpec(
        constructs=(
            Construct("worry", ("gad1", "gad2", "gad3")),
            Construct("mood", ("a", "b"), positive=True),
        ),
        design=Design("simple", "sleep", ("worry",), "mood", ("sex",)),
        priors=(("slope", "LogNormal(0, 1)"),),
        name="students",
    )
    assert (
        to_toml(spec)
        == """schema = 1
name = "students"

[constructs.worry]
items = "gad1..gad3"
family = "graded"

[constructs.mood]
items = ["a", "b"]
family = "graded"
positive = true

[mediation]
design = "simple"
exposure = "sleep"
mediators = ["worry"]
outcome = "mood"
covariates = ["sex"]

[priors]
"slope" = "LogNormal(0, 1)"
"""
    )


GOOD = """f =~ q1..q4 + r1
g =~ s01..s03
f ~ a*x + c*z
g ~ b*f +
  x # why
f ~~ g; ab := a*b
t := ab + 2^(c)/exp(-b)
"""


def test_damaged_models_are_read_or_refused_with_a_place() -> None:
    rng = random.Random(11)
    pieces = [
        "=~",
        "~",
        "~~",
        ":=",
        "..",
        "+",
        "*",
        "(",
        ")",
        ";",
        "\n",
        " ",
        "q1",
        "f",
        "a",
        "1",
        "0.5",
        "`",
        "#",
        "é",
        "@",
    ]
    read = 0
    for _ in range(1500):
        text = GOOD
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(text))
            text = text[:at] + rng.choice([*pieces, ""]) + text[at + rng.randint(0, 4) :]
        try:
            spec = parse_model(text)
        except SpecError as error:
            assert error.line is not None and 1 <= error.line <= text.count("\n") + 1
            assert error.message.endswith("^") or "says nothing" in error.message
            continue
        read += 1
        order(spec)
        assert parse_model(to_syntax(spec)).constructs == spec.constructs
    assert 50 < read < 1200


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (ModelSpec((Construct("my f", ("q1",)),)), "'my f' cannot be the name of a construct"),
        (ModelSpec((Construct("f", ("q`1",)),)), "'q`1' cannot be the name of an item or variable"),
        (ModelSpec((Construct("f", ("q\t1",)),)), "cannot be the name of an item or variable"),
        (ModelSpec((Construct("f", ("q1..q3",)),)), "cannot be the name of an item or variable"),
        (ModelSpec(observed=(Observed("y"),)), "nothing explains the observed variable 'y'"),
        (
            ModelSpec((Construct("f", ("q1",)),), (Observed("f"),), (Arrow("f", "x"),)),
            "'f' is defined twice",
        ),
        (
            ModelSpec(observed=(Observed("y"),), paths=(Arrow("y", "x", "a b"),)),
            "'a b' cannot be the name of a label",
        ),
        (ModelSpec((Construct("f", ("q1",)),), priors=(("slope", "Normal(0)"),)), "takes 2 arguments"),
        (
            ModelSpec((Construct("f", ("q1",)),), design=Design("simple", "x", (), "f")),
            "the design names no mediator",
        ),
    ],
)
def test_rules_hold_for_specifications_made_in_python(spec: ModelSpec, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        check(spec)
    assert message in caught.value.message


def test_importing_the_specification_half_is_light_and_quick() -> None:
    code = (
        "import sys, time, tomllib, dataclasses, pathlib, difflib, json; before = time.process_time();"
        "import medpsy.spec.model_file, medpsy.spec.parameters;"
        "print(time.process_time() - before, *sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, *modules = done.stdout.split()
    heavy = {"numpy", "pandas", "scipy", "arviz", "pymc", "pytensor", "matplotlib", "numba"}
    assert not heavy & set(modules)
    assert float(seconds) < 0.2
