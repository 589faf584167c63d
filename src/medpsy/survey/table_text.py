"""A delimited text file as rows of cells with their line numbers; every fault of the file is named."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from medpsy.errors import DataError
from medpsy.survey.survey import Event

if TYPE_CHECKING:
    import pandas as pd

SEPARATORS = (",", ";", "\t")
_SEPARATOR_NAMES = {",": "comma", ";": "semicolon", "\t": "tab"}
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class TextTable:
    """Cells as texts, below a header.

    ``lines[k]`` is the line of the file on which row ``k`` starts (None for a table that is not a file);
    ``blank`` are the lines that hold nothing. ``source`` names the table in the ledger; ``events`` are lines
    of the ledger on what was done to its cells already.
    """

    header: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    lines: Sequence[int] | None
    blank: tuple[int, ...] = ()
    source: str = ""
    path: str | None = None
    events: tuple[Event, ...] = ()

    def place(self, row: int) -> str:
        """Name the zero-based ``row`` for a reader, counting from 1."""
        return f"row {row + 1}" if self.lines is None else f"row {row + 1} (line {self.lines[row]})"


def read_text_table(
    path: str | os.PathLike[str], columns: Collection[str], encoding: str | None = None
) -> TextTable:
    """Read a file of comma-, semicolon- or tab-separated values.

    Parameters
    ----------
    path : path
        The file.
    columns : collection of str
        Names that are looked for in the header; they decide which separator it is written with.
    encoding : str, optional
        Of a file that is not UTF-8 (with or without byte order mark).

    Raises
    ------
    DataError
        The file is missing, empty, wrongly encoded, has NUL bytes, broken quotes, rows of different
        length, two columns of one name, or no row below the header.
    """
    place = os.fspath(path)
    text = _decode(file_bytes(place), encoding, place)
    records = _records(text, _separator(text, columns), place)
    start = next((k for k, (_, cells) in enumerate(records) if any(map(str.strip, cells))), None)
    if start is None:
        raise DataError(
            "the file is empty", hint="It needs a header line and one row per person.", path=place
        )
    blank = [number for number, _ in records[:start]]
    line, first = records[start]
    header = tuple(cell.strip() for cell in first)
    check_header(header, line, place)
    rows, lines = [], []
    for line, cells in records[start + 1 :]:
        if len(cells) == len(header):
            rows.append(cells)
            lines.append(line)
        elif not cells or (len(cells) == 1 and not cells[0].strip()):
            blank.append(line)
        else:
            _refuse_ragged(line, len(cells), len(header), place)
    if not rows:
        raise DataError("the file has a header but no rows", hint="It needs one row per person.", path=place)
    return TextTable(header, rows, lines, tuple(blank), os.path.basename(place), place)


def cell_texts(series: pd.Series) -> list[str]:
    """Cells of a column as the texts that a file would hold: nothing for missing, '3' for 3.0."""
    absent = series.isna().to_numpy()
    values = series.astype(object).tolist()
    return ["" if gone else cell_text(value) for value, gone in zip(values, absent, strict=True)]


def cell_text(value: Any) -> str:
    """A cell as the text that a file would hold."""
    if isinstance(value, float | np.floating):
        return str(int(value)) if float(value).is_integer() else repr(float(value))
    return str(value)


def file_bytes(path: str) -> bytes:
    """What a file holds, or DataError saying why it cannot be read."""
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise DataError("there is no such file", hint="Check the path and the folder.", path=path) from None
    except IsADirectoryError:
        raise DataError("this is a folder, not a file", hint="Name the file inside it.", path=path) from None
    except (OSError, ValueError) as error:
        raise DataError(
            f"the file cannot be read: {error}", hint="Check path and rights.", path=path
        ) from None


def _decode(data: bytes, encoding: str | None, path: str) -> str:
    if encoding is None and data.startswith(_UTF16):
        raise DataError(
            "the file is UTF-16, not UTF-8", hint="Save it as UTF-8, or pass encoding='utf-16'.", path=path
        )
    try:
        text = data.decode(encoding or "utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        byte = data[error.start : error.start + 1].hex()
        raise DataError(
            f"byte 0x{byte} at offset {error.start} is not {encoding or 'UTF-8'}",
            hint="Save the file as UTF-8, or pass the encoding it has, for example encoding='cp1252' "
            "(Western Windows), 'gb18030' (Chinese) or 'latin-1'.",
            path=path,
            line=data.count(b"\n", 0, error.start) + 1,
        ) from None
    except (LookupError, ValueError) as error:
        raise DataError(
            f"encoding {encoding!r} cannot be used: {error}",
            hint="Try 'utf-8', 'cp1252' or 'latin-1'.",
            path=path,
        ) from None
    if "\0" in text:
        start = text.index("\0")
        raise DataError(
            f"NUL byte at character {start}: this is not a text file",
            hint="Export it again as CSV, UTF-8.",
            path=path,
            line=text.count("\n", 0, start) + 1,
        )
    return text


def _separator(text: str, columns: Collection[str]) -> str:
    """The separator under which the header holds most of the columns, then most fields."""

    def score(separator: str) -> tuple[int, int]:
        try:
            # Only the start is parsed: a header of a million characters is none.
            rows = csv.reader(io.StringIO(text[:1_000_000], newline=""), delimiter=separator)
            header = next((row for row in rows if any(cell.strip() for cell in row)), [])
        except csv.Error:
            return (0, 0)
        return (len({cell.strip() for cell in header} & set(columns)), len(header))

    return max(SEPARATORS, key=score)


def _records(text: str, separator: str, path: str) -> list[tuple[int, list[str]]]:
    """All records with the line each starts on."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    records, line = [], 1
    try:
        for cells in reader:
            records.append((line, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"the {_SEPARATOR_NAMES[separator]}-separated record that starts here is broken: {error}",
            hint="Close every quote, and write a quote inside a quoted cell twice.",
            path=path,
            line=line,
        ) from None
    return records


def check_header(header: Sequence[str], line: int | None, path: str) -> None:
    """Refuse two columns of one name."""
    seen: dict[str, int] = {}
    for number, name in enumerate(header, start=1):
        if name and name in seen:
            raise DataError(
                f"column '{name}' stands twice in the header, as columns {seen[name]} and {number}",
                hint="Rename or remove one of them.",
                path=path,
                line=line,
            )
        seen[name] = number


def _refuse_ragged(line: int, found: int, expected: int, path: str) -> None:
    raise DataError(
        f"this row has {found} field{'' if found == 1 else 's'} where the header has {expected}",
        hint="Look for a separator too many or too few, or a cell that holds one and is not in quotes.",
        path=path,
        line=line,
    )
