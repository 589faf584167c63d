"""Were the weights of importance resampling well behaved?"""

from __future__ import annotations

from medpsy.diagnostics.base import CheckResult
from medpsy.diagnostics.evidence import Evidence

#: Above it the weights have no finite variance.
MOST_K = 0.5
FEWEST = 400.0


class Importance:
    """Pareto k of the importance weights is below 0.5 and they are worth at least 400 draws.

    Source: Vehtari, Simpson, Gelman, Yao & Gabry (2024), Journal of Machine Learning Research, 25(72), 1-58.
    """

    name = "importance weights"
    code = "IMP-12"
    order = 65

    def run(self, evidence: Evidence) -> tuple[CheckResult, ...]:
        """One finding where the posterior was not sampled by a Markov chain."""
        numerics = evidence.result.provenance.get("numerics", {})
        if "importance k" not in numerics:
            return ()
        k, ess = float(numerics["importance k"]), float(numerics["importance ess"])
        passed = k < MOST_K and ess >= FEWEST
        text = f"importance resampling at the mode, no Markov chain: Pareto k {k:.2f}, worth {ess:.0f} draws"
        cure = "" if passed else "Fit with tune=300: that takes NUTS."
        return (CheckResult(self.name, self.code, passed, k, MOST_K, text, cure),)


CHECK = Importance()
