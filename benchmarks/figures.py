"""Medians and ranges of what the results files hold, and how they are written."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

Record = dict[str, Any]
Measure = Callable[[Record], "float | None"]


def good(entry: dict[str, Any], cold: bool | None = None) -> list[Record]:
    """Runs that came to a result; only cold or warm ones if asked."""
    runs = [one for one in entry.get("runs", []) if "failure" not in one]
    return runs if cold is None else [one for one in runs if one["cold"] == cold]


def failures(entry: dict[str, Any]) -> list[str]:
    """Reasons of the runs that did not come to a result."""
    return [one["failure"] for one in entry.get("runs", []) if "failure" in one]


def values(runs: list[Record], measure: Measure) -> list[float]:
    """What was measured, where it was."""
    found = [measure(one) for one in runs]
    return [one for one in found if one is not None]


def middle(entry: dict[str, Any] | None, measure: Measure, cold: bool | None = False) -> float | None:
    """Median over runs (warm ones unless said otherwise), None where nothing was measured."""
    found = values(good(entry or {}, cold), measure)
    return median(found) if found else None


def number(value: float) -> str:
    """Three significant digits, without an exponent for what people read."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    text = f"{value:.3g}"
    return f"{value:.2e}" if "e" in text else text


def spread(found: list[float], unit: str = "") -> str:
    """``median (lowest to highest)``, or a dash."""
    if not found:
        return "–"
    text = number(median(found))
    if len(found) > 1:
        text += f" ({number(min(found))} to {number(max(found))})"
    return f"{text}{unit}"


def to_result(record: Record) -> float:
    """Seconds from process start to the result."""
    return float(record["to_result"])


def sampling(record: Record) -> float | None:
    """Seconds of search, warm-up and draws."""
    return record["seconds"].get("sampling")


def bulk_rate(record: Record) -> float | None:
    """Smallest bulk effective sample size a second of sampling."""
    return _rate(record, "ess_bulk")


def tail_rate(record: Record) -> float | None:
    """Smallest tail effective sample size a second of sampling."""
    return _rate(record, "ess_tail")


def _rate(record: Record, key: str) -> float | None:
    seconds = sampling(record)
    return record[key] / seconds if record.get(key) and seconds else None


def steps(record: Record) -> float | None:
    """Gradients a draw, after warm-up."""
    return record.get("steps")


def memory(record: Record) -> float | None:
    """Peak memory of all processes in MB; that of the largest where the sum is not known."""
    return record.get("memory_mb") or record.get("largest_process_mb")


def passed(record: Record) -> bool:
    """Whether the common gate was passed, and medpsy's own where there is one."""
    return not record.get("gate") and not record.get("own_gate")
