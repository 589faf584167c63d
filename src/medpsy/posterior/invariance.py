"""Measurement invariance: one model per level, and what each level costs and changes.

Ordinal items: configural, thresholds, thresholds and loadings (thresholds first: Wu & Estabrook, 2016,
doi:10.1007/s11336-016-9506-0; the residual scale of the logistic model is the same in all groups throughout).
Continuous items: configural, loadings, intercepts, residuals (Meredith, 1993, doi:10.1007/BF02294825).
Approximate: all differences estimated, shrunk by a common sd (van de Schoot et al., 2013,
doi:10.3389/fpsyg.2013.00770).
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from medpsy.errors import SpecError, nearest
from medpsy.families.base import ResponseFamily
from medpsy.families.coordinates import Coordinate, coordinates_of
from medpsy.posterior.alignment import DISTRUST, Aligned, align
from medpsy.posterior.by_group import joint_values
from medpsy.posterior.group_means import group_means, moments
from medpsy.posterior.intervals import bounds, direction
from medpsy.posterior.loo import SMALL_DIFFERENCE, loo
from medpsy.result import Result
from medpsy.spec.groups import Groups

#: Words in the order in which they become equal.
ORDER = ("thresholds", "loadings", "intercepts", "residuals")
CONFIGURAL, APPROXIMATE = "configural", "approximate"
#: Draws of the configural model that are aligned.
ALIGNED = 200


def ladder(
    by: str, families: Sequence[ResponseFamily], reference: str | None = None, linear: bool = False
) -> dict[str, Groups]:
    """Levels of invariance of a model, least equal first, approximate invariance last.

    Parameters
    ----------
    by : str
        The grouping variable.
    families : sequence of ResponseFamily
        Of the constructs.
    reference : str, optional
    linear : bool
        A linear model, whose differences are not shrunk.
    """
    if linear:
        steps = [word for word in ORDER if word != "thresholds"]
        names = [CONFIGURAL, *steps]
        return {name: Groups(by, tuple(steps[:at]), reference=reference) for at, name in enumerate(names)}
    words = {part.word for family in families for part in coordinates_of(family).parts}
    known = [word for word in ORDER if word in words]
    out = {CONFIGURAL: Groups(by, (), reference=reference)}
    for at, word in enumerate(known):
        out[word] = Groups(by, tuple(known[: at + 1]), reference=reference)
    comparable = tuple(word for word in known if word != "residuals")
    kept = ("residuals",) if "residuals" in known else ()
    out[APPROXIMATE] = Groups(by, kept, shrink=comparable, reference=reference)
    return out


def chosen_levels(known: Collection[str], levels: Sequence[str] | None) -> list[str]:
    """The levels that are asked for, in the order of the ladder.

    Raises
    ------
    SpecError
        A level that this model does not have.
    """
    if levels is None:
        return list(known)
    levels = (levels,) if isinstance(levels, str) else tuple(levels)
    for level in levels:
        if level not in known:
            raise SpecError(f"this model has no level of invariance '{level}'", hint=nearest(level, known))
    found = [level for level in known if level in levels]
    if not found:
        raise SpecError("no level of invariance is asked for", hint=f"Choose from {', '.join(known)}.")
    return found


def invariance_table(results: Mapping[str, Result], *, interval: float = 0.95) -> pd.DataFrame:
    """One row per level of invariance.

    Parameters
    ----------
    results : mapping of str to Result
        Fits to the same answers, least equal first (see :func:`ladder`).
    interval : float
        Posterior mass of intervals.

    Returns
    -------
    DataFrame
        ``level``; ``equal`` (what all groups share); ``elpd`` and ``p_loo`` (leave-one-person-out, scores
        integrated out); ``elpd_diff`` with ``se_diff`` to the level before (paired by person, positive: this
        level predicts better); ``verdict`` in plain words.
    """
    from arviz_stats.utils import ELPDData

    found: dict[str, ELPDData] = {}
    for level, result in results.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # Pareto k is the gate's business
            found[level] = loo(result)
    rows: list[dict[str, Any]] = []
    before: str | None = None
    for level, result in results.items():
        groups = result.model.spec.groups
        assert groups is not None
        row: dict[str, Any] = {
            "level": level,
            "equal": ", ".join(groups.equal) or "nothing",
            "elpd": float(found[level].elpd),
            "p_loo": float(found[level].p),
            "elpd_diff": np.nan,
            "se_diff": np.nan,
            "verdict": "the groups have all to themselves" if level == CONFIGURAL else "",
        }
        if groups.shrink:
            row["equal"] += f"; nearly: {', '.join(groups.shrink)}"
        if groups.release:
            row["equal"] += f"; not: {', '.join(groups.release)}"
        if before is not None:
            each = found[level].elpd_i.to_numpy() - found[before].elpd_i.to_numpy()
            row["elpd_diff"] = float(each.sum())
            row["se_diff"] = float(np.sqrt(each.size * each.var(ddof=1)))
            row["verdict"] = verdict(row["elpd_diff"], row["se_diff"], before)
        rows.append(row)
        before = level
    frame = pd.DataFrame(rows)
    frame.attrs |= {"interval": float(interval)}
    return frame


def levels_hold(verdicts: Mapping[str, str], wanted: Sequence[str]) -> bool | None:
    """Whether every level of ``wanted`` predicts as well as the one before it.

    None where that is not known: the ladder does not begin with the configural level, or ends too early.
    """
    if CONFIGURAL not in verdicts or not wanted or wanted[-1] not in verdicts:
        return None
    return all(not verdicts[level].endswith("fails") for level in wanted if level in verdicts)


def verdict(difference: float, error: float, before: str) -> str:
    """What a difference of expected log predictive densities says about the level."""
    if abs(difference) < SMALL_DIFFERENCE or abs(difference) < 2 * error:
        return f"predicts as well as {before}: holds"
    return (
        f"predicts better than {before}: holds" if difference > 0 else f"predicts worse than {before}: fails"
    )


def aligned(result: Result, construct: str, *, draws: int = ALIGNED) -> Aligned:
    """Align the draws of a configural model for one construct.

    Slopes and minus mean thresholds of ordinal items, loadings and intercepts of continuous ones.

    Raises
    ------
    SpecError
        No groups, no such construct, or a family without slopes and places.
    """
    groups = result.data.groups
    if groups is None:
        raise SpecError("this model has no groups", hint='Fit one with groups: Model(..., groups="sex").')
    if construct not in groups.coordinates:
        raise SpecError(
            f"the model has no construct '{construct}'", hint=nearest(construct, groups.coordinates)
        )
    parts = {part.role: part for part in groups.coordinates[construct].parts if part.role}
    if set(parts) != {"location", "scale"}:
        raise SpecError(
            f"the items of '{construct}' have no slopes of their own to align", hint='Use family "graded".'
        )
    p = {name: value.reshape(-1, *value.shape[2:]) for name, value in joint_values(result).items()}
    size = len(next(iter(p.values())))
    keep = np.unique(np.linspace(0, size - 1, min(draws, size)).round().astype(int))
    p = {name: value[keep] for name, value in p.items()}
    each = [groups.item_coordinates(p, construct, g) for g in range(len(groups.levels))]
    loading = np.stack([c[parts["scale"].name] for c in each], axis=1)
    sign = -1.0 if parts["location"].word == "thresholds" else 1.0
    place = sign * np.stack([c[parts["location"].name] for c in each], axis=1)
    return align(loading, place, groups.sizes, reference=max(groups.reference, 0))


def aligned_differences(
    result: Result, found: Mapping[str, Aligned], *, interval: float = 0.95
) -> pd.DataFrame:
    """Differences of aligned items from the reference group.

    Parameters
    ----------
    result : Result
        The configural model.
    found : mapping of str to Aligned
        By construct.

    Returns
    -------
    DataFrame
        construct, item, coordinate (``scale``: logarithm of the ratio of slopes, difference of loadings;
        ``location``), group, against, mean, lower, upper, relevant, p_relevant. ``attrs["share"]`` is the
        share of parameters that differ relevantly with probability above one half, by construct; above 25 %
        the alignment is not to be trusted.
    """
    groups = result.data.groups
    assert groups is not None
    reference = max(groups.reference, 0)
    rows: list[tuple[Any, ...]] = []
    for block in result.data.blocks:
        if block.name not in found:
            continue
        parts = {part.role: part for part in groups.coordinates[block.name].parts if part.role}
        rows += aligned_rows(
            found[block.name], parts, groups.levels, reference, block.name, block.construct.items, interval
        )
    names = ["construct", "item", "coordinate", "group", "against", "mean", "lower", "upper", "relevant"]
    frame = pd.DataFrame(rows, columns=[*names, "p_relevant"]).astype(
        dict.fromkeys([*names[5:], "p_relevant"], float)
    )
    frame.attrs["share"] = (frame["p_relevant"] > 0.5).groupby(frame["construct"]).mean().to_dict()
    frame.attrs["distrust"] = DISTRUST
    return frame


def aligned_rows(
    own: Aligned,
    parts: Mapping[str, Coordinate],
    levels: Sequence[str],
    reference: int,
    construct: str,
    items: Sequence[str],
    interval: float,
) -> Iterator[tuple[Any, ...]]:
    """Rows of :func:`aligned_differences` for one construct; ``parts`` are coordinates by role."""
    scale = np.log(np.abs(own.loading)) if parts["scale"].multiply else own.loading
    # Back to thresholds: higher means harder.
    place = -own.intercept if parts["location"].word == "thresholds" else own.intercept
    for role, values in (("scale", scale), ("location", place)):
        for g, level in enumerate(levels):
            if g == reference:
                continue
            draws = values[:, g] - values[:, reference]
            limit = parts[role].relevant
            for j, item in enumerate(items):
                lower, upper = bounds(draws[:, j], interval)
                yield (
                    construct, item, parts[role].name, level, levels[reference], draws[:, j].mean(), lower,
                    upper, limit, (np.abs(draws[:, j]) > limit).mean(),
                )  # fmt: skip


def means_by_level(
    results: Mapping[str, Result], found: Mapping[str, Aligned], *, interval: float = 0.95
) -> pd.DataFrame:
    """Latent mean differences under every level that identifies them, and after alignment.

    Returns
    -------
    DataFrame
        level, construct, group, against, difference, d, lower, upper (of d), p_direction.
    """
    frames = []
    for level, result in results.items():
        groups = result.data.groups
        assert groups is not None
        if groups.placed.size:
            table = group_means(result, interval=interval)
            frames.append(table.assign(level=level))
        elif found and level == CONFIGURAL:
            frames.append(_aligned_means(result, found, interval).assign(level="aligned"))
    keep = ["level", "construct", "group", "against", "difference", "d", "lower", "upper", "p_direction"]
    if not frames:
        return pd.DataFrame(columns=keep)
    return pd.concat(frames, ignore_index=True)[keep]


def _aligned_means(result: Result, found: Mapping[str, Aligned], interval: float) -> pd.DataFrame:
    """Differences of aligned means between all pairs of groups."""
    groups = result.data.groups
    assert groups is not None
    _, own_sd = moments(result)
    sizes, rows = groups.sizes, []
    for d, block in enumerate(result.data.blocks):
        if block.name not in found:
            continue
        # Covariates widen every group by the same factor as in the configural model.
        widening = own_sd[:, :, d].mean(0)
        mean, sd = found[block.name].mean, found[block.name].sd * widening
        for g in range(len(groups.levels)):
            for h in range(g + 1, len(groups.levels)):
                difference = mean[:, h] - mean[:, g]
                pooled = np.sqrt(
                    (sizes[g] * sd[:, g] ** 2 + sizes[h] * sd[:, h] ** 2) / (sizes[g] + sizes[h])
                )
                effect = difference / pooled
                lower, upper = bounds(effect, interval)
                rows.append(
                    (block.name, groups.levels[h], groups.levels[g], difference.mean(), effect.mean(), lower,
                     upper, float(direction(effect)))
                )  # fmt: skip
    names = ["construct", "group", "against", "difference", "d", "lower", "upper", "p_direction"]
    return pd.DataFrame(rows, columns=names)
