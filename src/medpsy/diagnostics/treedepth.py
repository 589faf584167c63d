"""Were trajectories cut short?"""

from __future__ import annotations

from medpsy.diagnostics.base import CheckResult
from medpsy.diagnostics.evidence import Evidence

MOST = 0.01


class TreeDepth:
    """Fewer than 1 % of the transitions reached the largest tree depth.

    A trajectory that is cut short is valid but slow: the scale of some direction was not learnt. Source:
    Hoffman & Gelman (2014), Journal of Machine Learning Research, 15, 1593-1623.
    """

    name = "tree depth"
    code = "TRD-22"
    order = 70

    def run(self, evidence: Evidence) -> tuple[CheckResult, ...]:
        """One finding; the value is the share of transitions cut short."""
        reached = evidence.statistic("reached_max_treedepth", "maxdepth_reached")
        if reached is None:
            text = "the sampler did not record the largest tree depth: not judged"
            return (CheckResult(self.name, self.code, None, None, MOST, text),)
        share = float(reached.astype(bool).mean())
        passed = share < MOST
        text = f"{100 * share:.1f} % of the transitions were cut short at the largest tree depth"
        cure = "" if passed else "Fit again with a longer warm-up: tune=2000."
        return (CheckResult(self.name, self.code, passed, share, MOST, text, cure),)


CHECK = TreeDepth()
