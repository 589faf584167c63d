"""The items of one construct at posterior draws: tables of log-probabilities on an axis of sds.

Whatever is computed here comes from ``family.log_prob`` alone, so that every response family is served.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medpsy.bind import ModelData, local
from medpsy.errors import SpecError, nearest
from medpsy.families.base import Block
from medpsy.families.composite import Composite
from medpsy.ops import Numpy
from medpsy.posterior.draws import at, population, thinned
from medpsy.result import Result

#: Central differences of eighth order (Fornberg, 1988, doi:10.1090/S0025-5718-1988-0935077-0): offsets in
#: steps, weights of the first and of the second derivative.
OFFSETS = np.arange(-4, 5)
FIRST = np.array([1 / 280, -4 / 105, 1 / 5, -4 / 5, 0, 4 / 5, -1 / 5, 4 / 105, -1 / 280])
SECOND = np.array([-1 / 560, 8 / 315, -1 / 5, 8 / 5, -205 / 72, 8 / 5, -1 / 5, 8 / 315, -1 / 560])
#: Step in residual sds of a construct: small against the width of any item curve, large against rounding.
STEP = 0.01


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
        """Refuse what needs answers that are independent given the construct.

        Raises
        ------
        SpecError
            The items share specific factors.
        """
        if shares_specific_factors(self.blocks[0], self.data):
            raise SpecError(
                f"the items of '{self.blocks[0].construct.name}' share specific factors: {what} does not add "
                "up over them",
                hint="Use the scores of the persons, which count every factor: fit.scores().",
            )

    def log_prob(self, draw: int, theta: np.ndarray) -> list[np.ndarray]:
        """Log-probabilities (category, node) of every item; ``theta`` (node,) in sds of the construct."""
        inner = self.centre[draw] + self.sd[draw] * theta
        tables: list[np.ndarray] = []
        for block, parameters in self._parameters(draw):
            family = self.data.model.families[block.construct.name]
            tables += list(family.log_prob(inner, parameters, Numpy))
        return [table[:size] for table, size in zip(tables, self.categories, strict=True)]

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
    """Whether the answers of a block depend on one another given the construct (bifactor, testlet)."""
    return isinstance(data.model.families[block.construct.name], Composite)


def item_scores(result: Result, items: Sequence[str]) -> list[np.ndarray]:
    """What each (turned) category of every item counts: the codes of the file, lowest first."""
    return [np.array(result.survey.instrument.module_of(item).codes, dtype=float) for item in items]
