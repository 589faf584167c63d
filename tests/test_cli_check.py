"""``medpsy check`` and every way in which a command can be refused: a sentence, a place, a cure."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from medpsy.cli.main import main
from medpsy.cli.narration import narrated

MODELS = Path(__file__).resolve().parent.parent / "models"
HEAVY = ("pymc", "pytensor", "nutpie", "arviz", "pandas", "scipy", "matplotlib", "xarray", "numba")

GOOD = """schema = 1
name = "little"
[data]
file = "answers.csv"
[instrument]
person = "id"
[instrument.module.x]
items = "x1..x3"
codes = [1, 2, 3]
[instrument.module.y]
items = "y1..y3"
codes = [1, 2, 3]
[instrument.variable.sex]
kind = "category"
levels = ["f", "m"]
[screening]
max_missing = 0.5
[model]
syntax = '''
x =~ x1..x3
y =~ y1..y3
y ~ a*x + sex
'''
[priors]
slope = "LogNormal(0, 0.5)"
[truth]
n_person = 60
[truth.variables.sex]
counts = { f = 30, m = 30 }
[truth.paths]
a = 0.4
[truth.items.x]
slope = 1.5
mean = 2
[truth.items.y]
slope = 1.5
mean = [2, 2.1, 1.9]
"""
HEADER = "id,x1,x2,x3,y1,y2,y3,sex"
ANSWERS = "\n".join([HEADER, *(f"{i},1,2,3,{1 + i % 3},2,1,{'fm'[i % 2]}" for i in range(9))]) + "\n"


def written(folder: Path, model: str = GOOD, answers: str | bytes = ANSWERS) -> Path:
    file = folder / "little.toml"
    file.write_text(model, encoding="utf-8")
    data = answers.encode() if isinstance(answers, str) else answers
    (folder / "answers.csv").write_bytes(data)
    return file


def refused(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> tuple[int, str]:
    """Run a command that must fail; its status and message."""
    status = main(arguments)
    out, err = capsys.readouterr()
    assert err.startswith("medpsy: error: ")
    assert "Traceback" not in out + err
    return status, err


def test_every_model_of_the_catalogue_is_fine(capsys: pytest.CaptureFixture[str]) -> None:
    files = sorted(map(str, MODELS.glob("*.toml")))
    assert main(["check", *files]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(files)
    assert all(f"{file}: fine (" in line for file, line in zip(files, lines, strict=True))
    assert "3 constructs, 26 items, 136 parameters" in next(line for line in lines if "/mission.toml" in line)


def test_check_reads_no_answers_and_loads_nothing_slow(tmp_path: Path) -> None:
    file = written(tmp_path)
    (tmp_path / "answers.csv").unlink()
    code = (
        "import sys; from medpsy.cli.main import main\n"
        f"status = main(['check', {os.fspath(file)!r}, {os.fspath(MODELS / 'students.toml')!r}])\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])\nsys.exit(status)"
    )
    started = time.perf_counter()
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    print(f"medpsy check took {time.perf_counter() - started:.2f} s")
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == "[]"


def test_check_goes_on_after_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = written(tmp_path)
    bad = tmp_path / "bad.toml"
    bad.write_text(GOOD.replace("schema = 1", "schema = 2"), encoding="utf-8")
    assert main(["check", str(bad), str(good), str(tmp_path / "none.toml")]) == 1
    out, err = capsys.readouterr()
    assert out == f"{good}: fine (2 constructs, 6 items, 20 parameters)\n"
    assert err.count("medpsy: error: ") == 2
    assert "no such file" in err


MISTAKES = [
    ("[screening]", "[screning]", "line 16", "Did you mean 'screening'?"),
    ("max_missing = 0.5", "max_mising = 0.5", "line 17: there is no screening rule", "'max_missing'"),
    ("max_missing = 0.5", "max_missing = 2", "line 17: max_missing is 2", "0.10"),
    ("max_missing = 0.5", 'require_variables = ["sx"]', "line 17: screening asks for 'sx'", "'sex'"),
    ("y ~ a*x + sex", "y ~ a*x + + sex", "line 22", "^"),
    ("y ~ a*x + sex", "y ~ a*xx + sex", "'xx'", "'x'"),
    ("y ~ a*x + sex", "y ~ a*x\nx ~ y", "line 23: the paths form a c", "turn round"),
    ("y ~ a*x + sex", "yy ~ a*x + sex", "'yy'", "'y'"),
    ("y =~ y1..y3", "y =~ y1..y3 + x1", "item 'x1' measures both 'x' and 'y'", "one construct"),
    ("y =~ y1..y3", "y =~ y1..y3 + y2", "item 'y2' is listed twice", "Remove"),
    ("y =~ y1..y3", "y =~ y1..y4", "item 'y4'", "y1, y2, y3"),
    ("slope = \"LogNormal(0, 0.5)\"", "slpe = \"LogNormal(0, 0.5)\"", "line 25", "'slope'"),
    ("slope = \"LogNormal(0, 0.5)\"", "slope = \"LogNormal(0, -1)\"", "line 25", "LogNormal"),
    ("slope = \"LogNormal(0, 0.5)\"", "slope = \"Dirichlet(1)\"", "line 25", "Priors that fit"),
    ("kind = \"category\"", "kind = \"categry\"", "categry", "'category'"),
    ("a = 0.4", "b = 0.4", "line 31: the model has no path 'b'", "Known: a, "),
    ("a = 0.4", "a = \"0.4\"", "'a' is '0.4', not a number", "without quotes"),
    ("slope = 1.5\nmean = 2\n", "slop = 1.5\nmean = 2\n", "unknown key 'slop'", "'slope'"),
    ("mean = [2, 2.1, 1.9]", "mean = [2, 2.1]", "2 entries", "y1 to y3"),
    ("[truth.items.y]", "[truth.items.z]", "'z' is no construct", "Known: x, y"),
    ("n_person = 60\n", "", "[truth] has no n_person", "n_person = 300"),
    ("counts = { f = 30, m = 30 }", "cnts = { f = 30, m = 30 }", "unknown key 'cnts'", "'counts'"),
    ("[truth.variables.sex]", "[truth.variables.sx]", "'sx' is no variable", "'sex'"),
    ("codes = [1, 2, 3]\n[instrument.module.y]", "codes = [1, 1]\n[instrument.module.y]", "twice", "code"),
    ("schema = 1", "schema = ", "line 1: not TOML", "^"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "place", "cure"), MISTAKES)
def test_a_mistake_has_a_place_and_a_cure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, place: str, cure: str
) -> None:
    assert GOOD.count(old) >= 1
    file = written(tmp_path, GOOD.replace(old, new, 1))
    status, message = refused(capsys, ["check", str(file)])
    assert status == 1
    assert str(file) in message
    assert place in message
    assert cure in message


@pytest.mark.parametrize(
    ("answers", "place", "cure"),
    [
        ("", "is empty", "header"),
        (ANSWERS.encode().replace(b"\nb", b"") + b"10,1,2,3,1,2,1,\xff\n", "not UTF-8", "encoding"),
        (ANSWERS + "11,1,2\n", "line 11", "separator"),
        (ANSWERS.replace("x2", "xx2", 1), "'x2'", "'xx2'"),
        (ANSWERS.replace(",sex", ",x1", 1), "'x1'", "twice"),
        (ANSWERS.replace("0,1,2,3", "0,one,2,3", 1), "one", "x1"),
        (ANSWERS.replace("\n1,", "\n0,", 1), "'0'", "id"),
        (HEADER + "\n", "no rows", "person"),
    ],
)
@pytest.mark.parametrize("command", ["screen", "run"])
def test_answers_that_cannot_be_read_are_refused(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    command: str,
    answers: str | bytes,
    place: str,
    cure: str,
) -> None:
    file = written(tmp_path, answers=answers)
    more = ["--out", str(tmp_path / "out")] if command == "run" else []
    status, message = refused(capsys, [command, str(file), *more])
    assert status == 2
    assert place in message
    assert cure in message


def test_a_missing_data_file_is_refused_at_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path)
    (tmp_path / "answers.csv").unlink()
    status, message = refused(capsys, ["screen", str(file)])
    assert status == 2
    assert "little.toml, line 4: there is no data file" in message


def _fail(*_: object, **__: object) -> None:
    raise AssertionError("sampling began before the folder was known to be good")


@pytest.mark.parametrize(
    "place", [lambda folder: folder / "answers.csv", lambda folder: folder / "answers.csv" / "out"]
)
def test_an_unusable_folder_is_refused_before_sampling(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    place: Callable[[Path], Path],
) -> None:
    monkeypatch.setattr("medpsy.api.models.Model.answers", _fail)
    file = written(tmp_path)
    status, message = refused(capsys, ["run", str(file), "--out", str(place(tmp_path))])
    assert status == 2
    assert "nothing can be written into the folder" in message
    assert "Choose a folder" in message


def test_simulate_writes_what_screen_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path)
    out = tmp_path / "answers.csv"
    assert main(["simulate", str(file), "--out", str(out), "--n", "40", "--seed", "7"]) == 0
    assert "simulated from the truth of model 'little'" in capsys.readouterr().out
    first = out.read_text(encoding="utf-8")
    assert len(first.splitlines()) == 41
    assert main(["simulate", str(file), "--out", str(out), "--n", "40", "--seed", "7"]) == 0
    assert out.read_text(encoding="utf-8") == first
    assert main(["screen", str(file)]) == 0
    printed = capsys.readouterr().out
    assert "max_missing" in printed
    assert "40 persons stay." in printed


def test_simulate_refuses_a_file_it_cannot_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "absent" / "a.csv"
    status, message = refused(capsys, ["simulate", str(written(tmp_path)), "--out", str(out)])
    assert status == 2
    assert str(out) in message


def test_a_file_without_answers_and_truth_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = GOOD.partition("[truth]")[0].replace('[data]\nfile = "answers.csv"\n', "")
    file = written(tmp_path, text)
    status, message = refused(capsys, ["screen", str(file)])
    assert status == 2
    assert "names no answers and no truth" in message
    status, message = refused(capsys, ["simulate", str(file), "--out", str(tmp_path / "a.csv")])
    assert "has no truth" in message


def test_report_of_no_fit_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "fit.nc"
    broken.write_bytes(b"not a fit")
    for fit, place in ((broken, "is no saved fit"), (tmp_path / "none.nc", "there is no file")):
        status, message = refused(capsys, ["report", str(fit), "--out", str(tmp_path / "r.html")])
        assert status == 2
        assert place in message
    assert not (tmp_path / "r.html").exists()


def test_an_interruption_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("medpsy.api.models.Model.answers", interrupt)
    assert main(["screen", str(written(tmp_path))]) == 130
    assert capsys.readouterr().err == "medpsy: interrupted\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "m.toml"], "--out"),
        (["run", "m.toml", "--out", "o", "--draws", "0"], "'0' is no whole number from 1 up"),
        (["run", "m.toml", "--out", "o", "--engine", "grid"], "invalid choice: 'grid'"),
        (["report", "f.nc", "--out", "r.html", "--interval", "95"], "'95' is no number between 0 and 1"),
        (["chek", "m.toml"], "there is no command 'chek'. Did you mean 'check'?"),
        ([], "COMMAND"),
    ],
)
def test_a_command_line_that_cannot_be_read(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    from medpsy import __version__

    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"medpsy {__version__}\n"


def test_fits_between_the_posterior_and_the_report_are_announced(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logger = logging.getLogger("medpsy")
    with narrated():
        logger.info("Invariance over %s: fitting level '%s'", "sex", "loadings")
    logger.info("nobody listens")
    with narrated(quiet=True):
        logger.info("nor here")
    assert capsys.readouterr().out == "  Invariance over sex: fitting level 'loadings'\n"
