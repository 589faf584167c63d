"""The line in which a model file is wrong, however the file is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from medpsy.errors import SpecError
from medpsy.spec.model_file import ModelFile, read_model_file
from medpsy.spec.problem import ElementError

INSTRUMENT = """[module.gad]
items = "gad1..gad7"
codes = [0, 1, 2, 3]
"""


def _read(folder: Path, text: str) -> ModelFile:
    (folder / "instrument.toml").write_text(INSTRUMENT, encoding="utf-8")
    (folder / "model.toml").write_text(text, encoding="utf-8")
    return read_model_file(folder / "model.toml")


def _error(folder: Path, text: str) -> SpecError:
    with pytest.raises(SpecError) as caught:
        _read(folder, text)
    return caught.value


SYNTAX = """schema = 1

[model]
family = "graded"  # syntax = no
syntax = '''
  # only a comment

  f =~ q1..q3
  y ~ a*f
  k := b
'''
"""


def test_a_syntax_error_has_the_line_of_the_file(tmp_path: Path) -> None:
    error = _error(tmp_path, SYNTAX)
    assert error.line == 10
    assert str(error) == (
        f"{tmp_path / 'model.toml'}, line 10: definition 'k' uses the unknown label 'b'\n"
        "  k := b\n"
        "       ^\n"
        "  Known: a."
    )


@pytest.mark.parametrize(
    ("written", "line"),
    [
        ("'''f =~ q1..q3\ny ~ ~ f'''", 4),
        ("'''\r\nf =~ q1..q3\r\ny ~ ~ f'''", 5),
        ('"""\nf =~ q1..q3\ny ~ ~ f"""', 5),
        ('"""\nf =~ q1..q3 + \\\n   q4\ny ~ ~ f"""', 3),  # a folded line: only the key's line is sure
        ('"f =~ q1..q3\\ny ~ ~ f"', 3),
        ('"y ~ ~ f"', 3),
    ],
)
def test_syntax_lines_however_the_text_is_quoted(tmp_path: Path, written: str, line: int) -> None:
    (tmp_path / "model.toml").write_bytes(f"schema = 1\n[model]\nsyntax = {written}\n".encode())
    with pytest.raises(SpecError, match="unexpected '~'") as caught:
        read_model_file(tmp_path / "model.toml")
    assert caught.value.line == line


def test_mistakes_around_the_syntax(tmp_path: Path) -> None:
    good = SYNTAX.replace("k := b", "k := a")
    assert _read(tmp_path, good).spec.definitions[0].expression == "a"
    cases = [
        (good + "[model.families]\nfe = 'gaussian'\n", 13, "families names 'fe'"),
        (good + "[model.families]\ny = 'gausian'\n", 13, "unknown family 'gausian'"),
        (good.replace("[model]", "[model]\npositive = ['g']"), 4, "positive names 'g'"),
        (good + "[observed.y]\nfamily = 'bernoulli'\n", 12, "has its family elsewhere"),
        (
            good.replace("schema = 1", "schema = 1\ninstrument = 'instrument.toml'"),
            6,
            "not in the instrument",
        ),
        ("schema = 1\n[model]\nfamily = 'graded'\n", 2, "[model] has no syntax"),
        ("schema = 1\n", None, "the file has no model"),
        ("schema = 1\nmodel = 3\n", 2, "'model' is 3, not a table"),
        ("schema = 1\n[constructs]\n", 2, "[constructs] is empty"),
        ("schema = 1\ndata = {example = 'students', file = 'x'}\n", 2, "which brings its own file"),
    ]
    for text, line, message in cases:
        error = _error(tmp_path, text)
        assert message in error.message, text
        assert error.line == line, text


def test_files_that_are_no_toml(tmp_path: Path) -> None:
    error = _error(tmp_path, "schema = 1\n  name = students\n")
    assert error.line == 2
    assert error.message == "not TOML: Invalid value\n  name = students\n         ^"
    assert _error(tmp_path, "schema = 1\nschema = 1\n").line == 2
    assert _error(tmp_path, 'schema = 1\nname = """abc\n').message.startswith("not TOML")
    with pytest.raises(SpecError, match="there is no such file"):
        read_model_file(tmp_path / "none.toml")
    with pytest.raises(SpecError, match="cannot be read"):
        read_model_file(tmp_path)
    (tmp_path / "model.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(SpecError, match="not UTF-8 at byte 8"):
        read_model_file(tmp_path / "model.toml")


def test_a_byte_order_mark_and_a_relative_path_are_fine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = 'schema = 1\n[data]\nfile = "d/a.csv"\ninstrument = "instrument.toml"\n'
    (tmp_path / "instrument.toml").write_text(INSTRUMENT, encoding="utf-8")
    (tmp_path / "model.toml").write_text(
        text + '[constructs.a]\nitems = "gad1..gad3"\n', encoding="utf-8-sig", newline="\r\n"
    )
    monkeypatch.chdir(tmp_path.parent)
    got = read_model_file(Path(tmp_path.name) / "model.toml")
    assert got.data_file == f"{tmp_path.name}/d/a.csv"


def test_nested_prior_keys_and_their_line(tmp_path: Path) -> None:
    base = 'schema = 1\n[constructs.a]\nitems = "q1..q3"\n[priors]\n'
    got = _read(tmp_path, base + 'slope.a.q1 = "LogNormal(0, 1)"\nslope.a.q2 = "Normal(1, 1)"\n')
    assert [target for target, _ in got.spec.priors] == ["slope.a.q1", "slope.a.q2"]
    assert got.located(ElementError("bad", subject=("prior", "slope.a.q2"))).line == 6
    error = _error(tmp_path, base + '[priors.slope]\na = "Normal(0, 1)"\nb = "Normal(0)"\n')
    assert (error.line, error.message) == (7, "prior Normal takes 2 arguments, 1 given")
    error = _error(tmp_path, base + '"slope.a" = "Normal(0, 1)"\nslope.a = "Normal(0, 1)"\n')
    assert "'slope.a' has two priors" in error.message


def test_lines_are_not_fooled_by_strings_comments_and_inline_tables(tmp_path: Path) -> None:
    text = '''schema = 1
note = """
[sampling]
draws = 3 # "
"""
title = "a # b [report] rope = 1" # [report]
constructs = { a = { items = "q1..q3" }, b = { items = "r1..r3", famly = "x" } }
'''
    error = _error(tmp_path, text)
    assert (error.line, error.message) == (7, "unknown key 'famly' in [constructs.b]")
    error = _error(tmp_path, text.replace("famly", "family") + "[sampling]\ndraws = 0\n")
    assert error.line == 9
