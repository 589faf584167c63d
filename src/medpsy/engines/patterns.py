"""Identical answer patterns, collapsed with their counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medpsy.bind import ModelData


@dataclass(frozen=True)
class Patterns:
    """Rows that differ in answers or covariates, and how many persons each stands for.

    Parameters
    ----------
    codes : ndarray of int8, shape (row, item)
        Answers of all blocks side by side, -1 where none was given.
    design : ndarray, shape (row, column)
    count : ndarray, shape (row,)
    first : ndarray of int, shape (row,)
        A person with this pattern.
    inverse : ndarray of int, shape (person,)
        Row of every person.
    """

    codes: np.ndarray
    design: np.ndarray
    count: np.ndarray
    first: np.ndarray
    inverse: np.ndarray

    def take(self, rows: np.ndarray) -> Patterns:
        """Some of the rows, each standing for one person."""
        place = np.arange(len(rows))
        return Patterns(self.codes[rows], self.design[rows], np.ones(len(rows)), place, place)


def collapse(data: ModelData) -> Patterns:
    """Patterns of categorical answers and covariates, in the order of their bytes."""
    codes = np.concatenate([block.values for block in data.blocks], axis=1).astype(np.int8)
    _, cell = np.unique(data.design, axis=0, return_inverse=True)
    key = np.concatenate([cell.astype(np.int32).reshape(-1, 1).view(np.int8), codes], axis=1)
    packed = np.ascontiguousarray(key).view(np.dtype((np.void, key.shape[1]))).ravel()
    _, first, inverse, count = np.unique(packed, return_index=True, return_inverse=True, return_counts=True)
    return Patterns(
        np.ascontiguousarray(codes[first]), data.design[first], count.astype(float), first, inverse.ravel()
    )
