"""Lays a model out for a C function of its log-density, where that is possible."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from medpsy.engines.gaussian_compiled import SufficientStatistics
from medpsy.engines.quadrature_compiled import CompiledQuadrature
from medpsy.inference.density import Density
from medpsy.inference.mode import Mode
from medpsy.ops import Numpy


@dataclass(frozen=True)
class Native:
    """The C functions, the table they read, and what keeps its memory alive."""

    density: Any
    copy: Any
    table: np.ndarray
    keep: tuple[Any, ...]
    size: int

    def value_and_gradient(self, w: np.ndarray) -> tuple[float, np.ndarray]:
        """The C function from Python, for tests and for the comparison before sampling."""
        from ctypes import POINTER, c_double, c_void_p

        gradient, value = np.empty(self.size), np.empty(1)
        w = np.ascontiguousarray(w, dtype=float)
        code = self.density.ctypes(
            self.size, *(x.ctypes.data_as(POINTER(c_double)) for x in (w, gradient, value)),
            c_void_p(self.table.ctypes.data),
        )  # fmt: skip
        return (float(value[0]) if code == 0 else -np.inf), gradient


@dataclass(frozen=True)
class Part:
    """What one engine adds: its C function, the names of the table's arrays, and those that are its own."""

    density: Any
    names: tuple[str, ...]
    arrays: Mapping[str, np.ndarray]
    keep: tuple[Any, ...] = ()


def native(density: Density, mode: Mode) -> Native | str:
    """The density in C, in whitened coordinates, or why not."""
    from medpsy.inference.native_gaussian import gaussian_part
    from medpsy.inference.native_grid import grid_part

    makers = {CompiledQuadrature: grid_part, SufficientStatistics: gaussian_part}
    maker = makers.get(type(density.likelihood))
    if maker is None:
        return "this engine has no C function"
    if density.space._scaled[0].size:
        return "some coordinates are products of two parameters"
    if density.space.made:
        return "item parameters of one occasion are computed from those of another"
    probe = Probe(density)
    common = _common(density, mode, probe)
    if common is None:
        return "the latent structure computes with its parameters"
    part = maker(density, probe)
    if isinstance(part, str):
        return part
    made = _made(density, {**common, **part.arrays}, part)
    return made if _agrees(made, density, mode) else "the C function disagrees with the reference"


class Probe:
    """Numbers all flat values and looks where they end up."""

    def __init__(self, density: Density) -> None:
        self.density, space = density, density.space
        self.size = space._template.size
        self.offset = {p.name: span.start for p, span in space._flat}
        self.chols = [p for p, _ in space._triangles]

    def values(self, shift: float) -> dict[str, np.ndarray]:
        """Every flat value its place plus ``shift``; triangles numbered on."""
        space = self.density.space
        flat = np.arange(self.size) + shift
        out = {p.name: flat[span].reshape(p.shape) for p, span in space._flat}
        at = self.size
        for p in self.chols:
            count = p.shape[0] ** 2
            out[p.name] = (np.arange(at, at + count) + shift).reshape(p.shape)
            at += count
        return out

    def cells(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None:
        """Which value fills which cell of B, G, Z (row, column, place) and D (row, place); None if more."""
        data, found = self.density.data, []
        for shift in (1000.5, 5000.25):
            eq = data.model.structure.equations(self.values(shift), data.layout, Numpy)
            per = []
            for array in (eq.b, eq.g, eq.z, eq.d):
                place = np.nonzero((array != 0.0) & (array != 1.0))
                per.append(np.column_stack([*place, array[place] - shift]))
            found.append(per)
        if any(a.shape != b.shape or (a != b).any() for a, b in zip(*found, strict=True)):
            return None
        inner, outer, z, scale = (np.round(part).astype(np.int64) for part in found[0])
        simple = all((part[:, -1] < self.size).all() for part in (inner, outer, scale))
        if not simple or (z[:, 2] < self.size).any() or (inner[:, 1] >= inner[:, 0]).any():
            return None
        return inner, outer, z, scale


def _common(density: Density, mode: Mode, probe: Probe) -> dict[str, np.ndarray] | None:
    """The arrays that every C function reads; None where the structure is not that simple."""
    found = probe.cells()
    if found is None:
        return None
    inner, outer, z, scale = found
    space = density.space
    corners: list[list[int]] = []
    chol_cells: list[tuple[int, int]] = []
    triangles: list[np.ndarray] = []
    etas: list[float] = []
    at = space._template.size
    for p, place in space._triangles:
        n = p.shape[0]
        corners.append([n, sum(map(len, triangles)), len(chol_cells)])
        where = {int(k) - at: (int(r), int(c)) for r, c, k in z if at <= k < at + n * n}
        chol_cells += [where.get(k, (-1, -1)) for k in range(n * n)]
        triangles.append(place)
        etas.append(p.priors[0].args[0])
        at += n * n
    whole = {
        "kinds": space._kinds, "where": space._where, "spans": space._spans, "positive": space._positive,
        "unit": space._unit, "places": np.concatenate(triangles) if triangles else np.zeros(0),
        "corners": np.array(corners).reshape(-1, 3), "chol_cells": np.array(chol_cells).reshape(-1, 2),
        "inner": inner, "outer": outer, "scale": scale,
    }  # fmt: skip
    constant = getattr(density.likelihood, "_constant", 0.0)
    real = {
        "mode": mode.u, "spread": mode.spread, "args": space._args, "concentration": space._concentrations,
        "template": space._template, "constant": np.array([constant, len(density.data.layout.nodes), *etas]),
        "design": getattr(density.likelihood, "design", density.data.design[:1]),
    }  # fmt: skip
    return {k: v.astype(np.int64) for k, v in whole.items()} | {k: v.astype(float) for k, v in real.items()}


def _made(density: Density, values: Mapping[str, np.ndarray], part: Part) -> Native:
    """Fill the table."""
    from medpsy.inference.native_kernel import copy_function

    table, arrays = np.zeros((len(part.names), 3), dtype=np.int64), []
    for i, name in enumerate(part.names):
        array = np.ascontiguousarray(values[name])
        table[i] = [array.ctypes.data, array.shape[0], array.shape[1] if array.ndim == 2 else 1]
        arrays.append(array)
    return Native(part.density, copy_function(), table, (*arrays, *part.keep), density.size)


def _agrees(made: Native, density: Density, mode: Mode) -> bool:
    """Whether both ways give one value and gradient, near the mode."""
    w = np.random.default_rng(5).normal(0.0, 0.3, density.size)
    value, gradient = made.value_and_gradient(w)
    want, d_u = density.value_and_gradient(mode.u + mode.spread @ w)
    if not np.isfinite(want):
        return True
    d_w = d_u @ mode.spread
    near = np.abs(gradient - d_w).max() <= 1e-6 * (1 + np.abs(d_w).max())
    return bool(near and abs(value - want) <= 1e-8 * abs(want))
