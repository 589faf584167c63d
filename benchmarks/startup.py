"""Seconds that a fresh process spends on importing medpsy and on checking a model file.

Measured after one process that fills the byte-code caches; the bare interpreter is the floor.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from benchmarks.problem import ROOT

NAME = "startup"
TITLE = "Start-up: imports, and checking a model file"

CHECK = "from medpsy.cli.main import main; raise SystemExit(main(['check', 'models/mission.toml']))"
STATEMENTS = {
    "bare interpreter": "pass",
    "import medpsy": "import medpsy",
    "specification half": "import medpsy.spec.syntax, medpsy.spec.model_file, medpsy.spec.parameters",
    "command line": "import medpsy.cli.main",
    "medpsy check models/mission.toml": CHECK,
}


def seconds(statement: str, folder: Path = ROOT) -> float:
    """Wall time of one fresh process that runs ``statement``.

    Raises
    ------
    RuntimeError
        The process failed; the message is what it printed last.
    """
    begun = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", statement], cwd=folder, capture_output=True, text=True)
    taken = time.perf_counter() - begun
    if done.returncode:
        raise RuntimeError((done.stderr or done.stdout).strip().splitlines()[-1])
    return taken


def measure(runs: int) -> dict[str, list[float]]:
    """Times of every statement, interleaved."""
    for statement in STATEMENTS.values():
        seconds(statement)
    out: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    for _ in range(runs):
        for name, statement in STATEMENTS.items():
            out[name].append(round(seconds(statement), 4))
    return out
