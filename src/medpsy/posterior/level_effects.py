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
        a last row ``"sd"`` has the sd of their distribution.

    Raises
    ------
    SpecError
        No variable with levels explains anything, or an impossible interval.
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
    frame.attrs |= {"interval": float(interval)}
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
        raise SpecError(
            "no variable with levels explains anything in this model",
            hint="Write 'anxiety ~ (1|centre)' (pooled) or 'anxiety ~ centre' (each level by itself).",
        )
    return found


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
    """Categories among the covariates: coefficients against the first level, as distances from the mean."""
    layout, survey = result.data.layout, result.survey
    plain: dict[tuple[int, str], list[int]] = {}
    for i, c in enumerate(layout.coefficients):
        if c.from_column and not c.path.by:
            name = c.path.source
            if survey.variable(name).kind == "category":
                plain.setdefault((c.target, name), []).append(i)
    if not plain:
        return
    coefficient = group(result, POSTERIOR)["coefficient"]
    flat = coefficient.reshape(-1, coefficient.shape[-1])
    for (target, name), places in plain.items():
        codes = survey.variables[name]
        used = [k for k in range(len(survey.variable(name).levels)) if (codes == k).any()]
        labels = tuple(survey.variable(name).levels[k] for k in used)
        size = np.array([int((codes == k).sum()) for k in used])
        raw = np.concatenate([np.zeros((len(flat), 1)), flat[:, places]], axis=1)
        effect = raw - raw.mean(axis=1, keepdims=True)
        yield _Term(layout.nodes[target], name, labels, size, effect, None, float(layout.unit[target]))
