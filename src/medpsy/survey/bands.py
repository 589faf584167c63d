"""A number cut into bands, so that persons can be compared along it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from medpsy.errors import DataError, SpecError
from medpsy.survey.instrument import Variable
from medpsy.survey.survey import Survey


def banded(survey: Survey, name: str, bands: int = 3) -> tuple[Survey, str]:
    """Return the survey with a category that cuts a number into bands of about equally many persons.

    Parameters
    ----------
    survey : Survey
    name : str
        A person variable that is a number.
    bands : int
        At least two.

    Returns
    -------
    survey : Survey
        With one more variable; missing numbers are in no band.
    name : str
        Of that variable: ``"age (bands)"``. Its levels say from where to where they reach.

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
    if isinstance(bands, bool) or not isinstance(bands, int) or bands < 2:
        raise SpecError(f"bands = {bands!r} cut nothing", hint="Ask for at least 2.")
    values = survey.variables[name].astype(float)
    known = values[~np.isnan(values)]
    if np.unique(known).size < 2:
        raise DataError(f"'{name}' has fewer than two values", hint="There is nothing to compare along it.")
    cuts = np.unique(np.quantile(known, np.arange(1, bands) / bands, method="inverted_cdf"))
    cuts = cuts[cuts < known.max()]
    if not cuts.size:
        # Most persons share the highest value: it is a band of its own.
        cuts = np.array([np.unique(known)[-2]])
    code = np.where(np.isnan(values), -1, np.searchsorted(cuts, values, side="left"))
    levels = []
    for band in range(cuts.size + 1):
        inside = known[np.searchsorted(cuts, known, side="left") == band]
        levels.append(f"{inside.min():.4g} to {inside.max():.4g}")
    called = f"{name} (bands)"
    made = Variable(called, "category", tuple(levels), f"{variable.title or name}, in bands")
    instrument = replace(survey.instrument, variables=(*survey.instrument.variables, made))
    return replace(survey, instrument=instrument, variables=survey.variables | {called: code}), called
