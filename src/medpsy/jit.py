"""Numba with an on-disk cache, imported only when a compiled route is taken."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any


@cache
def jit(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile ``function`` once; the machine code is kept on disk and releases the GIL while it runs.

    Kernels are driven by index arrays, so a new model, other items or more persons never compile again.
    """
    import numba

    # Sums may be reassociated (vectorised); NaN and infinity keep their meaning.
    relaxed = {"reassoc", "contract", "arcp", "nsz"}
    return numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=relaxed)(function)
