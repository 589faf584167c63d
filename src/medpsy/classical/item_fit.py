"""S-X2: do persons with the same sum score answer an item as the model says?

Orlando, M., & Thissen, D. (2000). Likelihood-based item-fit indices for dichotomous item response theory
models. Applied Psychological Measurement, 24, 50-64. doi:10.1177/01466216000241003; for several categories
Kang, T., & Chen, T. T. (2008). Journal of Educational Measurement, 45, 391-406.
doi:10.1111/j.1745-3984.2008.00071.x
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medpsy.classical.sum_scores import rest_scores

#: Cells expected to hold fewer persons are joined with a neighbour.
SMALLEST_CELL = 1.0


@dataclass(frozen=True)
class Cells:
    """Which cells of a table (score, category) are counted together.

    Parameters
    ----------
    label : ndarray of int, shape (score, category)
        Number of the joint cell; -1 for what is left out.
    n_cells, n_groups : int
        Joint cells, and joint score groups, whose totals the statistic is given.
    """

    label: np.ndarray
    n_cells: int
    n_groups: int

    def total(self, table: np.ndarray) -> np.ndarray:
        """Sums (joint cell,) of a table (score, category)."""
        kept = self.label >= 0
        return np.bincount(self.label[kept], weights=table[kept], minlength=self.n_cells)


def score_tables(prob: Sequence[np.ndarray], weight: np.ndarray) -> list[np.ndarray]:
    """Joint probability of sum score and answer, for every item.

    Parameters
    ----------
    prob : sequence of ndarray
        Per item, probability (category, ..., node) of each category at each node.
    weight : ndarray, shape (..., node)
        Weights of the nodes, summing to one over the nodes.

    Returns
    -------
    list of ndarray, shape (score, category, ...)
        P(sum = r, answer = k) over the population that the weights describe.
    """
    out = []
    for table, rest in zip(prob, rest_scores(prob), strict=True):
        joint = np.zeros((len(rest) + len(table) - 1, len(table), *weight.shape[:-1]))
        for k, share in enumerate(table):
            joint[k : k + len(rest), k] = np.sum(rest * (share * weight), axis=-1)
        out.append(joint)
    return out


def observed_tables(codes: np.ndarray, n_categories: Sequence[int]) -> list[np.ndarray]:
    """Counts (score, category) of complete answers, for every item.

    Parameters
    ----------
    codes : ndarray of int, shape (person, item)
        Coded 0..K-1, none missing.
    n_categories : sequence of int
        K of every item.
    """
    total = codes.sum(axis=1, dtype=int)
    size = sum(n_categories) - len(n_categories) + 1
    return [
        np.bincount(total * k + codes[:, j], minlength=size * k).reshape(size, k)
        for j, k in enumerate(n_categories)
    ]


def given_score(joint: np.ndarray) -> np.ndarray:
    """P(answer = k | sum = r) from the joint table (score, category, ...); 0 where no such sum can be."""
    total = joint.sum(axis=1, keepdims=True)
    return np.divide(joint, total, out=np.zeros_like(joint), where=total > 0)


def join_cells(expected: np.ndarray, persons: np.ndarray) -> Cells:
    """Join neighbouring cells until each is expected to hold at least one person.

    The lowest and the highest sum, where the answer is certain, and sums that nobody has are left out. Sums
    so near an end that they rule a category out are counted with the nearest sum that does not (Kang & Chen,
    2008). In a score group the smallest cell joins its smaller neighbour, down to two cells; a group in
    which that is not enough is counted with the neighbouring group that has fewer persons, its first cell
    with their first, and so on.

    Parameters
    ----------
    expected : ndarray, shape (score, category)
        Expected counts.
    persons : ndarray, shape (score,)
        Persons (or expected persons) with each sum.
    """
    last, reach = len(persons) - 1, expected.shape[1] - 1
    home = np.clip(np.arange(len(persons)), reach, max(last - reach, reach))
    inside = (np.arange(len(persons)) > 0) & (np.arange(len(persons)) < last)
    groups = []
    for centre in np.unique(home[inside]):
        rows = np.flatnonzero(inside & (home == centre))
        if persons[rows].sum() > 0:
            groups.append(_Group.of(rows, expected[rows].sum(axis=0), float(persons[rows].sum())))
    while len(groups) > 1 and any(group.small for group in groups):
        at = next(at for at, group in enumerate(groups) if group.small)
        sides = [side for side in (at - 1, at + 1) if 0 <= side < len(groups)]
        other = min(sides, key=lambda side: groups[side].persons)
        low, high = sorted((at, other))
        groups[low : high + 1] = [groups[low].with_next(groups[high])]
    label = np.full(expected.shape, -1)
    start = 0
    for group in groups:
        for row, places in group.places.items():
            label[row] = start + places
        start += len(group.size)
    return Cells(label, start, len(groups))


@dataclass(frozen=True)
class _Group:
    """Sums that are counted together: the cell of every category of each, and what the cells hold."""

    places: dict[int, np.ndarray]
    size: np.ndarray
    persons: float

    @property
    def small(self) -> bool:
        """Whether a cell is still too small."""
        return bool((self.size < SMALLEST_CELL).any())

    @classmethod
    def of(cls, rows: np.ndarray, expected: np.ndarray, persons: float) -> _Group:
        """Join the categories of these sums, down to two cells."""
        cells, size = [[k] for k in range(len(expected))], [float(value) for value in expected]
        while len(cells) > 2 and min(size) < SMALLEST_CELL:
            # Of equally small cells the last one: an end that nobody reaches goes first.
            at = max(k for k, value in enumerate(size) if value == min(size))
            sides = [side for side in (at - 1, at + 1) if 0 <= side < len(cells)]
            other = min(sides, key=lambda side: size[side])
            low, high = sorted((at, other))
            cells[low : high + 1] = [cells[low] + cells[high]]
            size[low : high + 1] = [size[low] + size[high]]
        places = np.zeros(len(expected), dtype=int)
        for number, members in enumerate(cells):
            places[members] = number
        return cls({int(row): places for row in rows}, np.array(size), persons)

    def with_next(self, other: _Group) -> _Group:
        """Both groups as one, cell by cell."""
        size = np.zeros(max(len(self.size), len(other.size)))
        size[: len(self.size)] += self.size
        size[: len(other.size)] += other.size
        return _Group(self.places | other.places, size, self.persons + other.persons)


def pearson(observed: np.ndarray, proportion: np.ndarray, cells: Cells) -> float:
    """Sum over joint cells of (O - E)^2 / E; E is the proportion given the sum times persons with that sum.

    Parameters
    ----------
    observed : ndarray, shape (score, category)
        Counts.
    proportion : ndarray, shape (score, category)
        P(answer = k | sum = r).
    cells : Cells
    """
    expected = cells.total(proportion * observed.sum(axis=1, keepdims=True))
    found = cells.total(observed)
    there = expected > 0
    return float(((found - expected)[there] ** 2 / expected[there]).sum())


def s_x2(observed: np.ndarray, proportion: np.ndarray, n_parameters: int) -> tuple[float, int, float]:
    """S-X2 of one item, its degrees of freedom and its p value.

    Parameters
    ----------
    observed, proportion
        As in :func:`pearson`.
    n_parameters : int
        Free parameters of the item, which the degrees of freedom are lowered by.

    Returns
    -------
    statistic, df, p
        The p value is NaN where no degree of freedom is left.
    """
    from scipy.special import gammaincc

    persons = observed.sum(axis=1)
    cells = join_cells(proportion * persons[:, None], persons)
    df = cells.n_cells - cells.n_groups - n_parameters
    statistic = pearson(observed, proportion, cells)
    return statistic, df, float(gammaincc(df / 2, statistic / 2)) if df > 0 else float("nan")
