"""Write ``docs/benchmarks.md`` from the results files: ``python -m benchmarks.table``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import figures as f
from benchmarks import results, startup
from benchmarks.cases import cases
from benchmarks.contestants import contestants
from benchmarks.floors import Work
from benchmarks.judge import disagreement
from benchmarks.problem import ROOT
from benchmarks.targets import TARGETS

INTRODUCTION = """# Benchmarks

medpsy beside other programs: the same answers, the same model and, where a posterior is sampled, the same
priors and the same quantities, in one go on one machine. `make bench` measures everything and writes this
page; nothing on it is typed by hand. `make bench ARGS="--quick"` only tries whether every contestant runs.

How it is measured:

- Every run is a process of its own, with one thread for linear algebra and as many chains at a time as there
  are cores. Programs take turns, so that a slow hour is shared. Four chains; numbers of draws are each
  program's usual ones.
- **to the result**: seconds from process start to draws in memory that have passed the gate, data read and
  libraries imported. *Cold*: compiled-code caches empty. *Warm*: left by earlier runs. The file cache of the
  system is warm.
- **gate**: R-hat at most 1.01, bulk and tail effective sample size (ESS) at least 100 a chain for every
  parameter, threshold and effect, no divergence; for medpsy its own checks too, within the time. A result
  that fails is shown with the reason and its time in brackets.
- **sampling**: seconds of warm-up and draws; for medpsy the search for the mode and the curvature too.
  Compiling, loading what was compiled, and reading data are not in it. ESS/s is the smallest ESS over all
  these quantities, per second of sampling.
- **gradients/draw**: mean number after warm-up. **memory**: peak of all processes together until the result
  (proportional shares on Linux, looked at every 0.1 to 2 s).
- **off**: largest difference of a posterior mean (or estimate) from that of medpsy's compiled route, in its
  posterior sds, over the quantities that both report.

Numbers are medians over the warm runs, lowest and highest in brackets.
"""


def page(folder: Path = results.FOLDER) -> str:
    """The whole page, from the results in ``folder``."""
    held = {name: results.load(name, folder) for name in [startup.NAME, *cases()]}
    held = {name: one for name, one in held.items() if one}
    parts = [INTRODUCTION]
    if not held:
        parts.append("Nothing has been measured yet.\n")
        return "\n".join(parts)
    parts.append(_machines(held))
    rows = [target.row(held) for target in TARGETS]
    parts.append("## Targets\n\n" + _table(["", "wanted", "measured", "reached"], rows))
    parts += [_case(one) for name, one in held.items() if name != startup.NAME]
    parts += [
        section for section in (_gradients(held), _startup(held.get(startup.NAME)), _notes(held)) if section
    ]
    return "\n".join(parts)


def _table(head: list[str], rows: Sequence[Sequence[str]]) -> str:
    lines: list[Sequence[str]] = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _machines(held: dict[str, Any]) -> str:
    """Where and when; one line for every machine there is."""
    seen: dict[str, list[str]] = {}
    for one in held.values():
        m = one["machine"]
        text = (
            f"{m['processor']}, {m['cores']} cores, {m['memory_gb']} GB, {m['system']}, Python {m['python']}"
        )
        seen.setdefault(text, []).append(one["date"])
    warning = "**The cases below were not all measured on one machine.**\n\n" if len(seen) > 1 else ""
    lines = [f"- {text}; {' to '.join(sorted({min(d), max(d)}))}" for text, d in seen.items()]
    return f"{warning}Measured on:\n\n" + "\n".join(lines) + "\n\n" + _versions(held)


def _versions(held: dict[str, Any]) -> str:
    found: dict[str, set[str]] = {}
    for one in held.values():
        for entry in one.get("contestants", {}).values():
            for run in f.good(entry):
                for package, version in run["versions"].items():
                    found.setdefault(package, set()).add(version)
    if not found:
        return ""
    return "Versions: " + ", ".join(f"{k} {'/'.join(sorted(v))}" for k, v in sorted(found.items())) + ".\n"


def _entries(one: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Contestants of a case in the order of the tables."""
    order = {name: i for i, name in enumerate(contestants())}
    return sorted(one["contestants"].items(), key=lambda pair: order.get(pair[0], len(order)))


def _case(one: dict[str, Any]) -> str:
    """Tables of one case: posteriors, then point estimates, then what failed."""
    size = one["problem"]
    reference = one["contestants"].get("medpsy_compiled", {})
    posteriors, estimates, failed = [], [], []
    for name, entry in _entries(one):
        runs = f.good(entry, False) or f.good(entry)
        for reason in f.failures(entry):
            failed.append(f"- {entry['title']}: {reason}")
        if not runs:
            continue
        off = _off(reference, entry) if name != "medpsy_compiled" else "–"
        if "ess_bulk" in runs[0]:
            posteriors.append(_posterior_row(entry, reference, off))
        else:
            estimates.append(_estimate_row(entry, runs, off))
    text = f"## {one['title']}\n\n{size['persons']:,} persons, {size['parameters']} parameters."
    if posteriors:
        head = [
            "posterior", "to the result, cold (s)", "warm (s)", "gate", "sampling (s)", "bulk ESS/s",
            "tail ESS/s", "medpsy / it", "gradients/draw", "memory (MB)", "off (sd)",
        ]  # fmt: skip
        text += "\n\n" + _table(head, posteriors)
    if estimates:
        head = ["point estimates", "to the result (s)", "fitting (s)", "memory (MB)", "off (sd)"]
        text += "\n\n" + _table(head, estimates)
    if failed:
        text += "\n\nNo result:\n\n" + "\n".join(failed) + "\n"
    return text.replace("\n\n\n", "\n\n")


def _posterior_row(entry: dict[str, Any], reference: dict[str, Any], off: str) -> tuple[str, ...]:
    runs, cold = f.good(entry, False) or f.good(entry), f.good(entry, True)
    own, theirs = f.middle(reference, f.bulk_rate), f.middle(entry, f.bulk_rate)
    ratio = f.number(own / theirs) if own and theirs and entry is not reference else "–"
    return (
        entry["title"], _times(cold), _times(f.good(entry, False)), _gate(f.good(entry)),
        f.spread(f.values(runs, f.sampling)), f.spread(f.values(runs, f.bulk_rate)),
        f.spread(f.values(runs, f.tail_rate)), ratio, f.spread(f.values(runs, f.steps)),
        f.spread(f.values(runs, f.memory)), off,
    )  # fmt: skip


def _estimate_row(entry: dict[str, Any], runs: list[f.Record], off: str) -> tuple[str, ...]:
    lost = any(one.get("converged") is False for one in runs)
    return (
        entry["title"] + (" (did not converge)" if lost else ""), f.spread(f.values(runs, f.to_result)),
        f.spread(f.values(runs, lambda one: one["seconds"].get("fitting"))),
        f.spread(f.values(runs, f.memory)), off,
    )  # fmt: skip


def _times(runs: list[f.Record]) -> str:
    """Times of the runs that passed; if none did, all times in brackets."""
    ok = [one for one in runs if f.passed(one)]
    text = f.spread(f.values(ok or runs, f.to_result))
    return text if ok or not runs else f"[{text}]"


def _gate(runs: list[f.Record]) -> str:
    """How many runs passed, and the reason of the first that did not."""
    bad = [one for one in runs if not f.passed(one)]
    if not bad:
        return "passed"
    reasons = [*bad[0].get("gate", []), *bad[0].get("own_gate", [])]
    return f"failed in {len(bad)} of {len(runs)}: {reasons[0]}"


def _off(reference: dict[str, Any], entry: dict[str, Any]) -> str:
    found = disagreement(reference.get("values", {}), entry.get("values", {}))
    return "–" if found is None else f"{found[0]:.2f} ({found[1]})"


def _gradients(held: dict[str, Any]) -> str:
    """Gradients of the compiled route against the counted floor."""
    rows = []
    for one in held.values():
        runs = [r for r in f.good(one.get("contestants", {}).get("medpsy_compiled", {})) if "gradient" in r]
        measured = [r["gradient"] for r in runs if "seconds" in r["gradient"]]
        if not measured:
            rows += [(one["title"], r["gradient"]["failure"], *["–"] * 4) for r in runs[:1]]
            continue
        seconds = [g["seconds"] for g in measured]
        work = Work(measured[0]["bytes"], measured[0]["operations"])
        floor = work.seconds(one["speed"]["bytes_per_second"], one["speed"]["operations_per_second"])
        rows.append(
            (
                one["title"], f.spread([1 / s for s in seconds]), f.number(work.bytes),
                f.number(work.operations), f.number(1 / floor), f"{100 * floor / min(seconds):.1f} %",
            )
        )  # fmt: skip
    if not rows:
        return ""
    text = (
        "## Gradients against the counted floor\n\nOne core. The floor is what has to be read and computed "
        "at the very least (`benchmarks/floors.py`), at this machine's speed of reading memory and of a "
        "matrix product.\n\n"
    )
    head = ["case", "gradients/s", "bytes", "operations", "floor, gradients/s", "share reached"]
    return text + _table(head, rows)


def _startup(one: dict[str, Any] | None) -> str:
    if not one:
        return ""
    rows = [(name, f.spread(times)) for name, times in one["seconds"].items()]
    return f"## {one['title']}\n\n" + _table(["fresh process", "seconds"], rows)


def _notes(held: dict[str, Any]) -> str:
    """What every contestant answers, in its own words."""
    cases_held = [one for one in held.values() if "contestants" in one]
    notes = {e["title"]: e["note"] for one in cases_held for _, e in _entries(one) if e["note"]}
    return "## Contestants\n\n" + "\n".join(f"- {k}: {v}." for k, v in notes.items()) + "\n" if notes else ""


def main() -> None:
    """Write the page."""
    (ROOT / "docs" / "benchmarks.md").write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
