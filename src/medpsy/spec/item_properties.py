"""Properties of items that explain how difficult they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from medpsy.errors import SpecError, nearest


@dataclass(frozen=True)
class ItemProperties:
    """What is known about the items of one construct, and whether that is all.

    Parameters
    ----------
    values : tuple of (str, tuple)
        By property: one number or one text for every item, in the order of the items. Numbers have a slope;
        texts are levels, whose effects add up to zero and come from a common distribution.
    residual : bool
        Items differ beyond their properties; False makes the properties the whole of their differences.
    """

    values: tuple[tuple[str, tuple[float | str, ...]], ...]
    residual: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the properties."""
        return tuple(name for name, _ in self.values)

    def is_number(self, name: str) -> bool:
        """Whether a property is a number."""
        return not isinstance(dict(self.values)[name][0], str)


def read_properties(
    construct: str, items: tuple[str, ...], given: Any, residual: bool = True
) -> ItemProperties:
    """Return properties from a mapping or a data frame.

    Parameters
    ----------
    construct : str
        For errors.
    items : tuple of str
    given : mapping or DataFrame
        A mapping of property to values: a list in the order of the items, or a mapping by item; or a data
        frame with one row for each item, named by its index.
    residual : bool

    Raises
    ------
    SpecError
        An item without a value, a name that is no item, texts among numbers, one value throughout.
    """
    if hasattr(given, "columns"):
        given = {str(name): dict(zip(given.index.map(str), given[name], strict=True)) for name in given}
    if not isinstance(given, Mapping) or not given:
        raise SpecError(
            f"the properties of the items of '{construct}' are no table",
            hint='Write properties={"length": [3, 5, ...]} or pass a data frame indexed by item.',
        )
    columns = tuple((str(name), _column(construct, str(name), items, v)) for name, v in given.items())
    return ItemProperties(columns, residual)


def _column(construct: str, name: str, items: tuple[str, ...], given: Any) -> tuple[float | str, ...]:
    if isinstance(given, Mapping):
        for item in items:
            if item not in given:
                raise SpecError(
                    f"property '{name}' of '{construct}' has no value for item '{item}'",
                    hint=nearest(item, [str(key) for key in given]),
                )
        given = [given[item] for item in items]
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise SpecError(
            f"property '{name}' of '{construct}' is {given!r}, not one value for every item",
            hint=f"Write a list of {len(items)} values.",
        )
    values = [_plain(value) for value in given]
    if len(values) != len(items):
        raise SpecError(
            f"property '{name}' of '{construct}' has {len(values)} values for {len(items)} items",
            hint=f"One for each of {items[0]} to {items[-1]}.",
        )
    for item, value in zip(items, values, strict=True):
        if value is None:
            raise SpecError(
                f"property '{name}' of '{construct}' is missing for item '{item}'",
                hint="Give it a value, or leave the item out.",
            )
    if len({isinstance(value, str) for value in values}) > 1:
        raise SpecError(
            f"property '{name}' of '{construct}' mixes numbers and texts",
            hint="Write numbers throughout, or put all of them in quotes.",
        )
    if len(set(values)) < 2:
        raise SpecError(
            f"property '{name}' is the same for all items of '{construct}'",
            hint="What does not vary explains nothing: leave it out.",
        )
    return tuple(value for value in values if value is not None)


def _plain(value: Any) -> float | str | None:
    """A number or a text; None for what is missing."""
    if isinstance(value, str):
        return value
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return None if number != number else number
