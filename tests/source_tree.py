"""The source tree as the architecture tests read it."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "medpsy"


def python_files(*folders: str) -> list[Path]:
    """Return the Python files under folders of the checkout, sorted."""
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def source_files() -> list[Path]:
    """Return the modules of the package, without its public face."""
    return [path for path in python_files("src/medpsy") if path != PACKAGE / "__init__.py"]


@cache
def parsed(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def shown(path: Path) -> str:
    """Return a path as messages show it: relative to the checkout."""
    return path.relative_to(ROOT).as_posix()
