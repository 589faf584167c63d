"""The grid engine's part of the table for its C function."""

from __future__ import annotations

from typing import Any

import numpy as np

from medpsy.bind import ModelData, local
from medpsy.engines.gaussian import NONE
from medpsy.engines.quadrature_compiled import CompiledQuadrature
from medpsy.engines.quadrature_conditioned import conditioned
from medpsy.families.base import base_values
from medpsy.inference.native import Part
from medpsy.inference.native_grid_kernel import FIXED, TABLE, adapter, part
from medpsy.inference.trace import Tape, Traced, places
from medpsy.latent.base import Equations, system


def grid_part(
    data: ModelData, likelihood: CompiledQuadrature, values: dict[str, Any], tape: Tape
) -> list[Part]:
    """Blocks, answers, windows and nodes."""
    eq = None
    if not data.layout.latent.all():  # what has no items of its own is left out of the system
        mean, chol = system(data.model.structure.equations(values, data.layout, Traced), data.layout, Traced)
        eq = alone(places(mean), places(chol) @ places(chol).T, data.layout.factors, NONE)
    tables = likelihood.tables
    rows, keep = [], []
    for block, dimension, span in zip(tables.blocks, tables.places, tables.spans, strict=True):
        head, roles, made = _block_row(data, block, values, tape)
        rows.append([*head, dimension, span.start, len(roles) // 3, *roles])
        keep += made
    blocks = np.zeros((len(rows), max(map(len, rows))), dtype=np.int64)
    for k, row in enumerate(rows):
        blocks[k, : len(row)] = row
    arrays = {name: getattr(likelihood, name) for name in ("codes", "lo", "hi", "count")}
    arrays |= {name: getattr(tables, name) for name in ("start", "factor", "sizes", "widths", "nodes")}
    grid = Part(
        part(), TABLE, {"blocks": blocks, **arrays}, likelihood.design, likelihood.patterns.inverse,
        likelihood._constant, tuple(keep), eq,
    )  # fmt: skip
    return [grid]


def alone(mean: Any, covariance: Any, constructs: np.ndarray, numbers: np.ndarray) -> Equations:
    """The constructs given some numbers, as a system without paths."""
    _, location, spread = conditioned(mean, covariance, constructs, numbers, Traced)
    size = constructs.size
    return Equations(np.zeros((size, size)), location, np.ones(size), Traced.cholesky(spread))


def _block_row(
    data: ModelData, block: Any, values: dict[str, Any], tape: Tape
) -> tuple[list[int], list[int], list[Any]]:
    """Addresses of a family's kernels, and place and shape of its roles among the values."""
    family: Any = data.model.families[block.name]
    own = local(data, block, values)
    base = base_values(family, own, Traced)
    names = own if base is own else family.family.roles
    roles = [places(base[name]) for name in names]
    where: list[int] = []
    for role in roles:
        where += [tape.in_a_row(role), role.shape[0], role.shape[1] if role.ndim == 2 else 1]
    ranks = tuple(role.ndim for role in roles)
    made = [adapter(family.kernels, ranks, reverse) for reverse in (False, True)]
    head = [*(one.address for one in made), block.values.shape[1], block.n_categories]
    assert len(head) + 3 == FIXED
    return head, where, made
