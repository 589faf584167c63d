"""Does momentum resampling reach all energies?"""

from __future__ import annotations

import numpy as np

from medpsy.diagnostics.base import CheckResult
from medpsy.diagnostics.evidence import FEWEST_DRAWS, Evidence

LEAST = 0.3


class EnergyFraction:
    """E-BFMI, the estimated Bayesian fraction of missing information, is above 0.3 in every chain.

    Source: Betancourt (2016), arXiv:1604.00695.
    """

    name = "E-BFMI"
    code = "BFM-23"
    order = 80

    def run(self, evidence: Evidence) -> tuple[CheckResult, ...]:
        """One finding; the value is the smallest over chains."""
        energy = evidence.statistic("energy")
        if energy is None:
            text = "the sampler did not record energies: not judged"
            return (CheckResult(self.name, self.code, None, None, LEAST, text),)
        if evidence.n_draw < FEWEST_DRAWS:
            return ()
        spread = energy.var(axis=1, ddof=1)
        change = np.square(np.diff(energy, axis=1)).mean(axis=1)
        # Where the energy stands still the chain does, too.
        bfmi = np.divide(change, spread, out=np.zeros_like(spread, dtype=float), where=spread > 0)
        bfmi = np.where(np.isfinite(bfmi), bfmi, 0.0)
        at = int(bfmi.argmin())
        passed = bool(bfmi[at] > LEAST)
        text = f"smallest E-BFMI {bfmi[at]:.2f} (chain {at + 1})"
        cure = "" if passed else "Fit again with tune=2000; if it stays low, tighten the slope priors."
        return (CheckResult(self.name, self.code, passed, float(bfmi[at]), LEAST, text, cure),)


CHECK = EnergyFraction()
