"""Enough chains and draws to judge anything."""

from __future__ import annotations

from medpsy.diagnostics.base import CheckResult
from medpsy.diagnostics.evidence import Evidence

CHAINS, DRAWS = 4, 100


class Chains:
    """At least four chains of 100 draws: R-hat compares chains, and two alike prove little.

    Source: Vehtari, Gelman, Simpson, Carpenter & Bürkner (2021), doi:10.1214/20-BA1221.
    """

    name = "chains"
    code = "CHN-16"
    order = 10

    def run(self, evidence: Evidence) -> tuple[CheckResult, ...]:
        """Two findings: the number of chains, and of draws in each."""
        rows = []
        for value, least, what, cure in (
            (evidence.n_chain, CHAINS, "number of chains", "Fit again with chains=4."),
            (evidence.n_draw, DRAWS, "draws a chain", "Fit again with draws=1000."),
        ):
            passed = value >= least
            text = f"{what}: {value}" + ("" if passed else f", too little to judge (at least {least})")
            rows.append(CheckResult(self.name, self.code, passed, value, least, text, "" if passed else cure))
        return tuple(rows)


CHECK = Chains()
