"""The item parameters of a truth: read, and where means or shares are given, solved for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from medpsy.errors import SpecError, nearest
from medpsy.families.base import ResponseFamily, unsuited
from medpsy.parameter import NEVER
from medpsy.simulate.margins import discretised_normal, solve_category_prob
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
        any item is turned) and ``sd`` (in category steps, 1 unless given). Roles that are not read
        themselves stand there as what is shown for them (``upper``, ``common_step``, ``score``), in the
        direction of the construct.
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
        An unknown key or item, a number missing or impossible, items that do not suit the family.
    """
    if not family.categorical:
        table.only(family.roles)
        values = {role: per_item(table, role, construct) for role in family.roles}
        _positive(table, "residual_sd", values["residual_sd"], construct)
        values["intercept"] = _internal(table, values["intercept"], construct, instrument)
        return values
    values = read_roles(table, construct, family, instrument)
    if "category_prob" not in family.roles:
        return values
    modules = [instrument.module_of(item) for item in construct.items]
    shares = _shares(table, construct, modules)
    turned = [
        share[::-1] if module.turned(item) else share
        for item, module, share in zip(construct.items, modules, shares, strict=True)
    ]
    most = max(len(share) for share in turned)
    solved = np.full((len(turned), most), NEVER)
    for j, share in enumerate(turned):
        own = {role: v if len(v) == 1 else v[j : j + 1] for role, v in values.items()}
        own = {role: v[:, : len(share) - 2] if v.ndim == 2 else v for role, v in own.items()}
        try:
            solved[j, : len(share)] = solve_category_prob(family, own, share, *scores)
        except ValueError:
            raise table.fail(
                f"no '{family.name}' item answers as often as asked for '{construct.items[j]}'",
                "Raise the share of the category that is too rare: guessing alone already gives more.",
                "mean" if "mean" in table.values else "category_prob",
            ) from None
    return {role: solved if role == "category_prob" else values[role] for role in family.roles}


def truth_keys(family: Any) -> tuple[str, ...]:
    """Keys of a construct's table of truth: roles, or what is shown in their place, and the shares."""
    own = [family.shown.get(r.name, r.name) for r in family.declared if r.per != "category"]
    shares = any(r.per == "category" for r in family.declared)
    return (*own, *(("category_prob", "mean", "sd") if shares else ()))


def read_roles(
    table: TomlTable, construct: Construct, family: Any, instrument: Instrument
) -> dict[str, np.ndarray]:
    """All roles of a family of categorical items but the category probabilities.

    Raises
    ------
    SpecError
        An unknown key, a number missing or impossible, items that do not suit the family.
    """
    table.only(truth_keys(family))
    sizes = [instrument.module_of(item).n_categories for item in construct.items]
    problem = unsuited(family, construct, sizes)
    if problem is not None:
        raise table.fail(problem.message, problem.hint)
    given: dict[str, np.ndarray] = {}
    for role in family.declared:
        key = family.shown.get(role.name, role.name)
        if role.per == "item":
            given[key] = per_item(table, key, construct)
        elif role.per == "construct":
            given[key] = per_item(table, key, replace(construct, items=(construct.items[0],)))
        elif role.per == "inner":
            what = f"{key} of '{construct.name}'"
            given[key] = row_of(table, key, what, table.values.get(key), max(sizes) - 1)
        elif role.per == "middle":
            found = zip(construct.items, _entries(table, key, construct, rows=True), sizes, strict=True)
            rows = [row_of(table, key, f"{key} of '{item}'", row, size) for item, row, size in found]
            given[key] = np.array([np.append(row, np.arange(len(row), max(sizes))) for row in rows])
    try:
        return dict(family.internal(given, np.array(sizes)))
    except SpecError as error:
        raise table.fail(f"'{construct.name}': {error.message}", error.hint) from None


def row_of(table: TomlTable, key: str, what: str, value: Any, size: int) -> np.ndarray:
    """A list of numbers."""
    if not isinstance(value, list) or len(value) != size:
        place = key if key in table.values else None
        raise table.fail(f"{what} is no list of {size} numbers", f"Write {key} = [...].", place)
    return np.array([_real(table, key, what, number) for number in value])


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
