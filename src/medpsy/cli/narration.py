"""What goes on between the fit and the report, line by line."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def narrated(quiet: bool = False) -> Iterator[None]:
    """Print what the logger ``medpsy`` says about fits that a report asks for; they can take minutes."""
    logger, teller = logging.getLogger("medpsy"), _Teller()
    before = logger.level
    if not quiet:
        logger.addHandler(teller)
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(teller)
        logger.setLevel(before)


class _Teller(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        print(f"  {record.getMessage()}", flush=True)
