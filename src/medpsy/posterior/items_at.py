"""The items of one construct at posterior draws: tables of log-probabilities on an axis of sds.

Whatever is computed here comes from ``family.log_prob`` alone, so that every response family is served.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medpsy.bind import ModelData, local
from medpsy.classical.sum_scores import sum_scores
from medpsy.errors import SpecError, nearest
from medpsy.families.base import Block
from medpsy.families.composite import Composite
from medpsy.families.crossed import Crossed
from medpsy.families.nested import Nested
from medpsy.ops import Numpy
from medpsy.posterior.draws import at, population, thinned
from medpsy.posterior.nested_items import FIRST, OFFSETS, STEP, nested_information, nested_sums, placed
from medpsy.result import Result

#: Weights of the second derivative, at the offsets of the first.
SECOND = np.array([-1 / 560, 8 / 315, -1 / 5, 8 / 5, -205 / 72, 8 / 5, -1 / 5, 8 / 315, -1 / 560])


def blocks_of(result: Result, construct: str, *, categorical: bool = True) -> list[Block]:
    """Blocks of answers to the items of a construct.

    Raises
    ------
    SpecError
        There is no such construct; or ``categorical`` and its items are numbers.
    """
    names = list(dict.fromkeys(block.construct.name for block in result.data.blocks))
    found = [block for block in result.data.blocks if block.construct.name == construct]
    if not found:
        raise SpecError(f"the model has no construct '{construct}'", hint=nearest(construct, names))
    if categorical and any(block.n_categories == 0 for block in found):
        raise SpecError(
            f"the items of '{construct}' are numbers and have no categories",
            hint="This is for items with answer categories.",
        )
    return found


class ItemsAt:
    """Items of one construct, and the distribution of the construct over the persons, at posterior draws.

    Parameters
    ----------
    result : Result
    construct : str
    draws : int
        At most so many, evenly spaced.
    categorical : bool
        Whether items that are numbers are refused.

    Attributes
    ----------
    items : tuple of str
    categories : tuple of int
        Number of categories of every item; 0 for numbers.
    centre, sd : ndarray, shape (draw,)
        Mean and sd of the construct over the persons, covariates included, internal scale.
    within : ndarray, shape (draw,)
        Its sd given the covariates, in units of ``sd``: 1 without covariates.

    Raises
    ------
    SpecError
        As :func:`blocks_of`.
    """

    def __init__(self, result: Result, construct: str, draws: int, *, categorical: bool = True) -> None:
        self.data = result.data
        self.blocks = blocks_of(result, construct, categorical=categorical)
        self.items = tuple(item for block in self.blocks for item in block.construct.items)
        module_of = result.survey.instrument.module_of
        self.categories = tuple(
            module_of(item).n_categories if block.n_categories else 0
            for block in self.blocks
            for item in block.construct.items
        )
        self.p = thinned(result, draws)
        factor = self.blocks[0].factor
        self._weight, location, spread = population(result.data, self.p)
        self._place = location[..., factor]
        self.centre = self._place @ self._weight
        between = ((self._place - self.centre[:, None]) ** 2) @ self._weight
        self.sd = np.sqrt(between + spread[:, factor] ** 2)
        self.within = spread[:, factor] / self.sd

    def __len__(self) -> int:
        return len(self.sd)

    def independent(self, what: str) -> None:
        """Refuse what needs answers that depend on the construct and its specific factors alone.

        Raises
        ------
        SpecError
            Items measure another construct, too.
        """
        name = self.blocks[0].construct.name
        if isinstance(self.data.model.families[name], Crossed):
            raise SpecError(
                f"items of '{name}' measure another construct, too: {what} depends on both",
                hint="Use the scores of the persons, which count every construct: fit.scores().",
            )

    def log_prob(self, draw: int, theta: np.ndarray) -> list[np.ndarray]:
        """Log-probabilities (category, node) of every item; ``theta`` (node,) in sds of the construct."""
        inner = self.centre[draw] + self.sd[draw] * theta
        tables: list[np.ndarray] = []
        for block, parameters in self._parameters(draw):
            family = self.data.model.families[block.construct.name]
            tables += list(family.log_prob(inner, parameters, Numpy))
        return [table[:size] for table, size in zip(tables, self.categories, strict=True)]

    def module_information(self, draw: int, theta: np.ndarray) -> np.ndarray:
        """Information (node,) of all items together, per squared sd of the construct.

        The sum over the items; where they share specific factors, these are integrated out.
        """
        block, parameters = self._parameters(draw)[0]
        family = self.data.model.families[block.construct.name]
        if not isinstance(family, Nested):
            return np.asarray(self.information(draw, theta).sum(axis=0))
        inner = self.centre[draw] + self.sd[draw] * theta
        rng = np.random.default_rng(draw)
        return nested_information(family, parameters, inner, rng) * self.sd[draw] ** 2

    def sums(self, draw: int, theta: np.ndarray, places: Sequence[np.ndarray]) -> np.ndarray:
        """Distribution (sum, node) of the sum of all items; ``places``: points of every category."""
        block, parameters = self._parameters(draw)[0]
        family = self.data.model.families[block.construct.name]
        if isinstance(family, Nested):
            inner = self.centre[draw] + self.sd[draw] * theta
            return nested_sums(family, parameters, inner, list(places))
        tables = zip(self.log_prob(draw, theta), places, strict=True)
        return sum_scores([placed(np.exp(table), place) for table, place in tables])

    def information(self, draw: int, theta: np.ndarray) -> np.ndarray:
        """Fisher information (item, node) about the construct, per squared sd of the construct.

        Sum over the categories of P'(theta)^2 / P(theta) (Samejima, 1969, doi:10.1007/BF03372160); for a
        number with a normal residual (derivative of the mean / residual sd)^2.
        """
        out: list[np.ndarray] = []
        shifted = (self.centre[draw] + self.sd[draw] * theta) + STEP * OFFSETS[:, None]
        for block, parameters in self._parameters(draw):
            family = self.data.model.families[block.construct.name]
            if block.n_categories:
                table = family.log_prob(shifted.ravel(), parameters, Numpy)
                table = table.reshape(*table.shape[:-1], len(OFFSETS), -1)
                with np.errstate(invalid="ignore"):
                    slope = np.einsum("o,jkoq->jkq", FIRST, table) / STEP
                    weighted = np.exp(table[:, :, 4]) * slope**2
                # A category that cannot be chosen (log-probability -inf) tells nothing.
                out += list(np.where(np.isfinite(weighted), weighted, 0.0).sum(axis=1))
            else:
                mean, sd = family.log_prob(shifted.ravel(), parameters, Numpy)
                slope = np.einsum("o,joq->jq", FIRST, mean.reshape(len(mean), len(OFFSETS), -1)) / STEP
                out += list((slope / sd) ** 2)
        return np.stack(out) * self.sd[draw] ** 2

    def density(self, draw: int, theta: np.ndarray) -> np.ndarray:
        """Share of the persons (node,) at equally spaced ``theta``, in sds of the construct; sums to one."""
        place = (self._place[draw] - self.centre[draw]) / self.sd[draw]
        log = -0.5 * ((theta - place[:, None]) / self.within[draw]) ** 2
        mass = self._weight @ np.exp(log)
        return np.asarray(mass / mass.sum())

    def _parameters(self, draw: int) -> list[tuple[Block, dict[str, np.ndarray]]]:
        p = at(self.p, draw)
        return [(block, local(self.data, block, p)) for block in self.blocks]


def shares_specific_factors(block: Block, data: ModelData) -> bool:
    """Whether the answers of a block depend on more than their construct (bifactor, testlet, crossed)."""
    return isinstance(data.model.families[block.construct.name], Composite)


def item_scores(result: Result, items: Sequence[str]) -> list[np.ndarray]:
    """What each (turned) category of every item counts: the codes of the file, lowest first."""
    return [np.array(result.survey.instrument.module_of(item).codes, dtype=float) for item in items]
