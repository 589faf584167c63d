"""One table of a model file with strict keys and types, every complaint with its line."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from medpsy.errors import SpecError, nearest
from medpsy.spec.toml_text import TomlText
from medpsy.survey.items import expand_items


@dataclass(frozen=True)
class TomlTable:
    """The values of one table, its dotted name in the file, and the file's text."""

    values: Mapping[str, Any]
    source: TomlText
    keys: tuple[str, ...] = ()

    def fail(self, message: str, hint: str = "", key: str | None = None) -> SpecError:
        """Return a SpecError at the line of ``key``, or of this table."""
        return self.source.error(message, *self.keys, *([key] if key else []), hint=hint)

    def only(self, allowed: Collection[str]) -> None:
        """Refuse every other key, naming the nearest one that exists."""
        for key in self.values:
            if key not in allowed:
                where = f" in [{'.'.join(self.keys)}]" if self.keys else ""
                raise self.fail(f"unknown key '{key}'{where}", nearest(key, allowed), key)

    def table(self, key: str) -> TomlTable:
        """Return a table below this one, empty where absent."""
        value = self.values.get(key, {})
        if not isinstance(value, Mapping):
            raise self.fail(f"'{key}' is {_shown(value)}, not a table", f"Write [{self._dotted(key)}].", key)
        return TomlTable(value, self.source, (*self.keys, key))

    def text(self, key: str, default: str = "", choices: Collection[str] = ()) -> str:
        """Return a text, one of ``choices`` where given."""
        value = self.values.get(key, default)
        if not isinstance(value, str):
            raise self.fail(f"'{key}' is {_shown(value)}, not a text", f'Write {key} = "...".', key)
        if choices and value not in choices:
            raise self.fail(f'{key} = "{value}" is unknown', nearest(value, choices), key)
        return value

    def required(self, key: str) -> str:
        """Return a text that must be there and not be empty."""
        value = self.text(key).strip()
        if not value:
            where = f"[{'.'.join(self.keys)}]" if self.keys else "the file"
            raise self.fail(f"{where} has no {key}", f'Write {key} = "...".', key)
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts; a single text counts as a list of one."""
        value = self.values.get(key, [])
        value = [value] if isinstance(value, str) else value
        if not isinstance(value, list) or not all(isinstance(piece, str) for piece in value):
            raise self.fail(
                f"'{key}' is {_shown(value)}, not a list of texts", f'Write {key} = ["...", "..."].', key
            )
        return tuple(value)

    def items(self, key: str) -> tuple[str, ...]:
        """Return item names, ranges expanded."""
        pieces = self.texts(key)
        if not pieces:
            raise self.fail(f"[{'.'.join(self.keys)}] has no items", 'Write items = "mh1..mh10" or a list.')
        try:
            return expand_items(pieces)
        except SpecError as error:
            raise self.fail(error.message, error.hint, key) from None

    def flag(self, key: str) -> bool:
        """Return true or false, false where absent."""
        value = self.values.get(key, False)
        if not isinstance(value, bool):
            raise self.fail(f"'{key}' is {_shown(value)}, not true or false", f"Write {key} = true.", key)
        return value

    def whole(self, key: str, lowest: int) -> int:
        """Return a whole number of at least ``lowest``."""
        value = self.values[key]
        if isinstance(value, bool) or not isinstance(value, int) or value < lowest:
            wanted = f"a whole number from {lowest} up"
            raise self.fail(f"'{key}' is {_shown(value)}, not {wanted}", f"Write {key} = {lowest + 1}.", key)
        return value

    def number(self, key: str, lowest: float, highest: float, *, open_ends: bool) -> float:
        """Return a number between two bounds, which do or do not count as inside."""
        value = self.values[key]
        good = isinstance(value, int | float) and not isinstance(value, bool)
        if good:
            good = lowest < value < highest if open_ends else lowest <= value <= highest
        if not good:
            raise self.fail(
                f"'{key}' is {_shown(value)}, not a number between {lowest:g} and {highest:g}",
                f"Write it without quotes, for example {key} = {(lowest + min(highest, lowest + 1)) / 2:g}.",
                key,
            )
        return float(value)

    def _dotted(self, key: str) -> str:
        return ".".join((*self.keys, key))


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)
