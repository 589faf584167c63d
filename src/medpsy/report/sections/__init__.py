"""The sections of the report: one module each, with ``ORDER`` and ``build(context) -> Section | None``.

A new section is a new file here; nothing else needs to know.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from types import ModuleType

from medpsy.report.blocks import Section
from medpsy.report.context import Context

Build = Callable[[Context], Section | None]


def modules() -> list[ModuleType]:
    """Return all section modules in the order in which they are printed."""
    found = [importlib.import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)]
    return sorted(found, key=lambda module: (module.ORDER, module.__name__))


def build_sections(context: Context) -> list[Section]:
    """Return the sections that have something to say about ``context``, in order."""
    built = (module.build(context) for module in modules())
    return [section for section in built if section is not None]
