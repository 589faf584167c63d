"""Rows shared out among the processors: the kernels release the interpreter lock, so threads will do."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, reduce
from itertools import pairwise

import numpy as np


def shares(begin: np.ndarray, many: int) -> list[slice]:
    """Rows of each processor, with about as much work for all; all rows in one where there is little.

    Parameters
    ----------
    begin : ndarray of int, shape (row + 1,)
        Work before each row, and in all.
    many : int
        From so much work on it is shared out.
    """
    total = int(begin[-1])
    workers = (os.cpu_count() or 1) if total >= many else 1
    ends = np.searchsorted(begin, np.linspace(0, total, workers + 1).astype(int))
    return [slice(int(a), int(b)) for a, b in pairwise(ends) if b > a]


def summed(one: Callable[[slice], np.ndarray], parts: list[slice]) -> np.ndarray:
    """Sum of ``one`` over the parts, side by side."""
    if len(parts) == 1:
        return one(parts[0])
    return reduce(np.add, _pool(os.getpid()).map(one, parts))


@cache
def _pool(process: int) -> ThreadPoolExecutor:
    """Threads of one process; a fork has none."""
    return ThreadPoolExecutor(os.cpu_count() or 1)
