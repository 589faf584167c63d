"""Spreadsheets (.xlsx, .xlsm, .ods) as rows of cells with their row numbers; every fault is named."""

from __future__ import annotations

import io
import os
import warnings
import zipfile
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

from medpsy.errors import DataError
from medpsy.survey.instrument import Instrument
from medpsy.survey.table_text import TextTable, cell_text, check_header, file_bytes

SUFFIXES = (".xlsx", ".xlsm", ".ods")

#: Namespaces of OpenDocument (OASIS, 2021, OpenDocument 1.3, part 3).
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"

Rows = list[list[str]]


def read_sheet_table(path: str | os.PathLike[str], asked: Instrument) -> TextTable:
    """Read the sheet whose first filled row names the most columns of the instrument.

    Numbers are read as they are stored, not as they are shown; formulas as the value they were saved with.
    Empty rows are blank; a cell whose formula failed holds its error (``#DIV/0!``), which is no answer.

    Parameters
    ----------
    path : path
        A workbook of Excel, or a spreadsheet of LibreOffice.
    asked : Instrument
        Whose columns are looked for.

    Raises
    ------
    DataError
        The file is missing, is no spreadsheet or is locked; openpyxl is not installed; two columns of one
        name; no row below the header.
    """
    place = os.fspath(path)
    sheets = _sheets(place)
    # The first of several sheets that serve equally well.
    name = max(sheets, key=lambda sheet: len(set(_header(sheets[sheet])) & set(asked.columns)))
    rows = sheets[name]
    filled = [k for k, row in enumerate(rows) if _filled(row)]
    if len(filled) < 2:
        what = f"sheet '{name}' has a header but no rows" if filled else "the spreadsheet is empty"
        raise DataError(what, hint="It needs a header row and one row per person.", path=place)
    header = _header(rows)
    check_header(header, filled[0] + 1, place)
    width = max(len(rows[k]) for k in filled)
    square = [rows[k] + [""] * (width - len(rows[k])) for k in filled[1:]]
    return TextTable(
        header=(*header, *[""] * (width - len(header))),
        rows=square,
        lines=[k + 1 for k in filled[1:]],
        blank=tuple(k + 1 for k in sorted(set(range(filled[-1])) - set(filled))),
        source=os.path.basename(place) + (f", sheet '{name}'" if len(sheets) > 1 else ""),
        path=place,
    )


def _filled(row: list[str]) -> bool:
    return any(map(str.strip, row))


def _header(rows: Rows) -> list[str]:
    return [cell.strip() for cell in next(filter(_filled, rows), [])]


def _sheets(place: str) -> dict[str, Rows]:
    """Cells of every sheet as texts, by its name."""
    data = file_bytes(place)
    try:
        return _open_document(data) if place.lower().endswith(".ods") else _excel(data)
    except ImportError:
        raise DataError(
            "Excel files are read with the package openpyxl, which is not installed",
            hint="Install the extra: pip install 'medpsy[excel]'; or save the file as .ods or CSV.",
            path=place,
        ) from None
    except Exception as error:  # zipfile, the XML parser and openpyxl each raise their own
        raise DataError(
            f"this is no spreadsheet that can be read ({str(error).strip() or type(error).__name__})",
            hint="Open it, take a password away if it has one, and save it as .xlsx or CSV.",
            path=place,
        ) from None


def _excel(data: bytes) -> dict[str, Rows]:
    import openpyxl

    with warnings.catch_warnings():  # styles and extensions that openpyxl does not know
        warnings.simplefilter("ignore")
        book = openpyxl.load_workbook(io.BytesIO(data), data_only=True)
    return {sheet.title: [list(map(_text, row)) for row in sheet.values] for sheet in book.worksheets}


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).upper() if isinstance(value, bool) else cell_text(value)


def _open_document(data: bytes) -> dict[str, Rows]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        content = ElementTree.fromstring(archive.read("content.xml"))
    return {table.get(f"{_TABLE}name", ""): _rows(table) for table in content.iter(f"{_TABLE}table")}


def _rows(table: ElementTree.Element) -> Rows:
    rows: Rows = []
    empty = 0  # a sheet ends with a million empty rows, written as one
    for element in table.iter(f"{_TABLE}table-row"):
        row = list(_cells(element))
        times = int(element.get(f"{_TABLE}number-rows-repeated", 1))
        if not row:
            empty += times
            continue
        rows += [[] for _ in range(empty)] + [row] * times
        empty = 0
    return rows


def _cells(row: ElementTree.Element) -> Iterator[str]:
    """Texts of the cells, without the empty ones at the end."""
    empty = 0
    for cell in row:
        if cell.tag not in (f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell"):
            continue
        text, times = _cell(cell), int(cell.get(f"{_TABLE}number-columns-repeated", 1))
        if not text:
            empty += times
            continue
        yield from [""] * empty + [text] * times
        empty = 0


def _cell(cell: ElementTree.Element) -> str:
    kind = cell.get(f"{_OFFICE}value-type")
    if kind in ("float", "percentage", "currency"):
        return cell_text(float(cell.get(f"{_OFFICE}value", "nan")))
    if kind == "boolean":
        return cell.get(f"{_OFFICE}boolean-value", "").upper()
    return "\n".join("".join(part.itertext()) for part in cell.findall(f"{_TEXT}p"))
