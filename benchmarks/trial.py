"""One run of one contestant: started, measured, judged."""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.contestants import Contestant
from benchmarks.judge import moments, verdict, with_derived
from benchmarks.problem import ROOT, Problem
from benchmarks.process import Outcome, last_words, run, total_memory_mb
from benchmarks.results import anonymous, fresh

#: Seconds after which a run is stopped, unless contestant or case say otherwise.
LIMIT = 900.0

#: Share of the machine's memory that a contestant may take.
MEMORY = 0.85

THREADS = ("OMP", "OPENBLAS", "MKL", "VECLIB_MAXIMUM", "NUMEXPR")


@dataclass(frozen=True)
class Chains:
    """How long the chains are; draws and warm-up None: what a user of the program asks for."""

    chains: int = 4
    draws: int | None = None
    warm_up: int | None = None


def trial(
    contestant: Contestant,
    problem: Problem,
    place: Path,
    chains: Chains,
    *,
    cold: bool,
    seed: int,
    limit: float,
) -> tuple[dict[str, Any], dict[str, list[float]]]:
    """Run once.

    Parameters
    ----------
    place : Path
        Folder of the case, with the written problem in ``data``.
    cold : bool
        Empty the contestant's cache first.

    Returns
    -------
    record : dict
        What is kept of the run; ``failure`` where there is no result.
    values : dict
        Mean and sd by quantity (sd 0 for point estimates).
    """
    folder = fresh(place / contestant.name / "run")
    cache = place / contestant.name / "cache"
    if cold or not cache.exists():
        fresh(cache)
    job = {
        "data": str(place / "data"), "cache": str(cache), "chains": chains.chains, "draws": chains.draws,
        "warm_up": chains.warm_up, "cores": os.cpu_count() or 1, "seed": seed,
    }  # fmt: skip
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    command = _command(contestant, folder)
    if command is None:
        return {"cold": cold, "failure": "Rscript is not installed"}, {}
    outcome = run(
        command, folder=ROOT, environment=_environment(cache), limit=limit,
        memory_mb=MEMORY * total_memory_mb(), log=folder / "log.txt", done=folder / "answer.json",
    )  # fmt: skip
    answer = folder / "answer.json"
    if not answer.exists():
        reason = outcome.failure or last_words(folder / "log.txt") or "ended without a result"
        record = {"cold": cold, "wall": outcome.wall, "failure": anonymous(reason, ROOT)}
        return record | _memory(outcome), {}
    try:
        record, values = _judged(problem, folder, outcome)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        reason = f"its answer cannot be used: {type(error).__name__}: {error}"
        return {"cold": cold, "wall": outcome.wall, "failure": anonymous(reason, ROOT)}, {}
    return {"cold": cold, **record}, values


def _command(contestant: Contestant, folder: Path) -> list[str] | None:
    if contestant.path.suffix == ".py":
        return [sys.executable, "-m", f"benchmarks.contestants.{contestant.name}", str(folder)]
    program = shutil.which("Rscript")
    return [program, str(contestant.path), str(folder)] if program else None


def _environment(cache: Path) -> dict[str, str]:
    """One thread a process, and every cache in the contestant's own folder."""
    flags = os.environ.get("PYTENSOR_FLAGS", "")
    compiled = f"base_compiledir={cache / 'pytensor'}"
    return (
        os.environ
        | {f"{name}_NUM_THREADS": "1" for name in THREADS}
        | {
            "NUMBA_CACHE_DIR": str(cache / "numba"),
            "XDG_CACHE_HOME": str(cache / "xdg"),
            "PYTENSOR_FLAGS": f"{flags},{compiled}" if flags else compiled,
            "CI": "1",
        }
    )


def _memory(outcome: Outcome) -> dict[str, Any]:
    return {"memory_mb": outcome.tree_mb, "largest_process_mb": outcome.largest_mb}


def _judged(
    problem: Problem, folder: Path, outcome: Outcome
) -> tuple[dict[str, Any], dict[str, list[float]]]:
    """Read what a contestant handed back."""
    answer = json.loads((folder / "answer.json").read_text(encoding="utf-8"))
    record = {"to_result": answer.pop("ready") - outcome.started, "wall": outcome.wall, **_memory(outcome)}
    if outcome.failure:
        # The result was there before something else went wrong.
        record["afterwards"] = anonymous(outcome.failure, ROOT)
    if "estimates" in answer:
        values = {name: [value, 0.0] for name, value in answer.pop("estimates").items()}
        return _plain(record | answer), values
    names, shape = answer.pop("names"), answer.pop("shape")
    array = np.fromfile(folder / "draws.bin").reshape(shape)
    draws = with_derived(problem, dict(zip(names, array, strict=True)))
    record |= verdict(draws, answer["divergences"])
    return _plain(record | answer), moments(draws)


def _plain(value: Any) -> Any:
    """Ready for JSON: no NaN, floats of six digits."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value
