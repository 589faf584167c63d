"""Every public name shows how it is used, and what it shows runs; fits run with --slow only."""

from __future__ import annotations

import doctest
import inspect
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

import hand_made
import medpsy as mp
from medpsy.spec.print_syntax import to_syntax
from medpsy.survey.examples import example_path

ROOT = Path(__file__).resolve().parent.parent
ERRORS = {
    name for name in mp.__all__ if isinstance(getattr(mp, name), type(Exception)) and name.endswith("Error")
}
NAMES = sorted(set(mp.__all__) - ERRORS - {"__version__"})


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the examples read: answers, instrument, model, and a fit whose draws are made up."""
    folder = tmp_path_factory.mktemp("examples")
    for name in ("answers.csv", "instrument.toml"):
        shutil.copy(example_path("students") / name, folder)
    shutil.copy(ROOT / "models" / "students.toml", folder)
    model = mp.load_model(folder / "students.toml")
    made = hand_made.result(to_syntax(model.spec), answers=model.answers().survey, chains=4)
    made.save(folder / "fit.nc")
    return folder


def run(name: str, source: str) -> tuple[int, str]:
    """Number of examples that ran, and what was not as shown."""
    tested: Any = getattr(mp, name)
    test = doctest.DocTestParser().get_doctest(source, {}, name, inspect.getsourcefile(tested), None)
    told: list[str] = []
    found = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test, out=told.append)
    return found.attempted, "".join(told)


@pytest.mark.parametrize("name", NAMES)
def test_the_example_of_a_public_name_runs(name: str, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = inspect.getdoc(getattr(mp, name)) or ""
    assert "Examples\n--------\n>>> import medpsy as mp" in text
    monkeypatch.chdir(files)
    ran, told = run(name, text)
    assert told == ""
    assert ran > 1


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in NAMES if "+SKIP" in (inspect.getdoc(getattr(mp, n)) or "")])
def test_what_takes_a_fit_runs_too(name: str, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files)
    source = inspect.getdoc(getattr(mp, name)) or ""
    # What takes long shows no result: one name holds it, so that nothing is printed.
    source = re.sub(
        r"^>>> (?!\w+(?:, \w+)* = |import |from )(.*?)  # doctest: \+SKIP$", r">>> _ = \1", source, flags=re.M
    )
    _, told = run(name, source.replace("  # doctest: +SKIP", ""))
    assert told == ""
