"""Kinds of values on the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

#: What ``add_subparsers`` returns.
Commands = Any


def whole(lowest: int) -> Callable[[str], int]:
    """Return a reader of whole numbers from ``lowest`` up."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = lowest - 1
        if value < lowest:
            raise argparse.ArgumentTypeError(f"'{text}' is no whole number from {lowest} up")
        return value

    return read


def share(text: str) -> float:
    """Read a number between 0 and 1, both excluded."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no number between 0 and 1")
    return value
