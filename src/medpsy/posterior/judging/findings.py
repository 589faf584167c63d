"""What one question to a questionnaire found: tables, how to print them, and what to know about them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from medpsy.errors import DataError, SpecError, nearest
from medpsy.posterior.draws import check_count
from medpsy.posterior.intervals import bounds

if TYPE_CHECKING:
    import pandas as pd

#: A posterior is summarised where at least this share of its draws is defined.
DEFINED = 0.95


@dataclass(frozen=True)
class Sheet:
    """One table: name, caption with units, the frame, and its columns as printed (title and format)."""

    name: str
    caption: str
    frame: pd.DataFrame
    columns: Mapping[str, tuple[str, str | None]]


@dataclass(frozen=True)
class Findings:
    """Tables and notes that belong together.

    Parameters
    ----------
    name, title : str
        ``name`` is the verb that made them.
    sheets : tuple of Sheet
    notes : tuple of str
        What was left out, smoothed or assumed, in sentences.
    """

    name: str
    title: str
    sheets: tuple[Sheet, ...]
    notes: tuple[str, ...] = ()

    @property
    def table(self) -> pd.DataFrame:
        """The first table."""
        return self.sheets[0].frame

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the tables."""
        return tuple(sheet.name for sheet in self.sheets)

    def __getitem__(self, name: str) -> pd.DataFrame:
        for sheet in self.sheets:
            if sheet.name == name:
                return sheet.frame
        raise SpecError(f"{self.title}: no table '{name}'", hint=nearest(str(name), self.names))

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def noted(self, *notes: str) -> Findings:
        """Return the same with further notes; empty ones are dropped."""
        return replace(self, notes=self.notes + tuple(note for note in notes if note))

    def __str__(self) -> str:
        parts = [self.title]
        for sheet in self.sheets:
            parts.append(f"{sheet.caption}\n{sheet.frame.round(3).to_string(index=False, na_rep='-')}")
        parts += [f"Note: {note}" for note in self.notes]
        return "\n\n".join(parts)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """Tables for a notebook."""
        import html

        parts = [f"<h4>{html.escape(self.title)}</h4>"]
        for sheet in self.sheets:
            parts.append(f"<p>{html.escape(sheet.caption)}</p>")
            parts.append(sheet.frame.round(3).to_html(index=False, na_rep="-"))
        return "".join([*parts, *(f"<p>Note: {html.escape(note)}</p>" for note in self.notes)])


def posterior(draws: np.ndarray, interval: float) -> dict[str, float]:
    """Mean, sd and equal-tailed interval of draws (draw,); NaN where over 5 % of them are not defined."""
    known = draws[np.isfinite(draws)]
    if len(known) < max(2, DEFINED * len(draws)):
        return dict.fromkeys(("mean", "sd", "lower", "upper"), float("nan"))
    lower, upper = bounds(known, interval)
    return {
        "mean": float(known.mean()),
        "sd": float(known.std(ddof=1)),
        "lower": float(lower),
        "upper": float(upper),
    }


def share(condition: np.ndarray, draws: np.ndarray) -> float:
    """Share of the draws for which a condition holds; NaN where over 5 % of them are not defined."""
    known = np.isfinite(draws)
    return float(condition[known].mean()) if known.mean() >= DEFINED else float("nan")


def check_draws(draws: int) -> None:
    """Refuse a number of draws too small for an interval.

    Raises
    ------
    SpecError
    """
    check_count(draws)
    if draws < 100:
        raise SpecError(f"{draws} draws are too few for an interval", hint="Ask for at least 100.")


def check_cut(cut: float, name: str = "cut") -> None:
    """Refuse a cut outside (0, 1).

    Raises
    ------
    SpecError
    """
    if isinstance(cut, bool) or not isinstance(cut, int | float | np.number) or not 0 < cut < 1:
        raise SpecError(f"{name} = {cut!r} is no value to exceed", hint="Give a number between 0 and 1.")


def check_n(n: int, what: str) -> None:
    """Refuse fewer than three persons.

    Raises
    ------
    DataError
    """
    if n < 3:
        raise DataError(f"{what}: only {n} persons", hint="Collect more answers.")
