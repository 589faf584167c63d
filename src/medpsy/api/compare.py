"""Compare models of the same answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from medpsy.errors import SpecError

if TYPE_CHECKING:
    import pandas as pd

    from medpsy.api.fits import Fit


def compare(fits: Mapping[str, Fit]) -> pd.DataFrame:
    """Rank models by how well they predict all answers of a person they have not seen.

    Parameters
    ----------
    fits : mapping of str to Fit
        At least two, by the name that the table calls them.

    Returns
    -------
    DataFrame
        Best first, indexed by ``model``: ``trusted`` (whether the gate passed), ``elpd`` (expected log
        predictive density of a person left out), ``se``, ``p_loo`` (effective parameters), ``elpd_diff`` (0
        for the best, negative for the others), ``se_diff`` (doubled below 100 persons), ``weight``
        (stacking), ``verdict`` in plain words. See :func:`medpsy.posterior.loo.compare`.

    Raises
    ------
    SpecError
        Fewer than two fits, something else than a fit, or likelihood terms of another unit than the person.
    DataError
        Other persons, other items or other answers.

    Examples
    --------
    >>> import medpsy as mp
    >>> fit, other = mp.load_fit("fit.nc"), mp.load_fit("fit.nc")
    >>> mp.compare({"one": fit, "other": other})  # doctest: +SKIP
    """
    from medpsy.api.fits import Fit
    from medpsy.posterior.loo import compare as rank

    if not isinstance(fits, Mapping) or len(fits) < 2:
        raise SpecError(
            "a comparison needs at least two fits by name",
            hint='Write compare({"graded": one, "gpcm": two}).',
        )
    for name, fit in fits.items():
        if not isinstance(fit, Fit):
            raise SpecError(
                f"'{name}' is no fit but {type(fit).__name__}", hint="Fit the model first: model.fit(survey)."
            )
    table = rank({str(name): fit.result for name, fit in fits.items()})
    trusted = {str(name): fit.trusted for name, fit in fits.items()}
    table.insert(0, "trusted", [trusted[str(label)] for label in table.index])
    return table
