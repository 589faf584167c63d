"""Did the integrator of NUTS lose its way?"""

from __future__ import annotations

from medpsy.diagnostics.base import CheckResult
from medpsy.diagnostics.evidence import Evidence


class Divergences:
    """No transition diverged: one that did marks a region that the chains cannot enter.

    Source: Betancourt (2017), arXiv:1701.02434.
    """

    name = "divergences"
    code = "DIV-21"
    order = 60

    def run(self, evidence: Evidence) -> tuple[CheckResult, ...]:
        """One finding; the value is the number of divergent transitions."""
        diverging = evidence.statistic("diverging")
        if diverging is None:
            text = "the sampler did not record divergences: not judged"
            return (CheckResult(self.name, self.code, None, None, 0.0, text),)
        by_chain = diverging.astype(bool).sum(axis=1)
        total = int(by_chain.sum())
        if total == 0:
            return (CheckResult(self.name, self.code, True, 0.0, 0.0, "no transition diverged"),)
        where = ", ".join(f"chain {c + 1}: {n}" for c, n in enumerate(by_chain) if n)
        text = f"{total} of {diverging.size} transitions diverged ({where})"
        cure = "Fit again with target_accept=0.95, then 0.99; if they stay, tighten the priors of the slopes."
        return (CheckResult(self.name, self.code, False, float(total), 0.0, text, cure),)


CHECK = Divergences()
