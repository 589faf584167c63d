"""An instrument as a TOML file: read, checked, every mistake named with its line."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NoReturn

from medpsy.errors import SpecError, nearest
from medpsy.survey.instrument import Instrument, InstrumentError, Module, Variable
from medpsy.survey.items import expand_items

#: Version of the file format that this package reads.
SCHEMA = 1

_TOP = ("schema", "name", "note", "person", "missing", "module", "variable")
_MODULE = ("title", "items", "codes", "labels", "reverse", "polarity", "source", "wording")
_VARIABLE = ("kind", "levels", "title", "minimum", "maximum")
_POLARITY = {"positive": 1, "negative": -1}

_NAME = r"""(?:[\w-]+|"[^"]*"|'[^']*')"""
_DOTTED = rf"{_NAME}(?:\s*\.\s*{_NAME})*"
_HEADER = re.compile(rf"\s*\[\s*({_DOTTED})\s*\]\s*(?:#.*)?$")
_KEY = re.compile(rf"\s*({_DOTTED})\s*=")


def read_instrument(path: str | os.PathLike[str]) -> Instrument:
    """Read an instrument file.

    Parameters
    ----------
    path : path
        A TOML file, UTF-8.

    Returns
    -------
    Instrument

    Raises
    ------
    SpecError
        The file is missing, is not UTF-8 or not TOML, or says something impossible. The message names the
        file and, where there is one, the line.

    Examples
    --------
    >>> import medpsy as mp
    >>> asked = mp.load_instrument("instrument.toml")
    >>> asked.name, len(asked.items)
    ('Mexican medical students', 24)
    """
    text = _text_of(path)
    try:
        mapping = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"at line (\d+)", str(error))
        raise SpecError(
            f"not TOML: {error}",
            hint="Texts need quotes, lists need brackets, and a key may stand only once in a table.",
            path=os.fspath(path),
            line=int(place.group(1)) if place else len(text.splitlines()) or 1,
        ) from None
    except (RecursionError, ValueError) as error:
        raise SpecError(f"not TOML: {error}", hint="Simplify the file.", path=os.fspath(path)) from None
    return parse_instrument(mapping, os.fspath(path))


def parse_instrument(mapping: Mapping[str, Any], path: str | os.PathLike[str] | None = None) -> Instrument:
    """Turn the tables of an instrument (its own file, or ``[instrument]`` of a model file) into a value.

    Parameters
    ----------
    mapping : mapping
        ``schema, name, note, person, missing, module, variable`` as documented in the file format.
    path : path, optional
        The file the mapping came from; it is searched for the line of a mistake.

    Returns
    -------
    Instrument

    Raises
    ------
    SpecError
        An unknown key, a value of the wrong type, or an impossible instrument.
    """
    top = _Table(mapping, (), os.fspath(path) if path is not None else None)
    top.known(_TOP)
    schema = mapping.get("schema", SCHEMA)
    if schema is True or schema != SCHEMA:
        top.fail(f"schema {schema!r} is unknown", f"This version reads schema = {SCHEMA}.", "schema")
    modules = tuple(_module(name, table) for name, table in top.tables("module"))
    variables = tuple(_variable(name, table) for name, table in top.tables("variable"))
    person = top.text("person")
    try:
        return Instrument(
            modules=modules,
            variables=variables,
            person=person or None,
            missing=top.texts("missing"),
            name=top.text("name"),
            note=top.text("note"),
        )
    except InstrumentError as error:
        top.fail(error.message, error.hint, *error.keys)


def _module(name: str, table: _Table) -> Module:
    table.known(_MODULE)
    polarity = table.text("polarity") or "positive"
    if polarity not in _POLARITY:
        table.fail(f"polarity '{polarity}' is unknown", 'Say "positive" or "negative".', "polarity")
    wording = table.table("wording")
    try:
        return Module(
            name=name,
            items=table.items("items"),
            codes=table.codes("codes"),
            labels=table.texts("labels"),
            reverse=table.items("reverse"),
            polarity=_POLARITY[polarity],
            wording=tuple((item, wording.text(item)) for item in wording.values),
            title=table.text("title"),
            source=table.text("source"),
        )
    except InstrumentError as error:
        table.fail(error.message, error.hint, *error.keys)


def _variable(name: str, table: _Table) -> Variable:
    table.known(_VARIABLE)
    try:
        return Variable(
            name=name,
            kind=table.text("kind") or "number",
            levels=table.texts("levels"),
            title=table.text("title"),
            minimum=table.number("minimum"),
            maximum=table.number("maximum"),
        )
    except InstrumentError as error:
        table.fail(error.message, error.hint, *error.keys)


class _Table:
    """One TOML table that knows where it stands, so that each complaint can name its line."""

    def __init__(self, values: object, keys: tuple[str, ...], path: str | None) -> None:
        self.keys = keys
        self.path = path
        self.values: Mapping[str, Any] = {}
        if not isinstance(values, Mapping):
            self.fail(f"'{'.'.join(keys) or 'the instrument'}' is not a table", "Write it as [table].")
        self.values = values

    def fail(self, message: str, hint: str, *keys: str) -> NoReturn:
        line = None
        if self.path is not None:
            line = line_of(self.path, self.keys + keys) or line_of(self.path, self.keys)
        raise SpecError(message, hint=hint, path=self.path, line=line)

    def known(self, names: Collection[str]) -> None:
        for key in self.values:
            if key not in names:
                where = f" in [{'.'.join(self.keys)}]" if self.keys else ""
                self.fail(f"unknown key '{key}'{where}", nearest(str(key), names), str(key))

    def table(self, key: str) -> _Table:
        return _Table(self.values.get(key, {}), (*self.keys, key), self.path)

    def tables(self, key: str) -> list[tuple[str, _Table]]:
        parent = self.table(key)
        return [(name, parent.table(name)) for name in parent.values]

    def text(self, key: str) -> str:
        value = self.values.get(key, "")
        if not isinstance(value, str):
            self.fail(f"'{key}' is {value!r}, not a text", f'Write it in quotes: {key} = "...".', key)
        return value.strip()

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts; whole numbers are taken as texts too."""
        value = self.values.get(key, [])
        good = isinstance(value, list | tuple)
        if not good or any(isinstance(v, bool) or not isinstance(v, str | int) for v in value):
            self.fail(f"'{key}' is {value!r}, not a list of texts", f'Write {key} = ["...", "..."].', key)
        return tuple(str(v).strip() for v in value)

    def items(self, key: str) -> tuple[str, ...]:
        value = self.values.get(key, [])
        if not isinstance(value, str | list | tuple):
            self.fail(f"'{key}' is {value!r}, not item names", f'Write {key} = "mh1..mh10" or a list.', key)
        try:
            return expand_items(value)
        except SpecError as error:
            self.fail(error.message, error.hint, key)

    def codes(self, key: str) -> tuple[int, ...]:
        if key not in self.values:
            self.fail(f"[{'.'.join(self.keys)}] has no codes", "Write them: codes = [0, 1, 2, 3].")
        value = self.values[key]
        good = isinstance(value, list | tuple)
        if not good or any(isinstance(v, bool) or not isinstance(v, int) for v in value):
            self.fail(f"'{key}' is {value!r}, not a list of whole numbers", f"Write {key} = [0, 1, 2].", key)
        return tuple(value)

    def number(self, key: str) -> float | None:
        value = self.values.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.fail(f"'{key}' is {value!r}, not a number", f"Write it without quotes: {key} = 18.", key)
        return float(value)


def line_of(path: str | os.PathLike[str], keys: tuple[str, ...]) -> int | None:
    """Return the one-based line of dotted ``keys``: under ``[instrument]``, or else at the top."""
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError):
        return None
    header: tuple[str, ...] = ()
    found: dict[tuple[str, ...], int] = {}
    for number, line in enumerate(lines, start=1):
        if match := _HEADER.match(line):
            header = full = _parts(match.group(1))
        elif match := _KEY.match(line):
            full = header + _parts(match.group(1))
        else:
            continue
        for depth in range(1, len(full) + 1):
            found.setdefault(full[:depth], number)
    return found.get(("instrument", *keys), found.get(keys))


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in re.findall(_NAME, dotted))


def _text_of(path: str | os.PathLike[str]) -> str:
    try:
        return Path(path).read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise SpecError(
            "there is no such instrument file", hint="Check the path.", path=os.fspath(path)
        ) from None
    except UnicodeDecodeError as error:
        raise SpecError(
            f"not UTF-8 at byte {error.start}", hint="Save the file as UTF-8.", path=os.fspath(path)
        ) from None
    except (OSError, ValueError) as error:
        raise SpecError(f"cannot be read: {error}", hint="Check the path.", path=os.fspath(path)) from None
