"""The counted floor of one gradient: what has to be read and computed at the very least.

Counted, not measured, from the sizes of a model and of its grid:

* bytes: the answer matrix is read once, one byte an answer (continuous items: their covariance matrix, 8
  bytes an entry, because it is sufficient);
* tables: every (item, category, node) needs one logarithm of a probability and its derivative;
* answers: every answer adds its row of the table, on the nodes of its person, and adds that person's weights
  to the expected counts: two additions a node;
* grid: every node of a person is multiplied and added once for the likelihood and once for its weight.

A floating-point operation is an addition or a multiplication; a table entry is counted as 40 of them. The
machine's speed is measured: bytes a second of a sum over an array that no cache holds, operations a second of
a matrix product on one core.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

#: Operations of one table entry: an exponential and a logarithm, twenty each.
TABLE_ENTRY = 40


@dataclass(frozen=True)
class Work:
    """Least work of one gradient."""

    bytes: float
    operations: float

    def seconds(self, bytes_per_second: float, operations_per_second: float) -> float:
        """Time on one core: reading and computing overlap at best."""
        return max(self.bytes / bytes_per_second, self.operations / operations_per_second)


def categorical_work(
    n_answer: int, item_nodes: list[int], n_categories: int, answer_nodes: float, person_nodes: float
) -> Work:
    """Least work of a gradient over a grid.

    Parameters
    ----------
    n_answer : int
        Answers in distinct rows.
    item_nodes : list of int
        Nodes of the factor of every item.
    n_categories : int
    answer_nodes : float
        Nodes that an answer is evaluated on, summed over answers.
    person_nodes : float
        Nodes of the full grid that a person is summed over, summed over distinct rows.
    """
    tables = TABLE_ENTRY * n_categories * sum(item_nodes)
    return Work(float(n_answer), tables + 2.0 * answer_nodes + 4.0 * person_nodes)


def gaussian_work(n_item: int) -> Work:
    """Least work of a gradient from sufficient statistics: a Cholesky factor, an inverse, two products."""
    return Work(8.0 * n_item**2, (1 / 3 + 2 / 3 + 2 + 2) * n_item**3)


def machine_speed() -> tuple[float, float]:
    """Bytes and floating-point operations a second of one core, best of several trials."""
    big = np.ones(32_000_000, dtype=np.int64)
    left = np.random.default_rng(0).normal(size=(512, 512))
    reading = _best(lambda: big.sum())
    product = _best(lambda: left @ left)
    return big.nbytes / reading, 2 * 512**3 / product


def _best(action: Callable[[], object], repeats: int = 7) -> float:
    """Shortest time of several, in seconds."""
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        action()
        times.append(time.perf_counter() - begun)
    return min(times)
