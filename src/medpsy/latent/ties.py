"""Numbers that are free, fixed, or shared: one vector of free numbers, and the full vector made of it.

Equality holds in raw units. On the internal scale, where variables are divided by their sds, numbers that are
equal differ by known factors: full = offset + scale * free[index].
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Ties:
    """The map from free to full numbers.

    Parameters
    ----------
    offset, scale : ndarray, shape (number,)
        ``scale`` is 0 where a number is fixed.
    index : ndarray of int, shape (number,)
        Which free number.
    first : ndarray of int, shape (free,)
        The full number that each free one is equal to.
    """

    offset: np.ndarray
    scale: np.ndarray
    index: np.ndarray
    first: np.ndarray

    @property
    def free(self) -> int:
        """How many numbers are free."""
        return len(self.first)

    def full(self, p: dict[str, Any], name: str, xp: Any) -> Any:
        """All numbers (..., number) from the free ones, ``p[name]``."""
        if not self.free:
            return xp.constant(self.offset)
        return xp.constant(self.offset) + xp.constant(self.scale) * p[name][..., self.index]

    def reverse(self, d_full: np.ndarray) -> np.ndarray:
        """Gradient over the free numbers given it over all."""
        out = np.zeros(self.free)
        if self.free:
            np.add.at(out, self.index, self.scale * d_full)
        return out


def tie(keys: Sequence[Hashable], values: Sequence[float | None], factor: np.ndarray) -> Ties:
    """Make the map.

    Parameters
    ----------
    keys : sequence
        Numbers with one key are equal in raw units.
    values : sequence of float or None
        What a number is fixed to, in raw units.
    factor : ndarray, shape (number,)
        Internal number = factor * raw number.
    """
    size = len(keys)
    offset, scale, index = np.zeros(size), np.zeros(size), np.zeros(size, dtype=int)
    first: dict[Hashable, int] = {}
    where: list[int] = []
    for i, (key, value) in enumerate(zip(keys, values, strict=True)):
        if value is not None:
            offset[i] = factor[i] * value
            continue
        if key not in first:
            first[key] = len(where)
            where.append(i)
        index[i] = first[key]
        scale[i] = factor[i] / factor[where[index[i]]]
    return Ties(offset, scale, index, np.array(where, dtype=int))
