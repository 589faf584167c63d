"""What comparisons of groups have in common: what is compared, the fits, and whether to trust them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from medpsy.api.mark import Mark
from medpsy.api.models import Model
from medpsy.errors import DataError, SpecError, nearest
from medpsy.groups.rows import OWN
from medpsy.spec.groups import Groups
from medpsy.spec.model_spec import Construct, ModelSpec
from medpsy.survey.bands import banded
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

        return self.mark.on_table(invariance_table(self._results, interval=self.interval))


def asked(survey: Survey, model: Asked, by: str, bands: int) -> tuple[Model, Survey, str]:
    """The model without groups, and the survey with the groups in it."""
    if not isinstance(survey, Survey):
        raise DataError(
            f"the answers come as {type(survey).__name__}, not as a Survey",
            hint="Pass medpsy.read_survey(...), medpsy.from_frame(...), or the .survey of a screening.",
        )
    base = model if isinstance(model, Model) else Model([model] if isinstance(model, Construct) else model)
    if base.spec.groups is not None:
        spec = replace(base.spec, groups=None, priors=_without_groups(base.spec.priors))
        base = Model(spec)
    if by not in [variable.name for variable in survey.instrument.variables]:
        raise SpecError(
            f"'{by}' is no variable of the survey",
            hint=nearest(by, [variable.name for variable in survey.instrument.variables]),
        )
    if survey.variable(by).kind != "category":
        survey, by = banded(survey, by, bands)
    return base, survey, by


def _without_groups(priors: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return tuple((target, text) for target, text in priors if target.partition(".")[0] not in OWN)


def fit_groups(
    base: Model,
    survey: Survey,
    groups: Groups,
    sampling: Mapping[str, Any],
    priors: Mapping[str, str] | None = None,
) -> Fit:
    """Fit a model with groups."""
    return Model(replace(base.spec, groups=groups), priors=priors, name=base.name).fit(survey, **sampling)
