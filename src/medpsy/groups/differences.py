"""How groups differ: in the coordinates of items, in the means and in the spreads of constructs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from medpsy.families.coordinates import Coordinate


def contrasts(size: int, reference: int) -> np.ndarray:
    """What each of ``size`` groups has of ``size - 1`` contrasts, shape (group, contrast).

    With a reference its row is zero and the others have one contrast each. Without one (-1) the columns sum
    to zero and any two rows differ by a vector of length one, so that independent contrasts with sd s make
    the difference of any two groups have sd s.
    """
    if reference >= 0:
        out = np.zeros((size, size - 1))
        out[[g for g in range(size) if g != reference], np.arange(size - 1)] = 1.0
        return out
    out = np.zeros((size, size - 1))
    for k in range(1, size):
        # Helmert: group k against the mean of those before it.
        out[:k, k - 1], out[k, k - 1] = -1.0 / k, 1.0
        out[:, k - 1] /= np.linalg.norm(out[:, k - 1])
    return out / np.sqrt(2.0)


@dataclass(frozen=True)
class Contrasted:
    """A parameter that holds (entry, contrast), flattened, with what each group has of every contrast.

    ``spread`` names the parameter that the entries are multiplied by, one for all or one for each; empty
    where they are free.
    """

    name: str
    contrast: np.ndarray
    spread: str = ""

    def of(self, p: dict[str, Any], group: int) -> Any:
        """What one group has of it, (..., entry)."""
        width = self.contrast.shape[1]
        total = 0.0 * p[self.name][..., ::width]
        for k in np.flatnonzero(self.contrast[group]):
            total = total + float(self.contrast[group, k]) * p[self.name][..., k::width]
        return total * p[self.spread] if self.spread else total

    def reverse(
        self, p: dict[str, np.ndarray], group: int, d: np.ndarray, out: dict[str, np.ndarray]
    ) -> None:
        """Add to ``out`` the gradient over the parameters, given that over what :meth:`of` returned."""
        width = self.contrast.shape[1]
        for k in np.flatnonzero(self.contrast[group]):
            share = float(self.contrast[group, k])
            out[self.name][k::width] += share * d * (p[self.spread] if self.spread else 1.0)
            if self.spread:
                products = share * d * p[self.name][k::width]
                out[self.spread] += products if len(p[self.spread]) > 1 else products.sum()


@dataclass(frozen=True)
class Change:
    """Differences in one coordinate of the items of one block.

    ``item`` and ``cell`` (entry,) say which numbers differ; ``shape`` is (item, cell). ``shrunk`` says
    whether the differences share a sd.
    """

    block: str
    part: Coordinate
    item: np.ndarray
    cell: np.ndarray
    shape: tuple[int, int]
    held: Contrasted

    def of(self, p: dict[str, Any], group: int, xp: Any) -> Any:
        """What one group adds to the numbers, or to their logarithms, (..., item, cell)."""
        return xp.place(self.shape, self.item, self.cell, self.held.of(p, group))

    def reverse(
        self, p: dict[str, np.ndarray], group: int, d: np.ndarray, out: dict[str, np.ndarray]
    ) -> None:
        """Add to ``out`` the gradient, given that over what :meth:`of` returned."""
        self.held.reverse(p, group, d[self.item, self.cell], out)


@dataclass(frozen=True)
class Placing:
    """Means (or logarithms of the sds) of the constructs; ``free`` says whose differ between the groups."""

    free: np.ndarray
    size: int
    held: Contrasted | None

    def of(self, p: dict[str, Any], group: int, xp: Any) -> Any:
        """Means or log sds in one group, (..., construct)."""
        if self.held is None:
            return xp.constant(np.zeros(self.size))
        row = np.zeros(self.free.size, dtype=int)
        return xp.place((1, self.size), row, self.free, self.held.of(p, group))[..., 0, :]

    def reverse(
        self, p: dict[str, np.ndarray], group: int, d: np.ndarray, out: dict[str, np.ndarray]
    ) -> None:
        """Add to ``out`` the gradient, given that over what :meth:`of` returned."""
        if self.held is not None:
            self.held.reverse(p, group, d[self.free], out)
