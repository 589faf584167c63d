"""What the project wants to reach, as ratios within one run of the benchmarks, beside what was measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.figures import bulk_rate, memory, middle, number, sampling, to_result

Held = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Target:
    """A promise: its words, its limit, whether more is better, and how it is measured."""

    text: str
    limit: float
    more_is_better: bool
    unit: str
    measure: Callable[[Held], float | None]

    def row(self, held: Held) -> tuple[str, str, str, str]:
        """Words, wanted, measured, whether reached."""
        found = self.measure(held)
        wanted = f"{'at least' if self.more_is_better else 'at most'} {number(self.limit)}{self.unit}"
        if found is None:
            return self.text, wanted, "not measured", "–"
        reached = found >= self.limit if self.more_is_better else found <= self.limit
        return self.text, wanted, f"{number(found)}{self.unit}", "yes" if reached else "**no**"


def _entry(held: Held, case: str, name: str) -> dict[str, Any] | None:
    return held.get(case, {}).get("contestants", {}).get(name)


def _ratio(top: float | None, bottom: float | None) -> float | None:
    return top / bottom if top is not None and bottom else None


def _faster(case: str, rival: str) -> Callable[[Held], float | None]:
    """Effective draws a second of medpsy over those of a rival."""
    return lambda held: _ratio(
        middle(_entry(held, case, "medpsy_compiled"), bulk_rate),
        middle(_entry(held, case, rival), bulk_rate),
    )


def _seconds(case: str, cold: bool = False) -> Callable[[Held], float | None]:
    """Seconds from process start to a posterior that passes the gate."""

    def measure(record: dict[str, Any]) -> float | None:
        return to_result(record) if not record.get("gate") and not record.get("own_gate") else None

    return lambda held: middle(_entry(held, case, "medpsy_compiled"), measure, cold)


def _second_fit(case: str, times: float = 1.0) -> Callable[[Held], float | None]:
    """Seconds of another fit in the same process."""

    def find(held: Held) -> float | None:
        found = middle(_entry(held, case, "medpsy_compiled"), lambda one: one.get("second_fit"))
        return None if found is None else times * found

    return find


def _bootstraps(held: Held) -> float | None:
    """Seconds of lavaan's bootstrap over those of another fit of medpsy."""
    boot = middle(
        _entry(held, "holzinger_swineford", "lavaan_bootstrap"),
        lambda one: one["seconds"].get("fitting"),
        None,
    )
    return _ratio(boot, _second_fit("holzinger_swineford")(held))


def _against_em(held: Held) -> float | None:
    """Seconds of medpsy's search and sampling over those of EM in the Python package mirt."""
    em = middle(_entry(held, "founding", "mirt_em"), lambda one: one["seconds"].get("fitting"))
    return _ratio(middle(_entry(held, "founding", "medpsy_compiled"), sampling), em)


def _growth(held: Held) -> float | None:
    """Seconds for a million persons over a hundred times those for ten thousand."""
    large, small = (
        middle(_entry(held, case, "medpsy_compiled"), to_result) for case in ("million", "ten_thousand")
    )
    return _ratio(large, None if small is None else 100 * small)


def _million_memory(held: Held) -> float | None:
    found = middle(_entry(held, "million", "medpsy_compiled"), memory)
    return None if found is None else found / 1024


def _start(what: str) -> Callable[[Held], float | None]:
    """Seconds of a fresh process beyond the bare interpreter for an import, in all for a command."""

    def find(held: Held) -> float | None:
        times = held.get("startup", {}).get("seconds", {})
        return median(times[what]) if times.get(what) else None

    return find


HS = "holzinger_swineford"
TARGETS = (
    Target("Founding: ESS/s over Stan, persons sampled", 100, True, "x", _faster("founding", "stan_persons")),
    Target("Founding: ESS/s over PyMC, persons sampled", 50, True, "x", _faster("founding", "pymc_persons")),
    Target("Founding: search and sampling over EM estimates (Python mirt)", 1, False, "x", _against_em),
    Target("Founding: process start to a trusted posterior, warm", 15, False, " s", _seconds("founding")),
    Target("Founding: the same, first run ever", 60, False, " s", _seconds("founding", True)),
    Target("One module: a further fit in the same process", 1.5, False, " s", _second_fit("one_module")),
    Target("One module: 1000 such fits", 30, False, " min", _second_fit("one_module", 1000 / 60)),
    Target("Holzinger: a further fit", 1, False, " s", _second_fit(HS)),
    Target("Holzinger: ESS/s over Stan, persons sampled", 20, True, "x", _faster(HS, "stan_persons")),
    Target("Holzinger: ESS/s over Stan, persons integrated out", 20, True, "x", _faster(HS, "stan_marginal")),
    Target("Holzinger: faster than lavaan's 1000 bootstraps", 10, True, "x", _bootstraps),
    Target("A million persons: start to a trusted posterior", 1800, False, " s", _seconds("million")),
    Target("A million persons: peak memory", 4, False, " GB", _million_memory),
    Target("A million persons over 100 x 10,000 persons", 1.2, False, "x", _growth),
    Target("`import medpsy`, whole process", 0.3, False, " s", _start("import medpsy")),
    Target("`medpsy check`, whole process", 1, False, " s", _start("medpsy check models/mission.toml")),
)
