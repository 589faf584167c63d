"""What a check is, what it answers, and where the checks are found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from medpsy.registry import parts

if TYPE_CHECKING:
    from medpsy.diagnostics.evidence import Evidence


@dataclass(frozen=True)
class CheckResult:
    """One line of the gate.

    Parameters
    ----------
    check, code : str
        Name of the check, and the code that reports and logs cite.
    passed : bool or None
        None: for information only, or it could not be judged; the text says which.
    value, threshold : float or None
        The worst value found, and the limit it is held against.
    text : str
        The finding in plain words, with the worst quantity, item or person by name.
    cure : str
        What to do about it; empty where there is nothing to do.
    """

    check: str
    code: str
    passed: bool | None
    value: float | None
    threshold: float | None
    text: str
    cure: str = ""


class Check(Protocol):
    """A reason to distrust a posterior.

    A check is one file of this folder that offers one as ``CHECK``; no other file needs an edit. ``order``
    is its place in the table.
    """

    name: str
    code: str
    order: int

    def run(self, evidence: Evidence) -> tuple[CheckResult, ...]:
        """Judge a fit; empty where the check has nothing to say about such a model."""
        ...


def checks() -> list[Check]:
    """Return all registered checks in the order of the table."""
    return sorted(parts("medpsy.diagnostics", "CHECK").values(), key=lambda check: check.order)


def listed(names: Sequence[str], most: int = 5) -> str:
    """Return ``"a, b, c"``, or ``"a, b, c and 7 more"`` where there are more than ``most``."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
