"""A person variable that the model needs is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from medpsy.errors import DataError, SpecError
from medpsy.survey.survey import NO_ANSWER, Survey


@dataclass(frozen=True)
class RequireVariables:
    """Exclude persons for whom one of these person variables is unknown.

    Parameters
    ----------
    names : tuple or list of str
        Person variables (or items) of the instrument: a model conditions on covariates, so it cannot
        do without them. None by default.
    """

    name: ClassVar[str] = "require_variables"

    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names: Any = self.names
        if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
            raise SpecError(
                f"{self.name} is {names!r}, not a list of person variables",
                hint='Write require_variables = ["sex", "age"].',
            )
        object.__setattr__(self, "names", tuple(names))

    @property
    def text(self) -> str:
        """The rule in one sentence."""
        return f"no value for {' or '.join(self.names)}" if self.names else "no variable is required"

    def flags(self, survey: Survey) -> np.ndarray:
        """Bool array, shape (N,): at least one of the variables missing."""
        flagged = np.zeros(survey.n_person, bool)
        for name in self.names:
            if name in survey.instrument.items:
                flagged |= survey.item_codes([name])[:, 0] == NO_ANSWER
                continue
            variable = survey.variable(name)
            if name not in survey.variables:
                raise DataError(
                    f"variable '{name}' is declared but these answers do not hold it",
                    hint="Leave it out of the rule, or add it to the answers.",
                )
            values = survey.variables[name]
            flagged |= values < 0 if variable.kind == "category" else np.isnan(values)
        return flagged

    @classmethod
    def from_setting(cls, value: Any) -> Self:
        """``require_variables = ["sex", "age"]``."""
        return cls(value)


RULE = RequireVariables()
