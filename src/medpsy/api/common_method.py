"""The common-method block: one factor, first factor, and a method factor beside the constructs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from medpsy.api.comparison import Asked
from medpsy.api.fits import Fit
from medpsy.api.guess import as_survey
from medpsy.api.judging import Judged
from medpsy.api.mark import Mark
from medpsy.api.models import Model
from medpsy.api.options import sampling_options
from medpsy.posterior.common_method import method_fits
from medpsy.posterior.group_fits import without_groups
from medpsy.posterior.intervals import check_interval
from medpsy.posterior.judging.method_tables import method_tables
from medpsy.posterior.method_items import ordinal_method_fits
from medpsy.spec.model_spec import Construct
from medpsy.survey.survey import Survey

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class CommonMethod(Judged):
    """Findings on common method variance; ``fits`` holds the three models."""

    fits: dict[str, Fit] = field(default_factory=dict, repr=False)

    @property
    def mark(self) -> Mark:
        """Whether every fit can be trusted."""
        reasons = [f"{name}: {why}" for name, fit in self.fits.items() for why in fit.mark.reasons]
        note = next(iter(self.fits.values())).mark.note
        return Mark(all(fit.trusted for fit in self.fits.values()), tuple(reasons), note)

    @property
    def trusted(self) -> bool:
        """Whether no diagnostic check failed in any of the fits."""
        return self.mark.trusted


def common_method(
    survey: Survey | pd.DataFrame,
    model: Asked,
    *,
    loadings: str = "equal",
    ordinal: bool = False,
    interval: float = 0.95,
    **sampling: Any,
) -> CommonMethod:
    """Ask what a method that all items share would do to correlations, paths and indirect effects.

    Three models, linear or ordinal: the constructs as hypothesised, the same with an uncorrelated method
    factor on all items, and one factor instead of the constructs.

    Parameters
    ----------
    survey : Survey or DataFrame
    model : Model, Mediation, ModelSpec, str, construct, or sequence of constructs
        Its paths and defined effects are compared with and without the method factor.
    loadings : str
        Of the method factor: ``"equal"`` on all items as they were asked (turned items with the opposite
        sign), or ``"small"``: each item its own, shrunk to zero.
    ordinal : bool
        Keep ordinal items ordinal: one to three graded constructs without other outcomes. Takes minutes, as
        persons and the method factor are summed out together.
    interval, **sampling
        Posterior mass of intervals; options of :meth:`Model.fit`.

    Returns
    -------
    CommonMethod
        Prints as tables: ``estimates``, ``models``, ``method``, ``first_factor``; see
        :func:`medpsy.posterior.judging.method_tables.method_tables`. ``plot()`` draws the estimates.

    Raises
    ------
    SpecError, DataError
        A model that is not linear, other loadings; an item that everybody answered alike.

    Examples
    --------
    >>> import medpsy as mp
    >>> survey = mp.load_example("holzinger_swineford")
    >>> found = mp.common_method(survey, "f =~ x1..x3; g =~ x7..x9", seed=1)  # doctest: +SKIP
    >>> found["estimates"][["quantity", "mean", "with_mean"]]  # doctest: +SKIP
    """
    check_interval(interval)
    base = model if isinstance(model, Model) else Model([model] if isinstance(model, Construct) else model)
    survey = as_survey(survey, base)
    fitted = ordinal_method_fits if ordinal else method_fits
    options = sampling_options(sampling)
    held = fitted(without_groups(base.spec), survey, loadings=loadings, sampling=options)
    fits = {name: Fit(result) for name, result in held.results.items()}
    found = method_tables(held, interval=interval)
    plain = CommonMethod(found.name, found.title, found.sheets, found.notes, fits)
    notes = tuple(note for note in (plain.mark.warning, plain.mark.note, *found.notes) if note)
    return replace(plain, notes=notes)
