"""What the log-likelihood terms are terms of."""

from __future__ import annotations

from medpsy.diagnostics.base import CheckResult
from medpsy.diagnostics.evidence import Evidence
from medpsy.posterior.loo import WHOLE


class Level:
    """Informs that leave-one-out cannot rank models when the terms are given sampled scores.

    Source: Merkle, Furr & Rabe-Hesketh (2019), Psychometrika, 84, 802-829, doi:10.1007/s11336-019-09679-0.
    """

    name = "log-likelihood level"
    code = "LVL-24"
    order = 120

    def run(self, evidence: Evidence) -> tuple[CheckResult, ...]:
        """One informational finding where persons' scores were sampled."""
        if evidence.level in (None, *WHOLE):
            return ()
        if "scores given" not in str(evidence.level):
            text = (
                f"log-likelihood terms are those of a {evidence.level}: leave-one-out integrates the effects "
                "of the clusters out again, for a part of the draws"
            )
            return (CheckResult(self.name, self.code, None, None, None, text, ""),)
        text = (
            "person scores were sampled, so log-likelihood terms are conditional on them: "
            "leave-one-out values must not be compared between models"
        )
        cure = "To compare models use engine='quadrature' or engine='gaussian' where the model allows it."
        return (CheckResult(self.name, self.code, None, None, None, text, cure),)


CHECK = Level()
