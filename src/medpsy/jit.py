"""Numba with an on-disk cache, imported only when a compiled route is taken."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any


@cache
def jit(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile ``function`` once; the machine code is kept on disk and releases the GIL while it runs.

    Kernels are driven by index arrays, so a new model, other items or more persons never compile again.
    """
    import numba

    # Sums may be reassociated (vectorised); NaN and infinity keep their meaning.
    relaxed = {"reassoc", "contract", "arcp", "nsz"}
    options = {"nogil": True, "error_model": "numpy", "fastmath": relaxed}
    _find_cache()
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # nowhere to keep it: compile in every process
        return numba.njit(**options)(function)


@cache
def _find_cache() -> None:
    """Where neither the package's folder nor the home folder can be written, use a temporary one."""
    import numba

    if numba.config.CACHE_DIR:
        return
    package = Path(__file__).parent
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    while not home.exists() and home != home.parent:
        home = home.parent
    if not os.access(package, os.W_OK) and not os.access(home, os.W_OK):
        folder = Path(tempfile.gettempdir()) / f"medpsy-kernels-{os.getuid() if hasattr(os, 'getuid') else 0}"
        numba.config.CACHE_DIR = str(folder)


@contextmanager
def announced(wanted: bool = True) -> Iterator[None]:
    """Say on the terminal that kernels are being compiled, if they are: once per machine and version."""
    from numba.core import event

    class Listener(event.Listener):
        """Counts the kernels compiled; each compiles others inside."""

        count = 0
        depth = 0

        def on_start(self, event: Any) -> None:
            self.depth += 1

        def on_end(self, event: Any) -> None:
            self.depth -= 1
            self.count += 1
            if wanted and sys.stderr.isatty():
                sys.stderr.write(f"\rcompiling numerical kernels, this once: {'#' * self.count} {self.count} ")
                sys.stderr.flush()

    listener = Listener()
    event.register("numba:compile", listener)
    try:
        yield
    finally:
        event.unregister("numba:compile", listener)
        if listener.count and wanted and sys.stderr.isatty():
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
