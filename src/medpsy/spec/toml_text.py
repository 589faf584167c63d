"""A TOML file as text: decoded, parsed, and searched for the line of a key."""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from medpsy.errors import SpecError

_NAME = r"""(?:[\w-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
_DOTTED = rf"{_NAME}(?:\s*\.\s*{_NAME})*"
_HEADER = re.compile(rf"\s*\[\[?\s*({_DOTTED})\s*\]")
_KEY = re.compile(rf"\s*({_DOTTED})\s*=")
_INLINE_KEY = re.compile(rf"[{{,]\s*({_DOTTED})\s*=")
_LONG_OR_COMMENT = re.compile(
    r"""(?P<long>\"{3}(?:[^\\]|\\.)*?\"{3,5}|'{3}.*?'{3,5})"""
    r"""|(?P<comment>\#[^\n]*)|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'""",
    re.DOTALL,
)


@dataclass(frozen=True)
class TomlText:
    """The text of a TOML file and its path as the user wrote it."""

    text: str
    path: str

    def parse(self) -> dict[str, Any]:
        """Return the tables.

        Raises
        ------
        SpecError
            The text is not TOML; the message shows the line with a caret.
        """
        try:
            return tomllib.loads(self.text)
        except tomllib.TOMLDecodeError as error:
            raise self._not_toml(str(error)) from None
        except (RecursionError, ValueError) as error:
            raise SpecError(f"not TOML: {error}", hint="Simplify the file.", path=self.path) from None

    def line_of(self, *keys: str) -> int | None:
        """Return the one-based line of a key, else of the nearest table around it, else None."""
        for length in range(len(keys), 0, -1):
            line = self._lines.get(keys[:length])
            if line is not None:
                return line
        return None

    def has(self, *keys: str) -> bool:
        """Whether the text writes exactly these keys."""
        return keys in self._lines

    def error(self, message: str, *keys: str, hint: str = "") -> SpecError:
        """Return a SpecError with this file and the line of a key."""
        return SpecError(message, hint=hint, path=self.path, line=self.line_of(*keys))

    def first_line_of_value(self, value: str, *keys: str) -> int | None:
        """Return the line in which a long text begins, or None where it is written with escapes."""
        line = self.line_of(*keys)
        if line is None:
            return None
        start = sum(len(row) + 1 for row in self.text.split("\n")[: line - 1])
        found = re.compile(r"=\s*(?:\"{3}|'{3})\n?").search(self.text, start)
        if found is None or not self.text.startswith(value, found.end()):
            return None
        return self.text.count("\n", 0, found.end()) + 1

    @cached_property
    def _lines(self) -> dict[tuple[str, ...], int]:
        """Line of every key path; long strings and comments are blanked, so that nothing in them counts."""
        lines: dict[tuple[str, ...], int] = {}
        table: tuple[str, ...] = ()
        for number, line in enumerate(_LONG_OR_COMMENT.sub(_blank, self.text).split("\n"), start=1):
            if header := _HEADER.match(line):
                table = _parts(header[1])
                found = [table]
            elif key := _KEY.match(line):
                own = table + _parts(key[1])
                found = [own, *(own + _parts(inner[1]) for inner in _INLINE_KEY.finditer(line))]
            else:
                continue
            for path in found:
                for length in range(1, len(path) + 1):
                    lines.setdefault(path[:length], number)
        return lines

    def _not_toml(self, reason: str) -> SpecError:
        rows = self.text.split("\n")
        place = re.search(r"\s*\(at line (\d+), column (\d+)\)$", reason)
        if place is None:
            message = reason.replace(" (at end of document)", "")
            return SpecError(f"not TOML: {message} at the end", path=self.path, line=len(rows))
        line, column = int(place[1]), int(place[2])
        row = rows[line - 1] if line <= len(rows) else ""
        indent = len(row) - len(row.lstrip())
        caret = " " * max(column - 1 - indent, 0) + "^"
        message = reason[: place.start()]
        return SpecError(f"not TOML: {message}\n  {row.strip()}\n  {caret}", path=self.path, line=line)


def read_toml_text(path: str | os.PathLike[str]) -> TomlText:
    """Read a TOML file as text, with or without a byte order mark.

    Raises
    ------
    SpecError
        The file is missing, cannot be read or is not UTF-8.
    """
    name = os.fspath(path)
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise SpecError("there is no such file", hint="Check the path.", path=name) from None
    except UnicodeDecodeError as error:
        raise SpecError(
            f"not UTF-8 at byte {error.start}", hint="Save the file as UTF-8.", path=name
        ) from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise SpecError(f"cannot be read: {why}", hint="Check the path and the rights.", path=name) from None
    return TomlText(text.replace("\r\n", "\n"), name)


def _blank(match: re.Match[str]) -> str:
    if match["comment"] is not None:
        return ""
    return "\n" * match[0].count("\n") if match["long"] is not None else match[0]


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(_unquote(part) for part in re.findall(_NAME, dotted))


def _unquote(part: str) -> str:
    if part[0] == "'":
        return part[1:-1]
    return str(tomllib.loads(f"k = {part}")["k"]) if part[0] == '"' else part
