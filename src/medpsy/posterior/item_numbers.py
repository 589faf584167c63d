"""Items as numbers: ordinal answers in the units of their codes, for models that are linear throughout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from medpsy.classical.inputs import Answers, read_answers
from medpsy.errors import DataError, nearest
from medpsy.survey.instrument import Variable
from medpsy.survey.survey import Survey


def item_numbers(survey: Survey, items: Sequence[str]) -> tuple[dict[str, np.ndarray], tuple[str, ...], int]:
    """Answers to some items as numbers, turned as the construct reads them.

    Parameters
    ----------
    survey : Survey
    items : sequence of str
        Of modules, or person variables.

    Returns
    -------
    columns : dict of str to ndarray, shape (person,)
        NaN where no answer was given.
    turned : tuple of str
        Which of them were asked the other way round.
    scales : int
        How many answer scales they have; every variable has its own.

    Raises
    ------
    DataError
        An item that does not exist, that is a category, or that everybody answered alike.
    """
    instrument = survey.instrument
    answers = read_answers(survey) if instrument.items else Answers((), np.empty((survey.n_person, 0)), ())
    columns: dict[str, np.ndarray] = {}
    scales: set[object] = set()
    for item in items:
        if item in answers.items:
            values = answers.block([item])[:, 0]
            scales.add(instrument.module_of(item).codes)
        elif item in survey.variables and survey.variable(item).kind == "category":
            raise DataError(
                f"'{item}' is a category, no number",
                hint="Read it as an item of a module, whose codes are numbers, or as a number.",
            )
        elif item in survey.variables:
            values = np.array(survey.variables[item], dtype=float)
            scales.add(item)
        else:
            known = (*answers.items, *survey.variables)
            raise DataError(f"the survey has no item '{item}'", hint=nearest(item, known))
        if np.isnan(values).all() or np.nanmin(values) == np.nanmax(values):
            raise DataError(f"'{item}' is constant: everybody gave the same answer", hint="Leave it out.")
        columns[item] = values
    return columns, tuple(item for item in columns if item in answers.turned), len(scales)


def with_numbers(survey: Survey, columns: Mapping[str, np.ndarray]) -> Survey:
    """The survey without its modules, and some columns as person variables."""
    others = tuple(v for v in survey.instrument.variables if v.name not in columns)
    variables = (*others, *(Variable(name) for name in columns))
    return replace(
        survey,
        instrument=replace(survey.instrument, modules=(), variables=variables),
        codes=np.empty((survey.n_person, 0), dtype=np.int8),
        variables={v.name: survey.variables[v.name] for v in others} | dict(columns),
    )
