"""The rows of a table become persons: columns found, blank rows counted, identifiers and cells checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from medpsy.errors import DataError, nearest
from medpsy.survey.decode import Column, Status
from medpsy.survey.instrument import Instrument
from medpsy.survey.survey import Event
from medpsy.survey.table_text import TextTable

#: So many places are spelt out in an error message.
SHOWN = 10


def locate(table: TextTable, asked: Instrument) -> dict[str, int]:
    """Positions of the columns of the instrument, or DataError naming what the file has instead."""
    where = {name: position for position, name in enumerate(table.header)}
    absent = [name for name in asked.columns if name not in where]
    if not absent:
        return where
    spare = [name for name in table.header if name and name not in asked.columns]
    same = {name.casefold(): name for name in spare}
    first = absent[0]
    if close := same.get(first.casefold()):
        hint = f"Did you mean '{close}'? Upper and lower case differ."
    else:
        hint = nearest(first, spare) if spare else "Add it to the file, or take it out of the instrument."
    if len(absent) == len(asked.columns):
        hint += " No column of the instrument was found: is this the right file, and does it have a header?"
    listed = ", ".join(f"'{name}'" for name in absent[:SHOWN]) + _rest(len(absent), SHOWN)
    raise DataError(f"there is no column {listed}", hint=hint, path=table.path)


def without_blank_rows(table: TextTable, asked: Instrument) -> tuple[TextTable, list[Event]]:
    """Take out rows that hold nothing; return the table without them and the first lines of the ledger.

    Where no person column is declared, a row of empty cells is a person who answered nothing, and stays.
    """
    total = len(table.rows) + len(table.blank)
    empty = [k for k, row in enumerate(table.rows) if not any(map(str.strip, row))]
    dropped = set(empty) if asked.person is not None else set()
    if len(dropped) == len(table.rows):
        raise DataError("all rows are blank", hint="There must be one row per person.", path=table.path)
    numbers = table.lines if table.lines is not None else range(1, total + 1)
    word = "row" if table.lines is None else "line"
    blank = sorted([*table.blank, *(numbers[k] for k in dropped)])
    left = total - len(blank)
    events = [Event("read", f"rows in {table.source}", "persons", total, total)]
    if blank:
        places = tuple(f"{word} {number}" for number in blank)
        events.append(Event("blank_rows", "blank rows hold no person", "persons", total, left, None, places))
    if empty and not dropped:
        places = tuple(f"row {k + 1}" for k in empty)
        text = "rows of empty cells are kept as persons without any answer"
        events.append(Event("empty_rows", text, "persons", left, left, None, places))
    if dropped:
        keep = [k for k in range(len(table.rows)) if k not in dropped]
        table = replace(
            table,
            rows=[table.rows[k] for k in keep],
            lines=None if table.lines is None else [table.lines[k] for k in keep],
        )
    return table, events


def persons(table: TextTable, cells: Mapping[str, Sequence[str]], column: str | None) -> np.ndarray:
    """Identifiers, checked to be there and unique."""
    if column is None:
        return np.array([str(k + 1) for k in range(len(table.rows))])
    rows_of: dict[str, list[int]] = {}
    for row, cell in enumerate(cells[column]):
        rows_of.setdefault(cell.strip(), []).append(row)
    if "" in rows_of:
        places = ", ".join(table.place(row) for row in rows_of[""][:SHOWN]) + _rest(len(rows_of[""]), SHOWN)
        raise DataError(
            f"no person identifier in column '{column}': {places}",
            hint="Give every row an identifier, or declare no person column to have persons numbered.",
            path=table.path,
        )
    twice = {person: rows for person, rows in rows_of.items() if len(rows) > 1}
    if twice:
        listed = [
            f"'{person}' in " + ", ".join(table.place(row) for row in rows[:SHOWN]) + _rest(len(rows), SHOWN)
            for person, rows in list(twice.items())[:SHOWN]
        ]
        raise DataError(
            f"person identifiers stand more than once: {'; '.join(listed)}{_rest(len(twice), SHOWN)}",
            hint="Keep one row per person, or rename the others.",
            path=table.path,
        )
    return np.array(list(rows_of))


def columns_not_read(table: TextTable, asked: Instrument) -> list[Event]:
    """Name the columns that the instrument does not declare."""
    known = set(asked.columns)
    extra = [name or f"column {j + 1}, unnamed" for j, name in enumerate(table.header) if name not in known]
    if not extra:
        return []
    text = f"columns not in the instrument are not read: {', '.join(extra)}"
    return [Event("columns_not_read", text, "persons", len(table.rows), len(table.rows), None, tuple(extra))]


def refuse_unreadable(table: TextTable, columns: list[Column]) -> None:
    """Raise DataError if a cell holds something that is neither an answer nor a missing value."""
    bad = sorted(
        ((row, j) for j, column in enumerate(columns) for row in column.rows(Status.UNREADABLE)),
    )
    if not bad:
        return
    listed = [f"{table.place(row)}, {columns[j].complaint(row)}" for row, j in bad[:SHOWN]]
    row, j = bad[0]
    head = listed[0] if len(bad) == 1 else f"{len(bad)} cells cannot be read: " + "; ".join(listed)
    raise DataError(head + _rest(len(bad), SHOWN), hint=columns[j].cure(row), path=table.path)


def set_missing(table: TextTable, columns: list[Column], out_of_range: str) -> list[Event]:
    """Count what becomes missing by rule, in the order of the rows; refuse it if asked to."""
    given = sum(int(np.count_nonzero(column.status != Status.NONE)) for column in columns)
    events = []
    for status, rule, text in (
        (Status.NOT_FINITE, "not_finite", "numbers written as nan or infinity are set to missing"),
        (Status.OUT_OF_RANGE, "out_of_range", "answers outside the instrument are set to no answer"),
    ):
        found = sorted((row, j) for j, column in enumerate(columns) for row in column.rows(status))
        if not found:
            continue
        named = [(row, f"{columns[j].name}={columns[j].cells[row].strip()}") for row, j in found]
        if status is Status.OUT_OF_RANGE and out_of_range == "refuse":
            listed = "; ".join(f"{table.place(row)} {what}" for row, what in named[:SHOWN])
            count = "1 answer is" if len(found) == 1 else f"{len(found)} answers are"
            raise DataError(
                f"{count} outside the instrument: {listed}{_rest(len(found), SHOWN)}",
                hint="Correct them, or read with out_of_range='missing' to count them as no answer.",
                path=table.path,
            )
        places = tuple(f"row {row + 1} {what}" for row, what in named)
        events.append(Event(rule, text, "answers", given, given - len(found), None, places))
        given -= len(found)
    return events


def _rest(total: int, shown: int) -> str:
    return f" and {total - shown} more" if total > shown else ""
