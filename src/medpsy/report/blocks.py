"""What a section of the report is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Text:
    """Paragraphs of plain text."""

    paragraphs: Sequence[str]


@dataclass(frozen=True)
class Heading:
    """The title of a part of a section."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """A list of plain sentences."""

    items: Sequence[str]


@dataclass(frozen=True)
class Code:
    """Text to be read letter by letter: model syntax, equations."""

    text: str
    label: str = ""


@dataclass(frozen=True)
class Table:
    """A table as it is printed.

    Parameters
    ----------
    caption : str
        What the rows are, with units and the mass of intervals.
    frame : DataFrame
        Columns carry the printed names; the first column heads its row.
    formats : mapping of str to str
        Printed column name to a format of ``report.format``; a column not named is guessed from its type.
    notes : sequence of str
        Lines under the table.
    marked : sequence of int
        Positions of rows that are set off.
    """

    caption: str
    frame: pd.DataFrame
    formats: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    marked: Sequence[int] = ()


@dataclass(frozen=True)
class Figure:
    """A drawing: ``svg`` is one inline ``<svg>`` element, ``alt`` says in words what it shows."""

    caption: str
    alt: str
    svg: str


Block = Heading | Text | Bullets | Code | Table | Figure


@dataclass(frozen=True)
class Section:
    """A titled part of the report; ``anchor`` is its address on the page."""

    title: str
    anchor: str
    blocks: Sequence[Block]
