"""Where machine code is kept, and what is said while it is made."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from medpsy import jit as module
from medpsy.jit import announced, folder, jit

SRC = Path(module.__file__).parents[1]

#: Compiles one kernel of the package and prints where it is kept.
PROGRAM = """
import numpy as np
from medpsy.jit import folder
from medpsy.families.kernels.cumulative import width
value = width(np.ones(3), np.array([2.0, 2.0, 1.0]), np.ones(2), 1)
print(round(float(value), 6), width.stats.cache_hits and sum(width.stats.cache_hits.values()), folder())
"""


def twice(x):
    return 2 * x


def run(**environment: str) -> list[str]:
    env = {**os.environ, "PYTHONPATH": str(SRC), **environment}
    env.pop("NUMBA_CACHE_DIR", None)
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_the_second_process_compiles_nothing() -> None:
    run()
    value, hits, place = run()
    assert (value, hits) == ("1.386294", "1")
    assert Path(place).name.startswith("kernels-")


def closed(names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every folder below one of these be read only."""
    real = Path.mkdir

    def mkdir(self: Path, *args: object, **options: object) -> None:
        if any(str(self).startswith(name) for name in names):
            raise PermissionError(13, "read-only", str(self))
        real(self, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "mkdir", mkdir)
    folder.cache_clear()


@pytest.fixture
def afresh():
    yield
    folder.cache_clear()


def test_a_read_only_package_uses_the_users_cache(
    afresh: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    closed((str(SRC),), monkeypatch)
    assert Path(folder()).parent == tmp_path / "cache" / "medpsy"


def test_a_read_only_home_uses_a_temporary_folder(
    afresh: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    closed((str(SRC), str(tmp_path / "home")), monkeypatch)
    assert Path(folder()).parent.parent == tmp_path


def test_where_nothing_can_be_written_it_compiles_all_the_same(
    afresh: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed(("/",), monkeypatch)
    assert folder() == ""
    jit.cache_clear()
    assert jit(twice)(4) == 8


def test_other_code_keeps_its_own_cache_folder() -> None:
    import numba

    before = numba.config.CACHE_DIR
    jit(twice)
    assert before == numba.config.CACHE_DIR


def test_a_terminal_is_told_that_kernels_are_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    import numba

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    with announced():
        numba.njit(lambda x: x + 1)(1)
    assert "compiling numerical kernels, this once" in screen.getvalue()
    plain = io.StringIO()
    monkeypatch.setattr("sys.stderr", plain)
    with announced():
        numba.njit(lambda x: x + 2)(1)
    assert plain.getvalue() == ""


def test_whatever_is_compiled_lies_where_the_hash_looks() -> None:
    for path in (SRC / "medpsy").rglob("*.py"):
        if "\n@jit\n" in path.read_text(encoding="utf-8"):
            assert "kernel" in str(path.relative_to(SRC))
