"""What the classes that give a fit its verbs may rely on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from medpsy.result import Result

if TYPE_CHECKING:
    from medpsy.api.mark import Mark


class Verbs(Protocol):
    """A fit, seen from a class of verbs that :class:`medpsy.Fit` inherits."""

    result: Result

    @property
    def mark(self) -> Mark:
        """What every table and figure carries."""
        ...

    @property
    def interval(self) -> float:
        """Posterior mass of intervals."""
        ...
