"""Too many answers missing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Self

import numpy as np

from medpsy.errors import SpecError
from medpsy.survey.survey import NO_ANSWER, Survey


@dataclass(frozen=True)
class MissingShare:
    """Exclude persons who left more than a share of the items unanswered.

    Parameters
    ----------
    limit : float
        Largest share that is kept, between 0 and 1. "More than" is strict: of 26 items and a limit of
        0.10, 2 missing answers (7.7 %) are kept and 3 (11.5 %) are not; of 20 items, 2 (10 %) are kept.
    items : tuple of str
        The applicable items; empty means all of the instrument.
    """

    name: ClassVar[str] = "max_missing"

    limit: float = 0.10
    items: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if (
            isinstance(self.limit, bool)
            or not isinstance(self.limit, int | float)
            or not 0 <= self.limit <= 1
        ):
            raise SpecError(
                f"{self.name} is {self.limit!r}, not a share",
                hint="Write a number from 0 to 1, for example 0.10.",
            )

    @property
    def text(self) -> str:
        """The rule in one sentence."""
        which = f"the {len(self.items)} named items" if self.items else "all items"
        return f"more than {100 * self.limit:g} % of {which} without an answer"

    def flags(self, survey: Survey) -> np.ndarray:
        """Bool array, shape (N,): more than the limit missing."""
        items = self.items or survey.instrument.items
        absent = (survey.item_codes(items) == NO_ANSWER).sum(axis=1)
        # As an exact decimal: in binary 0.29 * 100 falls below 29, and 29 missing of 100 would be out.
        allowed = math.floor(Fraction(str(self.limit)) * len(items))
        return absent > allowed

    @classmethod
    def from_setting(cls, value: Any) -> Self:
        """``max_missing = 0.10``."""
        return cls(limit=value)


RULE = MissingShare()
