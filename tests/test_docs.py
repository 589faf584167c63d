"""The documentation says what the code does: examples run, tables agree, errors read as shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import medpsy as mp
from medpsy.cli.main import main
from medpsy.diagnostics.base import checks
from medpsy.engines.base import engines

DOCS = Path(__file__).resolve().parent.parent / "docs"

PATHS = """
  sleepiness =~ epworth1..epworth8
  anxiety    =~ gad1..gad7
  depression =~ phq1..phq9
  sleepiness ~ sex
  anxiety    ~ a*sleepiness + sex
  depression ~ b*anxiety + c*sleepiness + sex
  indirect := a*b
  direct   := c
  total    := a*b + c
"""


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text(encoding="utf-8")


def blocks(name: str, language: str) -> list[str]:
    found = re.findall(rf"^```{language}\n(.*?)^```$", page(name), flags=re.MULTILINE | re.DOTALL)
    assert found
    return [block.rstrip("\n") for block in found]


def test_every_page_is_in_the_index() -> None:
    listed = set(page("index").partition("{toctree}")[2].split())
    pages = {path.stem for path in DOCS.glob("*.md")} - {"index"}
    assert pages <= listed


@pytest.mark.parametrize(
    "old, new, word",
    [
        ("a*b + c", "a*b + d", "unknown label"),
        ("a*sleepiness + sex", "a*sleepiness sex", "unexpected"),
        ("total    := a*b + c\n", "total    := a*b + c\n  sleepiness ~ depression\n", "cycle"),
    ],
)
def test_errors_of_model_text_read_as_shown(old: str, new: str, word: str) -> None:
    with pytest.raises(mp.SpecError) as caught:
        mp.Model(PATHS.replace(old, new))
    assert word in str(caught.value)
    assert f"SpecError: {caught.value}" in blocks("model-text", "text")


def test_model_text_recognises_the_design(capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(blocks("model-text", "python")[0], "model-text.md", "exec"), {"mp": mp})
    assert capsys.readouterr().out.strip() in blocks("model-text", "text")


def test_the_other_path_model_composes() -> None:
    text = next(block for block in blocks("model-text", "text") if "through_age" in block)
    model = mp.Model(text)
    assert model.spec.design is None
    assert [o.name for o in model.spec.observed] == ["age"]
    assert model.composed.structure.name == "path"


def test_the_model_file_is_fine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, *_ = blocks("model-files", "toml")
    file = tmp_path / "students.toml"
    file.write_text(first, encoding="utf-8")
    assert main(["check", str(file)]) == 0
    assert "3 constructs, 24 items, 102 parameters" in capsys.readouterr().out


def test_the_instrument_and_the_text_model_are_fine(tmp_path: Path) -> None:
    toml = blocks("model-files", "toml")
    file = tmp_path / "instrument.toml"
    file.write_text(toml[1].replace("[instrument]\n", "").replace("[instrument.", "["), encoding="utf-8")
    instrument = mp.load_instrument(file)
    assert instrument.person == "id"
    assert instrument.modules[0].polarity == -1
    assert [v.name for v in instrument.variables] == ["age", "gender"]
    model = tmp_path / "model.toml"
    model.write_text(f"schema = 1\n{toml[2]}\n{toml[3]}", encoding="utf-8")
    assert mp.load_model(model).composed.table["slope.anxiety.gad2"].support == "positive"


def test_the_priors_of_the_table_are_those_of_the_code() -> None:
    table = page("priors").partition("## Defaults")[2].partition("The second argument")[0]
    written = {(m[0], m[1]) for m in re.findall(r"\| `(\w+)` \| `([^`]+)` \|", table)}
    models = [
        mp.Model(PATHS, families={"anxiety": "gaussian", "depression": "bernoulli"}),
        mp.Model("f =~ q1..q4\ny ~ f + age\nm ~ f", families={"y": "bernoulli"}),
        mp.Model("f =~ q1..q4\ng =~ r1..r4\nh =~ s1..s4\nh ~ f + g"),
    ]
    rows = [row for model in models for row in model.composed.table if row.prior is not None]
    assert written == {(row.target.partition(".")[0], str(row.prior)) for row in rows}


def test_replaced_priors_and_the_refusal_read_as_shown() -> None:
    names = {"mp": mp, "text": PATHS}
    exec(compile(blocks("priors", "python")[0], "priors.md", "exec"), names)
    with pytest.raises(mp.SpecError) as caught:
        mp.Model(PATHS, priors={"slope": "Normal(0, 0.3)"})
    assert str(caught.value) in blocks("priors", "text")


def test_checks_and_engines_are_all_described() -> None:
    numbers, kinds = page("numbers"), page("engines")
    assert [check.name for check in checks() if f"| {check.name} |" not in numbers] == []
    assert re.findall(r"^\| `(\w+)` \|", kinds, flags=re.MULTILINE) == list(engines())


def test_columns_of_effects_are_described() -> None:
    from medpsy.posterior.effects import COLUMNS

    table = page("numbers").partition("## `fit.effects()`")[2].partition("The regions")[0]
    assert [name for name in COLUMNS if f"`{name}`" not in table] == []


def test_the_first_steps_print_what_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    flow, model, *_ = blocks("getting-started", "python")
    for step in (flow, model):
        exec(compile(step, "getting-started.md", "exec"), names)
        assert capsys.readouterr().out.rstrip("\n") in blocks("getting-started", "text")
