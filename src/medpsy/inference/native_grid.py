"""The grid engine's part of the table for its C function."""

from __future__ import annotations

from typing import Any

import numpy as np

from medpsy.bind import local
from medpsy.engines.quadrature_compiled import MANY_ROWS, CompiledQuadrature
from medpsy.inference.density import Density
from medpsy.inference.native import Part, Probe
from medpsy.inference.native_grid_kernel import FIXED, TABLE, adapter, density


def grid_part(model: Density, probe: Probe) -> Part | str:
    """Blocks, answers, windows and nodes; or why there is no C function."""
    likelihood = model.likelihood
    assert isinstance(likelihood, CompiledQuadrature)
    if not model.data.layout.latent.all():
        return "a latent variable without items stands among the paths"
    tables = likelihood.tables
    if len(likelihood.count) >= MANY_ROWS:
        return "many persons are shared out among threads"
    rows, keep = [], []
    for block, place, span in zip(tables.blocks, tables.places, tables.spans, strict=True):
        row = _block_row(model, block, probe)
        if row is None:
            return f"the parameters of '{block.name}' are not laid out in one piece"
        head, places, made = row
        rows.append([*head, place, span.start, len(places) // 3, *places])
        keep += made
    blocks = np.zeros((len(rows), max(map(len, rows))), dtype=np.int64)
    for k, values in enumerate(rows):
        blocks[k, : len(values)] = values
    arrays = {name: getattr(likelihood, name) for name in ("codes", "lo", "hi", "count")}
    arrays |= {name: getattr(tables, name) for name in ("start", "factor", "sizes", "widths", "nodes")}
    return Part(density(), TABLE, {"blocks": blocks, **arrays}, tuple(keep))


def _block_row(model: Density, block: Any, probe: Probe) -> tuple[list[int], list[int], list[Any]] | None:
    """Addresses of a family's kernels, and place and shape of its roles among the flat values."""
    if hasattr(model.data.model.families[block.name], "to_base"):
        return None
    roles = list(local(model.data, block, probe.values(0.0)).values())
    places: list[int] = []
    for value in roles:
        start = int(value.flat[0])
        if value.ndim > 2 or (value.ravel() != np.arange(start, start + value.size)).any():
            return None
        if start + value.size > probe.size:
            return None
        places += [start, value.shape[0], value.shape[1] if value.ndim == 2 else 1]
    family: Any = model.data.model.families[block.name]
    ranks = tuple(value.ndim for value in roles)
    made = [adapter(family.kernels, ranks, reverse) for reverse in (False, True)]
    head = [*(one.address for one in made), block.values.shape[1], block.n_categories]
    assert len(head) + 3 == FIXED
    return head, places, made
