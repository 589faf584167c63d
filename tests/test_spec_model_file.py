"""Model files: what they say, and what is said about their mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from medpsy.errors import MedpsyError, SpecError
from medpsy.spec.model_file import ModelFile, read_model_file
from medpsy.spec.model_spec import Construct, Design, Observed
from medpsy.spec.model_spec import Path as Arrow
from medpsy.spec.problem import ElementError

INSTRUMENT = """schema = 1
person = "rid"
[module.gad]
items = "gad1..gad7"
codes = [0, 1, 2, 3]
[module.phq]
items = "phq1..phq9"
codes = [0, 1, 2, 3]
[variable.sex]
kind = "category"
levels = ["m", "f"]
[variable.hours]
kind = "number"
"""

FULL = """# a model file
schema = 1
name = "students"
title = "Worry and mood"
note = "simulated"
instrument = "instrument.toml"

[data]
file = "answers.csv"
encoding = "latin-1"
out_of_range = "refuse"

[screening]
max_missing = 0.10

[constructs.anxiety]
items = "gad1..gad7"
positive = true

[constructs.depression]
items = ["phq1..phq8", "phq9"]
family = "graded"

[mediation]
design = "simple"
exposure = "hours"
mediator = "anxiety"
outcome = "depression"
covariates = ["sex"]

[priors]
"slope" = "LogNormal(0.25,0.6)"
"path.depression~anxiety" = "Normal(mu=0, sd=1)"
slope.anxiety.gad1 = "LogNormal(0, 1)"

[sampling]
draws = 1000
tune = 500
chains = 4
seed = 0
target_accept = 0.9
engine = "quadrature"
route = "compiled"

[report]
interval = 0.9
rope = 0.05

[truth]
paths = { a = 0.5 }
"""


def _write(folder: Path, text: str) -> Path:
    (folder / "instrument.toml").write_text(INSTRUMENT, encoding="utf-8")
    file = folder / "model.toml"
    file.write_text(text, encoding="utf-8")
    return file


def _read(folder: Path, text: str) -> ModelFile:
    return read_model_file(_write(folder, text))


def _error(folder: Path, text: str) -> SpecError:
    with pytest.raises(SpecError) as caught:
        _read(folder, text)
    return caught.value


def test_a_full_file(tmp_path: Path) -> None:
    # The dotted key would contradict the plain key "slope": TOML wants one of them quoted with its dots.
    got = _read(tmp_path, FULL.replace("slope.anxiety.gad1 =", '"slope.anxiety.gad1" ='))
    assert got.spec.constructs == (
        Construct("anxiety", tuple(f"gad{i}" for i in range(1, 8)), positive=True),
        Construct("depression", tuple(f"phq{i}" for i in range(1, 10))),
    )
    assert got.spec.design == Design("simple", "hours", ("anxiety",), "depression", ("sex",))
    assert got.spec.paths == () and got.spec.observed == ()
    assert got.spec.priors == (
        ("path.depression~anxiety", "Normal(0, 1)"),
        ("slope", "LogNormal(0.25, 0.6)"),
        ("slope.anxiety.gad1", "LogNormal(0, 1)"),
    )
    assert (got.spec.name, got.spec.note, got.title, got.note) == (
        "students",
        "simulated",
        "Worry and mood",
        "simulated",
    )
    assert got.data_file == str(tmp_path / "answers.csv") and got.example is None
    assert (got.encoding, got.out_of_range) == ("latin-1", "refuse")
    assert got.instrument is not None and len(got.instrument.items) == 16
    assert got.screening == {"max_missing": 0.10}
    assert got.sampling == {
        "draws": 1000, "tune": 500, "chains": 4, "seed": 0, "target_accept": 0.9, "engine": "quadrature",
        "route": "compiled",
    }  # fmt: skip
    assert got.report == {"interval": 0.9, "rope": 0.05}
    assert got.truth == {"paths": {"a": 0.5}}
    assert got.path == str(tmp_path / "model.toml")


def test_a_syntax_file_with_defaults(tmp_path: Path) -> None:
    text = '''schema = 1
[model]
syntax = """
f =~ q1..q3
y ~ b*f
"""
family = "bernoulli"
positive = ["f"]
[model.families]
y = "bernoulli"
'''
    got = _read(tmp_path, text)
    assert got.spec.constructs == (Construct("f", ("q1", "q2", "q3"), "bernoulli", True),)
    assert got.spec.observed == (Observed("y", "bernoulli"),)
    assert got.spec.paths == (Arrow("y", "f", "b"),)
    assert got.spec.name == "model" and got.spec.design is None
    assert (got.instrument, got.data_file, got.example, got.encoding, got.truth) == (None,) * 5
    assert (got.out_of_range, got.sampling, got.report, got.screening) == ("missing", {}, {}, {})


def test_observed_mediators_and_outcomes(tmp_path: Path) -> None:
    text = """schema = 1
constructs = { anxiety = { items = "gad1..gad7" } }
[mediation]
design = "parallel"
exposure = "anxiety"
mediators = ["hours", "sleep"]
outcome = "passed"
[observed.passed]
family = "bernoulli"
"""
    got = _read(tmp_path, text)
    assert got.spec.observed == (Observed("hours"), Observed("sleep"), Observed("passed", "bernoulli"))


def test_an_inline_instrument_and_an_example(tmp_path: Path) -> None:
    inline = '[instrument]\nperson = "rid"\n[instrument.module.q]\nitems = "q1..q3"\ncodes = [1, 2]\n'
    got = _read(tmp_path, f'schema = 1\n{inline}[constructs.f]\nitems = "q1..q3"\n')
    assert got.instrument is not None and got.instrument.items == ("q1", "q2", "q3")
    example = 'schema = 1\n[data]\nexample = "students"\n[constructs.anxiety]\nitems = "gad1..gad7"\n'
    got = _read(tmp_path, example)
    assert got.example == "students" and got.instrument is not None
    assert "phq9" in got.instrument.items
    error = _error(tmp_path, example.replace("students", "studens"))
    assert (error.line, error.hint) == (3, "Did you mean 'students'?")


def test_an_instrument_key_that_landed_in_the_data_table(tmp_path: Path) -> None:
    text = """schema = 1
[data]
file = "answers.csv"
instrument = "instrument.toml"
[constructs.anxiety]
items = "gad1..gad7"
"""
    got = _read(tmp_path, text)
    assert got.instrument is not None and got.data_file == str(tmp_path / "answers.csv")
    error = _error(tmp_path, text.replace("[data]", 'instrument = "instrument.toml"\n[data]'))
    assert (error.message, error.line) == ("the instrument is given twice", 5)


# a replacement in the full file -> line, message, hint
MISTAKES = [
    ("schema = 1", "", 1, "does not say its schema", "schema = 1"),
    ("schema = 1", "schema = 2", 2, "schema 2 is unknown", "schema = 1"),
    ("schema = 1", "schema = true", 2, "schema True is unknown", "schema = 1"),
    ("title =", "tilte =", 4, "unknown key 'tilte'", "Did you mean 'title'?"),
    ('title = "Worry and mood"', "title = 3", 4, "'title' is 3, not a text", 'title = "..."'),
    ("[screening]\n", "[screenning]\n", 13, "unknown key 'screenning'", "Did you mean 'screening'?"),
    ("[screening]\nmax_missing = 0.10", "", 8, "", ""),
    ("encoding", "encodng", 10, "unknown key 'encodng' in [data]", "Did you mean 'encoding'?"),
    ('"refuse"', '"refused"', 11, 'out_of_range = "refused" is unknown', "Did you mean 'refuse'?"),
    ('file = "answers.csv"', "", 8, "[data] names no answers", "example ="),
    ('file = "answers.csv"', 'file = ""', 9, "[data] has no file", 'file = "..."'),
    ('file = "answers.csv"', 'file = "a"\nexample = "students"', 9, "the data are an example", "Remove it"),
    ('instrument = "instrument.toml"', "", 8, "without an instrument", "above [data]"),
    ('"instrument.toml"', '"instrment.toml"', 6, "there is no instrument file", "Check the path."),
    ('"gad1..gad7"', '"gad1..gad8"', 17, "item 'gad8' of construct 'anxiety' is not in the", "gad"),
    ('"gad1..gad7"', '"gad1..bad7"', 17, "starts with 'gad' but ends with 'bad'", "same prefix"),
    ('"gad1..gad7"', '["gad1", 2]', 17, "not a list of texts", "items = ["),
    ('items = "gad1..gad7"', "", 16, "[constructs.anxiety] has no items", "mh1..mh10"),
    ('["phq1..phq8", "phq9"]', '["phq1..phq8", "phq8"]', 21, "'phq8' is listed twice", "Remove one"),
    ('["phq1..phq8", "phq9"]', '["phq1..phq9", "gad1"]', 21, "measures both 'anxiety' and", "one construct"),
    ("positive = true", 'positive = "yes"', 18, "'positive' is \"yes\", not true or false", "true"),
    ("[constructs.anxiety]", "[constructs.'my anxiety']", 16, "cannot be the name of a", "Use letters"),
    ("design = ", "desing = ", 25, "unknown key 'desing' in [mediation]", "Did you mean 'design'?"),
    ('design = "simple"', "", 24, "[mediation] has no design", "design ="),
    ('exposure = "hours"', 'exposure = "huors"', 26, "'huors' is neither a construct of the", "'hours'"),
    ('exposure = "hours"', 'exposure = "anxiety"', 27, "'anxiety' is exposure and mediators", "one role"),
    ('exposure = "hours"', 'exposure = "gad3"', 26, "'gad3' is an item of 'anxiety'", "Use the construct"),
    ('mediator = "anxiety"', 'mediator = "anxeity"', 27, "'anxeity' is neither a construct", "'anxiety'"),
    ('mediator = "anxiety"', "mediators = []", 27, "names no mediator", "at least one"),
    ('mediator = "anxiety"', 'mediator = "anxiety"\nmediators = ["phq"]', 28, "has both mediator", "Keep"),
    ('covariates = ["sex"]', 'covariates = ["sxe"]', 29, "'sxe' is neither", "Did you mean 'sex'?"),
    ("[priors]", "[observed.hours]\n[priors]", 31, "[observed.hours] is neither a mediator", "Only an"),
    ("[priors]", "[observed.anxiety]\n[priors]", 31, "'anxiety' has its family elsewhere", "[model"),
    ("LogNormal(0.25,0.6)", "Lognormal(0.25,0.6)", 32, "unknown prior distribution", "'LogNormal'"),
    ('"LogNormal(0.25,0.6)"', "0.3", 32, "'slope' is 0.3, not a text", 'slope = "..."'),
    ("sd=1", "sd=-1", 33, "sd must be positive", "Normal(mu, sd)"),
    ("draws = 1000", "draw = 1000", 37, "unknown key 'draw' in [sampling]", "Did you mean 'draws'?"),
    ("draws = 1000", "draws = 10.5", 37, "'draws' is 10.5, not a whole number from 1 up", "draws = 2"),
    ("draws = 1000", "draws = true", 37, "'draws' is true, not a whole number", "draws"),
    ("chains = 4", "chains = 0", 39, "'chains' is 0", "chains"),
    ("target_accept = 0.9", "target_accept = 1", 41, "not a number between 0 and 1", "0.5"),
    ('"quadrature"', '"quadratur"', 42, 'engine = "quadratur" is unknown', "Did you mean 'quadrature'?"),
    ("interval = 0.9", "interval = 95", 46, "'interval' is 95, not a number between 0 and 1", "0.5"),
    ("rope = 0.05", 'rope = "small"', 47, "'rope' is \"small\", not a number", "rope"),
    ("[truth]\npaths = { a = 0.5 }", "truth = 3", 49, "unknown key 'truth' in [report]", ""),
    ("[sampling]", "[constructs.x]\n[sampling]", 36, "[constructs.x] has no items", ""),
    ("[sampling]", '[model]\nsyntax = "y ~ x"\n[sampling]', 16, "the constructs are given twice", "Keep one"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "line", "message", "hint"), MISTAKES)
def test_mistakes_are_named_with_their_line(
    tmp_path: Path, old: str, new: str, line: int, message: str, hint: str
) -> None:
    full = FULL.replace("slope.anxiety.gad1 =", '"slope.anxiety.gad1" =')
    assert full.count(old) == 1 or old == "title ="
    if not message:  # leaving the screening out is no mistake
        assert _read(tmp_path, full.replace(old, new, 1)).screening == {}
        return
    error = _error(tmp_path, full.replace(old, new, 1))
    assert error.path == str(tmp_path / "model.toml")
    assert message in error.message
    assert hint in error.hint
    assert error.line == line


def test_errors_of_later_steps_find_their_line(tmp_path: Path) -> None:
    got = _read(tmp_path, FULL.replace("slope.anxiety.gad1 =", '"slope.anxiety.gad1" ='))
    late = got.located(
        ElementError("no such parameter", subject=("prior", "path.depression~anxiety"), hint="h")
    )
    assert (late.line, late.path, late.hint) == (33, got.path, "h")
    assert got.located(ElementError("unknown", subject=("family", "depression"))).line == 22
    assert got.located(ElementError("unknown", subject=("role", "mediators"))).line == 27
    assert got.located(SpecError("no such rule"), "screening", "max_missing").line == 14
    assert got.located(SpecError("general")).path == got.path
    known = SpecError("elsewhere", path="other.toml", line=3)
    assert got.located(known) is known


def test_damaged_files_raise_nothing_but_medpsy_errors(tmp_path: Path) -> None:
    import random

    rng = random.Random(5)
    read = 0
    for _ in range(300):
        text = list(FULL.replace("slope.anxiety.gad1 =", '"slope.anxiety.gad1" ='))
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(text))
            text[at] = rng.choice(["", '"', "=", "[", "]", "\n", "7", "x", ".", "{", "\\", "#", "'"])
        try:
            _read(tmp_path, "".join(text))
            read += 1
        except MedpsyError as error:
            assert error.message
    assert 5 < read < 150
