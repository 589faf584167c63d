"""Measurement invariance over waves for ordinal items, with persons integrated out.

Configural, equal thresholds, equal thresholds and slopes, as over groups (thresholds first: Wu & Estabrook,
2016, doi:10.1007/s11336-016-9506-0; over time: Liu et al., 2017, doi:10.1037/met0000075). The construct has
mean 0 and sd 1 at the first wave; its mean is free at later ones where thresholds are equal, its sd where
slopes are. What is left of an item given the construct is taken to be unrelated between its waves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from medpsy.engines.quadrature import MOST_FACTORS
from medpsy.errors import SpecError
from medpsy.families.base import family as family_of
from medpsy.families.coordinates import comparable, coordinates_of
from medpsy.fit import fit
from medpsy.groups.rows import placed
from medpsy.model import compose
from medpsy.ops import Numpy
from medpsy.posterior.alignment import Aligned, align
from medpsy.posterior.draws import thinned
from medpsy.posterior.intervals import bounds
from medpsy.posterior.invariance import ALIGNED, CONFIGURAL, aligned_rows, chosen_levels
from medpsy.posterior.wave_invariance import MEANS, Waves, change_row, latent_moments, nothing_equal
from medpsy.result import Result
from medpsy.spec.linear import Term, assembled
from medpsy.spec.model_spec import ModelSpec
from medpsy.spec.same import NOTHING, with_same
from medpsy.survey.survey import Survey

#: Levels, and what is equal at each.
EQUAL: dict[str, tuple[str, ...]] = {
    CONFIGURAL: (), "thresholds": ("thresholds",), "loadings": ("loadings", "thresholds"),
}  # fmt: skip
LEVELS = tuple(EQUAL)
PARAMETERS = (
    "level", "construct", "item", "coordinate", "cell", "group", "against", "mean", "lower", "upper",
    "relevant", "p_relevant",
)  # fmt: skip


def ordinal_model(
    asked: Sequence[Waves], level: str, family: str = "graded", release: Sequence[str] = ()
) -> ModelSpec:
    """The model of one level: a construct per wave, all of them correlated.

    Parameters
    ----------
    asked : sequence of Waves
    level : str
        Of :data:`LEVELS`.
    family : str
        Response family of the items.
    release : sequence of str
        Items of the first wave (at all later ones) or of a later one, or ``"loadings.x3"``, free throughout.

    Raises
    ------
    SpecError
        Something to release that is no item, all thresholds released.
    """
    terms: list[Term] = []
    for one in asked:
        for wave, items in one.items.items():
            terms += [Term(one.latent(wave), "=~", (item,)) for item in items]
            if wave != one.first:
                first = one.latent(one.first)
                terms.append(Term(one.latent(wave), "=~", (first,), "same", words=EQUAL[level] or (NOTHING,)))
    families = {one.latent(wave): family for one in asked for wave in one.items}
    spec = assembled(terms, (), False, f"waves, {level}", families)
    spec = with_same(spec, None, release if level != CONFIGURAL else ())
    for one in asked if level != CONFIGURAL else ():
        for wave, items in one.items.items():
            same = spec.same_as(one.latent(wave))
            if same is not None and not placed(same.how, items, family_of(family))[0]:
                raise nothing_equal(one.construct, "thresholds")
    return spec


def ordinal_fits(
    survey: Survey,
    asked: Sequence[Waves],
    *,
    family: str = "graded",
    levels: Sequence[str] | None = None,
    release: Sequence[str] = (),
    sampling: Mapping[str, Any],
) -> dict[str, Result]:
    """Fit the levels that are asked for, least equal first.

    Raises
    ------
    SpecError
        An unknown level, an item to release that does not exist, more than three constructs times waves.
    DataError
        Items that are no ordinal answers, or have other categories at another wave.
    """
    chosen = chosen_levels(LEVELS, levels)
    size = sum(len(one.items) for one in asked)
    if size > MOST_FACTORS:
        raise SpecError(
            f"{size} constructs (names times waves) are too many to integrate out: {MOST_FACTORS} at most",
            hint="Ask about one construct at two or three waves, or take the answers as numbers: "
            "family='gaussian'.",
        )
    models = {level: compose(ordinal_model(asked, level, family, release)) for level in chosen}
    return {level: fit(model, survey, **sampling) for level, model in models.items()}


def aligned_waves(result: Result, one: Waves, *, draws: int = ALIGNED) -> Aligned | None:
    """Draws of the configural model with the waves put on the scale of the first one by alignment.

    None for a family without slopes and places of its own to align.
    """
    family = result.data.model.families[one.latent(one.first)]
    own = coordinates_of(family)
    parts = {part.role: part for part in own.parts if part.role}
    if set(parts) != {"location", "scale"} or not comparable(family):
        return None
    each = _coordinates(thinned(result, draws), result, one)
    loading = np.stack([c[parts["scale"].name] for c in each], axis=1)
    sign = -1.0 if parts["location"].word == "thresholds" else 1.0
    place = sign * np.stack([c[parts["location"].name] for c in each], axis=1)
    blocks = {block.name: block for block in result.data.blocks}
    sizes = [int((blocks[one.latent(wave)].values >= 0).any(axis=1).sum()) for wave in one.items]
    return align(loading, place, np.array(sizes))


def _coordinates(p: dict[str, np.ndarray], result: Result, one: Waves) -> list[dict[str, np.ndarray]]:
    """Coordinates (draw, item, ...) of the items at every wave."""
    found = []
    for wave in one.items:
        name = one.latent(wave)
        own = result.data.model.families[name]
        found.append(coordinates_of(own).to({role: p[f"{role}_{name}"] for role in own.roles}, Numpy))
    return found


def item_changes(
    results: Mapping[str, Result], asked: Sequence[Waves], *, interval: float = 0.95
) -> pd.DataFrame:
    """Differences of items between each wave and the first one, with the probability that they are relevant.

    Those of the configural model are on the common scale of its alignment (Asparouhov & Muthén, 2014,
    doi:10.1080/10705511.2014.919210); under levels that fix the scale, those of released items.

    Returns
    -------
    DataFrame
        level, construct, item (of the first wave), coordinate (``location``: of the thresholds; ``slope`` and
        ``gap``: logarithm of the ratio), cell (which gap, else 0), group (wave), against (first wave), mean,
        lower, upper, relevant (largest negligible size), p_relevant.
    """
    rows: list[tuple[Any, ...]] = []
    for level, result in results.items():
        for one in asked:
            waves = tuple(one.items)
            if level == CONFIGURAL:
                own = aligned_waves(result, one)
                if own is not None:
                    every = coordinates_of(result.data.model.families[one.latent(one.first)]).parts
                    parts = {part.role: part for part in every if part.role}
                    made = aligned_rows(own, parts, waves, 0, one.construct, one.items[one.first], interval)
                    rows += [(level, *row[:3], 0, *row[3:]) for row in made]
            else:
                rows += [(level, *row) for row in _released_rows(result, one, interval)]
    return pd.DataFrame(rows, columns=list(PARAMETERS))


def _released_rows(result: Result, one: Waves, interval: float) -> list[tuple[Any, ...]]:
    """Rows of the items that are free at later waves, where the means and sds of these are known."""
    p, rows = thinned(result, 2000), []
    each = _coordinates(p, result, one)
    parts = coordinates_of(result.data.model.families[one.latent(one.first)]).parts
    waves = list(one.items)
    for at, wave in enumerate(waves[1:], 1):
        same = result.data.model.spec.same_as(one.latent(wave))
        if same is None or not {"loadings", "thresholds"} <= set(same.equal):
            continue
        for part in parts:
            for j, item in enumerate(one.items[wave]):
                if same.how.state(item, part.word, part.name) == "equal":
                    continue
                early, late = (each[k][part.name][:, j].reshape(len(each[k][part.name]), -1) for k in (0, at))
                if part.multiply:
                    early, late = np.log(np.abs(early)), np.log(np.abs(late))
                for cell, draws in enumerate((late - early).T, 1):
                    lower, upper = bounds(draws, interval)
                    rows.append((
                        one.construct, one.items[one.first][j], part.name, cell if early.shape[1] > 1 else 0,
                        wave, one.first, draws.mean(), lower, upper, part.relevant,
                        (np.abs(draws) > part.relevant).mean(),
                    ))  # fmt: skip
    return rows


def aligned_means(result: Result, asked: Sequence[Waves], *, interval: float = 0.95) -> pd.DataFrame:
    """Change of the latent mean between every two waves after alignment; as the table of means."""
    rows: list[tuple[Any, ...]] = []
    _, _, r = latent_moments(result)
    for one in asked:
        own = aligned_waves(result, one)
        if own is None:
            continue
        for (a, early), (b, late) in combinations(enumerate(one.items), 2):
            change = change_row((own.mean[:, a], own.mean[:, b]), (own.sd[:, a], own.sd[:, b]), interval)
            stability = float(r[one.latent(early), one.latent(late)].mean())
            rows.append(("aligned", one.construct, late, early, *change, stability))
    return pd.DataFrame(rows, columns=list(MEANS))
