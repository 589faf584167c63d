"""A log-likelihood of which every term is among the computed values, as a C function."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import carray

from medpsy.inference.native_kernel import integers, part_function, pointer

#: Arrays of the table: the places of the terms.
TERMS = ("at",)


def _terms_part(table_, x_, d_x_, n_value, value_, rows_):
    t = carray(pointer(table_), (1, 3), np.int64)
    x = carray(pointer(x_), (n_value,), np.float64)
    d_x, value = carray(pointer(d_x_), (n_value,), np.float64), carray(pointer(value_), (1,), np.float64)
    at = integers(t, 0)
    rows = carray(pointer(rows_), (at.size if rows_ else 0,), np.float64)
    value[0] = 0.0
    for i in range(at.size):
        value[0] += x[at[i]]
        d_x[at[i]] += 1.0
    for i in range(rows.size):
        rows[i] = x[at[i]]


@cache
def terms_part() -> Any:
    """The C function of a part."""
    return part_function(_terms_part)
