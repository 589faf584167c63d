"""The sections of the report: one module each, with ``ORDER`` and ``build(context) -> Section | None``.

A section that needs tables of its own has a function ``gather(result, interval)``, too; what it returns
stands in ``context.parts`` under the name of its module (None: nothing to say about this model). A new
section is a new file here; nothing else needs to know.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from types import ModuleType
from typing import Any

from medpsy.report.blocks import Section
from medpsy.report.context import Context
from medpsy.result import Result

Build = Callable[[Context], Section | None]


def modules() -> list[ModuleType]:
    """Return all section modules in the order in which they are printed."""
    found = [importlib.import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)]
    return sorted(found, key=lambda module: (module.ORDER, module.__name__))


def gather(result: Result, *, interval: float) -> dict[str, Any]:
    """Return what the sections compute for themselves, by name of the module; nothing for None."""
    found = {
        module.__name__.rpartition(".")[2]: module.gather(result, interval)
        for module in modules()
        if hasattr(module, "gather")
    }
    return {name: part for name, part in found.items() if part is not None}


def build_sections(context: Context) -> list[Section]:
    """Return the sections that have something to say about ``context``, in order."""
    built = (module.build(context) for module in modules())
    return [section for section in built if section is not None]
