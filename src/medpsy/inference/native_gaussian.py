"""The Gaussian engine's part of the table for its C function."""

from __future__ import annotations

from typing import Any

import numpy as np

from medpsy.bind import ModelData
from medpsy.engines.gaussian import loading_cells
from medpsy.engines.gaussian_compiled import SufficientStatistics
from medpsy.inference.native import Part
from medpsy.inference.native_gaussian_kernel import TABLE, part
from medpsy.inference.trace import Tape

#: Beyond so many patterns of missing values the tables are no longer small.
MOST_PATTERNS = 2_000


def gaussian_part(
    data: ModelData, likelihood: SufficientStatistics, values: dict[str, Any], tape: Tape
) -> list[Part] | str:
    """Places of the variables' parameters; cross-products and answers of every pattern of missing values."""
    products = cross_products(likelihood)
    if isinstance(products, str):
        return products
    arrays, place, keep = products
    found: dict[str, list[int]] = {role: [] for role in ("loading", "intercept", "residual_sd")}
    for block in data.blocks:
        for role, variables in found.items():
            variables += [tape.place(value) for value in values[f"{role}_{block.name}"]]
    _, nodes = loading_cells(data)
    rows = np.full((len(nodes), 4), -1, dtype=np.int64)
    rows[:, 0] = nodes
    for k, variables in enumerate(found.values()):
        rows[: len(variables), 1 + k] = variables
    return [Part(part(), TABLE, {"rows": rows, **arrays}, data.design[:1], place, keep=keep)]


def cross_products(
    likelihood: SufficientStatistics,
) -> tuple[dict[str, np.ndarray], np.ndarray, tuple[Any, ...]] | str:
    """Arrays of the patterns of missing values, the row of every person, and what has to be kept."""
    if len(likelihood.patterns) > MOST_PATTERNS:
        return f"more than {MOST_PATTERNS} patterns of missing values"
    patterns: list[list[int]] = []
    columns: list[int] = []
    flat: dict[str, list[np.ndarray]] = {"yy": [], "yw": [], "ww": []}
    n_person = likelihood.data.n_person
    silent, place, done = np.ones(n_person, dtype=bool), np.empty(n_person, dtype=np.int64), 0
    for (n, own, *products), (persons, _, *answers) in zip(
        likelihood.patterns, likelihood.answers, strict=True
    ):
        starts = [sum(map(len, pieces)) for pieces in flat.values()]
        patterns.append([n, len(columns), len(own), *starts, *(x.ctypes.data for x in answers), done])
        silent[persons], place[persons] = False, np.arange(done, done + n)
        done += n
        columns += own.tolist()
        for pieces, product in zip(flat.values(), products, strict=True):
            pieces.append(np.ascontiguousarray(product).ravel())
    # Persons without any answer share one more row, which stays at zero.
    place[silent] = done
    arrays = {name: np.concatenate(pieces) if pieces else np.zeros(0) for name, pieces in flat.items()}
    arrays["patterns"] = np.array(patterns, dtype=np.int64).reshape(-1, 9)
    arrays["columns"] = np.array(columns, dtype=np.int64)
    return arrays, place, tuple(likelihood.answers)
