"""Ratings in long format: one row for each person, item and rater."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from medpsy.errors import DataError, SpecError, nearest
from medpsy.survey.instrument import Instrument, Module
from medpsy.survey.survey import NO_ANSWER, Event, Survey


@dataclass(frozen=True)
class Ratings:
    """Ratings as a survey with one column for every combination of the facets that occurs.

    Parameters
    ----------
    survey : Survey
        One row per rated person; columns such as ``essay.anna``.
    items : tuple of str
        The columns.
    properties : dict of str to tuple of str
        By facet, the level of every column.
    counts : dict of str to dict of str to int
        By facet and level, how many persons have a rating.
    """

    survey: Survey
    items: tuple[str, ...]
    properties: dict[str, tuple[str, ...]]
    counts: dict[str, dict[str, int]]


def read_ratings(
    source: Any,
    *,
    person: str,
    score: str,
    facets: str | Sequence[str],
    labels: Mapping[int, str] | None = None,
    name: str = "ratings",
) -> Ratings:
    """Read ratings in long format.

    Parameters
    ----------
    source : DataFrame, str or path
        A data frame, or a delimited text file with a header.
    person, score : str
        Columns of who was rated, and of the rating: whole numbers, higher meaning more.
    facets : str or sequence of str
        Columns of what else makes a rating: ``["criterion", "rater"]``, ``["rater", "occasion"]``.
    labels : mapping of int to str, optional
        Text of every possible score. Scores nobody gave are kept if named here or between those given.
    name : str
        Name of the module.

    Returns
    -------
    Ratings

    Raises
    ------
    DataError
        A column that is not there, a person or facet that is missing, a score that is no whole number, one
        person rated twice under the same facets.

    Examples
    --------
    >>> import medpsy as mp
    >>> import pandas as pd
    >>> rows = [("ann", "r1", 2), ("ann", "r2", 3), ("bob", "r1", 1), ("bob", "r2", 1)]
    >>> frame = pd.DataFrame(rows, columns=["student", "rater", "score"])
    >>> mp.read_ratings(frame, person="student", score="score", facets="rater").items
    ('r1', 'r2')
    """
    names = (facets,) if isinstance(facets, str) else tuple(facets)
    frame = _frame(source)
    _check_columns(frame, person, names, score)
    scores = _scores(frame[score], score)
    given = ~np.isnan(scores)
    codes = _codes(scores[given], labels)
    rated = frame[given]
    who = rated[person].astype(str).to_numpy(copy=True)
    parts = {column: rated[column].astype(str).to_numpy(copy=True) for column in names}
    table, persons, level = _filled(who, parts, [codes.index(int(s)) for s in scores[given]], given)
    items, labelled = tuple(level), tuple(labels[c] if labels else str(c) for c in codes)
    module = Module(name, items, tuple(codes), labelled)
    properties = {column: tuple(level[k][f] for k in items) for f, column in enumerate(names)}
    counts = {column: _persons_by_level(who, parts[column], properties[column]) for column in names}
    instrument, events = Instrument((module,), ()), (_read_event(score, given),)
    survey = Survey(instrument, np.array(persons), table, {}, events, source=_named(source))
    return Ratings(survey, items, properties, counts)


def _read_event(score: str, given: np.ndarray) -> Event:
    left = int((~given).sum())
    text = f"ratings in '{score}'" + (f"; {left} rows without one" if left else "")
    return Event("read", text, "answers", len(given), len(given) - left)


def _persons_by_level(who: np.ndarray, levels: np.ndarray, names: tuple[str, ...]) -> dict[str, int]:
    """How many persons have a rating at each level of a facet."""
    return {one: len(set(who[levels == one])) for one in dict.fromkeys(names)}


def _check_columns(frame: Any, person: str, facets: tuple[str, ...], score: str) -> None:
    """Refuse columns that are not there, and rows whose person or facet is empty."""
    if not facets:
        raise SpecError("the ratings have no facet", hint='Say facets=["criterion", "rater"].')
    needed = (person, *facets)
    for column in (*needed, score):
        if column not in frame.columns:
            raise DataError(
                f"the ratings have no column '{column}'", hint=nearest(column, list(map(str, frame.columns)))
            )
    for column in needed:
        absent = np.flatnonzero(frame[column].isna().to_numpy())
        if absent.size:
            raise DataError(
                f"column '{column}' is empty in {absent.size} rows (first: row {absent[0] + 1})",
                hint="Every rating needs its person and all its facets: fill them in or drop these rows.",
            )


def _filled(
    who: np.ndarray, parts: dict[str, np.ndarray], positions: list[int], given: np.ndarray
) -> tuple[np.ndarray, list[str], dict[str, tuple[str, ...]]]:
    """Table of codes (person, column), names of the persons, and the facets of every column."""
    each = list(zip(*parts.values(), strict=True))
    level = {".".join(one): one for one in sorted(set(each))}
    persons = list(dict.fromkeys(who))
    row_of, column_of = {p: i for i, p in enumerate(persons)}, {k: j for j, k in enumerate(level)}
    table = np.full((len(persons), len(level)), NO_ANSWER, dtype=np.int8)
    rows = np.flatnonzero(given)
    for n, (one, position) in enumerate(zip(each, positions, strict=True)):
        i, j = row_of[who[n]], column_of[".".join(one)]
        if table[i, j] != NO_ANSWER:
            what = ", ".join(f"{column} '{text}'" for column, text in zip(parts, one, strict=True))
            raise DataError(
                f"row {rows[n] + 1}: person '{who[n]}' is rated twice under {what}",
                hint="Name the column that tells the two apart as a further facet, or keep one of them.",
            )
        table[i, j] = position
    return table, persons, level


def _frame(source: Any) -> Any:
    if hasattr(source, "columns"):
        return source
    import pandas as pd

    path = Path(source)
    if not path.is_file():
        raise DataError(f"there is no file '{path}'", hint="Check the path.")
    return pd.read_csv(path, sep=None, engine="python", dtype=str)


def _named(source: Any) -> str:
    return "data frame of ratings" if hasattr(source, "columns") else Path(source).name


def _scores(column: Any, name: str) -> np.ndarray:
    """Scores as numbers, NaN where there is none."""
    import pandas as pd

    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, copy=True)
    odd = np.flatnonzero((np.isnan(numbers) & column.notna().to_numpy()) | (numbers != np.round(numbers)))
    odd = odd[column.notna().to_numpy()[odd]]
    if odd.size:
        raise DataError(
            f"row {odd[0] + 1}: '{column.iloc[odd[0]]}' in column '{name}' is no whole number",
            hint="Ratings are whole numbers; leave cells without a rating empty.",
        )
    if np.isnan(numbers).all():
        raise DataError(f"column '{name}' holds no score at all", hint="Check the column that is read.")
    return numbers


def _codes(scores: np.ndarray, labels: Mapping[int, str] | None) -> list[int]:
    """All scores there can be."""
    low, high = int(scores.min()), int(scores.max())
    if low == high and len(labels or ()) < 2:
        raise DataError(
            f"every score is {low}", hint="Without variation nothing can be measured: check the column."
        )
    if labels is None:
        return list(range(low, high + 1))
    unknown = sorted({int(s) for s in scores} - set(labels))
    if unknown:
        raise DataError(
            f"the score {unknown[0]} has no label",
            hint=f"Labels are given for {', '.join(map(str, labels))}.",
        )
    return sorted(labels)
