"""The item parameters of a truth: read, and where means or shares are given, solved for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from medpsy.errors import nearest
from medpsy.families.base import ResponseFamily
from medpsy.simulate.margins import discretised_normal, graded_category_prob
from medpsy.spec.model_spec import Construct
from medpsy.spec.toml_table import TomlTable
from medpsy.survey.instrument import Instrument, Module

#: A distribution over person scores: nodes and weights.
Scores = tuple[np.ndarray, np.ndarray]


def read_items(
    table: TomlTable, construct: Construct, family: ResponseFamily, instrument: Instrument, scores: Scores
) -> dict[str, np.ndarray]:
    """Parameters of one construct's family from its table ``[truth.items.NAME]``.

    Parameters
    ----------
    table : TomlTable
        One number per role for all items, or a list in the order of the items, or a table by item. Instead
        of ``category_prob`` as printed shares (one list per item) there may be ``mean`` (as printed, before
        any item is turned) and ``sd`` (in category steps, 1 unless given).
    construct, family, instrument
        Which items, what answers them, and how they are printed.
    scores : tuple of ndarray
        Nodes and weights of the construct's distribution over persons.

    Returns
    -------
    dict of str to ndarray
        By role of the family.

    Raises
    ------
    SpecError
        An unknown key or item, a number missing or impossible, items with different numbers of categories.
    """
    if "category_prob" not in family.roles:
        table.only(family.roles)
        values = {role: per_item(table, role, construct) for role in family.roles}
        if "residual_sd" in values:
            _positive(table, "residual_sd", values["residual_sd"], construct)
        if "intercept" in values and not family.categorical:
            values["intercept"] = _internal(table, values["intercept"], construct, instrument)
        return values
    others = [role for role in family.roles if role != "category_prob"]
    table.only((*others, "category_prob", "mean", "sd"))
    values = {role: per_item(table, role, construct) for role in others}
    modules = [instrument.module_of(item) for item in construct.items]
    if len({module.n_categories for module in modules}) > 1:
        counts = ", ".join(str(k) for k in sorted({module.n_categories for module in modules}))
        raise table.fail(
            f"the items of '{construct.name}' have different numbers of categories: {counts}",
            "Give items with another answer scale a construct of their own.",
        )
    shares = _shares(table, construct, modules)
    solved = [
        graded_category_prob(slope, share[::-1] if module.turned(item) else share, *scores)
        for item, module, slope, share in zip(construct.items, modules, values["slope"], shares, strict=True)
    ]
    return {role: np.array(solved) if role == "category_prob" else values[role] for role in family.roles}


def per_item(table: TomlTable, key: str, construct: Construct, default: float | None = None) -> np.ndarray:
    """One number per item, from a number, a list or a table by item."""
    if key not in table.values and default is not None:
        return np.full(len(construct.items), default)
    found = _entries(table, key, construct)
    return np.array(
        [_real(table, key, f"{key} of '{item}'", v) for item, v in zip(construct.items, found, strict=True)]
    )


def real(table: TomlTable, key: str) -> float:
    """Return a finite number."""
    return _real(table, key, f"'{key}'", table.values[key])


def _real(table: TomlTable, key: str, what: str, value: Any) -> float:
    good = isinstance(value, int | float) and not isinstance(value, bool)
    if not good or not math.isfinite(value):
        raise table.fail(f"{what} is {value!r}, not a number", f"Write {key} = 0.5 without quotes.", key)
    return float(value)


def _entries(table: TomlTable, key: str, construct: Construct, rows: bool = False) -> list[Any]:
    """The entry of every item; one entry that is no list (``rows``: no list of lists) counts for all."""
    items = construct.items
    if key not in table.values:
        raise table.fail(
            f"[{'.'.join(table.keys)}] has no {key}", f"Write {key} = ... for the items of {construct.name}."
        )
    value = table.values[key]
    if isinstance(value, Mapping):
        for name in value:
            if name not in items:
                raise table.fail(
                    f"{key}: '{name}' is no item of '{construct.name}'", nearest(name, items), key
                )
        absent = [item for item in items if item not in value]
        if absent:
            raise table.fail(f"{key}: item '{absent[0]}' is missing", "Give every item its number.", key)
        return [value[item] for item in items]
    several = isinstance(value, list) and (not rows or (bool(value) and isinstance(value[0], list)))
    if not several:
        return [value] * len(items)
    if len(value) != len(items):
        raise table.fail(
            f"{key} has {len(value)} entries, but '{construct.name}' has {len(items)} items",
            f"One for each of {items[0]} to {items[-1]}.",
            key,
        )
    return value


def _shares(table: TomlTable, construct: Construct, modules: list[Module]) -> list[np.ndarray]:
    """Expected share of every category of every item, in the order in which the codes are printed."""
    given = [key for key in ("mean", "category_prob") if key in table.values]
    wrong = {0: "neither mean nor category_prob", 2: "both mean and category_prob"}.get(len(given), "")
    if given == ["category_prob"] and "sd" in table.values:
        wrong = "sd beside category_prob"
    if wrong:
        raise table.fail(
            f"[{'.'.join(table.keys)}] has {wrong}",
            "Write mean = [...] (and sd, if it is not 1), or category_prob = [[...], ...].",
        )
    if given == ["category_prob"]:
        rows = _entries(table, "category_prob", construct, rows=True)
        return [
            _share_row(table, item, row, module)
            for item, row, module in zip(construct.items, rows, modules, strict=True)
        ]
    means, sds = per_item(table, "mean", construct), per_item(table, "sd", construct, 1.0)
    _positive(table, "sd", sds, construct)
    shares = []
    for item, module, mean, sd in zip(construct.items, modules, means, sds, strict=True):
        low, high = module.codes[0], module.codes[-1]
        share = None
        if low < mean < high:
            share = discretised_normal(float(mean), np.array(module.codes, dtype=float), float(sd))
        if share is None or share.min() < 1e-12:
            raise table.fail(
                f"no spread of answers to '{item}' on codes {low} to {high} has mean {mean:g} and sd {sd:g}",
                "Means are as printed, before any item is turned; move it from the end, or raise sd.",
                "mean",
            )
        shares.append(share)
    return shares


def _share_row(table: TomlTable, item: str, row: Any, module: Module) -> np.ndarray:
    row = row if isinstance(row, list) else [row]
    if len(row) != module.n_categories:
        raise table.fail(
            f"category_prob of '{item}' has {len(row)} entries for {module.n_categories} categories",
            f"One for each of the codes {', '.join(map(str, module.codes))}.",
            "category_prob",
        )
    share = np.array([_real(table, "category_prob", f"category_prob of '{item}'", p) for p in row])
    if share.min() <= 0 or abs(share.sum() - 1) > 1e-6:
        raise table.fail(
            f"category_prob of '{item}' is no set of positive shares that add up to 1 (sum {share.sum():g})",
            "A category that is hardly used still needs a small share, such as 0.001.",
            "category_prob",
        )
    return share / share.sum()


def _positive(table: TomlTable, key: str, values: np.ndarray, construct: Construct) -> None:
    for item, value in zip(construct.items, values, strict=True):
        if value <= 0:
            raise table.fail(f"{key} of '{item}' is {value:g}, not positive", f"Write {key} = 0.8.", key)


def _internal(
    table: TomlTable, intercept: np.ndarray, construct: Construct, instrument: Instrument
) -> np.ndarray:
    """Intercepts of items on an answer scale: from printed codes to turned positions 0..K-1."""
    out = intercept.copy()
    for j, item in enumerate(construct.items):
        if item not in instrument.items:
            continue
        module = instrument.module_of(item)
        codes = np.array(module.codes, dtype=float)
        if not codes[0] <= intercept[j] <= codes[-1]:
            raise table.fail(
                f"intercept of '{item}' is {intercept[j]:g}, outside its codes {codes[0]:g} to {codes[-1]:g}",
                "Intercepts are as printed, before any item is turned.",
                "intercept",
            )
        place = float(np.interp(intercept[j], codes, np.arange(len(codes))))
        out[j] = len(codes) - 1 - place if module.turned(item) else place
    return out
