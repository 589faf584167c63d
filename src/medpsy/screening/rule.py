"""What a screening rule is, and where the rules are found."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np

from medpsy.registry import parts
from medpsy.survey.survey import Survey


@runtime_checkable
class Rule(Protocol):
    """A reason to exclude persons.

    A rule is one file of this folder that offers one, at its default setting, as ``RULE``; no other file
    needs an edit. ``name`` is what the flow and the ``[screening]`` table of a model file call it.
    """

    name: ClassVar[str]

    @property
    def text(self) -> str:
        """The rule in one sentence."""
        ...

    def flags(self, survey: Survey) -> np.ndarray:
        """Return a bool array, shape (N,), True for persons to exclude, whatever other rules say."""
        ...

    @classmethod
    def from_setting(cls, value: Any) -> Self:
        """Make the rule from its value in a model file; SpecError if that makes no sense."""
        ...


def registered() -> dict[str, Rule]:
    """Return the rules that exist, by name, at their default settings."""
    return parts("medpsy.screening", "RULE")
