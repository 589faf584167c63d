"""Where the numbers come from: data, software, seed, and whom to cite."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from medpsy.report.blocks import Block, Bullets, Section, Table, Text
from medpsy.report.context import Context

ORDER = 90


def build(context: Context) -> Section | None:
    """Return the provenance as a flat table, and the citations."""
    blocks: list[Block] = []
    rows = [(what, value) for what, value in flatten(context.provenance) if value]
    if rows:
        blocks.append(Table("How this result was made.", pd.DataFrame(rows, columns=["What", "Value"])))
    if context.citations:
        blocks += [Text(["Methods used here:"]), Bullets(list(context.citations))]
    return Section("Provenance", "provenance", blocks) if blocks else None


def flatten(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield (path, text) for every leaf of nested mappings; the file provenance.json has numbers in full."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from flatten(inner, f"{path} / {key}" if path else str(key))
    elif isinstance(value, (list, tuple)) and any(isinstance(inner, Mapping) for inner in value):
        for at, inner in enumerate(value, 1):
            yield from flatten(inner, f"{path} / {at}")
    elif isinstance(value, (list, tuple, set, frozenset)):
        yield path, ", ".join(map(str, value))
    elif isinstance(value, float):
        yield path, f"{value:.6g}"
    else:
        yield path, "" if value is None else str(value)
