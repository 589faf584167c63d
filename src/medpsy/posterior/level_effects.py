"""What the levels of person variables do: effects, their spread, and every pair of levels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from medpsy.dims import POSTERIOR
from medpsy.errors import SpecError
from medpsy.posterior.by_group import each_group
from medpsy.posterior.draws import group
from medpsy.posterior.intervals import bounds, check_interval, check_rope, direction, rope_share
from medpsy.result import Result

EFFECTS = ("target", "variable", "level", "n", "mean", "sd", "lower", "upper", "p_direction", "pooled")
CONTRASTS = (
    "target", "variable", "level", "against", "n", "n_against", "difference", "sd", "lower", "upper",
    "p_direction", "p_negligible", "pooled",
)  # fmt: skip


@dataclass(frozen=True)
class _Term:
    """Effects (draw, level) of the levels of one variable on one target, in raw units, summing to zero."""

    target: str
    variable: str
    labels: tuple[str, ...]
    size: np.ndarray
    effect: np.ndarray
    spread: np.ndarray | None
    unit: float


@each_group
def level_effects(result: Result, *, interval: float = 0.95) -> pd.DataFrame:
    """Effects of the levels of person variables: pooled ``(1|centre)``, and categories among the covariates.

    Parameters
    ----------
    result : Result
    interval : float
        Posterior mass of the equal-tailed intervals.

    Returns
    -------
    DataFrame
        target, variable, level, n (persons), mean, sd, lower, upper, p_direction (of the more probable
        sign), pooled. An effect is the distance from the mean of the levels, in residual sds of a construct,
        in units of an observed variable (log-odds or logarithms where its family has them). Of pooled levels
        a last row ``"sd"`` has the sd of their distribution. Of a group there are the levels that occur in
        it. ``attrs["left_out"]`` names categories whose effect changes with another variable.

    Raises
    ------
    SpecError
        No variable with levels explains anything by itself, or an impossible interval.
    """
    check_interval(interval)
    rows: list[tuple[Any, ...]] = []
    for term in _terms(result):
        for k, label in enumerate(term.labels):
            own = _row(term.effect[:, k], interval)
            rows.append((term.target, term.variable, label, term.size[k], *own, term.spread is not None))
        if term.spread is not None:
            mean, sd, lower, upper, _ = _row(term.spread, interval)
            n = term.size.sum()
            rows.append((term.target, term.variable, "sd", n, mean, sd, lower, upper, np.nan, True))
    frame = pd.DataFrame(rows, columns=list(EFFECTS)).astype(dict.fromkeys(EFFECTS[4:9], float))
    frame.attrs |= {"interval": float(interval), "left_out": changing_levels(result)}
    return frame


@each_group
def level_contrasts(result: Result, *, interval: float = 0.95, rope: float = 0.1) -> pd.DataFrame:
    """Differences of all pairs of levels.

    Parameters
    ----------
    result : Result
    interval : float
        Posterior mass of the equal-tailed intervals.
    rope : float
        Half-width of the region of negligible differences, in residual sds of a construct, in sds of an
        observed number.

    Returns
    -------
    DataFrame
        target, variable, level, against, n, n_against, difference (posterior mean of level minus against),
        sd, lower, upper, p_direction, p_negligible, pooled. Units as in :func:`level_effects`. Pooled
        differences are drawn to zero together, which is what guards against reading noise among many pairs
        as difference (Gelman, Hill & Yajima, 2012, doi:10.1080/19345747.2011.618213).

    Raises
    ------
    SpecError
        As :func:`level_effects`, or an impossible region.
    """
    check_interval(interval)
    check_rope(rope)
    rows: list[tuple[Any, ...]] = []
    for term in _terms(result):
        for low, high in combinations(range(len(term.labels)), 2):
            draws = term.effect[:, high] - term.effect[:, low]
            share = rope_share(draws / term.unit, -rope, rope)
            sizes = (term.size[high], term.size[low])
            names = (term.target, term.variable, term.labels[high], term.labels[low])
            rows.append((*names, *sizes, *_row(draws, interval), share, term.spread is not None))
    frame = pd.DataFrame(rows, columns=list(CONTRASTS)).astype(dict.fromkeys(CONTRASTS[6:12], float))
    frame.attrs |= {"interval": float(interval), "rope": float(rope)}
    return frame


def has_levels(result: Result) -> bool:
    """Whether pooled levels explain something."""
    return bool(result.data.layout.pooled)


def _row(draws: np.ndarray, interval: float) -> tuple[Any, ...]:
    lower, upper = bounds(draws, interval)
    return draws.mean(), draws.std(ddof=1), lower, upper, direction(draws)


def _terms(result: Result) -> list[_Term]:
    found = [*_pooled(result), *_fixed(result)]
    if not found:
        changing = changing_levels(result)
        raise SpecError(
            f"what the levels of '{changing[0]}' do changes with another variable"
            if changing
            else "no variable with levels explains anything in this model",
            hint="Write 'anxiety ~ (1|centre)' (pooled) or 'anxiety ~ centre' (each level by itself)"
            + (", without the product." if changing else "."),
        )
    return found


def changing_levels(result: Result) -> list[str]:
    """Categories whose effect changes with another variable, so that they have no single one."""
    survey = result.survey
    return sorted({name for _, name in _changing(result) if survey.variable(name).kind == "category"})


def _changing(result: Result) -> set[tuple[int, str]]:
    """Target and name of the person variables that stand in a product."""
    known = set(result.survey.variables)
    return {
        (c.target, name)
        for c in result.data.layout.coefficients
        if len(c.path.variables) > 1
        for name in c.path.variables
        if name in known
    }


def _pooled(result: Result) -> Iterator[_Term]:
    layout, at = result.data.layout, 0
    if not layout.pooled:
        return
    values = group(result, POSTERIOR)
    effect = values["level_effect"].reshape(-1, values["level_effect"].shape[-1])
    for k, one in enumerate(layout.pooled):
        own = effect[:, at : at + len(one.labels)]
        at += len(one.labels)
        unit = float(layout.unit[one.target])
        spread = values["level_sd"][..., k].ravel() * unit
        yield _Term(layout.nodes[one.target], one.variable, one.labels, one.size, own, spread, unit)


def _fixed(result: Result) -> Iterator[_Term]:
    """Categories among the covariates: coefficients against one level, as distances from the mean.

    Of a group, its own levels; the one without a column is what the others are coded against.
    """
    layout, survey, changing = result.data.layout, result.survey, _changing(result)
    plain: dict[tuple[int, str], dict[str, int]] = {}
    for i, c in enumerate(layout.coefficients):
        key = (c.target, c.path.source)
        if not c.from_column or c.path.by or key in changing:
            continue
        if survey.variable(c.path.source).kind == "category":
            plain.setdefault(key, {})[layout.columns[c.source - 1].name] = i
    if not plain:
        return
    coefficient = group(result, POSTERIOR)["coefficient"]
    flat = coefficient.reshape(-1, coefficient.shape[-1])
    for (target, name), places in plain.items():
        codes, labels, sizes, raw = survey.variables[name], [], [], []
        for k, label in enumerate(survey.variable(name).levels):
            size, at = int((codes == k).sum()), places.get(f"{name}[{label}]")
            if size:
                labels.append(label)
                sizes.append(size)
                raw.append(np.zeros(len(flat)) if at is None else flat[:, at])
        effect = np.column_stack(raw) - np.mean(raw, axis=0)[:, None]
        unit = float(layout.unit[target])
        yield _Term(layout.nodes[target], name, tuple(labels), np.array(sizes), effect, None, unit)
