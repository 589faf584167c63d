"""What was asked: modules of items with their answer categories, and person variables."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import NoReturn

from medpsy.errors import SpecError, nearest

#: Codes are kept in one signed byte.
MOST_CODES = 127

KINDS = ("number", "category")


class InstrumentError(SpecError):
    """An impossible instrument; ``keys`` says where an instrument file would hold the mistake."""

    def __init__(self, message: str, *, hint: str, keys: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint=hint)
        self.keys = keys


@dataclass(frozen=True)
class Module:
    """A block of items that share one answer scale.

    Parameters
    ----------
    name : str
        Name of the module.
    items : tuple of str
        Column names, in questionnaire order.
    codes : tuple of int
        The codes as they stand in the file, lowest first, for example ``(1, 2, 3, 4, 5)``.
    labels : tuple of str
        One label per code, same order; left empty, the codes themselves are the labels.
    reverse : tuple of str
        Items worded against the rest of their module; turned once, on reading.
    polarity : int
        ``+1`` if a high answer means much of the construct that is reported; ``-1`` if it means little
        (symptoms reported as mental health). With ``-1`` every item is turned, once, on reading.
    wording : tuple of (item, text)
        Item text where it is known.
    title, source : str
        For tables and the report.

    Raises
    ------
    SpecError
        An item or a code twice, fewer than two codes, codes out of order, labels that do not match the
        codes, a reversed or worded item that the module does not hold.
    """

    name: str
    items: tuple[str, ...]
    codes: tuple[int, ...]
    labels: tuple[str, ...] = ()
    reverse: tuple[str, ...] = ()
    polarity: int = 1
    wording: tuple[tuple[str, str], ...] = ()
    title: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        where = f"module '{self.name}'"
        if not self.items:
            _refuse(f"{where} has no items", 'List them: items = "mh1..mh10".')
        for item in _twice(self.items):
            _refuse(f"item '{item}' is listed twice in {where}", "Remove one mention.", "items")
        for item in self.items:
            _check_name(item, f"an item of {where}", "items")
        self._check_codes(where)
        if not self.labels:
            object.__setattr__(self, "labels", tuple(str(code) for code in self.codes))
        if len(self.labels) != len(self.codes):
            _refuse(
                f"{where} has {len(self.codes)} codes but {len(self.labels)} labels",
                "Give one label per code, in the same order, or leave `labels` out.",
                "labels",
            )
        for item in self.reverse:
            if item not in self.items:
                _refuse(
                    f"{where} reverses '{item}', which it does not hold", nearest(item, self.items), "reverse"
                )
        for item in _twice(self.reverse):
            _refuse(f"{where} reverses item '{item}' twice", "Remove one mention.", "reverse")
        for item, _ in self.wording:
            if item not in self.items:
                _refuse(
                    f"{where} has wording for '{item}', which it does not hold",
                    nearest(item, self.items),
                    "wording",
                    item,
                )
        if self.polarity not in (1, -1):
            _refuse(f"{where}: polarity {self.polarity!r} is neither 1 nor -1", "Use 1 or -1.", "polarity")

    def _check_codes(self, where: str) -> None:
        for code in _twice(self.codes):
            _refuse(f"{where} lists code {code} twice", "Give each answer category its own code.", "codes")
        if len(self.codes) < 2:
            _refuse(
                f"{where} has {'only one code' if self.codes else 'no codes'}",
                "An item needs at least two answer categories to tell persons apart.",
                "codes",
            )
        if len(self.codes) > MOST_CODES:
            _refuse(
                f"{where} has {len(self.codes)} codes; at most {MOST_CODES} are possible",
                "So fine a scale is a number: declare it as a variable.",
                "codes",
            )
        for code in self.codes:
            if abs(code) > 2**53:
                _refuse(f"{where}: code {code} is too large to be exact", "Use small whole numbers.", "codes")
        if list(self.codes) != sorted(self.codes):
            _refuse(
                f"the codes of {where} do not rise: {','.join(map(str, self.codes))}",
                "Write the lowest first; turn items with `reverse` or `polarity`.",
                "codes",
            )

    @property
    def n_categories(self) -> int:
        """Number of answer categories."""
        return len(self.codes)

    def turned(self, item: str) -> bool:
        """Whether the codes of ``item`` are reversed on reading (keying times polarity)."""
        return (item in self.reverse) != (self.polarity < 0)


@dataclass(frozen=True)
class Variable:
    """A person variable.

    Parameters
    ----------
    name : str
        Column name.
    kind : str
        ``"number"`` or ``"category"``.
    levels : tuple of str
        Of a category, as they stand in the file; the first is the reference.
    title : str
        For tables.
    minimum, maximum : float, optional
        Of a number, in its own unit: values outside are impossible and treated like codes that the
        instrument does not know.

    Raises
    ------
    SpecError
        An unknown kind, levels that do not fit the kind, or a range that holds nothing.
    """

    name: str
    kind: str = "number"
    levels: tuple[str, ...] = ()
    title: str = ""
    minimum: float | None = None
    maximum: float | None = None

    def __post_init__(self) -> None:
        where = f"variable '{self.name}'"
        _check_name(self.name, "a variable")
        if self.kind == "number":
            self._check_number(where)
        elif self.kind == "category":
            self._check_category(where)
        else:
            _refuse(f"{where} is of unknown kind '{self.kind}'", nearest(self.kind, KINDS), "kind")

    def _check_number(self, where: str) -> None:
        if self.levels:
            _refuse(f"{where} is a number but has levels", 'Say kind = "category".', "levels")
        bounds = [bound for bound in (self.minimum, self.maximum) if bound is not None]
        if any(math.isnan(bound) for bound in bounds) or bounds != sorted(bounds):
            _refuse(
                f"{where}: no number lies between minimum {self.minimum} and maximum {self.maximum}",
                "Write the smaller bound as `minimum`.",
                "minimum",
            )

    def _check_category(self, where: str) -> None:
        if self.minimum is not None or self.maximum is not None:
            _refuse(f"{where} is a category but has a range", "A category has `levels` only.")
        if len(self.levels) < 2:
            _refuse(
                f"{where} is a category with fewer than two levels",
                'List them, the reference first: levels = ["m", "f"].',
                "levels",
            )
        for level in _twice(self.levels):
            _refuse(f"{where} lists level '{level}' twice", "Remove one mention.", "levels")
        for level in self.levels:
            _check_name(level, f"a level of {where}", "levels")


@dataclass(frozen=True)
class Instrument:
    """Everything that was asked.

    Parameters
    ----------
    modules : tuple of Module
        The item blocks, in questionnaire order.
    variables : tuple of Variable
        Person variables.
    person : str, optional
        Column of the person identifiers; without it persons are numbered from 1.
    missing : tuple of str
        Texts that mean "no answer", such as ``"NA"`` or ``"-9"``. An empty cell always means it.
    name : str
        Name of the questionnaire.
    note : str
        Printed on every output (for example that data are simulated).

    Raises
    ------
    SpecError
        Nothing asked at all, a column with two roles, or a missing value that is also an answer.

    Examples
    --------
    >>> import medpsy as mp
    >>> from medpsy.survey.instrument import Module
    >>> asked = mp.Instrument((Module("mood", ("m1", "m2"), codes=(1, 2, 3), reverse=("m2",)),), person="id")
    >>> asked.columns
    ('id', 'm1', 'm2')
    """

    modules: tuple[Module, ...]
    variables: tuple[Variable, ...] = ()
    person: str | None = None
    missing: tuple[str, ...] = ()
    name: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if not self.modules and not self.variables:
            _refuse("the instrument asks nothing", "Declare a module or a variable.")
        for name in _twice(module.name for module in self.modules):
            _refuse(f"two modules are called '{name}'", "Rename one of them.", "module", name)
        roles: dict[str, str] = {}
        if self.person is not None:
            _check_name(self.person, "the person column", "person")
            roles[self.person] = "the person column"
        for module in self.modules:
            for item in module.items:
                self._claim(roles, item, f"an item of module '{module.name}'", "module", module.name, "items")
        for variable in self.variables:
            self._claim(roles, variable.name, "a variable", "variable", variable.name)
        self._check_missing()

    @staticmethod
    def _claim(roles: dict[str, str], column: str, role: str, *keys: str) -> None:
        if column in roles:
            _refuse(
                f"'{column}' is declared as {roles[column]} and again as {role}",
                "Give every column one role, in one place.",
                *keys,
            )
        roles[column] = role

    def _check_missing(self) -> None:
        answers = {str(code): f"a code of module '{m.name}'" for m in self.modules for code in m.codes}
        answers |= {level: f"a level of variable '{v.name}'" for v in self.variables for level in v.levels}
        for text in self.missing:
            if text.strip() in answers:
                _refuse(
                    f"missing value '{text}' is also {answers[text.strip()]}",
                    "An answer cannot mean 'no answer': take it out of one of the two.",
                    "missing",
                )

    @property
    def items(self) -> tuple[str, ...]:
        """All items in order."""
        return tuple(item for module in self.modules for item in module.items)

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is read: person identifier, variables, items."""
        person = () if self.person is None else (self.person,)
        return person + tuple(variable.name for variable in self.variables) + self.items

    def module_of(self, item: str) -> Module:
        """Return the module that holds ``item``, or raise SpecError naming the nearest item."""
        for module in self.modules:
            if item in module.items:
                return module
        raise SpecError(f"the instrument has no item '{item}'", hint=nearest(item, self.items))


def _twice[T: Hashable](values: Iterable[T]) -> list[T]:
    """The values that occur more than once."""
    return [value for value, count in Counter(values).items() if count > 1]


def _check_name(name: str, role: str, *keys: str) -> None:
    if not name or name != name.strip():
        _refuse(f"{role} is called {name!r}", "A name is not empty and has no space at its ends.", *keys)


def _refuse(message: str, hint: str, *keys: str) -> NoReturn:
    raise InstrumentError(message, hint=hint, keys=keys)
