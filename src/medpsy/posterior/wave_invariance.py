"""Measurement invariance over waves: the same items of the same persons at two or more occasions.

Items as numbers. Configural, equal loadings, equal intercepts, equal residual variances (Meredith, 1993,
doi:10.1007/BF02294825), the residuals of an item correlated between its occasions (Vandenberg & Lance, 2000,
doi:10.1177/109442810031002), the unit of the construct that of its first item (with an equal loading).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from medpsy.errors import SpecError, nearest
from medpsy.fit import fit
from medpsy.latent.base import system
from medpsy.model import compose
from medpsy.ops import Numpy
from medpsy.posterior.draws import thinned
from medpsy.posterior.intervals import bounds, direction
from medpsy.posterior.invariance import CONFIGURAL, chosen_levels, verdict
from medpsy.posterior.item_numbers import item_numbers, with_numbers
from medpsy.posterior.loo import loo
from medpsy.result import Result
from medpsy.spec.linear import Term, assembled
from medpsy.spec.model_spec import ModelSpec
from medpsy.survey.survey import Survey

LEVELS = (CONFIGURAL, "loadings", "intercepts", "residuals")
#: Columns of the table of means.
MEANS = (
    "level", "construct", "group", "against", "difference", "d", "lower", "upper", "p_direction", "stability",
)  # fmt: skip


@dataclass(frozen=True)
class Waves:
    """One construct at several occasions.

    Parameters
    ----------
    construct : str
    items : dict of str to tuple of str
        Wave to its items, in the same order at every wave.
    """

    construct: str
    items: dict[str, tuple[str, ...]]

    def __post_init__(self) -> None:
        if len(self.items) < 2:
            raise SpecError(
                f"'{self.construct}' has one wave", hint="Name the items of two occasions at least."
            )
        sizes = {wave: len(items) for wave, items in self.items.items()}
        if len(set(sizes.values())) > 1:
            told = ", ".join(f"{wave} {n}" for wave, n in sizes.items())
            raise SpecError(
                f"the waves of '{self.construct}' have different numbers of items: {told}",
                hint="Name the same items, in the same order, at every wave.",
            )
        if min(sizes.values()) < 2:
            raise SpecError(f"'{self.construct}' has one item a wave", hint="Name two items at least.")

    def latent(self, wave: str) -> str:
        """Name of the construct at a wave."""
        return f"{self.construct}_{wave}"

    @property
    def first(self) -> str:
        """The first wave."""
        return next(iter(self.items))


def wave_model(asked: Sequence[Waves], level: str, release: Sequence[str] = ()) -> ModelSpec:
    """The linear model of one level of invariance.

    Parameters
    ----------
    asked : sequence of Waves
    level : str
        Of :data:`LEVELS`.
    release : sequence of str
        Items of the first wave, or ``"loadings.x3"`` and the like, that are free at every level.

    Raises
    ------
    SpecError
        All loadings or all intercepts of a construct are released.
    """
    equal = LEVELS[1 : LEVELS.index(level) + 1]
    terms: list[Term] = []
    for one in asked:
        tied = {
            w: [i for i in one.items[one.first] if i not in release and f"{w}.{i}" not in release]
            for w in LEVELS[1:]
        }
        for word in ("loadings", "intercepts"):
            if not tied[word]:
                raise nothing_equal(one.construct, word)
        for j, item in enumerate(one.items[one.first]):
            marker, free = item == tied["loadings"][0], {w for w in LEVELS[1:] if item not in tied[w]}
            label = {w: f"{w}_{one.construct}_{j + 1}" for w in equal if w not in free}
            same = [items[j] for items in one.items.values()]
            for wave, items in one.items.items():
                value = 1.0 if marker else None
                name = None if marker else label.get("loadings")
                terms.append(Term(one.latent(wave), "=~", (items[j],), name, value))
                terms.append(Term(items[j], "~", ("1",), label.get("intercepts")))
                terms.append(Term(items[j], "~~", (items[j],), label.get("residuals")))
            terms += [Term(a, "~~", (b,)) for a, b in combinations(same, 2)]
        if "intercepts" in equal:
            terms += [Term(one.latent(w), "~", ("1",)) for w in one.items if w != one.first]
    terms.sort(key=lambda term: term.op != "=~")
    return assembled(terms, (), False, f"waves, {level}")


def nothing_equal(construct: str, word: str) -> SpecError:
    """Nothing is left by which the waves of a construct could be compared."""
    return SpecError(
        f"all {word} of '{construct}' are released, so that its waves have nothing in common",
        hint="Keep those of one item equal at least, or ask for the configural level alone.",
    )


def wave_fits(
    survey: Survey,
    asked: Sequence[Waves],
    *,
    levels: Sequence[str] | None = None,
    release: Sequence[str] = (),
    sampling: Mapping[str, Any],
) -> dict[str, Result]:
    """Fit the levels that are asked for, least equal first.

    Raises
    ------
    SpecError
        An unknown level, something to release that is not of the first wave, all items released.
    DataError
        An item that does not exist, or that everybody answered alike.
    """
    chosen = chosen_levels(LEVELS, levels)
    known = {item for one in asked for item in one.items[one.first]}
    for text in release:
        word, _, item = ("", "", text) if text in known else text.partition(".")
        if item not in known:
            raise SpecError(f"'{text}' cannot be released", hint=nearest(item or text, known))
        if word and word not in LEVELS[1:]:
            raise SpecError(f"'{text}' cannot be released", hint=nearest(word, LEVELS[1:]))
    items = [item for one in asked for own in one.items.values() for item in own]
    numbers = with_numbers(survey, item_numbers(survey, items)[0])
    return {level: fit(compose(wave_model(asked, level, release)), numbers, **sampling) for level in chosen}


def wave_table(results: Mapping[str, Result], levels: Sequence[str] = LEVELS) -> pd.DataFrame:
    """One row per level: what is equal, elpd, difference to the level before, verdict in words.

    Returns
    -------
    DataFrame
        level, equal, elpd, p_loo, elpd_diff, se_diff, verdict; see
        :func:`medpsy.posterior.invariance.invariance_table`.
    """
    rows: list[dict[str, Any]] = []
    before: tuple[str, Any] | None = None
    for level, result in results.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # Pareto k is the gate's business
            own = loo(result)
        row: dict[str, Any] = {
            "level": level, "equal": ", ".join(levels[1 : levels.index(level) + 1]) or "nothing",
            "elpd": float(own.elpd), "p_loo": float(own.p), "elpd_diff": np.nan, "se_diff": np.nan,
            "verdict": "the waves have all to themselves" if level == CONFIGURAL else "",
        }  # fmt: skip
        if before is not None:
            each = own.elpd_i.to_numpy() - before[1].elpd_i.to_numpy()
            row["elpd_diff"] = float(each.sum())
            row["se_diff"] = float(np.sqrt(each.size * each.var(ddof=1)))
            row["verdict"] = verdict(row["elpd_diff"], row["se_diff"], before[0])
        rows.append(row)
        before = (level, own)
    return pd.DataFrame(rows)


def wave_means(
    results: Mapping[str, Result],
    asked: Sequence[Waves],
    *,
    interval: float = 0.95,
    levels: Sequence[str] = LEVELS,
    known: str = "intercepts",
) -> pd.DataFrame:
    """Change of the latent mean between every two waves, under every level from ``known`` on.

    Returns
    -------
    DataFrame
        level, construct, group (the later wave), against, difference (in units of the item whose
        loading is 1; of ordinal items in sds of the first wave), d (in pooled sds of the two waves), lower,
        upper (of d), p_direction, stability (correlation of the construct with itself).
    """
    rows: list[tuple[Any, ...]] = []
    for level, result in results.items():
        if levels.index(level) < levels.index(known):
            continue
        mean, sd, r = latent_moments(result)
        for one in asked:
            for early, late in combinations(one.items, 2):
                a, b = one.latent(early), one.latent(late)
                own = change_row((mean[a], mean[b]), (sd[a], sd[b]), interval)
                rows.append((level, one.construct, late, early, *own, float(r[a, b].mean())))
    return pd.DataFrame(rows, columns=list(MEANS))


def change_row(
    mean: tuple[np.ndarray, np.ndarray], sd: tuple[np.ndarray, np.ndarray], interval: float
) -> tuple[float, ...]:
    """Difference, d, its bounds and its direction, from draws of an early and a late wave."""
    change = mean[1] - mean[0]
    d = change / np.sqrt((sd[0] ** 2 + sd[1] ** 2) / 2)
    lower, upper = bounds(d, interval)
    return (float(change.mean()), float(d.mean()), float(lower), float(upper), float(direction(d)))


def latent_moments(
    result: Result,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[tuple[str, str], np.ndarray]]:
    """Means and sds (draw,) of the latent variables of a linear model, raw units, and their correlations."""
    data, p = result.data, thinned(result, 2000)
    layout = data.layout
    place, chol = system(data.model.structure.equations(p, layout, Numpy), layout, Numpy)
    size = len(next(iter(p.values())))
    covariance = np.broadcast_to(chol @ np.swapaxes(chol, -1, -2), (size, *chol.shape[-2:]))
    latent = (*data.model.spec.latents, *(c.name for c in data.model.spec.constructs))
    at = {name: layout.nodes.index(name) for name in latent}
    spread = np.sqrt(np.diagonal(covariance, axis1=-2, axis2=-1))
    mean = {
        name: np.broadcast_to(layout.centre[i] + layout.unit[i] * place[..., i, 0], size)
        for name, i in at.items()
    }
    sd = {name: layout.unit[i] * spread[:, i] for name, i in at.items()}
    r = {
        (a, b): covariance[:, at[a], at[b]] / (spread[:, at[a]] * spread[:, at[b]])
        for a, b in combinations(at, 2)
    }
    return mean, sd, r
