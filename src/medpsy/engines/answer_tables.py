"""Tables of all answers at the nodes of constructs, from the families' kernels, and the way back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, cast

import numpy as np

from medpsy.bind import ModelData, local
from medpsy.engines.grid import Grid, in_vectors
from medpsy.engines.quadrature_kernel import exponentiate
from medpsy.families.base import Block, CompiledFamily, base_values
from medpsy.jit import jit
from medpsy.ops import Numpy


class AnswerTables:
    """Probabilities of the answers to some constructs at the nodes of a grid, flat as the kernels want them.

    Parameters
    ----------
    data : ModelData
    blocks : iterable of Block
        The constructs, in the order of their items among the codes.
    dimensions : iterable of int
        Dimension of the grid on which each construct lies.
    grid : Grid
        Of one to three dimensions; ``sizes``, ``widths`` and ``nodes`` are those of :func:`in_vectors`.
    """

    def __init__(
        self, data: ModelData, blocks: Iterable[Block], dimensions: Iterable[int], grid: Grid
    ) -> None:
        self.data, self.blocks = data, tuple(blocks)
        self.pad = 3 - len(grid.nodes)
        self.sizes, self.widths, self.nodes = in_vectors(grid)
        factor, start, at = [], [], 0
        self.spans: list[slice] = []
        self.places = [self.pad + d for d in dimensions]
        for block, d in zip(self.blocks, self.places, strict=True):
            n_item, width = block.values.shape[1], block.n_categories * int(self.widths[d])
            factor += [d] * n_item
            start += [at + j * width for j in range(n_item)]
            self.spans.append(slice(at, at + n_item * width))
            at += n_item * width
        self.size = at
        self.factor, self.start = np.array(factor, dtype=np.int64), np.array(start, dtype=np.int64)

    def _of_blocks(self, table: np.ndarray) -> Iterator[tuple[Block, np.ndarray, np.ndarray]]:
        """Every block, the nodes of its items, and its part (item, category, node) of a flat table."""
        for block, d, span in zip(self.blocks, self.places, self.spans, strict=True):
            width = self.widths[d]
            yield block, self.nodes[d, :width], table[span].reshape(-1, block.n_categories, width)

    def fill(self, p: dict[str, np.ndarray]) -> np.ndarray:
        """The probabilities, flat."""
        table = np.empty(self.size)
        for block, nodes, out in self._of_blocks(table):
            known = kernels(self.data, block)
            if len(known) > 2:
                jit(known[2])(*_roles(self.data, block, p).values(), nodes, out)
            else:
                jit(known[0])(*_roles(self.data, block, p).values(), nodes, out)
                exponentiate(out.ravel(), out.ravel())
        return table

    def reverse(self, p: dict[str, np.ndarray], counts: np.ndarray) -> dict[str, np.ndarray]:
        """Gradient of every family from expected counts, by parameter."""
        gradient: dict[str, np.ndarray] = {}
        for block, nodes, own in self._of_blocks(counts):
            for role, grad in family_gradient(self.data, block, p, nodes, own).items():
                gradient[f"{role}_{block.name}"] = grad
        return gradient


def kernels(data: ModelData, block: Block) -> tuple[Any, ...]:
    """Compiled functions of a block's family, which has them; forward and reverse first."""
    return cast(CompiledFamily, data.model.families[block.name]).kernels


def log_table(data: ModelData, block: Block, p: dict[str, np.ndarray], nodes: np.ndarray) -> np.ndarray:
    """Log-probabilities (item, category, node) of one block."""
    out = np.empty((block.values.shape[1], block.n_categories, len(nodes)))
    jit(kernels(data, block)[0])(*_roles(data, block, p).values(), nodes, out)
    return out


def family_gradient(
    data: ModelData, block: Block, p: dict[str, np.ndarray], nodes: np.ndarray, counts: np.ndarray
) -> dict[str, np.ndarray]:
    """Gradient of sum(counts * log P) of one block, by role; counts (item, category, node)."""
    values = _roles(data, block, p)
    grads = [np.zeros_like(value) for value in values.values()]
    jit(kernels(data, block)[1])(*values.values(), nodes, counts, *grads)
    found = dict(zip(values, grads, strict=True))
    back = getattr(data.model.families[block.name], "reverse_base", None)
    return found if back is None else cast("dict[str, np.ndarray]", back(local(data, block, p), found))


def _roles(data: ModelData, block: Block, p: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the kernels of a block's family are called with, in the order of their arguments."""
    family, own = data.model.families[block.name], local(data, block, p)
    base = base_values(family, own, Numpy)
    if base is own:
        return own
    inner: Any = family
    return {role: np.ascontiguousarray(base[role]) for role in inner.family.roles}
