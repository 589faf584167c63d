"""A single question whose answers are categories in order: a category, an item, or whole numbers."""

from __future__ import annotations

import numpy as np

from medpsy.errors import DataError
from medpsy.survey.instrument import Instrument, Variable
from medpsy.survey.survey import NO_ANSWER, Survey

#: A number with more different values than this is no answer scale.
MOST = 30


def declared(instrument: Instrument, name: str) -> tuple[tuple[str, ...], float] | None:
    """Labels of the categories of a variable or item, lowest first, and the value of the lowest.

    None where the instrument does not say: numbers without a range.
    """
    if name in instrument.items:
        module = instrument.module_of(name)
        labels = module.labels[::-1] if module.turned(name) else module.labels
        return labels, float(module.codes[0])
    variable = next(v for v in instrument.variables if v.name == name)
    if variable.kind == "category":
        return variable.levels, 0.0
    low, high = variable.minimum, variable.maximum
    if low is None or high is None or low % 1 or high % 1 or not 1 <= high - low < MOST:
        return None
    return _numbers(low, high), low


def ordered(survey: Survey, name: str) -> tuple[np.ndarray, tuple[str, ...], float]:
    """Answers as categories counted from 0.

    Parameters
    ----------
    survey : Survey
    name : str
        A category (its levels in their order), an item (turned as its module says), or a number that takes
        whole values.

    Returns
    -------
    values : ndarray, shape (person,)
        0 .. K-1, NaN where there is no answer.
    labels : tuple of str
        Of the K categories, lowest first; of numbers all whole ones from the lowest to the highest.
    lowest : float
        What category 0 is in the variable's own units; the others follow at distance 1.

    Raises
    ------
    DataError
        A number that is not whole, or too many of them.
    """
    known = declared(survey.instrument, name) if name in survey.instrument.items else None
    if known is not None:
        codes = survey.item_codes([name])[:, 0].astype(float)
        return np.where(codes == NO_ANSWER, np.nan, codes), *known
    variable = survey.variable(name)
    raw = survey.variables[name].astype(float)
    if variable.kind == "category":
        return np.where(raw < 0, np.nan, raw), variable.levels, 0.0
    return _whole(variable, raw, declared(survey.instrument, name))


def _whole(
    variable: Variable, raw: np.ndarray, known: tuple[tuple[str, ...], float] | None
) -> tuple[np.ndarray, tuple[str, ...], float]:
    """A number, every whole value of which is a category."""
    given = raw[~np.isnan(raw)]
    odd = given[given % 1 != 0]
    if odd.size:
        raise DataError(
            f"'{variable.name}' is modelled as ordinal and holds the value {odd[0]:g}",
            hint="Categories are whole numbers, or the levels of a category; use family 'gaussian' or "
            "'student_t' for other numbers.",
        )
    if known is None:
        low, high = (given.min(), given.max()) if given.size else (0.0, 1.0)
        if high - low >= MOST:
            raise DataError(
                f"'{variable.name}' is modelled as ordinal and runs from {low:g} to {high:g}",
                hint="So fine a scale is a number ('gaussian') or a count ('negative_binomial').",
            )
        known = _numbers(low, high), float(low)
    return raw - known[1], *known


def _numbers(low: float, high: float) -> tuple[str, ...]:
    return tuple(str(int(value)) for value in np.arange(low, high + 1))
