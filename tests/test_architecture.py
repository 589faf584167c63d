"""The layers of ARCHITECTURE.md, held by reading every import of the source."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from source_tree import PACKAGE, ROOT, parsed, shown, source_files

#: The rows of ARCHITECTURE.md, lowest first. Within a row ``a > b`` lets a import b; the rest are siblings.
ROWS = (
    "parameter > spec > survey > observed > linear_kernel > errors dims registry ops jit vector_kernel",
    "families latent mediation screening classical",
    "bind > model > groups",
    "engines",
    "inference",
    "fit > result, derive, simulate",
    "posterior",
    "diagnostics plots",
    "report",
    "api",
    "cli",
)
#: Third-party package -> the only part that may import it, early or late.
ONLY_IN = {"pymc": "inference", "pytensor": "inference", "nutpie": "inference", "matplotlib": "plots"}
#: Slow to import: inside functions only, in the rows that `medpsy check` needs.
HEAVY = {"pymc", "pytensor", "nutpie", "arviz", "pandas", "matplotlib", "scipy", "numba", "xarray", "sklearn"}
EARLY_ROWS = 3


@dataclass(frozen=True)
class Import:
    """One imported module name, where it stands, and whether it runs when its module is imported."""

    name: str
    place: str
    early: bool
    typing_only: bool


def levels(rows: tuple[str, ...]) -> dict[str, int]:
    """Return part -> height: every part may import the parts of smaller height."""
    height: dict[str, int] = {}
    groups = [group for row in rows for group in reversed(row.split(">"))]
    for level, group in enumerate(groups):
        height |= dict.fromkeys(re.findall(r"\w+", group), level)
    return height


LEVEL = levels(ROWS)


def part_of(path: Path) -> str:
    """Return the part a source file belongs to: the first name under ``medpsy``."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_names(node: ast.AST, package: str) -> Iterator[str]:
    """Yield absolute dotted names that one node imports; ``package`` resolves relative imports."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
        base = ".".join([*above, *([node.module] if node.module else [])])
        yield from (f"{base}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = ast.unparse(node.func).rpartition(".")[2]
        if called in {"import_module", "__import__"} and isinstance(node.args[0].value, str):
            yield node.args[0].value


def imports(path: Path) -> list[Import]:
    """Return everything a file of the package imports, at its top or late."""
    package = ".".join(("medpsy", *path.relative_to(PACKAGE).parts[:-1]))
    found: list[Import] = []

    def visit(node: ast.AST, early: bool, typing_only: bool) -> None:
        for name in imported_names(node, package):
            found.append(Import(name, f"{shown(path)}:{node.lineno}", early, typing_only))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            early = False
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for child in node.body:
                visit(child, early, True)
            for child in node.orelse:
                visit(child, early, typing_only)
            return
        for child in ast.iter_child_nodes(node):
            visit(child, early, typing_only)

    visit(parsed(path), True, False)
    return found


def layer_breach(part: str, name: str) -> str | None:
    """Say why a file of ``part`` must not import the dotted ``name``; None where it may."""
    if name.split(".")[0] != "medpsy" or name == "medpsy.__version__":
        return None
    target = [*name.split("."), ""][1]
    if target == part:
        return None
    if target not in LEVEL:
        return f"imports {name}: import the part itself, not the public face"
    if LEVEL[target] < LEVEL[part]:
        return None
    return f"imports {name}: {target} does not stand below {part}"


def test_rows_are_those_of_the_architecture_page() -> None:
    block = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").split("```")[1]
    # A row is a number and names; what follows two spaces explains.
    lines = [re.match(r"\s*(\d+) (.+?)(?:\s{2,}|$)", line) for line in block.strip().splitlines()]
    rows = {int(line[1]): line[2] for line in lines if line}
    assert tuple(rows[number] for number in sorted(rows)) == ROWS


def test_every_part_has_a_row_and_every_row_its_parts() -> None:
    parts = {part_of(path) for path in source_files()}
    assert parts - set(LEVEL) == set(), "in no row of ARCHITECTURE.md"
    assert set(LEVEL) - parts == set(), "in a row of ARCHITECTURE.md, yet absent from src/medpsy"


def test_modules_import_lower_rows_only() -> None:
    breaches = [
        f"{found.place} {reason}"
        for path in source_files()
        if part_of(path) in LEVEL
        for found in imports(path)
        if (reason := layer_breach(part_of(path), found.name))
    ]
    assert breaches == []


def test_layer_rule_tells_right_from_wrong() -> None:
    assert layer_breach("spec", "medpsy.survey.instrument") is None
    assert layer_breach("fit", "medpsy.result.Result") is None
    assert layer_breach("survey", "medpsy.spec.syntax") is not None
    assert layer_breach("families", "medpsy.latent.path") is not None
    assert layer_breach("result", "medpsy.simulate") is not None
    assert layer_breach("fit", "medpsy.Model") is not None
    assert layer_breach("fit", "medpsy") is not None
    assert layer_breach("fit", "medpsy.__version__") is None


def test_late_relative_and_dynamic_imports_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "PACKAGE", tmp_path / "medpsy")
    monkeypatch.setattr("source_tree.ROOT", tmp_path)
    path = tmp_path / "medpsy" / "spec" / "syntax.py"
    path.parent.mkdir(parents=True)
    path.write_text(
        "from ..fit import run\n"
        "from . import graph\n"
        "if TYPE_CHECKING:\n    import pymc\n"
        "def late():\n    import medpsy.cli\n    importlib.import_module('nutpie')\n"
    )
    assert [(found.name, found.early, found.typing_only) for found in imports(path)] == [
        ("medpsy.fit.run", True, False),
        ("medpsy.spec.graph", True, False),
        ("pymc", True, True),
        ("medpsy.cli", False, False),
        ("nutpie", False, False),
    ]


def test_sampling_and_drawing_libraries_stay_in_their_part() -> None:
    breaches = [
        f"{found.place} imports {found.name}: only {ONLY_IN[top]}/ may"
        for path in source_files()
        for found in imports(path)
        if (top := found.name.split(".")[0]) in ONLY_IN
        and part_of(path) != ONLY_IN[top]
        and not found.typing_only
    ]
    assert breaches == []


def test_specification_rows_import_heavy_libraries_late() -> None:
    early_parts = set(levels(ROWS[:EARLY_ROWS]))
    breaches = [
        f"{found.place} imports {found.name} at its top: import it in the function that needs it"
        for path in source_files()
        if part_of(path) in early_parts and "kernel" not in path.name
        for found in imports(path)
        if found.early and not found.typing_only and found.name.split(".")[0] in HEAVY
    ]
    assert breaches == []


def loaded_heavies(statement: str) -> set[str]:
    """Return which heavy libraries a fresh process has loaded after ``statement``."""
    code = f"{statement}\nimport sys\nprint(*({HEAVY!r} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return set(run.stdout.split())


def test_importing_medpsy_loads_no_heavy_library() -> None:
    assert loaded_heavies("import medpsy; dir(medpsy)") == set()
    assert loaded_heavies("import json, decimal, scipy") == {"scipy"}  # the probe itself can see one


def test_importing_the_specification_half_loads_no_heavy_library() -> None:
    early_parts = set(levels(ROWS[:1]))
    names = [
        ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
        for path in source_files()
        if part_of(path) in early_parts and "kernel" not in path.name
    ]
    assert len(names) > len(early_parts)
    assert loaded_heavies(f"import {', '.join(names)}") == set()
