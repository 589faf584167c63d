"""Find the parts of a package: one new family, structure, engine or check is one new file."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import Any


@cache
def parts(package: str, attribute: str) -> dict[str, Any]:
    """Import every module of ``package`` and collect its ``attribute`` objects by their ``name``.

    Parameters
    ----------
    package : str
        Dotted name, for example ``"medpsy.families"``.
    attribute : str
        Module-level name that a part must define, for example ``"FAMILY"``.

    Returns
    -------
    dict of str to object
        Sorted by module name.
    """
    module = importlib.import_module(package)
    found: dict[str, Any] = {}
    for info in sorted(pkgutil.iter_modules(module.__path__), key=lambda m: m.name):
        part = getattr(importlib.import_module(f"{package}.{info.name}"), attribute, None)
        if part is None or type(part).__module__ != f"{package}.{info.name}":
            continue
        if part.name in found:
            raise RuntimeError(f"{package}: two parts are called '{part.name}'")
        found[part.name] = part
    return found
