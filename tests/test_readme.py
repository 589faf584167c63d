"""The README says what the program does: its ten lines run, its outputs are those that are printed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import medpsy as mp
from hand_made import result
from medpsy.api.mark import Mark
from medpsy.cli.main import main

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
FIT = "fit = model.fit(kept.survey, seed=1)"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


def shell_session() -> dict[str, str]:
    """What the README shows after each ``$`` command."""
    found: dict[str, str] = {}
    for block in blocks("text"):
        if block.startswith("$ "):
            for piece in block.split("$ ")[1:]:
                command, _, output = piece.partition("\n")
                found[command] = output.rstrip("\n")
    return found


def test_the_example_has_ten_lines_and_one_of_them_fits() -> None:
    lines = blocks("python")[0].splitlines()
    assert len(lines) == 10
    assert all(lines)
    assert lines.count(FIT) == 1
    assert max(map(len, lines)) <= 110


def check_rows(printed: str) -> None:
    """Compare what was printed with what the README shows, but for the numbers."""
    number = re.compile(r"\s+-?[0-9.]+(?=\s|$)")
    ours = [number.sub("", line).split() for line in printed.splitlines()]
    theirs = [number.sub("", line).split() for line in blocks("text")[0].splitlines()]
    assert len(ours) == 6
    assert ours == theirs


def test_the_ten_lines_print_the_rows_that_the_readme_shows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every line for real but the fit, whose posterior is made by hand, and the report of it."""
    before, after = blocks("python")[0].split(f"{FIT}\n")
    names: dict[str, Any] = {}
    exec(compile(before, "README.md", "exec"), names)
    assert names["kept"].survey.n_person == 771
    made = result(names["model"].syntax, answers=names["kept"].survey, draws=20)
    reports: list[str] = []
    monkeypatch.setattr(mp.Fit, "report", lambda fit, path: reports.append(path))
    monkeypatch.setattr(mp.Fit, "mark", Mark(trusted=True))
    names["fit"] = mp.Fit(made)
    exec(compile(after, "README.md", "exec"), names)
    check_rows(capsys.readouterr().out)
    assert reports == ["report.html"]


@pytest.mark.slow
def test_the_ten_lines_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few = mp.load_example("students")
    few = few.take(np.arange(150))
    monkeypatch.setattr(mp, "load_example", {"students": few}.__getitem__)
    monkeypatch.chdir(tmp_path)
    quick = FIT.replace("seed=1", "seed=1, draws=50, tune=50, chains=2, progress=False")
    exec(compile(blocks("python")[0].replace(FIT, quick), "README.md", "exec"), {})
    check_rows(capsys.readouterr().out)
    assert "NOT TO BE TRUSTED" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_text_is_the_same_model() -> None:
    program, same_model = blocks("python")
    names: dict[str, Any] = {}
    exec(compile(program.partition(FIT)[0] + same_model, "README.md", "exec"), names)
    assert (
        mp.Model(names["text"].replace("anxiety    ~ a*sleepiness + sex", "anxiety ~ a*sleepiness"))
        != names["model"]
    )


@pytest.mark.parametrize("command", sorted(shell_session()))
def test_commands_print_what_the_readme_shows(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "models").symlink_to(ROOT / "models")
    monkeypatch.chdir(tmp_path)
    program, *arguments = command.split()
    assert program == "medpsy"
    assert main(arguments) == 0
    assert capsys.readouterr().out.rstrip("\n") == shell_session()[command]


def test_the_readme_shows_every_command_that_needs_no_fit() -> None:
    assert {command.split()[1] for command in shell_session()} == {"check", "screen", "simulate"}


def test_methods_of_a_fit_that_the_readme_names_exist() -> None:
    listed = README.partition("In Python a fit answers")[2].partition("`fit.tree`")[0]
    names = re.findall(r"`(\w+)`", listed)
    assert len(names) > 15
    assert [name for name in names if not callable(getattr(mp.Fit, name, None))] == []


def test_links_lead_to_files() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if not link.startswith("http")]
    assert {"ARCHITECTURE.md", "docs/index.md", "LICENSE"} <= set(links)
    assert [link for link in links if not (ROOT / link).exists()] == []
