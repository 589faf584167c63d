"""The benchmarks judge everybody alike, stop what runs away, resume, and print what they measured."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from source_tree import ROOT

sys.path.insert(0, str(ROOT))

from benchmarks import figures, results, startup, table
from benchmarks.cases import cases
from benchmarks.contestants import Contestant, contestants
from benchmarks.floors import TABLE_ENTRY, Work, categorical_work, gaussian_work
from benchmarks.judge import disagreement, verdict, with_derived
from benchmarks.problem import Absent, Problem, read_problem
from benchmarks.process import run, session
from benchmarks.run import Bench
from benchmarks.targets import TARGETS
from benchmarks.trial import Chains, trial

import medpsy as mp

RNG = np.random.default_rng(1)

needs_proc = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="memory needs /proc")


def made_up(effects: bool = True, n: int = 30) -> Problem:
    factors = (("x", ("x1", "x2")), ("m", ("m1", "m2")), ("y", ("y1", "y2")))
    answers = RNG.integers(0, 3, (n, 6)).astype(float)
    answers[3, 2] = np.nan
    return Problem("made_up", "Made up", "graded", factors, effects, 3, answers)


def made_up_draws(problem: Problem, chains: int = 4, n: int = 200) -> dict[str, np.ndarray]:
    out: dict[str, np.ndarray] = {}
    for item in problem.items:
        out[f"slope[{item}]"] = RNG.lognormal(0.2, 0.3, (chains, n))
        prob = RNG.dirichlet(np.full(problem.n_categories, 5.0), (chains, n))
        out |= {f"category_prob[{item},{k}]": prob[..., k] for k in range(problem.n_categories)}
    for pair in ("m,x", "y,x", "y,m"):
        out[f"r[{pair}]"] = RNG.uniform(0.1, 0.4, (chains, n))
    return out


def test_the_page_is_what_the_results_say() -> None:
    assert (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8") == table.page()


def test_every_contestant_says_what_it_is() -> None:
    found = contestants()
    assert {"medpsy_compiled", "medpsy_pymc", "pymc_persons", "stan_persons", "lavaan"} <= set(found)
    for contestant in found.values():
        assert {"title", "order", "result", "families", "note"} <= set(contestant.about), contestant.name
        assert contestant.about["result"] in ("posterior", "estimates")
        assert set(contestant.about["families"].split()) <= {"graded", "gaussian"}
    assert len({c.about["order"] for c in found.values()}) == len(found)


def test_contestants_are_not_asked_for_what_they_cannot_do() -> None:
    problem = made_up()

    def declines(**about: str) -> str:
        return Contestant("a", Path("a.py"), {"families": "graded", **about}).declines(problem)

    assert "at most 1 factor" in declines(factors="1")
    assert "missing" in declines(missing="no")
    assert "graded" in declines(families="gaussian")
    assert "20 persons" in declines(persons="20")
    assert "paths" in declines(effects="no")
    assert declines(families="graded gaussian") == ""


def test_cases_are_models_of_medpsy_with_the_priors_that_everybody_has() -> None:
    wanted = {
        "graded": {"LKJ(2)", "LogNormal(0.25, 0.6)", "StudentT(4, 1, 1)", "Dirichlet(1)"},
        "gaussian": {"LKJ(2)", "LogNormal(-0.5, 0.6)", "Normal(0.6, 0.6)", "Normal(0, 1)", "HalfNormal(1)"},
    }
    seen = set()
    for name, case in cases().items():
        if name in ("ten_thousand", "million"):
            continue
        try:
            problem = case.problem()
        except Absent:
            continue
        seen.add(name)
        model = mp.Model(problem.text, family=problem.family)
        priors = {str(prior) for prior in model.parameters["prior"]} - {""}
        assert priors <= wanted[problem.family], name
        assert model.composed.structure.name == "correlated"
        assert [item for c in model.spec.constructs for item in c.items] == list(problem.items)
    assert {"one_module", "founding"} <= seen


def test_a_problem_survives_writing(tmp_path: Path) -> None:
    problem = made_up()
    problem.write(tmp_path)
    again = read_problem(tmp_path)
    np.testing.assert_array_equal(again.answers, problem.answers)
    assert (again.factors, again.text, again.size) == (problem.factors, problem.text, problem.size)
    lines = (tmp_path / "answers.csv").read_text().splitlines()
    assert lines[0] == "x1,x2,m1,m2,y1,y2" and len(lines) == 31 and ",," in lines[4]
    assert problem.size["parameters"] == 6 * 3 + 3


def test_derived_quantities_are_those_of_medpsy() -> None:
    problem = made_up()
    draws = made_up_draws(problem)
    found = with_derived(problem, draws)
    from medpsy.families.graded import FAMILY
    from medpsy.ops import Numpy

    for item in problem.items:
        prob = np.stack([draws[f"category_prob[{item},{k}]"] for k in range(3)], -1)[..., None, :]
        values = {"slope": draws[f"slope[{item}]"][..., None], "category_prob": prob}
        expected = FAMILY.derived(values, Numpy)["threshold"][..., 0, :]
        for k in (1, 2):
            np.testing.assert_allclose(found[f"threshold[{item},{k}]"], expected[..., k - 1], rtol=1e-10)
    # Regressions of a standardised chain, one draw at a time.
    one = {name: value[2, 7] for name, value in draws.items()}
    r = np.eye(3)
    r[np.tril_indices(3, -1)] = one["r[m,x]"], one["r[y,x]"], one["r[y,m]"]
    r += np.tril(r, -1).T
    c, b = np.linalg.solve(r[:2, :2], r[:2, 2])
    assert found["b"][2, 7] == pytest.approx(b) and found["c"][2, 7] == pytest.approx(c)
    assert found["indirect"][2, 7] == pytest.approx(r[0, 1] * b)
    assert found["total"][2, 7] == pytest.approx(r[0, 2])


def test_the_gate_passes_good_draws_and_names_what_is_wrong() -> None:
    good = {f"q{i}": RNG.normal(size=(4, 1000)) for i in range(3)}
    assert verdict(good, 0)["gate"] == []
    assert verdict(good, 2)["gate"] == ["2 divergences"]
    apart = good | {"shifted": RNG.normal(size=(4, 1000)) + np.arange(4)[:, None]}
    found = verdict(apart, 0)
    assert found["gate"][0].startswith("largest R-hat") and found["worst"] == "shifted"
    walk = np.cumsum(RNG.normal(size=(4, 1000)), 1)
    assert any("bulk ESS" in reason for reason in verdict({"walk": walk}, 0)["gate"])
    assert "still did not move" in verdict(good | {"still": np.ones((4, 1000))}, 0)["gate"]


def test_disagreement_is_in_sds_of_the_reference() -> None:
    reference = {"a": [1.0, 0.5], "b": [0.0, 2.0], "fixed": [1.0, 0.0]}
    assert disagreement(reference, {"a": [1.25, 9.0], "b": [3.0, 9.0], "fixed": [7.0, 0.0]}) == (1.5, "b", 2)
    assert disagreement(reference, {"z": [0.0, 1.0]}) is None


def test_the_floor_counts_every_operation_once() -> None:
    # Two items of 3 categories on grids of 4 and 5 nodes, counted in loops.
    nodes, codes = [4, 5], np.array([[0, 2], [1, -1]])
    tables = sum(TABLE_ENTRY for j in (0, 1) for _ in range(3) for _ in range(nodes[j]))
    looked_up = sum(2 for row in codes for j in (0, 1) if row[j] >= 0 for _ in range(nodes[j]))
    cells = sum(4 for _ in codes for _ in range(4) for _ in range(5))
    work = categorical_work(3, nodes, 3, 4.0 + 5.0 + 4.0, 2 * 20.0)
    assert work == Work(3.0, tables + looked_up + cells)
    assert Work(100.0, 400.0).seconds(10.0, 20.0) == 20.0
    assert gaussian_work(9).bytes == 8 * 81


#: A program that never ends, and costs nothing.
FOREVER = "import threading; threading.Event().wait()"


def start(tmp_path: Path, code: str, limit: float = 20.0, memory_mb: float = 4000.0) -> Any:
    return run(
        [sys.executable, "-c", code], folder=tmp_path, environment={"PATH": "/usr/bin:/bin"}, limit=limit,
        memory_mb=memory_mb, log=tmp_path / "log.txt", done=tmp_path / "done",
    )  # fmt: skip


def test_a_program_that_runs_too_long_is_stopped_with_its_children(tmp_path: Path) -> None:
    child = f"import subprocess, sys, os; subprocess.Popen([sys.executable, '-c', {FOREVER!r}])"
    begun = time.perf_counter()
    outcome = start(tmp_path, f"{child}; print(os.getpid(), flush=True); {FOREVER}", limit=1.0)
    assert outcome.failure == "stopped after 1 s"
    assert time.perf_counter() - begun < 10.0
    leader, until = int((tmp_path / "log.txt").read_text()), time.perf_counter() + 10.0
    while session(leader) and time.perf_counter() < until:  # killed, but perhaps not gone yet
        os.sched_yield()
    assert session(leader) == []


def test_a_program_that_fails_says_why(tmp_path: Path) -> None:
    assert start(tmp_path, "raise ValueError('no such answer')").failure == "ValueError: no such answer"
    assert start(tmp_path, "raise SystemExit(3)").failure == "ended with status 3"
    assert start(tmp_path, "print('fine')").failure == ""


@needs_proc
def test_memory_is_that_of_all_processes_and_has_a_limit(tmp_path: Path) -> None:
    def hold(mb: int) -> str:
        return f"x = b'1' * {mb}_000_000; {FOREVER}"

    both = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {hold(150)!r}]); {hold(100)}"
    outcome = start(tmp_path, both, limit=2.0)
    assert 240 < outcome.tree_mb < 330 and 140 < outcome.largest_mb < 200
    assert start(tmp_path, hold(300), memory_mb=200).failure.startswith("stopped at 0.")


SAMPLER = """
import numpy as np
from benchmarks.job import Job
job = Job()
rng = np.random.default_rng(job.seed)
shape = (job.chains, job.draws or 500)
problem = job.problem
found = {f"slope[{i}]": rng.normal(1, 0.1, shape) for i in problem.items}
prob = rng.dirichlet(np.ones(problem.n_categories) * 9, (len(problem.items), *shape))
for j, item in enumerate(problem.items):
    found |= {f"category_prob[{item},{k}]": prob[j, ..., k] for k in range(problem.n_categories)}
found |= {f"r[{pair}]": rng.uniform(0.2, 0.3, shape) for pair in ("m,x", "y,x", "y,m")}
(job.cache / "seen").open("a").write("x")
job.ready()
job.posterior(found, seconds={"sampling": 2.0}, divergences=0, steps=7.0, packages=("numpy",))
"""


def fake(folder: Path, name: str, code: str, monkeypatch: pytest.MonkeyPatch) -> Contestant:
    """A contestant outside the repository, started as the real ones are."""
    path = folder / f"{name}.py"
    path.write_text(f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}")
    command = lambda c, place: [sys.executable, str(c.path), str(place)]  # noqa: E731
    monkeypatch.setattr("benchmarks.trial._command", command)
    return Contestant(name, path, {"title": name, "order": "1", "families": "graded", "cache": "yes"})


def test_one_run_is_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = made_up()
    problem.write(tmp_path / "data")
    sampler = fake(tmp_path, "sampler", SAMPLER, monkeypatch)

    def once(contestant: Contestant) -> tuple[dict[str, Any], dict[str, list[float]]]:
        return trial(contestant, problem, tmp_path, Chains(), cold=True, seed=1, limit=60)

    record, values = once(sampler)
    assert record["cold"] and 0 < record["to_result"] <= record["wall"]
    assert record["ess_bulk"] > 1000 and record["gate"] == []
    assert record["quantities"] == 6 * (1 + 3 + 2) + 3 + 5
    assert values["slope[x1]"] == pytest.approx([1.0, 0.1], abs=0.02) and "indirect" in values
    broken = fake(tmp_path, "broken", "raise RuntimeError('not today')", monkeypatch)
    assert once(broken)[0]["failure"] == "RuntimeError: not today"
    text = "import sys, json, pathlib; (pathlib.Path(sys.argv[1]) / 'answer.json').write_text(json.dumps({}))"
    odd = fake(tmp_path, "odd", text, monkeypatch)
    assert "cannot be used" in once(odd)[0]["failure"]


def bench(tmp_path: Path, chosen: list[Contestant], **more: Any) -> Bench:
    asked = {"quick": False, "runs": 2, "no_cold": False, "missing": False, "contestant": None} | more
    made = Bench(
        "made_up", cast(ModuleType, SimpleNamespace(RUNS={})), made_up(), chosen, argparse.Namespace(**asked),
        {"processor": "made up", "cores": 2, "memory_gb": 1.0, "system": "none", "python": "3"},
        tmp_path / "out",
    )  # fmt: skip
    made.place = tmp_path / "work"
    made.chains = Chains(2, 40, 40)
    return made


def test_rounds_resume_and_failures_are_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sampler = fake(tmp_path, "sampler", SAMPLER, monkeypatch)
    broken = fake(tmp_path, "broken", "raise RuntimeError('not today')", monkeypatch)
    bench(tmp_path, [sampler, broken], runs=1).run()
    first = results.load("made_up", tmp_path / "out")["contestants"]
    assert [one["cold"] for one in first["sampler"]["runs"]] == [True, False]
    assert [one["failure"] for one in first["broken"]["runs"]] == ["RuntimeError: not today"]
    cache = tmp_path / "work" / "sampler" / "cache" / "seen"
    assert cache.read_text() == "xx"
    bench(tmp_path, [sampler, broken], missing=True).run()
    second = results.load("made_up", tmp_path / "out")["contestants"]
    assert second["sampler"]["runs"][:2] == first["sampler"]["runs"] and len(second["sampler"]["runs"]) == 3
    assert len(second["broken"]["runs"]) == 1
    # Without --missing the contestant is measured anew, and only it.
    bench(tmp_path, [sampler], runs=1, no_cold=True).run()
    third = results.load("made_up", tmp_path / "out")["contestants"]
    assert len(third["sampler"]["runs"]) == 1 and third["broken"] == second["broken"]


def made_up_results(folder: Path) -> None:
    """Two contestants, one that failed, as the runs would have left them."""

    def sampled(seconds: float, cold: bool = False, ess: float = 800.0) -> dict[str, Any]:
        gate = [] if ess >= 400 else [f"smallest bulk ESS {ess:.0f}"]
        return {
            "cold": cold, "to_result": seconds + 3, "wall": seconds + 4, "memory_mb": 500.0, "ess_bulk": ess,
            "ess_tail": 700.0, "gate": gate, "seconds": {"sampling": seconds}, "steps": 7.0,
            "versions": {"p": "1"}, "second_fit": seconds / 2,
        }  # fmt: skip

    entries = {
        "medpsy_compiled": {
            "title": "medpsy, compiled", "note": "n", "values": {"a": [1.0, 0.5]},
            "runs": [sampled(4, True), sampled(2), sampled(4), sampled(8)],
        },
        "stan_persons": {
            "title": "Stan", "note": "", "runs": [sampled(100, ess=300.0)], "values": {"a": [1.1, 0.5]},
        },
        "lavaan": {"title": "lavaan", "note": "", "runs": [{"cold": False, "failure": "no such package"}]},
    }  # fmt: skip
    held = {
        "case": "founding", "title": "Founding", "machine": {
            "processor": "P", "cores": 2, "memory_gb": 4.0, "system": "S", "python": "3.13",
        }, "date": "2026-01-01", "problem": made_up().size, "speed": {
            "bytes_per_second": 1e9, "operations_per_second": 1e9,
        }, "contestants": entries,
    }  # fmt: skip
    results.save("founding", held, folder)


def test_the_tables_hold_medians_ranges_losers_and_targets(tmp_path: Path) -> None:
    assert "Nothing has been measured yet" in table.page(tmp_path)
    made_up_results(tmp_path)
    text = table.page(tmp_path)
    assert "| medpsy, compiled | 7 | 7 (5 to 11) | passed | 4 (2 to 8) | 200 (100 to 400) |" in text
    # 800/4 a second against 300/100; its posterior fails the gate, so its time stands in brackets.
    assert "| Stan | – | [103] | failed in 1 of 1: smallest bulk ESS 300 | 100 | 3 |" in text
    assert "| 66.7 |" in text and "0.20 (a)" in text
    assert "- lavaan: no such package" in text
    assert "| Founding: ESS/s over Stan, persons sampled | at least 100x | 66.7x | **no** |" in text
    assert "| Founding: process start to a trusted posterior, warm | at most 15 s | 7 s | yes |" in text
    assert text.count("not measured") == len(TARGETS) - 3


def test_results_hold_no_half_files_and_no_paths(tmp_path: Path) -> None:
    results.save("a", {"x": 1}, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert results.load("a", tmp_path) == {"x": 1} and results.load("b", tmp_path) == {}
    with pytest.raises(ValueError, match="JSON"):
        results.save("a", {"x": float("nan")}, tmp_path)
    assert results.load("a", tmp_path) == {"x": 1}
    assert results.anonymous(f"in {ROOT}/benchmarks/x.R: no", ROOT) == "in benchmarks/x.R: no"
    for path in results.FOLDER.glob("*.json"):
        assert json.loads(path.read_text(encoding="utf-8"))["case"] == path.stem


def test_numbers_are_written_for_people() -> None:
    written = [figures.number(x) for x in (0.0, 0.0123, 1.5, 99.96, 1234.5)]
    assert written == ["0", "0.0123", "1.5", "100", "1,234"]
    assert figures.spread([]) == "–" and figures.spread([2.0]) == "2"
    assert figures.spread([3.0, 1.0, 2.0], " s") == "2 (1 to 3) s"


def test_start_up_times_are_real_and_failures_are_loud() -> None:
    assert 0 < startup.seconds("pass") < 60
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        startup.seconds("1 / 0")
