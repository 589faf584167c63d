"""What comparisons of groups have in common: what is compared, the fits, and whether to trust them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from medpsy.api.guess import as_survey
from medpsy.api.mark import Mark
from medpsy.api.models import Model
from medpsy.errors import DataError
from medpsy.posterior.group_fits import with_levels, without_groups
from medpsy.spec.model_spec import Construct, ModelSpec
from medpsy.survey.survey import Survey

if TYPE_CHECKING:
    import pandas as pd

    from medpsy.api.fits import Fit

#: What is asked about: a model, a specification, model text, or constructs.
Asked = Model | ModelSpec | str | Construct | Iterable[Construct]


@dataclass(frozen=True)
class Comparison:
    """Several fits of one model with groups to the same answers.

    Parameters
    ----------
    by : str
        The grouping variable.
    fits : dict of str to Fit
    interval : float
        Posterior mass of intervals.
    """

    by: str
    fits: dict[str, Fit]
    interval: float = 0.95

    @cached_property
    def mark(self) -> Mark:
        """Whether every fit can be trusted."""
        first = next(iter(self.fits.values())).mark
        reasons = [f"{name}: {why}" for name, fit in self.fits.items() for why in fit.mark.reasons]
        return Mark(all(fit.trusted for fit in self.fits.values()), tuple(reasons), first.note)

    @property
    def trusted(self) -> bool:
        """Whether no diagnostic check failed in any of the fits."""
        return self.mark.trusted

    @property
    def _results(self) -> dict[str, Any]:
        return {name: fit.result for name, fit in self.fits.items()}

    def compare(self) -> pd.DataFrame:
        """Return what each model predicts of a person left out, against the one before it."""
        from medpsy.posterior.invariance import invariance_table

        table = invariance_table(self._results, interval=self.interval)
        table["verdict"] = table["verdict"].str.replace(r": (holds|fails)$", "", regex=True)
        return self.mark.on_table(table)


def asked(
    survey: Survey | pd.DataFrame, model: Asked, by: str, bands: int | None
) -> tuple[ModelSpec, Survey, str]:
    """The model without groups, and the survey with the groups in it."""
    base = model if isinstance(model, Model) else Model([model] if isinstance(model, Construct) else model)
    if not isinstance(survey, Survey) and by in getattr(survey, "columns", ()) and survey[by].nunique() < 2:
        raise DataError(f"everybody has the same value of '{by}', or none", hint="Groups need two levels.")
    return (without_groups(base.spec), *with_levels(as_survey(survey, base), by, bands))
