"""Do the chains sample the same distribution?"""

from __future__ import annotations

import numpy as np

from medpsy.diagnostics.base import CheckResult
from medpsy.diagnostics.evidence import Evidence

MOST = 1.01


class RHat:
    """Rank-normalised split R-hat of every posterior quantity is at most 1.01.

    Source: Vehtari, Gelman, Simpson, Carpenter & Bürkner (2021), doi:10.1214/20-BA1221.
    """

    name = "R-hat"
    code = "RHT-18"
    order = 30

    def run(self, evidence: Evidence) -> tuple[CheckResult, ...]:
        """One finding; the value is the largest R-hat."""
        names = evidence.quantities.names
        if not names:
            return ()
        if evidence.n_chain < 2:
            text = "R-hat compares chains, and there is one"
            return (CheckResult(self.name, self.code, False, None, MOST, text, "Fit again with chains=4."),)
        rhat = np.where(np.isnan(evidence.rhat), np.inf, evidence.rhat)
        at = int(rhat.argmax())
        bad = int((rhat > MOST).sum())
        text = f"largest R-hat {rhat[at]:.3f} ({names[at]})"
        if bad:
            text = f"chains disagree: R-hat above {MOST} for {bad} of {len(names)} quantities; {text}"
        cure = "Fit again with a longer warm-up and more draws: tune=2000, draws=2000." if bad else ""
        return (CheckResult(self.name, self.code, not bad, float(rhat[at]), MOST, text, cure),)


CHECK = RHat()
