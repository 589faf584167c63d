"""From the columns of a result to the columns a reader sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from medpsy.errors import DataError, nearest
from medpsy.report.blocks import Table

#: Column of a result: printed name and format (None: guessed from the type).
Columns = Mapping[str, tuple[str, str | None]]


def table(
    caption: str,
    frame: pd.DataFrame,
    columns: Columns,
    *,
    notes: Sequence[str] = (),
    marked: Sequence[int] = (),
    optional: Sequence[str] = (),
) -> Table:
    """Return a printed table with the chosen columns under their printed names.

    Columns named in ``optional`` are left out where the frame lacks them or they are empty throughout.

    Raises
    ------
    DataError
        If the frame lacks a column that is not optional.
    """
    chosen = {}
    formats = {}
    for column, (printed, kind) in columns.items():
        if column in optional and (column not in frame.columns or _empty(frame[column])):
            continue
        if column not in frame.columns:
            raise DataError(
                f"table '{caption}': no column '{column}'", hint=nearest(column, map(str, frame.columns))
            )
        chosen[printed] = frame[column].reset_index(drop=True)
        if kind is not None:
            formats[printed] = kind
    return Table(caption, pd.DataFrame(chosen), formats, tuple(notes), tuple(marked))


def _empty(column: pd.Series) -> bool:
    return bool((column.isna() | (column.astype(str) == "")).all())
