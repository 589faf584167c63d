"""The kinds of error a user can meet. Each names the place and the cure."""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable


class MedpsyError(Exception):
    """Base of every error that medpsy raises on purpose.

    Parameters
    ----------
    message : str
        What is wrong, naming the item, row, category or line.
    hint : str, optional
        What to do about it.
    path : str, optional
        The file the error is in.
    line : int, optional
        One-based line in that file or text.
    """

    def __init__(
        self, message: str, *, hint: str = "", path: str | None = None, line: int | None = None
    ) -> None:
        self.message = message
        self.hint = hint
        self.path = path
        self.line = line
        super().__init__(self._text())

    def _text(self) -> str:
        place = self.path or ""
        if self.line is not None:
            place = f"{place}, line {self.line}" if place else f"line {self.line}"
        text = f"{place}: {self.message}" if place else self.message
        return f"{text}\n  {self.hint}" if self.hint else text


class DataError(MedpsyError):
    """The answers, or the file they came in, cannot be used as they are."""


class SpecError(MedpsyError):
    """The instrument, the model or the model file says something impossible."""


class FitError(MedpsyError):
    """The model and the data are fine apart, but no posterior could be computed."""


def writing_cure(error: Exception) -> str:
    """Return what to do about a file that could not be written."""
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        return "Free some space, or choose a folder on another disk."
    return "Choose a folder that exists, or can be made, and that you may write to."


def nearest(name: str, candidates: Iterable[str]) -> str:
    """Return ``did you mean 'x'?`` for the closest candidate, or the list of what exists."""
    known = sorted(set(candidates))
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return f"Did you mean '{close[0]}'?"
    if not known:
        return "There is none to choose from."
    shown = ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")
    return f"Known: {shown}."
