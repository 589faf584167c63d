"""Lays a grid model out for the C function of `medpsy.inference.native_kernel`, where that is possible."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from medpsy.bind import local
from medpsy.engines.quadrature_compiled import MANY_ROWS, CompiledQuadrature
from medpsy.inference.density import Density
from medpsy.inference.mode import Mode
from medpsy.ops import Numpy


@dataclass(frozen=True)
class Native:
    """Addresses of the C functions, the table they read, and what keeps its memory alive."""

    density: Any
    copy: Any
    table: np.ndarray
    arrays: tuple[np.ndarray, ...]
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


def native(density: Density, mode: Mode) -> Native | str:
    """The density in C, in whitened coordinates, or why not."""
    likelihood = density.likelihood
    if type(likelihood) is not CompiledQuadrature:
        return "only the grid has a C function"
    if len(likelihood.count) >= MANY_ROWS:
        return "many persons are shared out among threads"
    data = density.data
    probe = _Probe(density)
    cells = probe.cells()
    if cells is None:
        return "the latent structure computes with its parameters"
    rows, keep = [], []
    for block, span in zip(data.blocks, likelihood._spans, strict=True):
        row = _block_row(density, block, probe)
        if row is None:
            return f"the parameters of '{block.name}' are not laid out in one piece"
        rows.append((row, span.start, likelihood._pad + block.factor))
        keep += row[2]
    made = _made(density, mode, cells, rows)
    if np.isfinite(density.value_and_gradient(mode.u)[0]) and not _agrees(made, density, mode):
        return "the C function disagrees with the reference"
    return made


class _Probe:
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

    def cells(self) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Which value fills which cell of B, G and Z: rows (row, column, place); None if not that simple."""
        data, found = self.density.data, []
        for shift in (1000.5, 5000.25):
            eq = data.model.structure.equations(self.values(shift), data.layout, Numpy)
            if not (eq.d == 1.0).all():
                return None
            per = []
            for matrix in (eq.b, eq.g, eq.z):
                row, col = np.nonzero((matrix != 0.0) & (matrix != 1.0))
                per.append(np.column_stack([row, col, matrix[row, col] - shift]))
            found.append(per)
        if any(a.shape != b.shape or (a != b).any() for a, b in zip(*found, strict=True)):
            return None
        inner, outer, z = (np.round(part).astype(np.int64) for part in found[0])
        simple = (inner[:, 2] < self.size).all() and (outer[:, 2] < self.size).all()
        if not simple or (z[:, 2] < self.size).any() or (inner[:, 1] >= inner[:, 0]).any():
            return None
        return inner, outer, z


def _block_row(density: Density, block: Any, probe: _Probe) -> tuple[list[int], list[int], list[Any]] | None:
    """Addresses of a family's kernels, and place and shape of its roles among the flat values."""
    from medpsy.inference.native_kernel import adapter

    roles = list(local(density.data, block, probe.values(0.0)).values())
    places: list[int] = []
    for value in roles:
        start = int(value.flat[0])
        if value.ndim > 2 or (value.ravel() != np.arange(start, start + value.size)).any():
            return None
        if start + value.size > probe.size:
            return None
        places += [start, value.shape[0], value.shape[1] if value.ndim == 2 else 1]
    family: Any = density.data.model.families[block.name]
    ranks = tuple(value.ndim for value in roles)
    made = [adapter(kernel, ranks, bool(i)) for i, kernel in enumerate(family.kernels)]
    head = [*(one.address for one in made), block.values.shape[1], block.n_categories]
    return head, places, made


def _made(density: Density, mode: Mode, cells: Any, rows: list[Any]) -> Native:
    """Fill the table."""
    from medpsy.inference.native_kernel import FIXED, TABLE, callbacks

    space, likelihood = density.space, density.likelihood
    assert isinstance(likelihood, CompiledQuadrature)
    inner, outer, z = cells
    widest = max(len(places) for (_, places, _), _, _ in rows)
    blocks = np.zeros((len(rows), FIXED + widest), dtype=np.int64)
    for k, ((head, places, _), start, dimension) in enumerate(rows):
        blocks[k, : FIXED + len(places)] = [*head, dimension, start, len(places) // 3, *places]
    corners, chol_cells, triangles, etas = [], [], [], []
    at = space._template.size
    for p, place in space._triangles:
        n = p.shape[0]
        corners.append([n, sum(map(len, triangles)), len(chol_cells)])
        where = {int(k) - at: (int(r), int(c)) for r, c, k in z if at <= k < at + n * n}
        chol_cells += [where.get(k, (-1, -1)) for k in range(n * n)]
        triangles.append(place)
        etas.append(p.priors[0].args[0])
        at += n * n
    n_node = len(density.data.layout.nodes)
    values = {
        "mode": mode.u, "spread": mode.spread, "kinds": space._kinds, "args": space._args,
        "where": space._where, "spans": space._spans, "concentration": space._concentrations,
        "template": space._template, "positive": space._positive, "unit": space._unit,
        "places": np.concatenate(triangles) if triangles else np.zeros(0),
        "corners": np.array(corners, dtype=np.int64).reshape(-1, 3),
        "chol_cells": np.array(chol_cells, dtype=np.int64).reshape(-1, 2),
        "inner": inner, "outer": outer, "blocks": blocks, "codes": likelihood.codes,
        "start": likelihood.start, "factor": likelihood.factor, "sizes": likelihood.sizes,
        "nodes": likelihood.nodes, "lo": likelihood.lo, "hi": likelihood.hi, "count": likelihood.count,
        "design": likelihood.design, "constant": np.array([likelihood._constant, n_node, *etas]),
    }  # fmt: skip
    whole = {"kinds", "where", "spans", "positive", "unit", "places", "corners", "chol_cells", "inner",
             "outer", "blocks", "start", "factor", "sizes", "lo", "hi"}  # fmt: skip
    table, arrays = np.zeros((len(TABLE), 3), dtype=np.int64), []
    for i, name in enumerate(TABLE):
        kind = np.int8 if name == "codes" else np.int64 if name in whole else np.float64
        array = np.ascontiguousarray(values[name], dtype=kind)
        table[i] = [array.ctypes.data, array.shape[0], array.shape[1] if array.ndim == 2 else 1]
        arrays.append(array)
    logp, copy = callbacks()
    keep = tuple(one for (_, _, made), _, _ in rows for one in made)
    return Native(logp, copy, table, tuple(arrays), keep, density.size)


def _agrees(made: Native, density: Density, mode: Mode) -> bool:
    """Whether both ways give one value and gradient, near the mode."""
    w = np.random.default_rng(5).normal(0.0, 0.3, density.size)
    value, gradient = made.value_and_gradient(w)
    want, d_u = density.value_and_gradient(mode.u + mode.spread @ w)
    if not np.isfinite(want):
        return True
    d_w = d_u @ mode.spread
    return bool(
        abs(value - want) <= 1e-8 * abs(want)
        and np.abs(gradient - d_w).max() <= 1e-6 * (1 + np.abs(d_w).max())
    )
