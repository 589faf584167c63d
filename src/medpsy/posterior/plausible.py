"""Plausible values as a table, for analyses elsewhere."""

from __future__ import annotations

import numpy as np
import pandas as pd

from medpsy.errors import SpecError
from medpsy.posterior.scores import scores
from medpsy.result import Result


def plausible_values(result: Result, *, m: int = 20, seed: int = 0) -> pd.DataFrame:
    """Draws of the scores of every person, each at its own posterior draw of the parameters.

    Parameters
    ----------
    result : Result
    m : int
        Sets of plausible values; at most the number of posterior draws.
    seed : int

    Returns
    -------
    DataFrame
        Columns imputation (1 to m), person (identifiers of the survey, in its order, everybody included),
        then one per construct, in the units of :func:`medpsy.posterior.scores.scores`. Analyse each set and
        pool the results (Rubin, 1987, ISBN 9780471087052). ``attrs["contains"]`` lists the variables that the
        model conditions on.

    Raises
    ------
    SpecError
        ``m`` is no number of sets, or there are fewer posterior draws.
    FitError
        The model has no constructs.

    Notes
    -----
    Relations to variables that the model does not contain come out too weak, for the draws do not know of
    them (Mislevy, 1991, doi:10.1007/BF02294457): put every variable of the later analysis into the model.
    """
    draws = result.tree["posterior"].sizes
    most = draws["chain"] * draws["draw"]
    if isinstance(m, bool) or not isinstance(m, int | np.integer) or not 1 <= m <= most:
        raise SpecError(
            f"m = {m!r} sets of plausible values cannot be drawn",
            hint=f"Ask for 1 to {most}, the number of posterior draws; 20 are usual.",
        )
    found = scores(result, draws=int(m), seed=seed)
    sets, persons = found.sizes["sample"], found.sizes["person"]
    drawn = found["draw"].to_numpy().reshape(sets * persons, -1)
    frame = pd.DataFrame(drawn, columns=[str(name) for name in found["factor"].to_numpy()])
    frame.insert(0, "person", np.tile(found["person"].to_numpy(), sets))
    frame.insert(0, "imputation", np.repeat(np.arange(1, sets + 1), persons))
    layout = result.data.layout
    explained = [layout.nodes[i] for i in layout.measured]
    frame.attrs["contains"] = [*result.model.covariates, *explained]
    return frame
