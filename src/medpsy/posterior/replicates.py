"""The answers beside answers that the model would give: what posterior predictive checks compare.

Gelman, A., Meng, X.-L., & Stern, H. (1996). Posterior predictive assessment of model fitness via realized
discrepancies. Statistica Sinica, 6, 733-807; for items Sinharay, S., Johnson, M. S., & Stern, H. S. (2006).
Applied Psychological Measurement, 30, 298-321. doi:10.1177/0146621605285517
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import cached_property, wraps
from typing import Any, Concatenate

import numpy as np
import pandas as pd

from medpsy.bind import local
from medpsy.errors import SpecError
from medpsy.families.base import Block
from medpsy.families.crossed import draw_answers
from medpsy.ops import Numpy
from medpsy.posterior.by_group import views
from medpsy.posterior.draws import at, check_count, thinned
from medpsy.posterior.scores import scores
from medpsy.result import Result
from medpsy.simulate import simulate_from


class Replicates:
    """Posterior draws with scores of the persons, and new answers at each.

    Parameters
    ----------
    result : Result
    draws : int
        Posterior draws, at even distances; all if there are fewer.
    seed : int
        Of scores and new answers.

    Raises
    ------
    SpecError
        An impossible number of draws, or a model without items that have categories.
    """

    def __init__(self, result: Result, draws: int = 200, seed: int = 0) -> None:
        check_count(draws)
        self.result, self.data, self.draws, self.seed = result, result.data, draws, seed
        self.blocks = [block for block in self.data.blocks if block.n_categories]
        if not self.blocks:
            raise SpecError(
                "the model has no items with answer categories", hint="Fit of items and persons is for these."
            )
        self.p = thinned(result, draws)

    def __len__(self) -> int:
        return len(next(iter(self.p.values())))

    @cached_property
    def theta(self) -> np.ndarray:
        """Plausible values (draw, person, factor), each at its own draw of the parameters."""
        return scores(self.result, draws=self.draws, seed=self.seed)["draw"].to_numpy()

    def new_persons(self, draw: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Scores (person, factor) and answers (person, item) by construct of new persons.

        With the covariates and the missing answers of the data.
        """
        theta, answers = simulate_from(self.data, at(self.p, draw), self._rng(draw, 1))
        named = zip(self.data.blocks, answers, strict=True)
        return theta, {block.name: made for block, made in named if block.n_categories}

    def same_persons(self, draw: int) -> dict[str, np.ndarray]:
        """New answers (person, item) by construct of the same persons, at their plausible values."""
        rng, out = self._rng(draw, 2), {}
        for block in self.blocks:
            family = self.data.model.families[block.construct.name]
            scores = self.theta[draw]
            theta = {other.construct.name: scores[:, other.factor] for other in self.data.blocks}
            own = local(self.data, block, at(self.p, draw))
            made = draw_answers(family, block.construct.name, theta, own, rng)
            out[block.name] = np.where(block.values < 0, block.values, made)
        return out

    def log_prob(self, draw: int, block: Block, theta: np.ndarray) -> np.ndarray:
        """Log-probabilities (person, item, category) at the scores ``theta`` (person,)."""
        family = self.data.model.families[block.construct.name]
        table = family.log_prob(theta, local(self.data, block, at(self.p, draw)), Numpy)
        return np.moveaxis(table, -1, 0)

    def _rng(self, draw: int, purpose: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, purpose, draw))


_LAST: list[tuple[weakref.ref[Result], Replicates]] = []


def shared(result: Result) -> Replicates | None:
    """200 draws with scores of the result that was last asked about, made once; None for one with groups."""
    if result.data.groups is not None:
        return None
    if not _LAST or _LAST[0][0]() is not result:
        _LAST[:] = [(weakref.ref(result), Replicates(result))]
    return _LAST[0][1]


def ppp(observed: np.ndarray, replicated: np.ndarray) -> np.ndarray:
    """Posterior predictive p value: share of draws (first axis) whose replicate is at least as far off.

    Half a draw is added on either side, so that no share is 0 or 1: so few draws cannot tell.

    Parameters
    ----------
    observed, replicated : ndarray, shape (draw, ...)
        Discrepancy of the answers, and of new answers, at the same draws.

    Returns
    -------
    ndarray, shape (...)
        NaN where the discrepancy is not defined in any draw.
    """
    known = ~np.isnan(observed) & ~np.isnan(replicated)
    n = known.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        # Equal but for rounding counts as equal.
        reached = known & (replicated >= observed - 1e-9 * np.abs(observed))
        return (reached.sum(axis=0) + 0.5) / np.where(n > 0, n + 1, np.nan)


def check_alpha(alpha: float) -> None:
    """Refuse a level that is no probability below one half.

    Raises
    ------
    SpecError
    """
    if isinstance(alpha, bool) or not isinstance(alpha, int | float | np.number) or not 0 < alpha < 0.5:
        raise SpecError(f"alpha = {alpha!r} is no level for flags", hint="Give a number such as 0.05.")


def in_groups[**P](
    table: Callable[Concatenate[Result, P], pd.DataFrame],
) -> Callable[Concatenate[Result, P], pd.DataFrame]:
    """Make a table of a fit with groups one of all groups, with a first column ``group``; counts add up.

    The argument ``made`` is for fits without groups and ignored otherwise.
    """

    @wraps(table)
    def inner(result: Result, *args: P.args, **kwargs: P.kwargs) -> pd.DataFrame:
        if result.data.groups is None:
            return table(result, *args, **kwargs)
        kwargs.pop("made", None)
        tables = {level: table(one, *args, **kwargs) for level, one in views(result).items()}
        out = pd.concat([frame.assign(group=level) for level, frame in tables.items()], ignore_index=True)
        out.insert(0, "group", out.pop("group"))
        out.attrs = _added({level: frame.attrs for level, frame in tables.items()})
        return out

    return inner


def _added(attrs: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Counts of all groups together; what belongs to a construct is named with its group."""
    every = list(attrs.values())
    out: dict[str, Any] = {}
    for key, first in every[0].items():
        if key in ("ppp", "incomplete"):
            out[key] = {
                f"{name} ({level})": v for level, own in attrs.items() for name, v in own[key].items()
            }
        elif isinstance(first, dict):
            out[key] = {kind: sum(own[key][kind] for own in every) for kind in first}
        else:
            out[key] = first if key == "alpha" else sum(own[key] for own in every)
    return out


def by_group(table: pd.DataFrame) -> pd.DataFrame:
    """The same table with every construct of every group under a name of its own, for figures and reports."""
    if "group" not in table.columns:
        return table
    out = table.copy()
    for column in ("construct", "construct_1", "construct_2"):
        if column in out.columns:
            out[column] = [f"{name} ({g})" for name, g in zip(out[column], out["group"], strict=True)]
    return out
