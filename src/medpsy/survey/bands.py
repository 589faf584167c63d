"""A number cut into bands, so that persons can be compared along it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from medpsy.errors import DataError, SpecError
from medpsy.survey.instrument import Variable
from medpsy.survey.survey import Survey

#: A number with so many different values at most has a group for each of them, unless bands are asked for.
FEW = 6


def banded(survey: Survey, name: str, bands: int | None = None) -> tuple[Survey, str]:
    """Return the survey with a category that cuts a number into bands of about equally many persons.

    Parameters
    ----------
    survey : Survey
    name : str
        A person variable that is a number.
    bands : int, optional
        At least two. Unless given a number with at most six different values (a year of study) has a group
        for each of them, another one three bands.

    Returns
    -------
    survey : Survey
        With one more variable; missing numbers are in no band.
    name : str
        Of that variable: ``"age (bands)"``, or ``"year (values)"``. Its levels say from where to where they
        reach.

    Raises
    ------
    SpecError
        The variable has levels already, or fewer than two bands are asked for.
    DataError
        The number has fewer than two values.
    """
    variable = survey.variable(name)
    if variable.kind == "category":
        raise SpecError(f"'{name}' has levels already", hint="Use it as it is.")
    if bands is not None and (isinstance(bands, bool) or not isinstance(bands, int) or bands < 2):
        raise SpecError(f"bands = {bands!r} cut nothing", hint="Ask for at least 2.")
    values = survey.variables[name].astype(float)
    known = values[~np.isnan(values)]
    if np.unique(known).size < 2:
        raise DataError(f"'{name}' has fewer than two values", hint="There is nothing to compare along it.")
    several = np.unique(known)
    each = bands is None and several.size <= FEW
    count = 3 if bands is None else bands
    cuts = np.unique(np.quantile(known, np.arange(1, count) / count, method="inverted_cdf"))
    cuts = several[:-1] if each else cuts
    cuts = cuts[cuts < known.max()]
    if not cuts.size:
        # Most persons share the highest value: it is a band of its own.
        cuts = np.array([np.unique(known)[-2]])
    code = np.where(np.isnan(values), -1, np.searchsorted(cuts, values, side="left"))
    levels = []
    for band in range(cuts.size + 1):
        inside = known[np.searchsorted(cuts, known, side="left") == band]
        low, high = f"{inside.min():.4g}", f"{inside.max():.4g}"
        levels.append(low if each else f"{low} to {high}")
    called, how = (f"{name} (values)", "value by value") if each else (f"{name} (bands)", "in bands")
    made = Variable(called, "category", tuple(levels), f"{variable.title or name}, {how}")
    instrument = replace(survey.instrument, variables=(*survey.instrument.variables, made))
    return replace(survey, instrument=instrument, variables=survey.variables | {called: code}), called


def band_places(survey: Survey, name: str, made: str) -> tuple[tuple[str, float], ...]:
    """Where the bands of a number stand: means of their persons, z-scored over all persons.

    Parameters
    ----------
    survey : Survey
        With the bands ``made`` of the number ``name``.
    """
    values, code = survey.variables[name].astype(float), survey.variables[made]
    known = values[~np.isnan(values)]
    return tuple(
        (level, float((values[code == k].mean() - known.mean()) / known.std()))
        for k, level in enumerate(survey.variable(made).levels)
        if (code == k).any()
    )
