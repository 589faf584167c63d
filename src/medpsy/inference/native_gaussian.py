"""The Gaussian engine's part of the table for its C function."""

from __future__ import annotations

import numpy as np

from medpsy.engines.gaussian import loading_cells
from medpsy.engines.gaussian_compiled import SufficientStatistics
from medpsy.inference.density import Density
from medpsy.inference.native import Part, Probe
from medpsy.inference.native_gaussian_kernel import TABLE, density

#: Beyond so many patterns of missing values the tables are no longer small.
MOST_PATTERNS = 2_000


def gaussian_part(model: Density, probe: Probe) -> Part | str:
    """Places of the variables' parameters, and the cross-products of every pattern of missing values."""
    likelihood, data = model.likelihood, model.data
    assert isinstance(likelihood, SufficientStatistics)
    if len(likelihood.patterns) > MOST_PATTERNS:
        return f"more than {MOST_PATTERNS} patterns of missing values"
    places: dict[str, list[int]] = {role: [] for role in ("loading", "intercept", "residual_sd")}
    for block in data.blocks:
        for role, found in places.items():
            start = probe.offset[f"{role}_{block.name}"]
            found += range(start, start + block.values.shape[1])
    _, nodes = loading_cells(data)
    rows = np.full((len(nodes), 4), -1, dtype=np.int64)
    rows[:, 0] = nodes
    for k, found in enumerate(places.values()):
        rows[: len(found), 1 + k] = found
    patterns: list[list[int]] = []
    columns: list[int] = []
    flat: dict[str, list[np.ndarray]] = {"yy": [], "yw": [], "ww": []}
    for n, own, *products in likelihood.patterns:
        starts = [sum(map(len, pieces)) for pieces in flat.values()]
        patterns.append([n, len(columns), len(own), *starts])
        columns += own.tolist()
        for pieces, product in zip(flat.values(), products, strict=True):
            pieces.append(np.ascontiguousarray(product).ravel())
    arrays = {name: np.concatenate(pieces) if pieces else np.zeros(0) for name, pieces in flat.items()}
    whole = {
        "rows": rows,
        "patterns": np.array(patterns, dtype=np.int64).reshape(-1, 6),
        "columns": np.array(columns, dtype=np.int64),
    }
    return Part(density(), TABLE, {**whole, **arrays})
