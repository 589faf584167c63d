"""Is the grid fine enough?"""

from __future__ import annotations

from medpsy.diagnostics.base import CheckResult
from medpsy.diagnostics.evidence import Evidence

TOLERANCE = 0.05


class Numerics:
    """The total log-likelihood moves by no more than the tolerance when the numerics are twice as fine.

    The largest difference over posterior draws, as the fit measured it, in natural log units.
    """

    name = "quadrature error"
    code = "QAD-07"
    order = 100

    def run(self, evidence: Evidence) -> tuple[CheckResult, ...]:
        """One finding where scores were integrated out on a grid."""
        provenance = evidence.result.provenance
        numerics = provenance.get("numerics", {})
        most = float(numerics.get("tolerance", TOLERANCE))
        error = numerics.get("largest error")
        if error is None:
            if provenance.get("engine", {}).get("name") not in ("quadrature", "outcomes"):
                return ()
            text = "the error of the grid was not measured on this route: not judged"
            cure = "Fit with route='compiled', which measures it, or compare with a fit on more nodes."
            return (CheckResult(self.name, self.code, None, None, most, text, cure),)
        off = abs(float(error))
        passed = off <= most
        text = f"log-likelihood within {off:.2g} of numerics twice as fine"
        if not passed:
            text = f"the grid is too coarse: log-likelihood off by {off:.2g} ({numerics.get('grid', '')})"
        cure = "" if passed else "Fit again with more nodes, for example nodes=61."
        return (CheckResult(self.name, self.code, passed, off, most, text, cure),)


CHECK = Numerics()
