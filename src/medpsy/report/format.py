"""From the values of a table to its printed cells: the one place where a report formats numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from medpsy.errors import SpecError, nearest
from medpsy.plots.numbers import NOTHING, count, estimate, fixed, percent, plain, probability


def _text(value: Any) -> str:
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):
        return NOTHING
    return str(value).replace("->", "\N{RIGHTWARDS ARROW}")


def _yes_no(value: Any) -> str:
    if value is None or pd.isna(value):
        return NOTHING
    return "yes" if value else "NO"


def _value(value: Any) -> str:
    """Write whatever a cell of mixed kinds holds."""
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return _yes_no(value)
    if isinstance(value, int) or (hasattr(value, "dtype") and value.dtype.kind in "iu"):
        return count(value)
    if isinstance(value, float) or (hasattr(value, "dtype") and value.dtype.kind == "f"):
        return plain(value)
    return _text(value)


#: Every format a table may name. All but ``text``, ``yes_no`` and ``value`` are set flush right.
FORMATS: dict[str, Callable[[Any], str]] = {
    "estimate": estimate,
    "probability": probability,
    "percent": percent,
    "count": count,
    "plain": plain,
    "three": lambda value: fixed(value, 3),
    "two": lambda value: fixed(value, 2),
    "one": lambda value: fixed(value, 1),
    "text": _text,
    "numbers": _text,  # numbers already written out, such as an estimate with its interval
    "yes_no": _yes_no,
    "value": _value,
}
_LEFT = ("text", "yes_no", "value")


def kinds(frame: pd.DataFrame, formats: Mapping[str, str]) -> dict[str, str]:
    """Return the format of every column: as named, else guessed from the type of the column.

    Raises
    ------
    SpecError
        If a format or its column does not exist.
    """
    for column, kind in formats.items():
        if column not in frame.columns:
            raise SpecError(
                f"format for a column '{column}' that the table lacks", hint=nearest(column, frame.columns)
            )
        if kind not in FORMATS:
            raise SpecError(f"no format '{kind}' (column '{column}')", hint=nearest(kind, FORMATS))
    return {str(column): formats.get(str(column)) or _guess(frame[column]) for column in frame.columns}


def _guess(column: pd.Series) -> str:
    types = pd.api.types
    if types.is_bool_dtype(column):
        return "yes_no"
    if types.is_integer_dtype(column):
        return "count"
    if types.is_float_dtype(column):
        return "estimate"
    return "value" if types.is_object_dtype(column) else "text"


def cell(value: Any, kind: str) -> str:
    """Return the printed text of one cell."""
    return FORMATS[kind](value)


def cells(frame: pd.DataFrame, formats: Mapping[str, str]) -> list[list[tuple[str, bool]]]:
    """Return rows of (printed text, whether set flush right)."""
    named = kinds(frame, formats)
    columns = [[(cell(v, kind), kind not in _LEFT) for v in frame[name]] for name, kind in named.items()]
    return [list(row) for row in zip(*columns, strict=True)]


def numeric(frame: pd.DataFrame, formats: Mapping[str, str]) -> list[bool]:
    """Return, per column, whether it is set flush right."""
    return [kind not in _LEFT for kind in kinds(frame, formats).values()]
