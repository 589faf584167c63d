"""Enough independent draws for averages and for the ends of intervals."""

from __future__ import annotations

import numpy as np

from medpsy.diagnostics.base import CheckResult
from medpsy.diagnostics.evidence import Evidence

PER_CHAIN = 100


class EffectiveSampleSize:
    """Bulk and tail effective sample size of every quantity are at least 100 a chain (400 with four).

    Source: Vehtari, Gelman, Simpson, Carpenter & Bürkner (2021), doi:10.1214/20-BA1221.
    """

    name = "effective sample size"
    code = "ESS-19"
    order = 40

    def run(self, evidence: Evidence) -> tuple[CheckResult, ...]:
        """Two findings, bulk and tail; the value is the smallest."""
        names = evidence.quantities.names
        if not names:
            return ()
        least = PER_CHAIN * evidence.n_chain
        rows = []
        for what, values in (("bulk", evidence.ess_bulk), ("tail", evidence.ess_tail)):
            ess = np.where(np.isnan(values), 0.0, values)
            at = int(ess.argmin())
            bad = int((ess < least).sum())
            text = f"smallest {what} effective sample size {ess[at]:.0f} ({names[at]})"
            if bad:
                text = f"{text}; below {least} for {bad} of {len(names)} quantities"
            cure = "Fit again with more draws, for example draws=4000." if bad else ""
            name = f"{self.name}, {what}"
            rows.append(CheckResult(name, self.code, not bad, float(ess[at]), float(least), text, cure))
        return tuple(rows)


CHECK = EffectiveSampleSize()
