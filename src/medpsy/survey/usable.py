"""Whether the answers to some items can carry a model at all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medpsy.errors import DataError
from medpsy.survey.instrument import Module
from medpsy.survey.survey import NO_ANSWER, Survey


def warn_unusable(survey: Survey, items: Sequence[str]) -> list[str]:
    """Return what stands against fitting these items, one sentence with its cure per problem.

    Parameters
    ----------
    survey : Survey
        Answers of N persons.
    items : sequence of str
        The items of a model.

    Returns
    -------
    list of str
        Items without any answer, modules with one answer category in use, fewer persons than
        items; empty if nothing does.

    Raises
    ------
    DataError
        An item that the survey does not hold.
    """
    codes = survey.item_codes(items)
    answered = codes != NO_ANSWER
    problems = [
        f"item {item} has no answer at all: leave it out of the model"
        for item, any_answer in zip(items, answered.any(axis=0), strict=True)
        if not any_answer
    ]
    for module in survey.instrument.modules:
        columns = {item: codes[answered[:, j], j] for j, item in enumerate(items) if item in module.items}
        used = {item: np.unique(column) for item, column in columns.items() if len(column)}
        if used and all(len(found) == 1 for found in used.values()):
            problems.append(
                f"module {module.name}: only one answer category in use ({_labels(module, used)}),"
                " so its items tell no persons apart: leave it out of the model"
            )
    if survey.n_person < len(items):
        problems.append(
            f"{survey.n_person} persons answered {len(items)} items:"
            " a model needs more persons than items; collect more answers or use fewer items"
        )
    return problems


def check_usable(survey: Survey, items: Sequence[str]) -> None:
    """Raise DataError with every problem that :func:`warn_unusable` finds."""
    problems = warn_unusable(survey, items)
    if problems:
        raise DataError("these answers cannot carry the model:\n  - " + "\n  - ".join(problems))


def _labels(module: Module, used: dict[str, np.ndarray]) -> str:
    """Labels as they were answered, before turning."""
    last = module.n_categories - 1
    found = {last - int(code) if module.turned(item) else int(code) for item, (code,) in used.items()}
    return ", ".join(f"'{module.labels[code]}'" for code in sorted(found))
