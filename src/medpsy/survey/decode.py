"""Cells to codes: one table per column says what each distinct text means."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from medpsy.errors import nearest
from medpsy.survey.instrument import Module, Variable


class Status(IntEnum):
    """What became of a cell."""

    GIVEN = 0
    NONE = 1
    NOT_FINITE = 2
    OUT_OF_RANGE = 3
    UNREADABLE = 4


#: Value and status of one cell text.
Meaning = tuple[float, Status]

_NOTHING: Meaning = (math.nan, Status.NONE)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_NOT_FINITE = {"nan", "inf", "infinity"}
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+", re.ASCII)
_WHOLE = re.compile(r"(-?\d+)\.0+", re.ASCII)


@dataclass(frozen=True)
class Column:
    """One decoded column: a value (NaN where none) and a Status per row.

    ``kind`` is ``"item"``, ``"number"`` or ``"category"``; ``choices`` are the codes or levels that exist.
    """

    name: str
    kind: str
    choices: tuple[str, ...]
    cells: Sequence[str]
    values: np.ndarray
    status: np.ndarray

    def rows(self, status: Status) -> list[int]:
        """Zero-based rows of that status."""
        return [int(row) for row in np.flatnonzero(self.status == status)]

    def complaint(self, row: int) -> str:
        """What is wrong with the cell of ``row``: "item gad5: 'abc' is no code; codes are 0,1,2,3"."""
        text = self.cells[row].strip()
        if self.kind == "number":
            return f"variable {self.name}: '{text}' is no number"
        shown = ",".join(self.choices[:12]) + (",..." if len(self.choices) > 12 else "")
        if self.kind == "item":
            return f"item {self.name}: '{text}' is no code; codes are {shown}"
        return f"variable {self.name}: '{text}' is no level; levels are {shown}"

    def cure(self, row: int) -> str:
        """What to do about the unreadable cell of ``row``."""
        text = self.cells[row].strip()
        if _DECIMAL_COMMA.fullmatch(text):
            return "Write decimals with a point, not a comma."
        advice = "Correct the cell, or list the text under `missing` in the instrument if it means no answer."
        return f"{nearest(text, self.choices)} {advice}" if self.kind == "category" else advice


def decode_item(name: str, cells: Sequence[str], module: Module, missing: Collection[str]) -> Column:
    """Decode answers, codes or labels, to the position in ``module.codes`` (0..K-1, not yet turned)."""
    # Where a label is itself a number, only codes are: nobody could tell which is meant.
    spoken = all(plain_number(text) is None for text in module.labels)
    labels = {text: k for k, text in enumerate(module.labels) if spoken and module.labels.count(text) == 1}
    positions = {float(code): position for position, code in enumerate(module.codes)}

    def meaning(text: str) -> Meaning:
        value = plain_number(text)
        if _is_missing(text, value, missing):
            return _NOTHING
        if value is None and text in labels:
            return labels[text], Status.GIVEN
        if value is None or not value.is_integer():
            return math.nan, Status.UNREADABLE
        position = positions.get(value)
        return (math.nan, Status.OUT_OF_RANGE) if position is None else (position, Status.GIVEN)

    return _column(name, "item", tuple(map(str, module.codes)), cells, meaning)


def decode_variable(variable: Variable, cells: Sequence[str], missing: Collection[str]) -> Column:
    """Decode a person variable: numbers as they are, categories to the position of their level."""
    if variable.kind == "category":
        return _decode_category(variable, cells, missing)
    low = -math.inf if variable.minimum is None else variable.minimum
    high = math.inf if variable.maximum is None else variable.maximum

    def meaning(text: str) -> Meaning:
        value = plain_number(text)
        if _is_missing(text, value, missing):
            return _NOTHING
        if text.lstrip("+-").lower() in _NOT_FINITE or (value is not None and math.isinf(value)):
            return math.nan, Status.NOT_FINITE
        if value is None:
            return math.nan, Status.UNREADABLE
        # Adding zero turns -0.0 into 0.0, so that equal answers have equal bytes.
        return (value + 0.0, Status.GIVEN) if low <= value <= high else (math.nan, Status.OUT_OF_RANGE)

    return _column(variable.name, "number", (), cells, meaning)


def _decode_category(variable: Variable, cells: Sequence[str], missing: Collection[str]) -> Column:
    positions = {level: position for position, level in enumerate(variable.levels)}

    def meaning(text: str) -> Meaning:
        if text not in positions:
            if _is_missing(text, plain_number(text), missing):
                return _NOTHING
            # Columns of whole numbers with gaps are often exported as 1.0, 2.0.
            whole = _WHOLE.fullmatch(text)
            text = whole.group(1) if whole else text
        position = positions.get(text)
        return (math.nan, Status.UNREADABLE) if position is None else (position, Status.GIVEN)

    return _column(variable.name, "category", variable.levels, cells, meaning)


def plain_number(text: str) -> float | None:
    """Return the number that ``text`` writes in plain ASCII digits, or None ('1_000' and '1,5' are none)."""
    return float(text) if _NUMBER.fullmatch(text) else None


def _is_missing(text: str, value: float | None, missing: Collection[str]) -> bool:
    if not text or text in missing:
        return True
    return value is not None and value.is_integer() and str(int(value)) in missing


def _column(
    name: str, kind: str, choices: tuple[str, ...], cells: Sequence[str], meaning: Callable[[str], Meaning]
) -> Column:
    # Answers repeat, so each distinct text is understood once and a row costs two look-ups.
    table = {text: meaning(text.strip()) for text in set(cells)}
    values = np.fromiter((table[text][0] for text in cells), float, len(cells))
    status = np.fromiter((table[text][1] for text in cells), np.int8, len(cells))
    return Column(name, kind, choices, cells, values, status)
