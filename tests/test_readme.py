"""The README says what the program does: its ten lines run, its outputs are those that are printed."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import medpsy as mp
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


def test_the_ten_lines_run_and_print_the_rows_that_the_readme_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few = mp.load_example("students")
    few = few.take(np.arange(150))
    monkeypatch.setattr(mp, "load_example", {"students": few}.__getitem__)
    monkeypatch.chdir(tmp_path)
    program, same_model = blocks("python")
    quick = FIT.replace("seed=1", "seed=1, draws=50, tune=50, chains=2, progress=False")
    names: dict[str, object] = {}
    exec(compile(program.replace(FIT, quick), "README.md", "exec"), names)
    printed = capsys.readouterr().out.splitlines()
    shown = blocks("text")[0].splitlines()
    # Two chains of 50 draws are not to be trusted, and the columns chosen are the README's own.
    assert printed[0].split() == shown[0].split()
    assert len(printed) == len(shown)
    numbers = re.compile(r"\s+-?[0-9.]+(?=\s|$)")
    for ours, theirs in zip(printed[1:], shown[1:], strict=True):
        assert numbers.sub("", ours).split() == numbers.sub("", theirs).split()
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "sleepiness" in page
    exec(compile(same_model, "README.md", "exec"), names)
    other = str(names["text"]).replace("c*sleepiness + ", "")
    assert mp.Model(other.replace("direct   := c", "").replace(" + c", "")) != names["model"]


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
