"""Does a model of ordinal items reproduce how they go together: two-way tables and polychoric correlations.

Ordinal items have no covariance matrix of their own, so nothing here is called RMSEA or CFI. Two-way tables:
posterior predictive check of the distance between the observed and expected table of every pair (Sinharay,
Johnson & Stern, 2006, doi:10.1177/0146621605285517; for ordinal factor models Levy, Mislevy & Sinharay, 2009,
doi:10.1177/0146621608329504). SRMR: polychoric correlations of the answers against those of the expected
tables (Maydeu-Olivares, 2017, doi:10.1007/s11336-016-9552-7; its cuts Shi, Maydeu-Olivares & Rosseel, 2020,
doi:10.1080/10705511.2019.1611434).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from medpsy.errors import SpecError, nearest
from medpsy.posterior.by_group import views
from medpsy.posterior.fit_indices import Cut
from medpsy.posterior.intervals import bounds, check_interval
from medpsy.posterior.pair_tables import PairDraws, pair_draws
from medpsy.posterior.replicates import Replicates, ppp
from medpsy.result import Result

SRMR = "polychoric SRMR"
CUTS = {
    SRMR: Cut(0.05, True, "Shi, Maydeu-Olivares & Rosseel (2020), doi:10.1080/10705511.2019.1611434"),
}
COLUMNS = ["measure", "mean", "sd", "lower", "upper", "cut", "passes", "p_passes", "ppp", "by_chance"]
RESIDUALS = [
    "construct_1", "item_1", "construct_2", "item_2", "n", "observed", "implied", "residual", "lower",
    "upper", "p_relevant", "ppp", "table_ppp",
]  # fmt: skip


def is_ordinal(result: Result) -> bool:
    """Whether a model has items with categories."""
    return any(block.n_categories for block in result.data.blocks)


def ordinal_fit(
    result: Result,
    *,
    interval: float = 0.9,
    kind: str = "hdi",
    cuts: Mapping[str, float] | None = None,
    draws: int = 200,
    seed: int = 0,
    made: Replicates | None = None,
) -> pd.DataFrame:
    """Fit of the items with categories, over all pairs of them, within constructs and between.

    Parameters
    ----------
    result : Result
    interval, kind : float, str
        Posterior mass of the intervals, ``"hdi"`` or ``"eti"``.
    cuts : mapping of str to float, optional
        A cut of your own: ``{"polychoric SRMR": 0.08}``.
    draws, seed : int
        Posterior draws, at even distances, and the seed of replicated answers.
    made : Replicates, optional
        Draws and scores already made; ``draws`` and ``seed`` are theirs, then. For fits without groups.

    Returns
    -------
    DataFrame
        measure, mean, sd, lower, upper, cut, passes, p_passes, ppp, by_chance. ``D``: distance of all two-way
        tables from the expected ones; ``polychoric SRMR``: root mean square of observed less implied
        polychoric correlations. ``ppp``: share of the draws in which answers made by the model lie at least
        as far off; ``by_chance``: the mean of the same measure in answers made by the model. ``attrs``:
        ``n``, ``pairs``, ``items``, ``groups``, ``flags`` (pairs whose table has a p value below .05),
        ``by_chance`` (how many at most by chance) and ``notes``.

    Raises
    ------
    SpecError
        No items with categories, an impossible interval, cut or number of draws.
    DataError
        Fewer than two items with categories, or one that everybody answered alike.
    """
    check_interval(interval, kind)
    cut = _chosen(cuts)
    parts = _parts(result, draws, seed, made)
    d = np.sum([part.distance.sum(axis=1) for part in parts.values()], axis=0)
    new_d = np.sum([part.replicated_distance.sum(axis=1) for part in parts.values()], axis=0)
    size = _srmr(parts, [part.observed - part.implied for part in parts.values()])
    new_size = _srmr(parts, [part.replicated - part.implied for part in parts.values()])
    chance = float(np.nanmean(new_size)) if np.isfinite(new_size).any() else np.nan
    rows = [
        ("D", *_summary(d, interval, kind), np.nan, "", np.nan, float(ppp(d, new_d)), float(new_d.mean())),
        (
            SRMR, *_summary(size, interval, kind), cut.value, "at most", float(cut.passes(size).mean()),
            float(ppp(size, new_size)), chance,
        ),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=COLUMNS)
    table.attrs = _about(result, parts) | {"interval": float(interval)}
    return table


def residual_polychorics(
    result: Result,
    *,
    interval: float = 0.9,
    kind: str = "hdi",
    relevant: float = 0.1,
    draws: int = 200,
    seed: int = 0,
    made: Replicates | None = None,
) -> pd.DataFrame:
    """Polychoric correlations that a model leaves over, pair by pair: where it does not fit.

    Parameters
    ----------
    result, interval, kind, draws, seed, made
        As in :func:`ordinal_fit`.
    relevant : float
        Residual correlations beyond this, either sign, matter.

    Returns
    -------
    DataFrame
        construct_1, item_1, construct_2, item_2, ``n`` (persons who answered both), observed, implied
        (posterior mean), residual (observed - implied: posterior mean, lower, upper), ``p_relevant``
        (probability of a residual beyond ``relevant``), ``ppp`` (share of draws in which new answers lie at
        least as far off) and ``table_ppp`` (the same of the whole two-way table); largest first. With
        groups a first column ``group``.

    Raises
    ------
    SpecError, DataError
        As :func:`ordinal_fit`, and a ``relevant`` that is no number between 0 and 1.
    """
    check_interval(interval, kind)
    check_interval(relevant)
    frames = []
    for group, part in _parts(result, draws, seed, made).items():
        first, second = np.triu_indices(len(part.items), 1)
        items, constructs = np.array(part.items), np.array(part.constructs)
        residual = part.observed - part.implied
        lower, upper = bounds(residual.T, interval, kind)
        numbers = (
            part.together, part.observed, part.implied.mean(axis=0), residual.mean(axis=0), lower, upper,
            (np.abs(residual) > relevant).mean(axis=0),
            ppp(np.abs(residual), np.abs(part.replicated - part.implied)),
            ppp(part.distance, part.replicated_distance),
        )  # fmt: skip
        names = (constructs[first], items[first], constructs[second], items[second])
        frame = pd.DataFrame(dict(zip(RESIDUALS, (*names, *numbers), strict=True)))
        if group:
            frame.insert(0, "group", group)
        frames.append(frame)
    table = pd.concat(frames, ignore_index=True)
    order = table["residual"].abs().sort_values(ascending=False, kind="stable").index
    return table.reindex(order).reset_index(drop=True)


def _parts(result: Result, draws: int, seed: int, made: Replicates | None) -> dict[str, PairDraws]:
    """Tables by group; the name is empty without groups."""
    if result.data.groups is None:
        return {"": pair_draws(made or Replicates(result, draws, seed))}
    return {level: pair_draws(Replicates(one, draws, seed)) for level, one in views(result).items()}


def _chosen(cuts: Any) -> Cut:
    """The usual cut of SRMR, or that of a user.

    Raises
    ------
    SpecError
        Another index, or a cut that is no number between 0 and 1.
    """
    for name, value in (cuts or {}).items():
        if name not in CUTS:
            raise SpecError(
                f"ordinal items have no fit index '{name}'",
                hint=f"Indices of a covariance matrix are for models of numbers. {nearest(str(name), CUTS)}",
            )
        number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if not number or not 0 <= value <= 1:
            raise SpecError(f"the cut {value!r} of '{name}' is no number between 0 and 1", hint="Usual: .05.")
        return Cut(float(value), True, "yours")
    return CUTS[SRMR]


def _srmr(parts: Mapping[str, PairDraws], residuals: list[np.ndarray]) -> np.ndarray:
    """SRMR (draw,), groups weighted by their persons."""
    weights = [part.n for part in parts.values()]
    return np.asarray(np.average([_rms(residual) for residual in residuals], axis=0, weights=weights))


def _rms(residual: np.ndarray) -> np.ndarray:
    """Root mean square over the pairs, per draw; NaN where no pair is known."""
    known = ~np.isnan(residual)
    count = known.sum(axis=1)
    square = (np.where(known, residual, 0.0) ** 2).sum(axis=1)
    return np.asarray(np.sqrt(np.divide(square, count, out=np.full(len(count), np.nan), where=count > 0)))


def _summary(values: np.ndarray, interval: float, kind: str) -> tuple[float, float, float, float]:
    lower, upper = bounds(values, interval, kind)
    return float(values.mean()), float(values.std(ddof=min(1, values.size - 1))), float(lower), float(upper)


def _about(result: Result, parts: Mapping[str, PairDraws]) -> dict[str, Any]:
    """What the table rests on, and what to know about it."""
    share = [ppp(part.distance, part.replicated_distance) for part in parts.values()]
    pairs = sum(len(one) for one in share)
    notes = []
    numbers = [block.name for block in result.data.blocks if not block.n_categories]
    if numbers:
        notes.append(f"Items that are numbers are not among the pairs: those of {', '.join(numbers)}.")
    if result.data.layout.families.count("latent") < len(result.data.layout.families):
        notes.append("Observed variables that the model explains are not among the pairs.")
    lost = sum(int(np.isnan(part.replicated).all(axis=1).sum()) for part in parts.values())
    if lost:
        notes.append(
            f"In {lost} draws new answers to an item came out all alike: left out of the SRMR's ppp."
        )
    first = next(iter(parts.values()))
    return {
        "n": sum(part.n for part in parts.values()),
        "items": len(first.items),
        "pairs": pairs,
        "groups": len(parts),
        "flags": int(sum((one < 0.05).sum() for one in share)),
        "by_chance": 0.05 * pairs,
        "notes": notes,
    }
