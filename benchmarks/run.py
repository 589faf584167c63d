"""Run the benchmarks: every case, every contestant, in turns, each run in a process of its own.

Results are written after every run. A contestant that fails once is not run again for that case; the reason
stands in the results. The rounds are interleaved: a slower hour of the machine is shared by all.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks import results, startup
from benchmarks.cases import cases
from benchmarks.contestants import Contestant, contestants
from benchmarks.floors import machine_speed
from benchmarks.machine import machine, today
from benchmarks.problem import ROOT, Absent, Problem
from benchmarks.table import page
from benchmarks.trial import LIMIT, Chains, trial

#: Data, caches and logs of the runs; ignored by git.
PLACE = ROOT / "build" / "benchmarks"

QUICK_PERSONS = 50
SEED = 20250321


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked for, and print the tables."""
    asked = _parser().parse_args(arguments)
    # Ended from outside, it still ends the run that is going on.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    # Trials of the benchmark itself never touch measured results.
    out = PLACE / "quick" if asked.quick else results.FOLDER
    known, rivals = cases(), contestants()
    about = machine()
    if not asked.case or startup.NAME in asked.case:
        _startup(asked, about, out)
    for name, case in known.items():
        if asked.case and name not in asked.case:
            continue
        try:
            problem = case.problem()
        except Absent as reason:
            print(f"== {name}: left out, {reason}")
            continue
        chosen = [c for c in rivals.values() if not asked.contestant or c.name in asked.contestant]
        Bench(name, case, problem, chosen, asked, about, out).run()
    text = page(out)
    if asked.quick:
        print(text)
    else:
        (ROOT / "docs" / "benchmarks.md").write_text(text, encoding="utf-8")
        print(f"{text}\nWritten to docs/benchmarks.md; the numbers are in benchmarks/results/.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    names = [startup.NAME, *cases()]
    parser.add_argument("--case", action="append", choices=names, help="only this case (may be repeated)")
    parser.add_argument(
        "--contestant", action="append", choices=list(contestants()), help="only this one (may be repeated)"
    )
    parser.add_argument("--runs", type=int, default=5, help="warm runs of each (slow ones: fewer); default 5")
    parser.add_argument("--no-cold", action="store_true", help="no runs with empty caches")
    parser.add_argument("--missing", action="store_true", help="keep what is there, run what is missing")
    parser.add_argument(
        "--quick", action="store_true", help="does it all work? one run, 50 persons, 2 x 50 draws; kept apart"
    )
    return parser


def _startup(asked: argparse.Namespace, about: dict[str, Any], out: Path) -> None:
    """Measure imports and the check of a model file."""
    if asked.contestant or (asked.missing and results.load(startup.NAME, out)):
        return
    print(f"== {startup.NAME}: {startup.TITLE}")
    times = startup.measure(1 if asked.quick else asked.runs)
    held = {"case": startup.NAME, "title": startup.TITLE, "machine": about, "date": today(), "seconds": times}
    results.save(startup.NAME, held, out)


class Bench:
    """All runs of one case."""

    def __init__(
        self,
        name: str,
        case: ModuleType,
        problem: Problem,
        chosen: list[Contestant],
        asked: argparse.Namespace,
        about: dict[str, Any],
        out: Path,
    ) -> None:
        self.name, self.case, self.out, self.quick = name, case, out, asked.quick
        self.problem = problem.first(QUICK_PERSONS) if asked.quick else problem
        self.chains = Chains(2, 50, 50) if asked.quick else Chains()
        self.runs = 1 if asked.quick else asked.runs
        self.cold = not (asked.no_cold or asked.quick)
        self.place = PLACE / ("trial" if asked.quick else "work") / name
        self.chosen = [c for c in chosen if not c.declines(self.problem)]
        self.held = self._held(results.load(name, out), about, asked)

    def _held(self, old: dict[str, Any], about: dict[str, Any], asked: argparse.Namespace) -> dict[str, Any]:
        """What there is already and stays, on this machine and for this problem."""
        new = {
            "case": self.name, "title": self.problem.title, "problem": self.problem.size, "machine": about,
            "date": today(),
        }  # fmt: skip
        kept: dict[str, Any] = {}
        if old.get("machine") == about and old.get("problem") == new["problem"]:
            kept = dict(old["contestants"])
            new["speed"] = old["speed"]
            if not asked.missing:
                for contestant in self.chosen:
                    kept.pop(contestant.name, None)
        elif old and (asked.missing or asked.contestant):
            print(f"   {self.name}: the results there are of another machine or problem and are replaced")
        if "speed" not in new:
            reading, computing = machine_speed()
            new["speed"] = {"bytes_per_second": reading, "operations_per_second": computing}
        return new | {"contestants": kept}

    def run(self) -> None:
        """Cold runs first, then the rounds."""
        print(f"== {self.name}: {self.problem.title}")
        self.problem.write(self.place / "data")
        for round_ in range(-1 if self.cold else 0, self.runs):
            for contestant in self.chosen:
                if self._wanted(contestant, round_):
                    self._once(contestant, round_)
        # Answers of a million persons are large; logs and caches stay for a look.
        shutil.rmtree(self.place / "data", ignore_errors=True)

    def _wanted(self, contestant: Contestant, round_: int) -> bool:
        done = self.held["contestants"].get(contestant.name, {}).get("runs", [])
        if any("failure" in one for one in done):
            return False
        if round_ < 0:
            return contestant.cached and not any(one["cold"] for one in done)
        most = int(
            getattr(self.case, "RUNS", {}).get(contestant.name, contestant.about.get("runs", self.runs))
        )
        return round_ < int(most) and sum(not one["cold"] for one in done) <= round_

    def _once(self, contestant: Contestant, round_: int) -> None:
        limits = getattr(self.case, "LIMITS", {})
        limit = float(limits.get(contestant.name, contestant.about.get("limit", LIMIT)))
        record, values = trial(
            contestant,
            self.problem,
            self.place,
            self.chains,
            cold=round_ < 0,
            seed=SEED + round_,
            limit=limit,
        )
        entry = self.held["contestants"].setdefault(
            contestant.name, {"title": contestant.title, "note": contestant.about.get("note", ""), "runs": []}
        )
        record["date"] = today()
        entry["runs"].append(record)
        if values:
            entry.setdefault("values", values)
        results.save(self.name, self.held, self.out)
        print(
            f"   {contestant.title:30s} {'cold' if round_ < 0 else f'run {round_ + 1}'}: {_said(record)}",
            flush=True,
        )


def _said(record: dict[str, Any]) -> str:
    """One run in a few words."""
    if "failure" in record:
        return f"failed: {record['failure']}"
    words = f"{record['to_result']:.1f} s to the result"
    if "ess_bulk" in record:
        words += f", smallest ESS {record['ess_bulk']:.0f}, sampling {record['seconds']['sampling']:.1f} s"
        words += "" if not record["gate"] else f"; gate: {', '.join(record['gate'])}"
    return words


if __name__ == "__main__":
    raise SystemExit(main())
