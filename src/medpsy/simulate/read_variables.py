"""The person variables of a truth: one distribution each, checked against the instrument."""

from __future__ import annotations

from typing import Any

import numpy as np

from medpsy.errors import nearest
from medpsy.observed.base import ObservedFamily, has_categories
from medpsy.simulate.read_items import real, row_of
from medpsy.simulate.spread import Quota, Spread, cut_normal
from medpsy.spec.toml_table import TomlTable
from medpsy.survey.instrument import Instrument, Variable
from medpsy.survey.ordered import declared


def read_spread(table: TomlTable, variable: Variable, n_person: int) -> Spread:
    """Distribution of one person variable from its table ``[truth.variables.NAME]``.

    Parameters
    ----------
    table : TomlTable
        ``counts`` (exact, adding up to ``n_person``) or ``shares`` (probabilities), by level or by number;
        or, for a number, ``mean`` and ``sd`` of a normal that is cut at ``low`` and ``high`` (unless given,
        the range that the instrument declares).
    variable : Variable
        Its declaration.
    n_person : int
        Persons of the study.

    Raises
    ------
    SpecError
        No form or two, an unknown level, counts or shares that do not add up, an impossible range.
    """
    table.only(("counts", "shares", "mean", "sd", "low", "high"))
    forms = [key for key in ("counts", "shares") if key in table.values]
    normal = [key for key in ("mean", "sd", "low", "high") if key in table.values]
    if len(forms) + bool(normal) != 1 or (normal and not {"mean", "sd"} <= set(normal)):
        raise table.fail(
            f"[{'.'.join(table.keys)}] does not give one distribution",
            "Write counts = {...}, or shares = {...}, or mean = and sd = (with low = and high =).",
        )
    if normal:
        return _normal(table, variable)
    values, amounts = _amounts(table, forms[0], variable)
    total = float(amounts.sum())
    if forms == ["counts"]:
        if total != n_person or np.any(amounts != np.round(amounts)):
            raise table.fail(
                f"the counts of '{variable.name}' add up to {total:g}, not to n_person = {n_person}",
                "Count every person once, in whole numbers.",
                "counts",
            )
        return Quota(values, amounts / total)
    if abs(total - 1) > 1e-6:
        raise table.fail(
            f"the shares of '{variable.name}' add up to {total:g}, not to 1", "Write shares of one.", "shares"
        )
    return Spread(values, amounts / total)


def _amounts(table: TomlTable, form: str, variable: Variable) -> tuple[np.ndarray, np.ndarray]:
    """Values of the variable and what is said about each of them; those not mentioned have none."""
    inner = table.table(form)
    for key in inner.values:
        if real(inner, key) < 0:
            raise inner.fail(f"'{key}' is negative", "Shares and counts start at 0.", key)
    if variable.kind == "category":
        for key in inner.values:
            if key not in variable.levels:
                raise inner.fail(
                    f"'{key}' is no level of '{variable.name}'", nearest(key, variable.levels), key
                )
        amounts = [real(inner, level) if level in inner.values else 0.0 for level in variable.levels]
        return np.arange(len(variable.levels)), np.array(amounts)
    values = []
    for key in inner.values:
        try:
            value = float(key)
        except ValueError:
            value = np.nan
        if not np.isfinite(value) or not _inside(value, variable):
            raise inner.fail(
                f"'{key}' is no possible value of the number '{variable.name}'{_range(variable)}",
                'Write numbers in quotes as keys: { "1" = 0.5, "2" = 0.5 }.',
                key,
            )
        values.append(value)
    return np.array(values), np.array([real(inner, key) for key in inner.values])


def _normal(table: TomlTable, variable: Variable) -> Spread:
    if variable.kind == "category":
        raise table.fail(
            f"'{variable.name}' is a category and has no mean", "Write counts = {...} or shares = {...}."
        )
    low = -np.inf if variable.minimum is None else variable.minimum
    high = np.inf if variable.maximum is None else variable.maximum
    for key in ("low", "high"):
        if key in table.values and not _inside(real(table, key), variable):
            raise table.fail(
                f"{key} = {table.values[key]} lies outside the range of '{variable.name}'{_range(variable)}",
                "Values outside would be read back as impossible.",
                key,
            )
    low = real(table, "low") if "low" in table.values else low
    high = real(table, "high") if "high" in table.values else high
    mean, sd = real(table, "mean"), real(table, "sd")
    made = cut_normal(mean, sd, low, high) if sd > 0 and low < high else None
    if made is None:
        raise table.fail(
            f"no normal with mean {mean:g} and sd {sd:g} lies between {low:g} and {high:g}",
            "sd is positive, low is below high, and the mean is between or near them.",
        )
    return made


def _inside(value: float, variable: Variable) -> bool:
    low = -np.inf if variable.minimum is None else variable.minimum
    high = np.inf if variable.maximum is None else variable.maximum
    return low <= value <= high


def _range(variable: Variable) -> str:
    if variable.minimum is None and variable.maximum is None:
        return ""
    low = "" if variable.minimum is None else f" from {variable.minimum:g}"
    high = "" if variable.maximum is None else f" to {variable.maximum:g}"
    return f" (declared{low}{high})"


def check_variable(table: TomlTable, spread: Spread, name: str) -> None:
    """Refuse a covariate that is the same for everybody."""
    if int((spread.mass > 0).sum()) < 2:
        raise table.fail(
            f"everybody has the same '{name}', which explains others",
            "A constant cannot explain anything: give a second value a share.",
            name,
        )


def observed_numbers(
    observed: TomlTable, name: str, family: ObservedFamily, instrument: Instrument
) -> dict[str, Any]:
    """Numbers of one explained observed variable from ``[truth.observed.NAME]``, defaults filled in.

    Raises
    ------
    SpecError
        A key that its family does not have, a number out of its range, a category with other than two levels.
    """
    if has_categories(family):
        shares, lowest = _category_shares(observed, name, instrument)
        return {"shares": shares, "lowest": lowest}
    table, variable = observed.table(name), _declared(instrument, observed, name)
    table.only(tuple(family.truth))
    if variable.kind == "category":
        if family.kind != "categorical":
            raise table.fail(
                f"'{name}' is a category and cannot be drawn as {family.what}",
                "Give it the family 'bernoulli', or declare it as a number.",
            )
        if len(variable.levels) != 2:
            raise table.fail(
                f"{family.what} '{name}' has {len(variable.levels)} levels", "It needs exactly two levels."
            )
    found = {}
    for key, (default, low, high) in family.truth.items():
        found[key] = real(table, key) if key in table.values else default
        if not low < found[key] < high:
            limits = "positive" if np.isinf(high) else f"between {low:g} and {high:g}"
            raise table.fail(
                f"{key} of '{name}' is {found[key]:g}, not {limits}", f"Write {key} = {default:g}.", key
            )
    return found


def _category_shares(observed: TomlTable, name: str, instrument: Instrument) -> tuple[np.ndarray, float]:
    """Share of every category of an ordinal variable (equal unless given); what the lowest is kept as."""
    table = observed.table(name)
    table.only(("shares",))
    if name not in instrument.items:
        _declared(instrument, observed, name)
    known = declared(instrument, name)
    if known is None:
        raise table.fail(
            f"the instrument does not say which categories '{name}' has",
            "Declare it as a category with its levels in order, or as a number with minimum and maximum.",
        )
    # Items are kept as codes counted from 0.
    size, lowest = len(known[0]), 0.0 if name in instrument.items else known[1]
    if "shares" not in table.values:
        return np.full(size, 1.0 / size), lowest
    shares = row_of(table, "shares", f"'{name}'", table.values["shares"], size)
    if (shares <= 0).any() or abs(shares.sum() - 1.0) > 1e-6:
        raise table.fail(
            f"the shares of '{name}' are not positive numbers that add up to 1",
            f"Write shares of the {size} categories, lowest first.",
            "shares",
        )
    return shares / shares.sum(), lowest


def _declared(instrument: Instrument, table: TomlTable, name: str) -> Variable:
    for variable in instrument.variables:
        if variable.name == name:
            return variable
    raise table.fail(
        f"'{name}' is no variable of the instrument", nearest(name, [v.name for v in instrument.variables])
    )
