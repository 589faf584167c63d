"""The parameter table: every parameter of a model once, with its name, its place and its prior."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from medpsy.errors import SpecError, nearest
from medpsy.spec.priors import KINDS, Prior, parse_prior
from medpsy.spec.problem import ElementError


@dataclass(frozen=True)
class ParameterRow:
    """One parameter, or one fixed or derived quantity, as a line of the table.

    Parameters
    ----------
    section : str
        Heading under which it is printed.
    lhs, op, rhs : str
        Place in the model, in the syntax's own symbols.
    label : str or None
        Path label, where the user gave one.
    target : str
        Most specific dotted name: ``"slope.meaning.ml3"``, ``"path.meaning~mental_health"``,
        ``"correlation"``. Rows that share one prior jointly (a correlation matrix) share their target.
    prior : Prior or None
        None for what has no prior of its own (fixed, derived).
    free : bool
        False: the value is fixed by identification.
    note : str
        Why it is fixed, how it is derived.
    support : str
        Where the parameter lives: ``"real"``, ``"positive"``, ``"unit"``, ``"simplex"``, ``"correlation"``.
        Taken from the default prior unless given; it stays when the prior is replaced.
    """

    section: str
    lhs: str
    op: str
    rhs: str
    label: str | None
    target: str
    prior: Prior | None
    free: bool = True
    note: str = ""
    support: str = ""

    def __post_init__(self) -> None:
        if not self.support and self.prior is not None:
            object.__setattr__(self, "support", self.prior.support)

    @property
    def names(self) -> tuple[str, ...]:
        """The target, and ``"path.a"`` for a path labelled ``a``."""
        head = self.target.partition(".")[0]
        return (self.target, f"{head}.{self.label}") if self.label else (self.target,)

    def covered_by(self, target: str) -> bool:
        """Whether a prior on ``target`` (this parameter, or a group that holds it) is about this row."""
        return target in self.names or self.target.startswith(f"{target}.")


@dataclass(frozen=True)
class ParameterTable:
    """All rows of a model, in the order in which they are printed."""

    rows: tuple[ParameterRow, ...]

    def __iter__(self) -> Iterator[ParameterRow]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, target: str) -> ParameterRow:
        """Return the row of a target such as ``"slope.meaning.ml3"``, ``"path.y~x"`` or ``"path.a"``.

        Raises
        ------
        SpecError
            No row, or several, have that name.
        """
        found = [row for row in self.rows if target in row.names]
        if not found:
            raise SpecError(f"the model has no parameter '{target}'", hint=nearest(target, self.targets))
        if len(found) > 1:
            raise SpecError(
                f"'{target}' stands for {len(found)} parameters", hint="Use matching() to get all of them."
            )
        return found[0]

    def prior(self, target: str) -> Prior:
        """Return the prior of a free parameter.

        Raises
        ------
        SpecError
            No row has that name, or its parameter is fixed or derived.
        """
        prior = self[target].prior
        if prior is None:
            raise SpecError(
                f"'{target}' is fixed or derived and has no prior", hint="Ask for a free parameter."
            )
        return prior

    def matching(self, target: str) -> tuple[ParameterRow, ...]:
        """Return all rows that ``target`` names or, as a group (``"slope"``, ``"slope.meaning"``), holds."""
        return tuple(row for row in self.rows if row.covered_by(target))

    def section(self, name: str) -> tuple[ParameterRow, ...]:
        """Return the rows under one heading."""
        return tuple(row for row in self.rows if row.section == name)

    @property
    def sections(self) -> tuple[str, ...]:
        """The headings, in order."""
        return tuple(dict.fromkeys(row.section for row in self.rows))

    @property
    def targets(self) -> tuple[str, ...]:
        """Every name that a prior may be given to, from general to specific."""
        names: dict[str, None] = {}
        for row in self.rows:
            if row.prior is None or not row.free:
                continue
            pieces = row.target.split(".")
            names.update(dict.fromkeys(".".join(pieces[:n]) for n in range(1, len(pieces))))
            names.update(dict.fromkeys(row.names))
        return tuple(sorted(names, key=lambda name: name.count(".")))

    def with_priors(self, overrides: Mapping[str, str] | Iterable[tuple[str, str]]) -> ParameterTable:
        """Return the table with priors replaced, the most specific override winning.

        ``"slope"`` covers every slope, ``"slope.meaning"`` those of one construct, ``"slope.meaning.ml3"``
        one; ``"path"`` every path, ``"path.a"`` (label) or ``"path.y~x"`` one.

        Parameters
        ----------
        overrides : mapping or pairs of str
            Target to prior text, for example ``{"path": "Normal(0, 0.5)"}``.

        Raises
        ------
        SpecError
            A target that names no parameter or a fixed one, text that is no prior, a prior whose support
            does not fit the parameter, or two priors for the same path by label and by name.
        """
        pairs = overrides.items() if isinstance(overrides, Mapping) else overrides
        priors = {target: self._read(target, text) for target, text in pairs}
        return ParameterTable(tuple(_with_prior(row, priors) for row in self.rows))

    def _read(self, target: str, text: str) -> Prior:
        subject = ("prior", target)
        found = self.matching(target)
        if not found:
            raise ElementError(
                f"prior on a parameter that does not exist: '{target}'",
                subject=subject,
                hint=nearest(target, self.targets),
            )
        if not any(row.free and row.prior is not None for row in found):
            why = next((f" ({row.note})" for row in found if row.note), "")
            raise ElementError(
                f"'{target}' is fixed or derived{why} and takes no prior",
                subject=subject,
                hint="Remove it from the priors.",
            )
        try:
            return parse_prior(text)
        except SpecError as error:
            raise ElementError(f"'{target}': {error.message}", subject=subject, hint=error.hint) from None


def _with_prior(row: ParameterRow, priors: Mapping[str, Prior]) -> ParameterRow:
    """Give a row the most specific prior about it, if that fits its support."""
    if not row.free or row.prior is None:
        return row
    about = [target for target in priors if row.covered_by(target)]
    own = [target for target in about if target in row.names]
    if len(own) > 1:
        raise ElementError(
            f"'{own[0]}' and '{own[1]}' are the same parameter and both have a prior",
            subject=("prior", own[1]),
            hint="Remove one of them.",
        )
    if not about:
        return row
    target = own[0] if own else max(about, key=len)
    prior = priors[target]
    if not _fits(prior, row.support):
        raise _misfit(row, target, prior)
    return replace(row, prior=prior)


def _fits(prior: Prior, support: str) -> bool:
    return prior.support == support or (support == "real" and prior.support == "positive")


def _misfit(row: ParameterRow, target: str, prior: Prior) -> ElementError:
    reason = {
        "real": "is a single number",
        "positive": "is positive",
        "unit": "lies between 0 and 1",
        "simplex": "is a set of probabilities that sum to 1",
        "correlation": "is a correlation matrix",
    }[row.support]
    kinds = [kind for kind, about in KINDS.items() if about.support == row.support]
    hint = f"Priors that fit: {', '.join(kinds)}."
    if target not in row.names:
        hint += f' Or give that one its own: "{row.target}" = "{row.prior}".'
    note = f" ({row.note})" if row.note else ""
    return ElementError(
        f"the prior {prior} on '{target}' does not fit '{row.target}', which {reason}{note}",
        subject=("prior", target),
        hint=hint,
    )
