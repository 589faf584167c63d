"""Equally spaced nodes for the constructs.

For a smooth integrand the trapezoid rule on equally spaced nodes converges exponentially: with spacing h
and a posterior sd s of one person its relative error is about 2 exp(-2 pi^2 s^2 / h^2). Spacing at most s
gives 5e-9, where Gauss-Hermite rules of the same size fail for informative questionnaires.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medpsy.errors import FitError

#: Half-width of the grid in sds of a construct.
REACH = 6.0

#: How far the window of a person reaches to either side, in sds of the posterior of the score.
SIDE = 4.0


@dataclass(frozen=True)
class Grid:
    """Nodes per construct, on the construct's own scale.

    Parameters
    ----------
    nodes : tuple of ndarray
        Equally spaced, one array per construct.
    """

    nodes: tuple[np.ndarray, ...]

    @property
    def spacing(self) -> np.ndarray:
        """Distance between neighbours, per construct."""
        return np.array([t[1] - t[0] for t in self.nodes])

    def refined(self) -> Grid:
        """Half the spacing, same ends."""
        return Grid(tuple(np.linspace(t[0], t[-1], 2 * len(t) - 1) for t in self.nodes))

    def around(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Windows three times as wide as those on the grid that this is refined from.

        Parameters
        ----------
        low, high : ndarray of int, shape (row, factor)
            First and one-past-last node of the narrow windows, on the grid of twice the spacing.
        """
        width = 2 * (high - low)
        sizes = np.array([len(t) for t in self.nodes])
        return np.maximum(2 * low - width, 0), np.minimum(2 * high - 1 + width, sizes)

    def describe(self) -> str:
        """For the provenance."""
        sizes = " x ".join(str(len(t)) for t in self.nodes)
        gaps = ", ".join(f"{h:.2f}" for h in self.spacing)
        return f"{sizes} equally spaced nodes, spacing {gaps}"


def default_grid(n_factor: int, size: int | None = None) -> Grid:
    """Grid over +-6 before anything is known: 61 nodes for one construct, 41 for two, 25 for three."""
    count = size or {1: 61, 2: 41}.get(n_factor, 25)
    if count < 5:
        raise FitError(f"a grid of {count} nodes is too coarse", hint="Use at least 5, better 21 nodes.")
    return Grid(tuple(np.linspace(-REACH, REACH, count) for _ in range(n_factor)))


def fitted_grid(low: np.ndarray, high: np.ndarray, person_sd: np.ndarray, ratio: float = 1.0) -> Grid:
    """Grid that covers [low, high] with spacing ``ratio`` times the smallest posterior sd, per construct.

    Parameters
    ----------
    low, high : ndarray, shape (factor,)
        Range that holds practically all posterior mass.
    person_sd : ndarray, shape (factor,)
        Smallest posterior sd of a person.
    """
    nodes = []
    for a, b, s in zip(low, high, person_sd, strict=True):
        count = int(np.clip(np.ceil((b - a) / (ratio * s)), 12, 400)) + 1
        nodes.append(np.linspace(a, b, count))
    return Grid(tuple(nodes))


def in_vectors(grid: Grid) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nodes of three dimensions as the kernels want them; unused ones come first, with one node at zero.

    Returns
    -------
    sizes : ndarray of int, shape (3,)
        Nodes of the grid.
    widths : ndarray of int, shape (3,)
        The same with so many more that a vector may begin at the last one.
    nodes : ndarray, shape (3, largest width)
    """
    from medpsy.vector_kernel import LANES

    pad = 3 - len(grid.nodes)
    sizes = np.array([1] * pad + [len(t) for t in grid.nodes], dtype=np.int64)
    widths = np.where(sizes > 1, -(-(sizes + LANES - 1) // LANES) * LANES, 2)
    nodes = np.zeros((3, int(widths.max())))
    for d, t in enumerate(grid.nodes):
        nodes[pad + d] = t[0] + (t[1] - t[0]) * np.arange(nodes.shape[1])
        nodes[pad + d, : len(t)] = t
    return sizes, widths, nodes


def fitted_windows(
    mean: np.ndarray, sd: np.ndarray, fineness: float, away: np.ndarray | float = 0.0
) -> tuple[Grid, tuple[np.ndarray, np.ndarray]]:
    """Grid for posteriors of persons, and the window of nodes that each person is summed over.

    Spacing is 1.6 times the second percentile of the sds and windows reach 4 sds to either side; ``fineness``
    2 halves the spacing and widens the windows by 40 %.

    Parameters
    ----------
    mean, sd : ndarray, shape (row, factor)
    away : ndarray, shape (row, factor), or float
        How far windows wander while the parameters do: they reach so much further.

    Returns
    -------
    grid : Grid
    windows : tuple of ndarray of int
        First and one-past-last node, each (row, factor).
    """
    reach = SIDE * fineness**0.5 * sd + away
    low, high = mean - reach, mean + reach
    grid = fitted_grid(low.min(0), high.max(0), np.quantile(sd, 0.02, axis=0), 1.6 / fineness)
    return grid, windows_over(grid, low, high)


def windows_over(grid: Grid, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and one-past-last node of every person that cover [low, high], each (row, factor)."""
    first, last = np.empty(low.shape, dtype=np.int64), np.empty(low.shape, dtype=np.int64)
    for d, t in enumerate(grid.nodes):
        first[:, d] = np.clip(np.searchsorted(t, low[:, d]) - 1, 0, len(t) - 1)
        last[:, d] = np.minimum(np.searchsorted(t, high[:, d]) + 1, len(t))
    return first, last
