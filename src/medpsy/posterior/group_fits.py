"""The fits that comparisons of groups consist of."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from medpsy.errors import SpecError, nearest
from medpsy.families.coordinates import coordinates_of
from medpsy.fit import fit
from medpsy.groups.rows import OWN
from medpsy.model import ComposedModel, compose
from medpsy.posterior.invariance import chosen_levels, ladder
from medpsy.posterior.item_differences import item_differences
from medpsy.result import Result
from medpsy.spec.groups import COMPARABLE, Groups
from medpsy.spec.model_spec import ModelSpec
from medpsy.spec.priors import parse_prior
from medpsy.survey.bands import banded
from medpsy.survey.survey import Survey

#: Prior of the differences in units of their sd, and of that sd: heavy tails let a few differ much.
HEAVY, SPREAD = "StudentT(2, 0, 1)", "HalfNormal(0.1)"
LOG = logging.getLogger("medpsy")
ALL_EQUAL, NEARLY, RELEASED = "all items equal", "differences shrunk", "flagged items free"


def without_groups(spec: ModelSpec) -> ModelSpec:
    """The same model for one population; a model that has groups already loses them."""
    priors = tuple((target, text) for target, text in spec.priors if target.partition(".")[0] not in OWN)
    return replace(spec, groups=None, priors=priors)


def with_levels(survey: Survey, by: str, bands: int | None = None) -> tuple[Survey, str]:
    """The survey with a variable that makes groups: ``by`` itself, or a number cut into bands.

    Raises
    ------
    SpecError
        There is no such variable.
    """
    names = [variable.name for variable in survey.instrument.variables]
    if by not in names:
        raise SpecError(f"'{by}' is no variable of the survey", hint=nearest(by, names))
    return (survey, by) if survey.variable(by).kind == "category" else banded(survey, by, bands)


def fit_groups(
    spec: ModelSpec,
    survey: Survey,
    groups: Groups,
    sampling: Mapping[str, Any],
    priors: Mapping[str, str] | None = None,
) -> Result:
    """Fit a model with groups; ``priors`` give way to those of the model itself."""
    held = {target: str(parse_prior(text)) for target, text in (priors or {}).items()} | dict(spec.priors)
    return fit(compose(replace(spec, groups=groups, priors=tuple(sorted(held.items())))), survey, **sampling)


def dif_fits(
    spec: ModelSpec,
    survey: Survey,
    by: str,
    *,
    reference: str | None = None,
    flag: float = 0.5,
    relevant: Mapping[str, float] | None = None,
    along: tuple[tuple[str, float], ...] = (),
    sampling: Mapping[str, Any],
) -> dict[str, Result]:
    """The model with all items equal, with all differences shrunk, and with the flagged items free.

    With ``along`` (where every group stands) differences are in proportion to that.

    Raises
    ------
    SpecError
        A linear model.
    """
    if spec.linear is not None:
        raise SpecError(
            "differences of items are not shrunk in models with fixed numbers, shared labels or residual "
            "covariances",
            hint=f'Compare levels: mp.invariance(survey, model, "{by}"); or release items: release=["x3"].',
        )
    parts = {
        part: None for f in compose(spec).families.values() for part in coordinates_of(f).parts if part.role
    }
    shrink = tuple(part.name for part in parts if part.word in COMPARABLE)
    priors = {f"difference.{name}": HEAVY for name in shrink} | {"difference_sd": SPREAD}
    nearly = Groups(by, shrink=shrink, reference=reference, along=along)
    LOG.info("Items by %s: fitting the model with %s", by, ALL_EQUAL)
    out = {ALL_EQUAL: fit_groups(spec, survey, Groups(by, reference=reference), sampling)}
    LOG.info("Items by %s: fitting the model with %s", by, NEARLY)
    out[NEARLY] = fit_groups(spec, survey, nearly, sampling, priors)
    rows = dif_table(out[NEARLY], flag=flag, relevant=relevant)
    flagged = rows[rows["flagged"]]
    release = tuple(
        dict.fromkeys(f"{c}.{i}" for c, i in zip(flagged["coordinate"], flagged["item"], strict=True))
    )
    if release:
        LOG.info("Items by %s: fitting the model with %s", by, RELEASED)
        groups = Groups(by, release=release, reference=reference, along=along)
        out[RELEASED] = fit_groups(spec, survey, groups, sampling)
    return out


def dif_table(
    result: Result,
    *,
    flag: float = 0.5,
    relevant: Mapping[str, float] | None = None,
    interval: float = 0.95,
) -> pd.DataFrame:
    """Shrunk differences, with ``flagged`` and the class A, B or C of uniform ones.

    An item is flagged where its difference is relevant with probability above ``flag``; a uniform difference
    is of class B there, of class C where it is large with that probability.
    """
    found = item_differences(result, interval=interval, relevant=relevant)
    found = found[found["state"] == "shrunk"].reset_index(drop=True)
    return with_classes(found, flag)


def with_classes(table: pd.DataFrame, flag: float) -> pd.DataFrame:
    """Add ``flagged`` and ``class`` to a table of differences."""
    relevant = table["p_relevant"] > flag
    grade = pd.Series("A", index=table.index).mask(relevant, "B").mask(table["p_large"] > flag, "C")
    uniform = table["coordinate"].isin(("location", "intercept"))
    return table.assign(flagged=relevant, **{"class": grade.where(uniform, "")})


def invariance_fits(
    spec: ModelSpec,
    survey: Survey,
    by: str,
    *,
    levels: Sequence[str] | None = None,
    release: Sequence[str] = (),
    reference: str | None = None,
    sampling: Mapping[str, Any],
) -> dict[str, Result]:
    """The model at every level of invariance that is asked for."""
    model: ComposedModel = compose(replace(spec, groups=Groups(by)))
    known = ladder(by, list(model.families.values()), reference, spec.linear is not None)
    out, chosen = {}, chosen_levels(known, levels)
    freed = (release,) if isinstance(release, str) else tuple(release)
    for number, level in enumerate(chosen, 1):
        LOG.info("Invariance over %s: fitting level '%s' (%d of %d)", by, level, number, len(chosen))
        out[level] = fit_groups(spec, survey, replace(known[level], release=freed), sampling)
    return out
