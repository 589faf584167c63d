"""What was answered: codes, the ledger of everything that happened to them, and person variables."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from medpsy.errors import DataError, nearest
from medpsy.survey.instrument import Instrument, Variable

#: Code of an answer that was not given. Every density leaves it out.
NO_ANSWER = -1


@dataclass(frozen=True)
class Event:
    """One line of the flow: what was done, under which rule, to how many persons or answers.

    ``unit`` is ``"persons"`` or ``"answers"``; ``before`` and ``after`` count that unit; ``only`` is the
    number that this rule alone removed (None where it does not apply); ``places`` names rows/items.
    """

    rule: str
    text: str
    unit: str
    before: int
    after: int
    only: int | None = None
    places: tuple[str, ...] = ()


@dataclass(frozen=True)
class Survey:
    """Answers of N persons to J items, coded 0..K-1 after reversal, -1 where no answer was given.

    Parameters
    ----------
    instrument : Instrument
        What was asked.
    person : ndarray of str, shape (N,)
        Person identifiers; every result is aligned with them.
    codes : ndarray of int8, shape (N, J)
        0-based, higher means more of the construct (keying and polarity applied once).
    variables : dict of str to ndarray, shape (N,)
        Numbers as float (NaN missing); categories as int level index (-1 missing).
    ledger : tuple of Event
        Everything counted so far.
    simulated : str
        Non-empty: the sentence that every output of this survey must carry.
    """

    instrument: Instrument
    person: np.ndarray
    codes: np.ndarray
    variables: dict[str, np.ndarray] = field(default_factory=dict)
    ledger: tuple[Event, ...] = ()
    simulated: str = ""
    source: str = ""

    @property
    def n_person(self) -> int:
        """Number of persons."""
        return len(self.person)

    def item_codes(self, items: Sequence[str]) -> np.ndarray:
        """Return the (N, len(items)) block of codes of the named items."""
        where = {item: j for j, item in enumerate(self.instrument.items)}
        for item in items:
            if item not in where:
                raise DataError(f"no item '{item}' in these answers", hint=nearest(item, where))
        return self.codes[:, [where[item] for item in items]]

    def variable(self, name: str) -> Variable:
        """Return the declaration of a person variable."""
        for variable in self.instrument.variables:
            if variable.name == name:
                return variable
        raise DataError(
            f"no variable '{name}' in these answers",
            hint=nearest(name, [v.name for v in self.instrument.variables]),
        )

    def take(self, rows: np.ndarray, *events: Event) -> Survey:
        """Return the survey of the chosen rows (bool mask or indices), with the events appended."""
        return replace(
            self,
            person=self.person[rows],
            codes=self.codes[rows],
            variables={name: values[rows] for name, values in self.variables.items()},
            ledger=self.ledger + events,
        )

    @property
    def fingerprint(self) -> str:
        """SHA-256 over persons, codes and variables, first 16 hex digits."""
        digest = hashlib.sha256()
        digest.update("\n".join(map(str, self.person)).encode())
        digest.update(np.ascontiguousarray(self.codes, dtype=np.int8).tobytes())
        for name in sorted(self.variables):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(self.variables[name], dtype=float).tobytes())
        return digest.hexdigest()[:16]
