"""Variables measured at several occasions, and the design that relates them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from medpsy.errors import SpecError
from medpsy.spec.lexer import is_plain
from medpsy.spec.same import EQUAL
from medpsy.survey.items import expand_items


@dataclass(frozen=True)
class Series:
    """One variable over the waves.

    Parameters
    ----------
    name : str
        What it is called in labels and tables.
    waves : tuple of tuple of str
        Columns of every wave: one observed variable, or several indicators in the same order at every wave.
    """

    name: str
    waves: tuple[tuple[str, ...], ...]

    @property
    def measured(self) -> bool:
        """Whether indicators measure it."""
        return len(self.waves[0]) > 1

    def node(self, wave: int) -> str:
        """The variable at one wave (from 0): the column, or the latent variable behind the indicators."""
        return f"{self.name}_{wave + 1}" if self.measured else self.waves[wave][0]


@dataclass(frozen=True)
class Waves:
    """A design over waves.

    Parameters
    ----------
    kind : str
        ``"cross_lagged"``, ``"random_intercepts"``, ``"growth"`` or ``"lagged"``.
    series : tuple of Series
        Of a mediation in causal order: exposure, mediator, outcome.
    constant : bool
        Paths from wave to wave are equal over time.
    times : tuple of float
        When the waves were, in any unit; 0, 1, 2 ... unless given.
    covariates : tuple of str
        Person variables that explain every variable (growth: every growth factor; random intercepts: these).
    exposure : str
        Growth alone: a person variable whose effect on the slopes is mediated.
    family : str
        Response family of the indicators.
    equal : tuple of str
        What ordinal indicators share over the waves.
    release : tuple of str
        Exceptions: indicators of the first wave (at all later ones) or of a later one (there alone), or
        ``"loadings.s3"``.
    """

    kind: str
    series: tuple[Series, ...]
    constant: bool = False
    times: tuple[float, ...] = ()
    covariates: tuple[str, ...] = ()
    exposure: str = ""
    family: str = "gaussian"
    equal: tuple[str, ...] = EQUAL
    release: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.series:
            raise SpecError("the design has no variables", hint='Name them: {"stress": ["s1", "s2", "s3"]}.')
        for one in self.series:
            _check_series(one, self.count, self.series[0].name)
        if self.ordinal and not all(one.measured for one in self.series):
            raise SpecError(
                f"family '{self.family}' is for indicators, and some variables are single columns",
                hint="Give a list of indicators for every wave of every variable.",
            )
        if not self.ordinal and (self.equal != EQUAL or self.release):
            raise SpecError(
                "equal and release are for ordinal indicators; loadings and intercepts of numbers are equal "
                "over the waves",
                hint="Say family='graded', or write the text of the model (model.syntax) without the labels.",
            )
        if self.times and (len(self.times) != self.count or list(self.times) != sorted(set(self.times))):
            raise SpecError(
                f"times {list(self.times)} do not go with {self.count} waves",
                hint="Give one number for every wave, each later than the one before.",
            )

    @property
    def count(self) -> int:
        """Number of waves."""
        return len(self.series[0].waves)

    @property
    def ordinal(self) -> bool:
        """Whether the indicators have categories."""
        return self.family != "gaussian"

    @property
    def when(self) -> tuple[float, ...]:
        """Times of the waves."""
        return self.times or tuple(map(float, range(self.count)))


def _check_series(one: Series, count: int, first: str) -> None:
    if not is_plain(one.name):
        raise SpecError(
            f"'{one.name}' cannot be part of a label",
            hint="Use letters, digits and underscores, beginning with a letter.",
        )
    if len(one.waves) != count:
        raise SpecError(
            f"'{one.name}' has {len(one.waves)} waves and '{first}' has {count}",
            hint="Every variable is needed at every wave of the design.",
        )
    if count < 2:
        raise SpecError(f"'{one.name}' has one wave", hint="A design over time needs at least two.")
    if len({len(columns) for columns in one.waves}) > 1:
        raise SpecError(
            f"'{one.name}' has {', '.join(str(len(c)) for c in one.waves)} indicators at its waves",
            hint="The same indicators, in the same order, are needed at every wave.",
        )


def read_series(variables: Mapping[str, str | Iterable[str | Iterable[str]]]) -> tuple[Series, ...]:
    """Variables by name: ``"x1..x4"`` or ``["x1", "x2"]``, one column a wave; or one list of indicators a
    wave.

    Raises
    ------
    SpecError
        A range that cannot be read.
    """
    found = []
    waves: list[tuple[str, ...]]
    for name, given in variables.items():
        if isinstance(given, str):
            waves = [(column,) for column in expand_items(given)]
        else:
            waves = [
                expand_items(one) if isinstance(one, str) and ".." in one else
                ((one,) if isinstance(one, str) else expand_items(one))
                for one in given
            ]  # fmt: skip
        found.append(Series(name, tuple(tuple(wave) for wave in waves)))
    return tuple(found)
