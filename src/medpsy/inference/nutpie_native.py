"""Hands a C function to nutpie: its private side, kept in this one file.

Written for nutpie 0.16; `available` says whether the names are still there, and the caller goes through
the public Python callback where they are not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import nutpie
from nutpie.sample import CompiledModel

from medpsy.inference.native import Native

_NAMES = ("ExpandFunc", "LogpFunc", "PyMcModel", "PySampler", "PyVariable")


def available() -> bool:
    """Whether this nutpie still has what is used here."""
    library = getattr(nutpie, "_lib", None)
    return all(hasattr(library, name) for name in _NAMES)


@dataclass(frozen=True)
class NativeModel(CompiledModel):
    """A density given as C functions over one vector ``w``."""

    native: Native

    @property
    def n_dim(self) -> int:
        """Number of coordinates."""
        return self.native.size

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of the one variable."""
        return {"w": (self.native.size,)}

    @property
    def coords(self) -> dict[str, Any]:
        """None."""
        return {}

    def _make_model(self, _init_mean: Any) -> Any:
        library, made = nutpie._lib, self.native
        user = made.table.ctypes.data
        expand = library.ExpandFunc(made.size, made.size, made.copy.address, user, self)
        logp = library.LogpFunc(made.density.address, user, self)
        sizes, dims = {"coordinate": made.size}, {"w": ["coordinate"]}
        variables = library.PyVariable.new_variables(["w"], ["float64"], [[made.size]], sizes, dims)

        def start(seed: int) -> np.ndarray:
            return np.random.default_rng(seed).normal(0.0, 1.0, made.size)

        return library.PyMcModel(logp, expand, variables, made.size, sizes, {}, start, None)

    def _make_sampler(
        self,
        settings: Any,
        init_mean: Any,
        cores: int,
        progress_type: Any,
        callback: Any,
        rate: int,
        store: Any,
    ) -> Any:
        model = self._make_model(init_mean)
        return nutpie._lib.PySampler.from_pymc(settings, cores, model, progress_type, callback, rate, store)


def native_model(made: Native) -> NativeModel:
    """The model that `nutpie.sample` takes."""
    return NativeModel(dims={"w": ("coordinate",)}, native=made)
