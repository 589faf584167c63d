"""The flow from the persons who answered to the persons who are analysed, every exclusion counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from medpsy.errors import DataError, SpecError, nearest
from medpsy.screening.missing import MissingShare
from medpsy.screening.rule import Rule, registered
from medpsy.survey.survey import Event, Survey

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Screened:
    """The persons who stay, and how it came to them.

    ``survey`` holds them; ``flow`` is the ledger of reading followed by one event per rule.
    """

    survey: Survey
    flow: tuple[Event, ...]

    def table(self) -> pd.DataFrame:
        """Return the flow as a table.

        Columns: rule, text, unit (persons or answers), before, after, removed (at this step),
        only_this_rule (persons that no other rule would remove; NA where that is not defined), places.
        """
        import pandas as pd

        return pd.DataFrame(
            {
                "rule": [event.rule for event in self.flow],
                "text": [event.text for event in self.flow],
                "unit": [event.unit for event in self.flow],
                "before": np.array([event.before for event in self.flow], int),
                "after": np.array([event.after for event in self.flow], int),
                "removed": np.array([event.before - event.after for event in self.flow], int),
                "only_this_rule": pd.array([event.only for event in self.flow], dtype="Int64"),
                "places": [", ".join(event.places) for event in self.flow],
            }
        )


def screen(survey: Survey, rules: Mapping[str, Any] | Iterable[Rule] | None = None) -> Screened:
    """Apply screening rules in their order and count what each removes.

    Every rule is asked about all persons who came in. A person flagged by several rules leaves with the
    first; the event of each rule also says how many it flagged in all and how many it alone would remove.

    Parameters
    ----------
    survey : Survey
        Answers of N persons.
    rules : mapping or iterable of Rule, optional
        Rules as objects, or as in a model file: ``{"max_missing": 0.10, "require_variables": ["sex"]}``.
        Left out: more than 10 % of all items missing. Empty: nobody is removed.

    Returns
    -------
    Screened

    Raises
    ------
    SpecError
        An unknown rule or an impossible setting.
    DataError
        A rule asks for something that the survey does not hold, or nobody is left.

    Examples
    --------
    >>> import medpsy as mp
    >>> kept = mp.screen(mp.load_example("students"))
    >>> kept.survey.n_person
    771
    >>> kept.table()[["rule", "unit", "before", "after"]]
               rule     unit  before  after
    0          read  persons     783    783
    1  out_of_range  answers   21055  21031
    2   max_missing  persons     783    771
    """
    chosen = _rules(rules)
    flagged = np.array([_flags(rule, survey) for rule in chosen], bool).reshape(len(chosen), survey.n_person)
    by_how_many = flagged.sum(axis=0)
    keep = np.ones(survey.n_person, bool)
    events = []
    for rule, flags in zip(chosen, flagged, strict=True):
        events.append(_event(rule, survey, flags, keep, alone=int((flags & (by_how_many == 1)).sum())))
        keep &= ~flags
    if not keep.any():
        counted = "; ".join(f"{event.text}: {event.before - event.after}" for event in events)
        raise DataError(
            f"screening leaves none of the {survey.n_person} persons ({counted})",
            hint="Relax the rules, or check that the instrument fits the file.",
        )
    kept = survey.take(keep, *events)
    return Screened(kept, kept.ledger)


def _event(rule: Rule, survey: Survey, flags: np.ndarray, keep: np.ndarray, alone: int) -> Event:
    """What one rule removes of the persons who are still there."""
    leaving = keep & flags
    already = int((flags & ~keep).sum())
    before = int(keep.sum())
    return Event(
        rule=rule.name,
        text=f"{rule.text} ({already} more had left before)" if already else rule.text,
        unit="persons",
        before=before,
        after=before - int(leaving.sum()),
        only=alone,
        places=tuple(f"person {person}" for person in survey.person[leaving]),
    )


def _rules(rules: Mapping[str, Any] | Iterable[Rule] | None) -> list[Rule]:
    if rules is None:
        return [MissingShare()]
    if isinstance(rules, Mapping):
        known = registered()
        for key in rules:
            if key not in known:
                raise SpecError(f"there is no screening rule '{key}'", hint=nearest(str(key), known))
        return [known[key].from_setting(value) for key, value in rules.items()]
    chosen = list(rules)
    for rule in chosen:
        if not isinstance(rule, Rule):
            raise SpecError(
                f"{rule!r} is no screening rule",
                hint=f"Pass rule objects, or a mapping with the keys {', '.join(sorted(registered()))}.",
            )
    return chosen


def _flags(rule: Rule, survey: Survey) -> np.ndarray:
    flags = np.asarray(rule.flags(survey))
    if flags.dtype != bool or flags.shape != (survey.n_person,):
        raise SpecError(
            f"screening rule '{rule.name}' returned {flags.dtype} of shape {flags.shape}",
            hint=f"`flags` returns one bool per person: shape ({survey.n_person},).",
        )
    return flags
