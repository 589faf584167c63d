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
    survey: Survey,
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

    Every item may differ in its place (uniform) and its slope (non-uniform). The differences share a sd with
    prior HalfNormal(0.1) and come from a heavy-tailed distribution (t with two degrees of freedom), so that
    they are shrunk to zero where the answers do not insist. Then the flagged items are freed, the rest being
    equal, to see what they do to the latent mean difference.

    Parameters
    ----------
    survey : Survey
    model : Model, ModelSpec, str, Construct or list of Construct
        A module, or a whole model.
    by : str
        A variable with levels; or a number, which is cut into ``bands`` of about equally many persons.
    bands : int, optional
        How many; 3 unless given, 6 with ``along``.
    along : bool
        Of a number: items differ in proportion to it, each by one number in the place and one in the slope
        (per sd of the number), instead of freely from band to band. Persons stand at the mean of their band,
        and the middle band is the reference unless another is named.
    reference : str, optional
        The group that others are compared with; the first level unless given.
    flag : float
        Probability of a relevant difference from which an item is flagged.
    relevant : mapping of str to float, optional
        Largest negligible difference by coordinate; 0.43 for ``location`` (logits), 0.3 for ``slope``
        (logarithm of the ratio), 0.2 for ``intercept`` and 0.1 for ``loading`` (z-scored items).
    interval : float
        Posterior mass of intervals.
    **sampling
        Options of :meth:`Model.fit`.

    Returns
    -------
    Dif

    Raises
    ------
    SpecError, DataError
        Groups that do not exist or hold one person, a family that cannot differ between groups.

    References
    ----------
    Zwick, R. (2012). A review of ETS differential item functioning assessment procedures. ETS Research Report
    RR-12-08. doi:10.1002/j.2333-8504.2012.tb02290.x

    Examples
    --------
    >>> import medpsy as mp
    >>> survey = mp.load_example("students")
    >>> found = mp.dif(survey, mp.GradedResponse("anxiety", "gad1..gad7"), "sex", seed=1)  # doctest: +SKIP
    >>> found.table()[["item", "coordinate", "mean", "class"]]  # doctest: +SKIP
    """
    if not 0 < flag < 1:
        raise SpecError(f"flag = {flag!r} is no probability", hint="Say flag=0.5.")
    number = by
    spec, survey, by = asked(survey, model, by, bands or (6 if along else None))
    if along and number == by:
        raise SpecError(
            f"'{by}' has levels: items cannot differ in proportion to it", hint="Leave out along=True."
        )
    places = band_places(survey, number, by) if along else ()
    if places and reference is None:
        # A slope that changes turns curves around the mean of the reference: the middle of the number.
        reference = min(places, key=lambda pair: abs(pair[1]))[0]
    results = dif_fits(
        spec, survey, by, reference=reference, flag=flag, relevant=relevant, along=places,
        sampling=sampling_options(sampling),
    )  # fmt: skip
    fits = {name: Fit(result) for name, result in results.items()}
    return Dif(by, fits, interval, flag, dict(relevant or {}))
