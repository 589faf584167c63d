"""Every parameter moved, and every draw is a number."""

from __future__ import annotations

from medpsy.diagnostics.base import CheckResult, listed
from medpsy.diagnostics.evidence import Evidence


class Movement:
    """No draw is infinite or not a number, and no free parameter has one value throughout.

    Quantities that cannot vary (the diagonal of a correlation matrix) are left out.
    """

    name = "movement"
    code = "MOV-17"
    order = 20

    def run(self, evidence: Evidence) -> tuple[CheckResult, ...]:
        """One finding; the value is the number of bad quantities."""
        bad = len(evidence.broken) + len(evidence.unmoved)
        texts = []
        if evidence.broken:
            texts.append(f"draws that are no finite number: {listed(evidence.broken)}")
        if evidence.unmoved:
            texts.append(f"never moved in any chain: {listed(evidence.unmoved)}")
        text = "; ".join(texts) or f"all {len(evidence.everything.names)} quantities moved"
        cure = "Start again with another seed; if it repeats, tighten the priors of these parameters."
        return (CheckResult(self.name, self.code, not bad, bad, 0.0, text, cure if bad else ""),)


CHECK = Movement()
