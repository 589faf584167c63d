"""The house rules, read off the tree: budgets, stubs, silent tests, paths of one machine."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
from collections.abc import Iterator
from pathlib import Path

from source_tree import ROOT, parsed, python_files, shown, source_files

MAX_FILE, MEDIAN_FILE, MAX_FUNCTION = 400, 150, 60

SKIPPED_FOLDERS = {".git", ".venv", "results", "_build", "dist", "build", "__pycache__", ".hypothesis"}
# Spelt so that this file does not match itself.
MACHINE_PATH = re.compile(r"(?<![\w.~/})\]-])/(?:(?:work|root)(?![\w.-])|(?:home|Users)/\w)")
REGISTRY_HOST = re.compile(r"\b(?:pypi\.(?:org|python)|pythonhosted\.|anaconda\.(?:org|com))")


def test_files_and_functions_keep_their_budgets() -> None:
    breaches = []
    for path in python_files("src", "tests", "benchmarks", "docs"):
        lines = path.read_text(encoding="utf-8").count("\n")
        if lines > MAX_FILE:
            breaches.append(f"{shown(path)}: {lines} lines (at most {MAX_FILE})")
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                size = (node.end_lineno or node.lineno) - node.lineno + 1
                if size > MAX_FUNCTION:
                    breaches.append(
                        f"{shown(path)}:{node.lineno} {node.name}: {size} lines (at most {MAX_FUNCTION})"
                    )
    assert breaches == []
    sizes = [path.read_text(encoding="utf-8").count("\n") for path in source_files()]
    assert statistics.median(size for size in sizes if size) <= MEDIAN_FILE


def is_not_implemented(node: ast.AST) -> bool:
    return isinstance(node, ast.Raise) and "NotImplementedError" in ast.unparse(node)


def stubs(tree: ast.AST, protocol: bool = False) -> Iterator[ast.AST]:
    """Yield functions without a body and every NotImplementedError; protocols and overloads are exempt."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            is_protocol = any("Protocol" in ast.unparse(base) for base in node.bases)
            yield from stubs(node, is_protocol)
            continue
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            marks = " ".join(map(ast.unparse, node.decorator_list))
            exempt = protocol or "abstractmethod" in marks or "overload" in marks
            empty = all(
                isinstance(line, ast.Pass)
                or (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant))
                for line in node.body
            )
            if empty and not exempt:
                yield node
            if not exempt:
                yield from stubs(node)
        elif is_not_implemented(node):
            yield node
        else:
            yield from stubs(node, protocol)


def test_no_stubs() -> None:
    found = [f"{shown(path)}:{node.lineno}" for path in source_files() for node in stubs(parsed(path))]
    assert found == []


def test_stub_rule_tells_right_from_wrong() -> None:
    source = (
        "def a():\n    '''Doc.'''\n"
        "def b():\n    if x:\n        raise NotImplementedError('later')\n    return 1\n"
        "def c(): ...\n"
        "class P(Protocol):\n    def d(self): ...\n"
        "class Q:\n    def e(self): pass\n    def f(self):\n        return 2\n"
    )
    assert [node.lineno for node in stubs(ast.parse(source))] == [1, 5, 7, 11]


def asserts(function: ast.AST, helpers: set[str]) -> bool:
    """Whether a test can fail: an assert on something not constant, or a call that asserts."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assert) and not isinstance(node.test, ast.Constant):
            return True
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func).rpartition(".")[2]
            if called in {"raises", "warns", "fail"} | helpers or re.match(r"_?(assert|check)_", called):
                return True
    return False


def test_every_test_asserts_something() -> None:
    silent = []
    for path in python_files("tests"):
        functions = [node for node in ast.walk(parsed(path)) if isinstance(node, ast.FunctionDef)]
        helpers = {
            node.name for node in functions if not node.name.startswith("test") and asserts(node, set())
        }
        silent += [
            f"{shown(path)}:{node.lineno} {node.name}"
            for node in functions
            if node.name.startswith("test") and not asserts(node, helpers)
        ]
    assert silent == []


def test_assertion_rule_tells_right_from_wrong() -> None:
    source = "def t():\n    assert True\ndef u():\n    f()\ndef v():\n    same(1)\ndef w():\n    assert f()\n"
    functions = ast.parse(source).body
    assert [asserts(node, {"same"}) for node in functions] == [False, False, True, True]


def project_files() -> list[Path]:
    """Return what git tracks or would track; without git, everything outside caches."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        names = [ROOT / name for name in run.stdout.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        names = [path for path in ROOT.rglob("*") if not SKIPPED_FOLDERS & set(path.relative_to(ROOT).parts)]
    return [path for path in names if path.is_file()]


def test_no_file_names_a_path_of_one_machine_or_a_registry_host() -> None:
    found = []
    for path in project_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if MACHINE_PATH.search(line) or REGISTRY_HOST.search(line):
                found.append(f"{shown(path)}:{number} {line.strip()[:80]}")
    assert found == []


def test_machine_path_rule_tells_right_from_wrong() -> None:
    root, home = "/ro" + "ot", "/ho" + "me"
    for text in (f"see {root}/x", f"'{root}'", f"{home}/anna/x", f"cp {'/wo' + 'rk'}/main"):
        assert MACHINE_PATH.search(text), text
    for text in ("framework/root", "square/root", "~/work/x", "http://a.org/work", "/workshop", "./work"):
        assert not MACHINE_PATH.search(text), text
