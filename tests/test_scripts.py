"""The scripts under scripts/, run with made-up interpreters instead of real ones."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from source_tree import ROOT

if os.name == "nt":
    pytest.skip("the scripts are for POSIX shells", allow_module_level=True)

#: A python that answers as the probe of scripts/python.sh expects, and plays `-m venv` and `-m pip`.
FAKE_PYTHON = """#!/bin/sh
case "$1 $2" in
    "-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
    "-m pip")
        echo "$@" >>"{log}"
        [ ! -e "{broken_pip}" ] || {{ echo "no such version" >&2; exit 1; }} ;;
    *) [ ! -e "$0.broken" ] && echo "{version} $0" ;;
esac
"""


def make_executable(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def fake(path: Path, version: str) -> Path:
    """Write an interpreter of this version, for example ``"3 13 0"``; its pip calls are logged."""
    base = path.parents[1]
    text = FAKE_PYTHON.format(version=version, log=base / "pip.log", broken_pip=base / "broken-pip")
    return make_executable(path, text)


def run(script: str, tmp_path: Path, cwd: Path = ROOT, **extra: str) -> subprocess.CompletedProcess[str]:
    """Run a script with nothing on PATH but tmp_path/bin, and tmp_path as the home folder."""
    (tmp_path / "bin").mkdir(exist_ok=True)
    words = [shutil.which("sh") or "/bin/sh", *script.split()]
    environment = {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path), **extra}
    return subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def found(tmp_path: Path, **extra: str) -> str:
    """Return the interpreter that scripts/python.sh prints."""
    done = run("scripts/python.sh", tmp_path, **extra)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.strip()


def test_without_any_python_one_sentence_says_what_to_install(tmp_path: Path) -> None:
    done = run("scripts/python.sh", tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        "medpsy needs CPython 3.12 or newer with its venv module, and none was found: install Python 3.13 "
        "(for example with 'pyenv install 3.13' or 'apt install python3.13 python3.13-venv') and try again.\n"
    )


def test_candidates_are_tried_in_order(tmp_path: Path) -> None:
    python = fake(tmp_path / "bin" / "python", "3 12 0")
    assert found(tmp_path) == str(python)
    python3 = fake(tmp_path / "bin" / "python3", "3 12 9")
    assert found(tmp_path) == str(python3)
    newer = fake(tmp_path / "bin" / "python3.14", "3 14 0")
    assert found(tmp_path) == str(newer)
    preferred = fake(tmp_path / "bin" / "python3.13", "3 13 0")
    assert found(tmp_path) == str(preferred)


def test_an_old_python_is_passed_over(tmp_path: Path) -> None:
    fake(tmp_path / "bin" / "python3", "3 11 7")
    good = fake(tmp_path / "bin" / "python", "3 12 1")
    assert found(tmp_path) == str(good)


@pytest.mark.parametrize(
    "script",
    [
        '#!/bin/sh\necho "pyenv: python3.13: command not found" >&2\nexit 127\n',
        "#!/bin/sh\necho 3 13 0 /a/python\nexit 1\n",
        "#!/bin/sh\necho usage: python\n",
        "#!/bin/sh\nexit 0\n",
        "#!/no/such/interpreter\n",
    ],
    ids=["shim that fails", "answers and fails", "answers nonsense", "says nothing", "cannot start"],
)
def test_a_python_that_does_not_run_is_passed_over(tmp_path: Path, script: str) -> None:
    make_executable(tmp_path / "bin" / "python3.13", script)
    assert run("scripts/python.sh", tmp_path).returncode == 1
    good = fake(tmp_path / "bin" / "python3.12", "3 12 1")
    assert found(tmp_path) == str(good)


def test_pyenv_versions_come_last_and_newest_first(tmp_path: Path) -> None:
    versions = tmp_path / ".pyenv" / "versions"
    for version in ("3.9.18", "3.12.10", "3.13.0", "3.12.1"):
        fake(versions / version / "bin" / "python", version.replace(".", " "))
    assert found(tmp_path) == str(versions / "3.13.0" / "bin" / "python")
    make_executable(versions / "3.13.0" / "bin" / "python", "#!/bin/sh\nexit 1\n")
    assert found(tmp_path) == str(versions / "3.12.10" / "bin" / "python")
    on_path = fake(tmp_path / "bin" / "python", "3 12 0")
    assert found(tmp_path) == str(on_path)


def test_pyenv_root_is_honoured_and_paths_may_hold_spaces(tmp_path: Path) -> None:
    python = fake(tmp_path / "my pyenv" / "versions" / "3.12.1" / "bin" / "python", "3 12 1")
    assert found(tmp_path, PYENV_ROOT=str(tmp_path / "my pyenv")) == str(python)


def test_a_real_interpreter_is_named_itself_not_its_shim(tmp_path: Path) -> None:
    base = Path(sys._base_executable)  # type: ignore[attr-defined]
    make_executable(tmp_path / "bin" / "python3.13", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    assert Path(found(tmp_path)).samefile(base)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with a made-up python3.13 and the few commands that scripts/venv.sh needs."""
    folder = tmp_path / "checkout"
    (folder / "scripts").mkdir(parents=True)
    for name in ("python.sh", "venv.sh"):
        shutil.copy(ROOT / "scripts" / name, folder / "scripts" / name)
    (folder / "pyproject.toml").write_text("[project]\n")
    (folder / "constraints.txt").write_text("numpy==2.5.5\n")
    fake(tmp_path / "bin" / "python3.13", "3 13 0")
    for tool in ("sh", "cat", "cksum", "dirname", "mkdir", "cp", "mv", "rm", "tail"):
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool) or tool)
    return folder


def venv(checkout: Path, *extras: str) -> tuple[int, list[str]]:
    """Run scripts/venv.sh; return its exit status and what pip was asked to install meanwhile."""
    log = checkout.parent / "pip.log"
    before = len(log.read_text().splitlines()) if log.exists() else 0
    done = run(" ".join(("scripts/venv.sh", *extras)), checkout.parent, cwd=checkout)
    calls = log.read_text().splitlines()[before:] if log.exists() else []
    return done.returncode, [call.rpartition(" ")[2] for call in calls]


def test_venv_is_made_once_and_grows_by_extras(checkout: Path) -> None:
    assert venv(checkout) == (0, ["."])
    assert venv(checkout) == (0, [])
    assert venv(checkout, "dev") == (0, [".[dev]"])
    assert venv(checkout, "dev") == (0, [])
    assert venv(checkout) == (0, [])
    assert venv(checkout, "docs") == (0, [".[dev,docs]"])


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_venv_follows_changed_requirements_with_all_extras(checkout: Path, name: str) -> None:
    assert venv(checkout, "dev") == (0, [".[dev]"])
    (checkout / name).write_text("changed\n")
    assert venv(checkout) == (0, [".[dev]"])
    assert venv(checkout) == (0, [])


def test_an_interrupted_install_is_made_anew(checkout: Path) -> None:
    (checkout.parent / "broken-pip").touch()
    status, calls = venv(checkout)
    assert (status != 0, calls) == (True, ["."])
    (checkout.parent / "broken-pip").unlink()
    (checkout / ".venv" / "leftover").touch()
    assert venv(checkout) == (0, ["."])
    assert not (checkout / ".venv" / "leftover").exists()


def test_a_broken_or_copied_environment_is_made_anew(checkout: Path) -> None:
    assert venv(checkout, "dev") == (0, [".[dev]"])
    (checkout / ".venv" / "bin" / "python").unlink()
    assert venv(checkout) == (0, ["."])
    stamp = checkout / ".venv" / "medpsy-stamp"
    stamp.write_text(stamp.read_text().replace(str(checkout), "/elsewhere"))
    assert venv(checkout) == (0, ["."])
    assert venv(checkout) == (0, [])


def test_failing_pip_shows_its_message(checkout: Path) -> None:
    (checkout.parent / "broken-pip").touch()
    done = run("scripts/venv.sh dev", checkout.parent, cwd=checkout)
    assert done.returncode == 1
    assert done.stderr == (
        "no such version\n"
        "medpsy could not be installed: what pip said last stands above, "
        "all of it in .venv/medpsy-install.log.\n"
    )


def test_ci_runs_the_tests_and_fails_with_them(tmp_path: Path) -> None:
    folder = tmp_path / "checkout"
    (folder / ".ci").mkdir(parents=True)
    ci = Path(shutil.copy(ROOT / ".ci" / "run", folder / ".ci" / "run"))
    # A make that runs this test must not be taken for the parent of the one started here.
    environment = {name: value for name, value in os.environ.items() if "MAKE" not in name}
    for status in (0, 3):
        (folder / "Makefile").write_text(f"test:\n\t@cat; echo ran; exit {status}\n")
        done = subprocess.run(
            [ci], input="typed", env=environment, capture_output=True, text=True, check=False
        )
        assert done.stdout == "ran\n"
        assert (done.returncode != 0) == (status != 0)
