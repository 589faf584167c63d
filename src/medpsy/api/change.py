"""Change of persons between two occasions."""

from __future__ import annotations

from medpsy.api.fits import Fit
from medpsy.errors import DataError
from medpsy.posterior.change import Change
from medpsy.survey.survey import Survey

__all__ = ["Change", "change"]


def change(
    before: Fit,
    after: Survey | Fit,
    construct: str | None = None,
    *,
    smallest: float = 0.0,
    level: float = 0.95,
    interval: float | None = None,
    draws: int = 200,
    seed: int = 0,
) -> Change:
    """Return how the persons of a fit changed until they answered again, and how surely each did.

    The second answers are read with the item parameters of the first occasion: two separate fits would each
    set their own zero and unit, and their difference would be no change.

    Parameters
    ----------
    before : Fit
        The first occasion.
    after : Survey or Fit
        The second occasion (of a fit, its answers): the same items, persons with the same identifiers.
    construct : str, optional
        May be left out where the model has only one.
    smallest : float
        Smallest change of interest, in sds of the construct over the persons of the first occasion.
    level : float
        Probability from which a change is called reliable.
    interval, draws, seed
        Posterior mass of intervals; posterior draws of the item parameters; seed.

    Returns
    -------
    Change
        ``.persons`` and ``.summary`` (tables), ``.unmatched`` (persons who answered only once).

    Raises
    ------
    DataError
        Fewer than ten persons answered twice, or the items were not the same.
    SpecError
        An unknown construct, an impossible number, a model with groups.

    Examples
    --------
    >>> import medpsy as mp
    >>> fit = mp.load_fit("fit.nc")
    >>> later = fit.survey  # the answers of the second occasion
    >>> mp.change(fit, later, "anxiety").summary  # doctest: +SKIP
    """
    from dataclasses import replace

    from medpsy.posterior.change import change as compare

    found = compare(
        before._group(None), before._construct(construct), _answers(after), smallest=smallest, level=level,
        interval=before._posterior(interval), draws=draws, seed=seed,
    )  # fmt: skip
    tables = {name: before.mark.on_table(getattr(found, name)) for name in ("persons", "summary")}
    return replace(found, **tables)


def _answers(after: Survey | Fit) -> Survey:
    """The answers of the second occasion."""
    survey = after.survey if isinstance(after, Fit) else after
    if not isinstance(survey, Survey):
        raise DataError(
            f"the second occasion comes as {type(after).__name__}, not as a Survey",
            hint="Pass medpsy.read_survey(...), or a fit of the second occasion.",
        )
    return survey
