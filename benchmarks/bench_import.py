"""Seconds that a fresh process spends on importing medpsy and the specification half of it.

Each row is the best of several processes, after one that fills the byte-code caches; the bare interpreter is
the floor. Checking a model file is promised in under a second, and imports are most of it.
"""

from __future__ import annotations

import subprocess
import sys
import time

STATEMENTS = {
    "bare interpreter": "pass",
    "import medpsy": "import medpsy",
    "specification half": "import medpsy.spec.syntax, medpsy.spec.model_file, medpsy.spec.parameters",
    "command line": "import medpsy.cli.main",
}
REPEATS = 5


def seconds(statement: str) -> float:
    """Return the wall time in seconds of one fresh process that runs ``statement``."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - start


def main() -> None:
    """Print one row per statement: the best time and what it adds to the bare interpreter."""
    floor = None
    for name, statement in STATEMENTS.items():
        seconds(statement)
        best = min(seconds(statement) for _ in range(REPEATS))
        floor = best if floor is None else floor
        print(f"{name:22s} {best:7.3f} s   {best - floor:+7.3f} s")


if __name__ == "__main__":
    main()
