"""Paths between constructs that change with an observed variable: one ordinary model per value of it.

With theta_m = (a + a_w w) theta_x + ... the constructs of persons alike in w are normal as ever, so that
persons are split into cells by the values of their moderators, each cell has its own B, and the likelihood is
the sum over the cells: exact wherever the engine is (Klein & Moosbrugger, 2000, doi:10.1007/BF02296338, for
latent w).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from medpsy.ops import Numpy

#: Most cells: with more different values persons are sampled instead.
MOST_CELLS = 24


@dataclass(frozen=True)
class Cells:
    """Persons by the values that their paths change with.

    Parameters
    ----------
    levels : tuple of str
        Names of the cells.
    rows : tuple of ndarray
        Positions of the persons of every cell.
    parts : tuple of ModelData
        One ordinary model per cell, all over the same parameters.
    """

    levels: tuple[str, ...]
    rows: tuple[np.ndarray, ...]
    parts: tuple[Any, ...]

    @cached_property
    def order(self) -> np.ndarray:
        """Puts what is joined cell by cell into the order of the survey."""
        return np.argsort(np.concatenate(self.rows), kind="stable")

    def values(self, p: dict[str, Any], cell: int, xp: Any = Numpy) -> dict[str, Any]:
        """The same values in every cell, sampled normals of its persons apart."""
        return p | {"z": p["z"][..., self.rows[cell], :]} if "z" in p else p

    def tape(self, p: dict[str, np.ndarray]) -> Tape:
        """Values of all cells at one point, and the way back."""
        return Tape(len(self.parts), p)


@dataclass(frozen=True)
class Tape:
    """One evaluation: the same parameters in every cell, so that gradients add up."""

    size: int
    p: dict[str, np.ndarray]

    def values(self) -> list[dict[str, np.ndarray]]:
        """Named values of every cell."""
        return [self.p] * self.size

    def gradient(
        self, each: list[dict[str, np.ndarray]], shapes: dict[str, tuple[int, ...]]
    ) -> dict[str, np.ndarray]:
        """Gradient over all parameters, given that of every cell."""
        return {name: sum((d[name] for d in each), np.zeros(shape)) for name, shape in shapes.items()}


def split(data: Any) -> Any:
    """Return the data with cells, where paths of constructs change with few enough values; else unchanged."""
    layout = data.layout
    if not layout.moderated.size:
        return data
    columns = [layout.coefficients[i].by for i in layout.moderated]
    values, which = np.unique(data.design[:, columns], axis=0, return_inverse=True)
    if len(values) > MOST_CELLS:
        return data
    rows = tuple(np.flatnonzero(which.ravel() == k) for k in range(len(values)))
    names = [layout.columns[c - 1].name for c in columns]
    parts = tuple(
        replace(
            data,
            person=data.person[row],
            blocks=tuple(replace(block, values=block.values[row]) for block in data.blocks),
            layout=replace(layout, at=value),
            design=data.design[row],
            observed=data.observed[row],
        )
        for row, value in zip(rows, values, strict=True)
    )
    levels = tuple(
        ", ".join(dict.fromkeys(f"{name} = {v:.3g}" for name, v in zip(names, value, strict=True)))
        for value in values
    )
    return replace(data, cells=Cells(levels, rows, parts))
