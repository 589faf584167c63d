"""Chains that ended in different places."""

from __future__ import annotations

import numpy as np

from medpsy.diagnostics.base import CheckResult
from medpsy.diagnostics.evidence import Evidence

MOST = 3.0


class Modes:
    """Chain means of the log density, and of every quantity, lie within 3 within-chain sd of each other.

    R-hat says that chains disagree; this says that they do not even overlap, which longer chains seldom
    mend. Modes that mirror each other have the same log density, so the quantities are looked at as well.
    """

    name = "modes"
    code = "MOD-08"
    order = 90

    def run(self, evidence: Evidence) -> tuple[CheckResult, ...]:
        """One finding; the value is the largest distance of chain means in within-chain sd."""
        if evidence.n_chain < 2:
            return ()
        names = list(evidence.quantities.names)
        draws = evidence.quantities.draws
        density = evidence.statistic("lp")
        if density is not None and np.isfinite(density).all():
            names.append("the log density")
            draws = np.concatenate([draws, density[..., None]], axis=-1)
        if not names:
            return ()
        means = draws.mean(axis=1)
        within = np.sqrt(draws.var(axis=1).mean(axis=0))
        apart = np.ptp(means, axis=0)
        distance = np.divide(apart, within, out=np.full_like(apart, np.inf), where=within > 0)
        distance = np.where(apart > 0, distance, 0.0)
        at = int(distance.argmax())
        value = float(distance[at])
        passed = value <= MOST
        text = f"chain means at most {value:.1f} within-chain sd apart ({names[at]})"
        if not passed:
            text = (
                f"chains sit in different modes: {_split(means[:, at])} are {value:.1f} within-chain sd "
                f"apart in {names[at]}"
            )
        cure = (
            "Look at the modes one by one (a reverse-keyed item? too few items?); anchor the first item, "
            "tighten the priors, or fit with another seed."
        )
        return (CheckResult(self.name, self.code, passed, value, MOST, text, "" if passed else cure),)


def _split(means: np.ndarray) -> str:
    """``chains 1, 3 and chains 2, 4``: the groups on either side of the widest gap."""
    order = np.argsort(means)
    cut = int(np.diff(means[order]).argmax()) + 1
    groups = sorted(sorted(int(c) + 1 for c in side) for side in (order[:cut], order[cut:]))
    return " and ".join(f"chain{'s' * (len(g) > 1)} {', '.join(map(str, g))}" for g in groups)


CHECK = Modes()
