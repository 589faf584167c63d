"""SPSS files (.sav, .zsav, .por) as rows of cells: value labels and user-missing values respected."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from medpsy.errors import DataError
from medpsy.survey.instrument import Instrument
from medpsy.survey.survey import Event
from medpsy.survey.table_text import TextTable, cell_texts, check_header, file_bytes

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".sav", ".zsav", ".por")


def read_spss_table(
    path: str | os.PathLike[str], asked: Instrument, encoding: str | None = None
) -> TextTable:
    """Read a data file of SPSS.

    Items and numbers are read as their codes. A category variable is read as its codes where the instrument's
    levels are codes, and as its value labels where they are labels. System-missing values, and those that the
    file declares as missing, are no answer; the latter are counted.

    Parameters
    ----------
    path : path
        The file.
    asked : Instrument
        Whose columns are looked for.
    encoding : str, optional
        Of texts, where the file names the wrong one.

    Raises
    ------
    DataError
        The file is missing or is none of SPSS; pyreadstat is not installed; no rows.
    """
    place = os.fspath(path)
    file_bytes(place)
    frame, about = _read(place, encoding, declared=True)
    header = tuple(str(name).strip() for name in frame.columns)
    check_header(header, None, place)
    if frame.empty:
        raise DataError(
            "the file has no rows or no variables", hint="It needs one row per person.", path=place
        )
    every, _ = _read(place, encoding, declared=False)
    levels = {v.name: set(v.levels) for v in asked.variables if v.kind == "category"}
    columns = []
    for name in frame.columns:
        cells = cell_texts(frame[name])
        labels = about.variable_value_labels.get(name, {})
        if name in levels and labels:
            cells = _labelled(cells, frame[name], labels, levels[name])
        columns.append(cells)
    rows = list(zip(*columns, strict=True))
    events = _declared_missing(frame, every, asked)
    return TextTable(header, rows, None, (), os.path.basename(place), place, events)


def _read(place: str, encoding: str | None, declared: bool) -> tuple[pd.DataFrame, Any]:
    """The values and what is known of them; with ``declared``, user-missing values are missing."""
    try:
        import pyreadstat
    except ImportError:
        raise DataError(
            "SPSS files are read with the package pyreadstat, which is not installed",
            hint="Install the extra: pip install 'medpsy[spss]'; or export the file as CSV.",
            path=place,
        ) from None
    portable = place.lower().endswith(".por")
    more: dict[str, Any] = {} if portable or encoding is None else {"encoding": encoding}
    if not portable:
        more["user_missing"] = not declared
    try:
        read = pyreadstat.read_por if portable else pyreadstat.read_sav
        frame, about = read(place, disable_datetime_conversion=True, **more)
    except (pyreadstat.ReadstatError, pyreadstat.PyreadstatError, UnicodeDecodeError, ValueError) as error:
        raise DataError(
            f"this is no SPSS file that can be read ({error})",
            hint="Open it in SPSS, PSPP or JASP and save it again, or pass the encoding that it has.",
            path=place,
        ) from None
    return frame, about


def _labelled(cells: list[str], values: pd.Series, labels: dict[Any, str], levels: set[str]) -> list[str]:
    """Value labels in place of codes, where the labels are what the instrument has as levels."""
    texts = dict(zip(cells, values.tolist(), strict=True))
    by_code = {text: str(labels[value]).strip() for text, value in texts.items() if value in labels}
    return [by_code[text] if text not in levels and by_code.get(text) in levels else text for text in cells]


def _declared_missing(frame: pd.DataFrame, every: pd.DataFrame, asked: Instrument) -> tuple[Event, ...]:
    """The line of the ledger on values that the file declares as missing."""
    names = [name for name in frame.columns if name in asked.columns]
    there = every[names].notna().to_numpy() & (every[names] != "").to_numpy()
    gone = there & frame[names].isna().to_numpy()
    if not gone.any():
        return ()
    places = tuple(
        f"row {row + 1} {names[j]}={cell_texts(every[names[j]].iloc[[row]])[0]}"
        for row, j in np.argwhere(gone)
    )
    text = "values that the SPSS file declares as missing are no answer"
    before = int(there.sum())
    return (Event("user_missing", text, "answers", before, before - int(gone.sum()), None, places),)
