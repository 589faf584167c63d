"""A Survey back to a file, with the codes as they were answered."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator

import numpy as np

from medpsy.errors import DataError, writing_cure
from medpsy.survey.survey import NO_ANSWER, Survey


def write_csv(survey: Survey, path: str | os.PathLike[str]) -> None:
    """Write the answers so that reading them with the same instrument gives the same survey.

    Comma-separated, UTF-8, one row per person: identifier, variables, items. Codes are the original ones
    (turned items are turned back); what is missing is an empty cell. A survey without a person column
    whose persons are no longer 1..N gets an extra column ``person``, so that the file loses nothing.

    Parameters
    ----------
    survey : Survey
        Answers of N persons.
    path : path
        The file; its folder must exist.

    Raises
    ------
    DataError
        The file cannot be written.

    Examples
    --------
    >>> import medpsy as mp
    >>> survey = mp.load_example("students")
    >>> mp.write_csv(survey, "copy.csv")
    """
    columns = dict(_columns(survey))
    try:
        with open(path, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(zip(*columns.values(), strict=True))
    except (OSError, ValueError) as error:
        raise DataError(
            f"the answers cannot be written: {getattr(error, 'strerror', None) or error}",
            hint=writing_cure(error),
            path=os.fspath(path),
        ) from None


def _columns(survey: Survey) -> Iterator[tuple[str, list[str]]]:
    asked = survey.instrument
    persons = [str(person) for person in survey.person]
    if asked.person is not None:
        yield asked.person, persons
    elif persons != [str(k + 1) for k in range(survey.n_person)]:
        name = "person"
        while name in asked.columns:
            name += "_"
        yield name, persons
    for variable in asked.variables:
        values = survey.variables[variable.name]
        if variable.kind == "category":
            yield variable.name, [variable.levels[v] if v >= 0 else "" for v in values]
        else:
            yield variable.name, [_number(v) for v in values.tolist()]
    for j, item in enumerate(asked.items):
        module = asked.module_of(item)
        texts = [str(code) for code in module.codes]
        if module.turned(item):
            texts.reverse()
        yield item, [texts[code] if code != NO_ANSWER else "" for code in survey.codes[:, j].tolist()]


def _number(value: float) -> str:
    if not np.isfinite(value):
        return ""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
