"""Items that work differently in groups of persons who stand alike on the construct."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from medpsy.api.comparison import Asked, Comparison, asked
from medpsy.api.fits import Fit
from medpsy.api.options import sampling_options
from medpsy.errors import SpecError
from medpsy.posterior.group_fits import NEARLY, RELEASED, dif_fits, dif_table
from medpsy.posterior.intervals import check_interval
from medpsy.survey.bands import band_places
from medpsy.survey.survey import Survey

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Dif(Comparison):
    """Items that work differently in groups.

    ``fits`` holds the model with all items equal, with all differences estimated and shrunk, and, where
    items were flagged, with the flagged ones free and the rest equal.

    References
    ----------
    Zwick, R. (2012). A review of ETS differential item functioning assessment procedures. ETS Research Report
    RR-12-08. doi:10.1002/j.2333-8504.2012.tb02290.x

    Examples
    --------
    >>> import medpsy as mp
    >>> survey = mp.load_example("students")
    >>> found = mp.dif(survey, mp.GradedResponse("anxiety", "gad1..gad7"), "sex", seed=1)  # doctest: +SKIP
    >>> found.flagged, found.plot()  # doctest: +SKIP
    """

    flag: float = 0.5
    relevant: Mapping[str, float] = field(default_factory=dict)

    def table(self) -> pd.DataFrame:
        """Return one row per item, coordinate and group: size, interval, probabilities, class, flag.

        ``class`` of a uniform difference (``location``) is A, B or C: with probability above ``flag`` larger
        than 0.43 logits (B) and 0.64 logits (C), the cuts of the Educational Testing Service.
        """
        return self.mark.on_table(self._differences)

    @cached_property
    def _differences(self) -> pd.DataFrame:
        return dif_table(
            self.fits[NEARLY].result,
            flag=self.flag,
            relevant=self.relevant or None,
            interval=self.interval,
        )

    @property
    def flagged(self) -> tuple[str, ...]:
        """Items with a relevant difference in some coordinate, more probably than ``flag``."""
        rows = self._differences
        return tuple(dict.fromkeys(rows.loc[rows["flagged"], "item"]))

    def impact(self) -> pd.DataFrame:
        """Return what the differences do to expected item scores and to the sum score of the module."""
        return self.fits[NEARLY].score_impact(interval=self.interval)

    def means(self) -> pd.DataFrame:
        """Return latent mean differences with all items equal, shrunk, and with flagged items free."""
        from medpsy.posterior.invariance import means_by_level

        return self.mark.on_table(means_by_level(self._results, {}, interval=self.interval))

    def plot(self) -> Figure:
        """Draw every difference with its interval and the region of negligible ones."""
        from medpsy.plots.item_differences import item_differences

        return self.mark.on_figure(item_differences(self._differences, interval=self.interval))

    def plot_item(self, item: str) -> Figure:
        """Draw the expected answer to an item in every group as the construct rises.

        Raises
        ------
        SpecError
            There is no such item.
        """
        from medpsy.plots.item_by_group import item_by_group
        from medpsy.posterior.item_differences import expected_by_group

        shown = self.fits.get(RELEASED, self.fits[NEARLY]) if item in self.flagged else self.fits[NEARLY]
        curves = expected_by_group(shown.result, item, interval=self.interval)
        return self.mark.on_figure(item_by_group(curves))


def dif(
    survey: Survey | pd.DataFrame,
    model: Asked,
    by: str,
    *,
    reference: str | None = None,
    bands: int | None = None,
    along: bool = False,
    flag: float = 0.5,
    relevant: Mapping[str, float] | None = None,
    interval: float = 0.95,
    **sampling: Any,
) -> Dif:
    """Look for items that work differently in groups of persons who stand alike on the construct.

    Every item may differ in its place (uniform) and its slope (non-uniform). The differences are shrunk to
    zero where the answers do not insist: t with two degrees of freedom, sd HalfNormal(0.1).

    Parameters
    ----------
    survey : Survey or DataFrame
    model : Model, ModelSpec, str, Construct or list of Construct
        A module, or a whole model.
    by : str
        A variable with levels; or a number, cut into ``bands`` of about equally many persons.
    bands : int, optional
        How many; 3 unless given, 6 with ``along``.
    along : bool
        Of a number: items differ in proportion to it (per sd), in place and slope, instead of freely from
        band to band. Persons stand at the mean of their band; the middle one is the default reference.
    reference : str, optional
        The group that others are compared with; the first level unless given.
    flag, relevant : float, mapping of str to float
        Probability of a relevant difference that flags an item; largest negligible one by coordinate:
        ``location`` 0.43 (logits), ``slope`` 0.3 (log ratio), ``intercept`` 0.2, ``loading`` 0.1 (z-scored).
    interval, **sampling
        Posterior mass of intervals; options of :meth:`Model.fit`.

    Returns
    -------
    Dif

    Raises
    ------
    SpecError, DataError
        Groups that do not exist or hold one person, a family that cannot differ between groups.

    Examples
    --------
    >>> import medpsy as mp
    >>> mp.dif(mp.load_example("students"), "anxiety =~ gad1..gad7", "sex").table()  # doctest: +SKIP
    """
    _check(flag, interval)
    spec, survey, banded = asked(survey, model, by, bands or (6 if along else None))
    places, reference = _along(survey, by, banded, reference) if along else ((), reference)
    how = sampling_options(sampling)
    results = dif_fits(
        spec, survey, banded, reference=reference, flag=flag, relevant=relevant, along=places, sampling=how
    )
    return Dif(banded, {k: Fit(r) for k, r in results.items()}, interval, flag, dict(relevant or {}))


def _check(flag: float, interval: float) -> None:
    check_interval(interval)
    if not 0 < flag < 1:
        raise SpecError(f"flag = {flag!r} is no probability", hint="Say flag=0.5.")


def _along(
    survey: Survey, number: str, banded: str, reference: str | None
) -> tuple[tuple[tuple[str, float], ...], str]:
    """Where the bands of a number stand, in its sds, and the band that others are compared with."""
    if number == banded:
        raise SpecError(
            f"'{number}' has levels: items cannot differ in proportion to it", hint="Leave out along=True."
        )
    places = band_places(survey, number, banded)
    # A slope that changes turns curves around the mean of the reference: the middle of the number.
    return places, reference or min(places, key=lambda pair: abs(pair[1]))[0]
