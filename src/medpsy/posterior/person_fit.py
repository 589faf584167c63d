"""Whether each person answered as the model expects of someone with that score."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import pandas as pd

from medpsy.bind import local
from medpsy.classical.describe import asked_order
from medpsy.classical.person_fit import Likelihood, likelihood
from medpsy.errors import FitError, SpecError, nearest
from medpsy.families.base import Block
from medpsy.families.composite import Composite
from medpsy.ops import Numpy
from medpsy.posterior.nested_items import FIRST, OFFSETS, STEP
from medpsy.posterior.person_modes import person_modes, posterior_means
from medpsy.posterior.replicates import Replicates, check_alpha, in_groups
from medpsy.result import Result

#: So many unlikely answers are named, beyond the first only those less probable than this.
NAMED, UNLIKELY = 3, 0.10


def person_fit(
    result: Result,
    construct: str | None = None,
    *,
    draws: int = 200,
    alpha: float = 0.05,
    seed: int = 0,
    made: Replicates | None = None,
) -> pd.DataFrame:
    """Fit of every person.

    Parameters
    ----------
    result : Result
    construct : str, optional
        Judge the answers to its items only; by default all answers with categories.
    draws, alpha, seed, made
        As in :func:`medpsy.posterior.item_fit.item_fit`.

    Returns
    -------
    DataFrame
        One row per person in the order of the survey: ``person``, ``answers`` (how many), ``ppp``: share of
        draws in which new answers of the same person are at most as probable as the given ones, small where
        these are unexpected; ``lz`` (standardised log-probability at the MAP scores as if these were known,
        which is too near 0) and ``lz_star`` (corrected for their being estimated; about standard normal,
        below -1.64 in one of twenty; NaN where there are no MAP scores and with specific factors); ``flag``:
        whether ``ppp`` is below ``alpha``; ``unlikely``: for flagged persons the least probable answer at
        their scores and up to two more below 10 %, as ``item = label (probability)``. NaN for who answered
        nothing. ``attrs``: ``flags``, ``by_chance`` (at most, on average, if the model were true),
        ``persons``.

    Raises
    ------
    SpecError
        An unknown construct, no item with categories, an impossible number of draws or level.

    Notes
    -----
    Posterior predictive p value: Glas & Meijer (2003, doi:10.1177/0146621603027003003). lz*: Snijders (2001,
    doi:10.1007/BF02294437), Sinharay (2016, doi:10.1007/s11336-015-9465-x). Scores of the replicates are the
    plausible values of the person.
    """
    table = _person_fit(result, construct, draws=draws, alpha=alpha, seed=seed, made=made)
    groups = result.data.groups
    if groups is None:
        return table
    order = np.argsort(np.concatenate(groups.rows), kind="stable")
    return table.iloc[order].reset_index(drop=True)


@in_groups
def _person_fit(
    result: Result,
    construct: str | None,
    *,
    draws: int,
    alpha: float,
    seed: int,
    made: Replicates | None = None,
) -> pd.DataFrame:
    """The table; of a fit with groups, group after group."""
    check_alpha(alpha)
    made = made or Replicates(result, draws, seed)
    blocks = _chosen(made, construct)
    below, chance = _replicated(made, blocks)
    answers = sum(((block.values >= 0).sum(axis=1) for block in blocks), np.zeros(result.data.n_person, int))
    share = np.where(answers > 0, below, np.nan)
    lz, star = _standardised(result, blocks)
    flag = share < alpha
    unlikely = [
        _unlikely(made, blocks, chance, row) if flagged else "" for row, flagged in enumerate(flag.tolist())
    ]
    table = pd.DataFrame(
        {
            "person": result.data.person.astype(str), "answers": answers, "ppp": share, "lz": lz,
            "lz_star": star, "flag": flag, "unlikely": unlikely,
        }
    )  # fmt: skip
    persons = int((answers > 0).sum())
    table.attrs = {
        "alpha": alpha, "persons": persons, "flags": int(flag.sum()), "by_chance": alpha * persons,
    }  # fmt: skip
    return table


def _chosen(made: Replicates, construct: str | None) -> list[Block]:
    names = dict.fromkeys(block.construct.name for block in made.blocks)
    if construct is not None and construct not in names:
        raise SpecError(
            f"the model has no construct '{construct}' with categories", hint=nearest(construct, names)
        )
    return [block for block in made.blocks if construct in (None, block.construct.name)]


def _replicated(made: Replicates, blocks: list[Block]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Posterior predictive p value (person,), and mean probability (person, item) of every given answer."""
    below = np.zeros(made.data.n_person)
    chance = [np.zeros(block.values.shape) for block in blocks]
    for s in range(len(made)):
        new = made.same_persons(s)
        given, other = np.zeros(made.data.n_person), np.zeros(made.data.n_person)
        for block, mean in zip(blocks, chance, strict=True):
            table = made.log_prob(s, block, made.theta[s][:, block.factor])
            own = _of(table, block.values)
            mean += np.exp(own) / len(made)
            given += own.sum(axis=1)
            other += _of(table, new[block.name]).sum(axis=1)
        # The same answers count as equally probable, whatever the order of the sum.
        below += other <= given + 1e-9 * np.abs(given)
    return (below + 0.5) / (len(made) + 1), chance


def _of(table: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Log-probability (person, item) of the answers; 0 where none was given."""
    own = np.take_along_axis(table, np.maximum(codes, 0).astype(int)[:, :, None], axis=2)[:, :, 0]
    return np.where(codes >= 0, own, 0.0)


def _standardised(result: Result, blocks: list[Block]) -> tuple[np.ndarray, np.ndarray]:
    """lz and lz* (person,), NaN where there are no MAP scores or answers depend on specific factors, too."""
    nothing = np.full(result.data.n_person, np.nan)
    if any(isinstance(result.model.families[block.construct.name], Composite) for block in blocks):
        return nothing, nothing
    try:
        mode, _ = person_modes(result)
    except FitError:
        return nothing, nothing
    p = posterior_means(result)
    total = None
    for block in blocks:
        family = result.model.families[block.construct.name]
        theta = mode[:, block.factor]
        nodes = (theta + STEP * OFFSETS[:, None]).ravel()
        table = family.log_prob(nodes, local(result.data, block, p), Numpy)
        table = table.reshape(*table.shape[:2], len(OFFSETS), -1)
        with np.errstate(invalid="ignore"):
            slope = np.einsum("o,jkoi->ijk", FIRST, table) / STEP
        log_prob = np.moveaxis(table[:, :, len(OFFSETS) // 2], -1, 0)
        # At the mode the slopes of log prior and log-probability cancel.
        total = _plus(total, likelihood(log_prob, slope, block.values, -_of(slope, block.values).sum(axis=1)))
    assert total is not None
    return total.lz, total.lz_star


def _plus(one: Likelihood | None, other: Likelihood) -> Likelihood:
    if one is None:
        return other
    return Likelihood(*(getattr(one, f.name) + getattr(other, f.name) for f in fields(Likelihood)))


@dataclass(frozen=True)
class _Answer:
    """One answer as it is told."""

    text: str
    chance: float


def _unlikely(made: Replicates, blocks: list[Block], chance: list[np.ndarray], row: int) -> str:
    """The least probable answers of one person, in words."""
    found = []
    survey = made.result.survey
    for block, mean in zip(blocks, chance, strict=True):
        for j in np.flatnonzero(block.values[row] >= 0):
            item = block.construct.items[j]
            module = survey.instrument.module_of(item)
            place = int(np.argmax(asked_order(survey, [item])[0] == block.values[row, j]))
            label = f"'{module.labels[place]}'" if module.labels else str(module.codes[place])
            found.append(_Answer(f"{item} = {label}", float(mean[row, j])))
    first, *others = sorted(found, key=lambda answer: answer.chance)[:NAMED]
    worst = [first, *(answer for answer in others if answer.chance < UNLIKELY)]
    return "; ".join(f"{answer.text} ({answer.chance:.3f})" for answer in worst)
