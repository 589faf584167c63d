"""How numbers are written, in figures and in reports alike."""

from __future__ import annotations

import math
from typing import Any

MINUS = "\N{MINUS SIGN}"
NOTHING = "\N{EN DASH}"


def as_float(value: Any) -> float:
    """Return ``value`` as a float; None, NA and text that is no number become NaN."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def fixed(value: Any, decimals: int) -> str:
    """Write a number with a fixed number of decimals, a true minus sign and no negative zero."""
    number = as_float(value)
    if math.isnan(number):
        return NOTHING
    if math.isinf(number):
        return "\N{INFINITY}" if number > 0 else f"{MINUS}\N{INFINITY}"
    text = f"{abs(number):,.{decimals}f}"
    negative = number < 0 and any(digit in "123456789" for digit in text)
    return f"{MINUS}{text}" if negative else text


def estimate(value: Any) -> str:
    """Write an estimate with three decimals below 1, two below 100, else one."""
    size = abs(as_float(value))
    return fixed(value, 3 if size < 0.9995 else 2 if size < 99.995 else 1)


def plain(value: Any) -> str:
    """Write whole numbers as such and others with up to four significant digits, never in powers of ten."""
    size = abs(as_float(value))
    if math.isnan(size) or math.isinf(size) or size == round(size):
        return fixed(value, 0)
    decimals = max(0, 3 - math.floor(math.log10(size)))
    text = fixed(value, min(decimals, 6))
    return text.rstrip("0").rstrip(".") if "." in text else text


def interval(lower: Any, upper: Any) -> str:
    """Write ``[lower, upper]``; a dash where either bound is unknown."""
    if math.isnan(as_float(lower)) or math.isnan(as_float(upper)):
        return NOTHING
    return f"[{estimate(lower)}, {estimate(upper)}]"


def with_interval(value: Any, lower: Any, upper: Any) -> str:
    """Write ``estimate [lower, upper]``, leaving out what is unknown."""
    bounds = interval(lower, upper)
    return estimate(value) if bounds == NOTHING else f"{estimate(value)} {bounds}"


def probability(value: Any) -> str:
    """Write a probability as ``.975``; the ends as ``<.001`` and ``>.999``, never as 0 or 1."""
    number = as_float(value)
    if math.isnan(number):
        return NOTHING
    if number >= 0.9995:
        return ">.999"
    return "<.001" if number < 0.0005 else f"{number:.3f}"[1:]


def percent(value: Any) -> str:
    """Write a share between 0 and 1 as a percentage with one decimal."""
    text = fixed(as_float(value) * 100, 1)
    return text if text == NOTHING else f"{text} %"


def count(value: Any) -> str:
    """Write a whole number, thousands separated by a comma."""
    return fixed(value, 0)
