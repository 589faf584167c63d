"""Numba with an on-disk cache, imported only when a compiled route is taken."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

#: Sums may be reassociated (vectorised); NaN and infinity keep their meaning.
OPTIONS: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"reassoc", "contract", "arcp", "nsz"},
}


@cache
def jit(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile ``function`` once; the machine code is kept on disk and releases the GIL while it runs.

    Kernels are driven by index arrays, so a new model, other items or more persons never compile again.
    """
    import numba

    with stored() as keep:
        return numba.njit(cache=keep, **OPTIONS)(function)


@contextmanager
def stored() -> Iterator[bool]:
    """What Numba decorates inside is kept in medpsy's own folder; gives whether there is one."""
    import numba

    config: Any = numba.config  # its settings are made at run time
    before = config.CACHE_DIR
    config.CACHE_DIR = before or folder()
    try:
        yield bool(config.CACHE_DIR)
    finally:
        config.CACHE_DIR = before


@cache
def folder() -> str:
    """Where machine code is kept: in the package, else in the user's cache, else in a temporary folder.

    The name ends with a hash of the sources, so that code of another version is never run: Numba itself
    looks at the file of a kernel, not at those of the kernels it calls. Empty if nothing can be written.
    """
    package = Path(__file__).parent
    mark = hashlib.sha256()
    for path in sorted(package.rglob("*kernel*/*.py")) + sorted(package.rglob("*kernel*.py")):
        mark.update(path.read_bytes())
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    owner = os.getuid() if hasattr(os, "getuid") else 0
    for base in (package / "__pycache__", home / "medpsy", Path(tempfile.gettempdir()) / f"medpsy-{owner}"):
        place = base / f"kernels-{mark.hexdigest()[:12]}"
        try:
            place.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=place) as file:  # a full disk shows only on writing
                file.write(bytes(1_000_000))
        except OSError:
            continue
        return str(place)
    return ""


@contextmanager
def announced(wanted: bool = True) -> Iterator[Callable[[], float]]:
    """Say on the terminal that kernels are being compiled, if they are: once per machine and version.

    Gives the seconds that went into machine code so far, compiled or read from disk.
    """
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
                sys.stderr.write(
                    f"\rcompiling numerical kernels, this once: {'#' * self.count} {self.count} "
                )
                sys.stderr.flush()

    listener, watch = Listener(), event.TimingListener()
    event.register("numba:compile", listener)
    event.register("numba:compiler_lock", watch)
    try:
        yield lambda: watch.duration if watch.done else 0.0
    finally:
        event.unregister("numba:compiler_lock", watch)
        event.unregister("numba:compile", listener)
        if listener.count and wanted and sys.stderr.isatty():
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
