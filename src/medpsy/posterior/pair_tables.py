"""Two-way tables of all pairs of ordinal items: observed, expected and replicated at posterior draws."""

from __future__ import annotations

import math
import weakref
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from medpsy.bind import local
from medpsy.classical.polychoric import Tables, table_correlations
from medpsy.classical.residuals import freeman_tukey, one_hot
from medpsy.errors import DataError
from medpsy.families.probabilities import answer_probabilities
from medpsy.posterior.draws import at
from medpsy.posterior.replicates import Replicates
from medpsy.simulate import simulate_from

#: Expected tables are means of answer probabilities over so many persons drawn from the model, at least.
POINTS = 1000


@dataclass(frozen=True)
class PairDraws:
    """What is known of all pairs at every draw; pairs are in the order of ``numpy.triu_indices``.

    Parameters
    ----------
    items, constructs : tuple of str
        Items with categories, and the construct of each.
    n : int
        Persons.
    together : ndarray, shape (pair,)
        Persons who answered both.
    distance, replicated_distance : ndarray, shape (draw, pair)
        Freeman-Tukey distance of the two-way table from the expected one, of the answers and of new ones.
    observed : ndarray, shape (pair,)
        Polychoric correlations of the answers.
    implied, replicated : ndarray, shape (draw, pair)
        Of the expected tables, and of new answers (NaN where an item came out constant).
    """

    items: tuple[str, ...]
    constructs: tuple[str, ...]
    n: int
    together: np.ndarray
    distance: np.ndarray
    replicated_distance: np.ndarray
    observed: np.ndarray
    implied: np.ndarray
    replicated: np.ndarray


_KNOWN: weakref.WeakKeyDictionary[Replicates, PairDraws] = weakref.WeakKeyDictionary()


def pair_draws(made: Replicates) -> PairDraws:
    """Return all two-way tables in numbers; made once for the same replicates.

    Raises
    ------
    DataError
        Fewer than two items with categories, or one that was answered with a single category.
    """
    if made not in _KNOWN:
        _KNOWN[made] = _PairTables(made).compare()
    return _KNOWN[made]


class _PairTables:
    """Tables of one fit without groups."""

    def __init__(self, made: Replicates) -> None:
        self.made, self.blocks = made, made.blocks
        self.items = tuple(item for block in self.blocks for item in block.construct.items)
        if len(self.items) < 2:
            raise DataError("one item has no two-way tables", hint="Use fit.item_fit() for a single item.")
        self.sizes = [int(size) for block in self.blocks for size in block.sizes]
        self.starts = np.concatenate([[0], np.cumsum(self.sizes)[:-1]])
        self.first, self.second = np.triu_indices(len(self.items), 1)
        self.codes = np.concatenate([block.values for block in self.blocks], axis=1)

    @cached_property
    def together(self) -> np.ndarray:
        """Persons (item, item) who answered both."""
        given = (self.codes >= 0).astype(float)
        return given.T @ given

    def compare(self) -> PairDraws:
        """Tables at every draw."""
        tables = Tables(_numbers(self.codes), self.items)
        observed = tables.estimate(tables.codes)
        counts = self.counts(self.codes)
        persons = np.repeat(np.repeat(self.together, self.sizes, axis=0), self.sizes, axis=1)
        distance: list[np.ndarray] = []
        replicated: list[np.ndarray] = []
        implied: list[np.ndarray] = []
        new: list[np.ndarray] = []
        for s in range(len(self.made)):
            share = self.shares(s)
            answers = self.answers(s)
            distance.append(self.distance(counts, persons * share))
            replicated.append(self.distance(self.counts(answers), persons * share))
            implied.append(table_correlations(self.padded(share), implied[-1] if implied else observed))
            new.append(self.correlations(answers, implied[-1]))
        return PairDraws(
            items=self.items,
            constructs=tuple(b.construct.name for b in self.blocks for _ in b.construct.items),
            n=int((self.codes >= 0).any(axis=1).sum()),
            together=self.together[self.first, self.second].astype(int),
            distance=np.stack(distance), replicated_distance=np.stack(replicated),
            observed=observed, implied=np.stack(implied), replicated=np.stack(new),
        )  # fmt: skip

    def shares(self, draw: int) -> np.ndarray:
        """Expected share (cell, cell) of the persons with each pair of answers; the diagonal is no pair.

        Mean over persons who are drawn with the covariates of the data, of the product of the probabilities
        of both answers: answers are independent given all scores.
        """
        data, p = self.made.data, at(self.made.p, draw)
        rng = np.random.default_rng((self.made.seed, 3, draw))
        rounds = math.ceil(POINTS / data.n_person)
        theta = np.concatenate([simulate_from(data, p, rng)[0] for _ in range(rounds)])
        by_name = {block.construct.name: theta[:, block.factor] for block in data.blocks}
        rows = []
        for block in self.blocks:
            family, name = data.model.families[block.construct.name], block.construct.name
            table = answer_probabilities(family, name, by_name, local(data, block, p), rng)
            rows += [own[:size] for own, size in zip(table, block.sizes, strict=True)]
        prob = np.concatenate(rows)
        return prob @ prob.T / prob.shape[1]

    def answers(self, draw: int) -> np.ndarray:
        """Codes (person, item) of new persons."""
        made = self.made.new_persons(draw)[1]
        return np.concatenate([made[block.name] for block in self.blocks], axis=1)

    def counts(self, codes: np.ndarray) -> np.ndarray:
        """Counts (cell, cell) of pairs of answers."""
        cells = one_hot(codes, self.sizes)
        return cells.T @ cells

    def distance(self, counts: np.ndarray, expected: np.ndarray) -> np.ndarray:
        """Distances (pair,) of tables from what is expected."""
        return freeman_tukey(counts, expected, self.starts)[self.first, self.second]

    def padded(self, share: np.ndarray) -> np.ndarray:
        """Expected tables (pair, category, category); categories that an item does not have are empty."""
        most = max(self.sizes)
        where = np.concatenate([j * most + np.arange(size) for j, size in enumerate(self.sizes)])
        wide = np.zeros((len(self.items) * most,) * 2)
        wide[np.ix_(where, where)] = share
        tables = wide.reshape(len(self.items), most, len(self.items), most).transpose(0, 2, 1, 3)
        return np.ascontiguousarray(tables[self.first, self.second])

    def correlations(self, codes: np.ndarray, start: np.ndarray) -> np.ndarray:
        """Polychoric correlations (pair,) of new answers; NaN where an item came out constant."""
        try:
            tables = Tables(_numbers(codes), self.items)
        except DataError:
            return np.full(len(self.first), np.nan)
        return tables.estimate(tables.codes, start=start)


@dataclass(frozen=True)
class CellCounts:
    """Counts (cell, cell) of all pairs of answers; the categories of item j begin at ``starts[j]``."""

    items: tuple[str, ...]
    starts: np.ndarray
    observed: np.ndarray
    expected: np.ndarray


def cell_counts(made: Replicates) -> CellCounts:
    """Observed counts of every pair of answers, within constructs and across them, and the expected ones.

    The expectation is a mean over the draws, in each over at least 1,000 persons drawn from the model.
    """
    tables = _PairTables(made)
    persons = np.repeat(np.repeat(tables.together, tables.sizes, axis=0), tables.sizes, axis=1)
    share = np.mean([tables.shares(s) for s in range(len(made))], axis=0)
    return CellCounts(tables.items, tables.starts, tables.counts(tables.codes), persons * share)


def _numbers(codes: np.ndarray) -> np.ndarray:
    return np.where(codes < 0, np.nan, codes.astype(float))
