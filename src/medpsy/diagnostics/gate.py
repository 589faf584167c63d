"""The gate: every check, and whether the posterior can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from medpsy.diagnostics.base import Check, CheckResult, checks
from medpsy.diagnostics.evidence import Evidence
from medpsy.errors import MedpsyError
from medpsy.result import Result

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Gate:
    """What the checks found."""

    checks: tuple[CheckResult, ...]

    @property
    def trusted(self) -> bool:
        """Whether no check failed."""
        return not self.reasons

    @property
    def reasons(self) -> list[str]:
        """The findings of the checks that failed."""
        return [found.text for found in self.checks if found.passed is False]

    def table(self) -> pd.DataFrame:
        """Return one row per finding: check, code, passed, value, threshold, text, cure.

        ``passed`` is True, False, or None where a finding is for information only.
        """
        import pandas as pd

        return pd.DataFrame(
            {
                "check": [found.check for found in self.checks],
                "code": [found.code for found in self.checks],
                "passed": pd.Series([found.passed for found in self.checks], dtype=object),
                "value": np.array([found.value for found in self.checks], dtype=float),
                "threshold": np.array([found.threshold for found in self.checks], dtype=float),
                "text": [found.text for found in self.checks],
                "cure": [found.cure for found in self.checks],
            }
        )


def gate(result: Result) -> Gate:
    """Judge a fit by every registered check.

    A check that cannot be computed counts as failed and says why: what is not known to be good is not
    trusted.

    Parameters
    ----------
    result : Result

    Returns
    -------
    Gate
    """
    evidence = Evidence(result)
    return Gate(tuple(found for check in checks() for found in _run(check, evidence)))


def worst(result: Result, n: int = 12) -> tuple[np.ndarray, list[str]]:
    """Return the quantities that mix worst, for a rank plot.

    Parameters
    ----------
    result : Result
    n : int
        How many at most.

    Returns
    -------
    draws : ndarray, shape (chain, draw, variable)
        The largest R-hat first; with one chain the smallest bulk effective sample size first.
    names : list of str
    """
    evidence = Evidence(result)
    found = evidence.quantities
    badness = evidence.rhat if evidence.n_chain > 1 else -evidence.ess_bulk
    order = np.argsort(-np.where(np.isnan(badness), np.inf, badness), kind="stable")[:n]
    return found.draws[..., order], [found.names[i] for i in order]


def _run(check: Check, evidence: Evidence) -> tuple[CheckResult, ...]:
    """Findings of one check; an error in it becomes a finding that fails."""
    try:
        return check.run(evidence)
    except MedpsyError as error:
        return (CheckResult(check.name, check.code, False, None, None, error.message, error.hint),)
    except Exception as error:
        text = f"this check could not be computed: {type(error).__name__}: {error}"
        cure = "Save the fit and report this together with the file: it is a fault of medpsy."
        return (CheckResult(check.name, check.code, False, None, None, text, cure),)
