"""Writing: refused before the work is done, with a reason, where it would fail after."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from medpsy.errors import DataError, writing_cure


def make_folder(folder: str | os.PathLike[str]) -> Path:
    """Return a folder that exists and can be written to, made where it is absent.

    Raises
    ------
    DataError
    """
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            return path
    except OSError as error:
        raise DataError(
            f"nothing can be written into the folder '{path}': {error.strerror or error}",
            hint=writing_cure(error),
        ) from None


def check_writable(file: str | os.PathLike[str]) -> None:
    """Refuse a file that could not be written; nothing is changed.

    Raises
    ------
    DataError
    """
    path = Path(file)
    new = not path.exists()
    try:
        with path.open("ab"):
            pass
    except OSError as error:
        raise _unwritable(path, error) from None
    if new:
        with contextlib.suppress(OSError):
            path.unlink()


def write_text(file: str | os.PathLike[str], text: str) -> None:
    """Write a text file, UTF-8 with plain line ends.

    Raises
    ------
    DataError
    """
    path = Path(file)
    try:
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise _unwritable(path, error) from None


def _unwritable(path: Path, error: OSError) -> DataError:
    return DataError(
        f"the file '{path}' cannot be written: {error.strerror or error}", hint=writing_cure(error)
    )
