"""From a file or a data frame to a Survey: nothing is guessed, nothing is dropped uncounted."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from medpsy.errors import DataError, SpecError, nearest
from medpsy.survey import sheets, spss
from medpsy.survey.decode import Column, Status, decode_item, decode_variable
from medpsy.survey.instrument import Instrument
from medpsy.survey.rows import (
    columns_not_read,
    locate,
    persons,
    refuse_unreadable,
    set_missing,
    without_blank_rows,
)
from medpsy.survey.survey import NO_ANSWER, Event, Survey
from medpsy.survey.table_text import TextTable, cell_texts, read_text_table
from medpsy.survey.toml_instrument import read_instrument

if TYPE_CHECKING:
    import pandas as pd

#: What may happen to an answer outside the instrument.
OUT_OF_RANGE = ("missing", "refuse")

#: Files of other programs, which would otherwise be taken for broken text.
NOT_READ = (
    ".xls",
    ".xlsb",
    ".dta",
    ".sas7bdat",
    ".xpt",
    ".rds",
    ".rda",
    ".rdata",
    ".parquet",
    ".feather",
    ".json",
)


def read_survey(
    path: str | os.PathLike[str],
    instrument: Instrument | str | os.PathLike[str],
    *,
    out_of_range: str = "missing",
    encoding: str | None = None,
) -> Survey:
    """Read answers from delimited text, a spreadsheet or an SPSS file.

    Parameters
    ----------
    path : path
        The answers: a header, then one row per person. The name says what the file is: ``.xlsx``, ``.xlsm``
        (extra ``excel``) or ``.ods`` (of several sheets the one with the most columns of the instrument),
        ``.sav``, ``.zsav`` or ``.por`` (extra ``spss``; value labels may be levels of category variables,
        values declared missing are no answer), else comma-, semicolon- or tab-separated values.
    instrument : Instrument or path
        What was asked, or the TOML file that says so.
    out_of_range : {"missing", "refuse"}
        A whole number that is no code of its item, or a number outside the declared range of its variable,
        becomes "no answer" and is counted in the ledger, or is refused.
    encoding : str, optional
        Of texts that are not UTF-8, for example ``"cp1252"`` or ``"gb18030"``; not of a spreadsheet.

    Returns
    -------
    Survey
        Codes 0..K-1 with every item turned once where keying and polarity ask for it, -1 for no answer.
        The ledger counts rows, blank rows, columns not read, answers out of range and turned items.

    Raises
    ------
    DataError
        The file, a column, a person identifier or a cell cannot be used; the message names row, line, column.
    SpecError
        The instrument is impossible.

    Examples
    --------
    >>> import medpsy as mp
    >>> survey = mp.read_survey("answers.csv", "instrument.toml")
    >>> survey.n_person, survey.codes.shape
    (783, (783, 24))
    """
    asked = instrument if isinstance(instrument, Instrument) else read_instrument(instrument)
    return _survey(_table(path, asked, encoding), asked, out_of_range)


def from_frame(
    frame: pd.DataFrame, instrument: Instrument | str | os.PathLike[str], *, out_of_range: str = "missing"
) -> Survey:
    """Take answers from a pandas data frame, under the same rules as :func:`read_survey`.

    Parameters
    ----------
    frame : DataFrame
        One row per person; its index is not read. Missing values (None, NaN, NA) are no answer.
    instrument, out_of_range
        As in :func:`read_survey`.

    Returns
    -------
    Survey

    Raises
    ------
    DataError, SpecError
        As in :func:`read_survey`; rows are counted from 1, blank ones left out.

    Examples
    --------
    >>> import medpsy as mp
    >>> import pandas as pd
    >>> from medpsy.survey.instrument import Module
    >>> frame = pd.DataFrame({"m1": [1, 3, None], "m2": [3, 1, 2]})
    >>> mood = Module("mood", ("m1", "m2"), codes=(1, 2, 3), reverse=("m2",))
    >>> mp.from_frame(frame, mp.Instrument((mood,))).codes.tolist()
    [[0, 0], [2, 2], [-1, 1]]
    """
    import pandas as pd

    asked = instrument if isinstance(instrument, Instrument) else read_instrument(instrument)
    if not isinstance(frame, pd.DataFrame):
        raise DataError(
            f"{type(frame).__name__} is no pandas DataFrame", hint="Convert it, or read the file."
        )
    header = tuple(str(name).strip() for name in frame.columns)
    for name in asked.columns:
        if header.count(name) > 1:
            raise DataError(
                f"column '{name}' stands twice in the frame", hint="Rename or remove one of them."
            )
    if frame.empty:
        raise DataError("the frame has no rows or no columns", hint="It needs one row per person.")
    columns = [cell_texts(frame.iloc[:, j]) for j in range(len(header))]
    return _survey(
        TextTable(header, list(zip(*columns, strict=True)), None, source="a frame"), asked, out_of_range
    )


def _table(path: str | os.PathLike[str], asked: Instrument, encoding: str | None) -> TextTable:
    """Read a file as its name says."""
    place = os.fspath(path)
    suffix = os.path.splitext(place)[1].lower()
    if suffix in sheets.SUFFIXES:
        if encoding is not None:
            raise DataError("a spreadsheet has no encoding", hint="Leave `encoding` out.", path=place)
        return sheets.read_sheet_table(path, asked)
    if suffix in spss.SUFFIXES:
        return spss.read_spss_table(path, asked, encoding)
    if suffix in NOT_READ:
        raise DataError(
            f"{suffix} files are not read",
            hint="Save it as .xlsx, .sav or CSV, or load it with pandas and pass the frame to from_frame.",
            path=place,
        )
    return read_text_table(path, asked.columns, encoding)


def _survey(table: TextTable, asked: Instrument, out_of_range: str) -> Survey:
    if out_of_range not in OUT_OF_RANGE:
        raise SpecError(
            f"out_of_range={out_of_range!r} is unknown", hint=nearest(str(out_of_range), OUT_OF_RANGE)
        )
    where = locate(table, asked)
    table, events = without_blank_rows(table, asked)
    cells = dict(zip(table.header, zip(*table.rows, strict=True), strict=False))
    columns = [decode_variable(v, cells[v.name], asked.missing) for v in asked.variables]
    columns += [
        decode_item(i, cells[i], module, asked.missing) for module in asked.modules for i in module.items
    ]
    columns.sort(key=lambda column: where[column.name])
    refuse_unreadable(table, columns)
    events += [*table.events, *columns_not_read(table, asked)]
    events += set_missing(table, columns, out_of_range)
    decoded = {column.name: column for column in columns}
    codes, turned = _codes(asked, decoded)
    return Survey(
        instrument=asked,
        person=persons(table, cells, asked.person),
        codes=codes,
        variables={v.name: _values(decoded[v.name]) for v in asked.variables},
        ledger=tuple(events) + turned,
        source=table.path or table.source,
    )


def _codes(asked: Instrument, decoded: dict[str, Column]) -> tuple[np.ndarray, tuple[Event, ...]]:
    """Codes (N, J), turned once, and the line of the ledger that says which items were."""
    n = len(next(iter(decoded.values())).status)
    codes = np.full((n, len(asked.items)), NO_ANSWER, np.int8)
    turned, answers = [], 0
    for j, item in enumerate(asked.items):
        module, column = asked.module_of(item), decoded[item]
        given = column.status == Status.GIVEN
        position = column.values[given].astype(np.int8)
        if module.turned(item):
            position = module.n_categories - 1 - position
            turned.append(item)
            answers += len(position)
        codes[given, j] = position
    if not turned:
        return codes, ()
    text = "codes turned once, so that a higher code means more of the construct"
    return codes, (Event("turned", text, "answers", answers, answers, None, tuple(turned)),)


def _values(column: Column) -> np.ndarray:
    """Numbers as float with NaN, categories as the index of their level with -1."""
    if column.kind == "number":
        return column.values
    return np.where(column.status == Status.GIVEN, column.values, NO_ANSWER).astype(int)
