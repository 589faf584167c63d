"""A truth of items that are explained by their properties.

::

    [truth.items.reasoning]
    spread = 1.2                                   # the slopes and steps of the family
    location_mean = 0.0                            # logits
    effects = { steps = 0.8, form = { text = 0.3, table = -0.3 } }
    residuals = [0.2, -0.1, ...]                   # 0 unless given
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from medpsy.errors import SpecError, nearest
from medpsy.families.explained import OWN, Explained
from medpsy.parameter import zero_sum_basis
from medpsy.simulate.read_items import per_item, real, row_of
from medpsy.spec.model_spec import Construct
from medpsy.spec.toml_table import TomlTable
from medpsy.survey.instrument import Instrument


def read_explained(
    table: TomlTable, construct: Construct, family: Explained, instrument: Instrument
) -> dict[str, np.ndarray]:
    """Parameters of a construct whose items have properties, or a common distribution.

    Parameters
    ----------
    table : TomlTable
        Slopes and steps as for the family alone; ``gap`` or ``rise`` where it has category probabilities (a
        list that counts for all items, or one list for each); ``location_mean``; ``effects`` by property, of
        a number per sd over the items, of a category by level; ``residuals``.
    construct, family, instrument
        Which items, what answers them, and how they are printed.

    Returns
    -------
    dict of str to ndarray
        By role of the family.

    Raises
    ------
    SpecError
        An unknown key, property or level, a number missing or impossible.
    """
    inner: Any = family.family
    declared = [r for r in inner.declared if r.name not in ("category_prob", "location")]
    shown = {r.name: inner.shown.get(r.name, r.name) for r in declared}
    steps = [role.name for role in family.declared if role in OWN.values()]
    residual = ("residuals",) if family.residual else ()
    table.only((*shown.values(), *steps, "location_mean", "effects", *residual))
    most = instrument.module_of(construct.items[0]).n_categories
    given: dict[str, np.ndarray] = {}
    for role in declared:
        key = shown[role.name]
        if role.per == "inner":
            given[key] = row_of(table, key, f"{key} of '{construct.name}'", table.values.get(key), most - 1)
        else:
            alone = replace(construct, items=construct.items[:1], properties=None)
            given[key] = per_item(table, key, alone if role.per == "construct" else construct)
    try:
        out = dict(inner.internal(given, np.full(len(construct.items), most)))
    except SpecError as error:
        raise table.fail(f"'{construct.name}': {error.message}", error.hint) from None
    for key in steps:
        out[key] = _steps(table, key, construct, most - 2)
    out["location_mean"] = np.array(
        [real(table, "location_mean") if "location_mean" in table.values else 0.0]
    )
    out |= _effects(table.table("effects"), family)
    if family.residual:
        out |= {"location_sd": np.ones(1), "location_residual": per_item(table, "residuals", construct, 0.0)}
    if family.pooled:
        log = np.log(out.pop("slope"))
        out |= {"slope_mean": np.zeros(1), "slope_sd": np.ones(1), "slope_residual": log}
    return {role: out[role] for role in family.roles}


def _steps(table: TomlTable, key: str, construct: Construct, size: int) -> np.ndarray:
    """Distances of the thresholds (item, K - 2): one list for all items, or one for each."""
    value = table.values.get(key)
    rows = value if isinstance(value, list) and value and isinstance(value[0], list) else None
    if rows is not None and len(rows) != len(construct.items):
        raise table.fail(
            f"{key} has {len(rows)} rows for {len(construct.items)} items", "One list for each item.", key
        )
    found = zip(construct.items, rows or [value] * len(construct.items), strict=True)
    return np.array([row_of(table, key, f"{key} of '{item}'", row, size) for item, row in found])


def _effects(table: TomlTable, family: Explained) -> dict[str, np.ndarray]:
    """Effects of numbers, and contrasts of levels with sds of 1."""
    design, out = family.design, {}
    known = [*design.numbers, *design.categories]
    for key in table.values:
        if key not in known:
            raise table.fail(f"'{key}' is no property of these items", nearest(key, known), key)
    if design.numbers:
        out["location_effect"] = np.array(
            [real(table, name) if name in table.values else 0.0 for name in design.numbers]
        )
    if design.categories:
        pieces = []
        for name, levels in zip(design.categories, design.levels, strict=True):
            given = table.values.get(name, {})
            if not isinstance(given, Mapping):
                raise table.fail(f"'{name}' has levels", f"Write {name} = {{ {levels[0]} = 0.2 }}.", name)
            held = table.table(name)
            held.only(levels)
            values = np.array([real(held, level) if level in held.values else 0.0 for level in levels])
            pieces.append(zero_sum_basis(len(levels)).T @ values)
        out |= {
            "location_level": np.concatenate(pieces), "location_level_sd": np.ones(len(design.categories))
        }  # fmt: skip
    return out
