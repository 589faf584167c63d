"""Simulation error of what is reported."""

from __future__ import annotations

import numpy as np

from medpsy.diagnostics.base import CheckResult
from medpsy.diagnostics.evidence import FEWEST_DRAWS, Evidence

MEAN, QUANTILE = 0.05, 0.10


class SimulationError:
    """Monte Carlo standard error of effects and labelled coefficients, in posterior sd.

    At most 0.05 sd for the mean and 0.1 sd for the 2.5 % and 97.5 % quantiles. Source: Vehtari, Gelman,
    Simpson, Carpenter & Bürkner (2021), doi:10.1214/20-BA1221.
    """

    name = "simulation error"
    code = "MCE-20"
    order = 50

    def run(self, evidence: Evidence) -> tuple[CheckResult, ...]:
        """Two findings, mean and interval ends; the value is the largest error in posterior sd."""
        effects = evidence.effects
        if not effects.names or evidence.n_draw < FEWEST_DRAWS:
            return ()
        sd = effects.draws.std(axis=(0, 1), ddof=1)
        ends = [effects.statistic("mcse", method="quantile", prob=prob) for prob in (0.025, 0.975)]
        rows = []
        for what, error, most in (
            ("mean", effects.statistic("mcse", method="mean"), MEAN),
            ("interval ends", np.maximum(*ends), QUANTILE),
        ):
            share = np.where(np.isnan(error), np.inf, error / sd)
            at = int(share.argmax())
            passed = bool(share[at] <= most)
            text = f"error of the {what} at most {share[at]:.3f} posterior sd ({effects.names[at]})"
            cure = "" if passed else "Fit again with more draws: four times as many halve it."
            name = f"{self.name}, {what}"
            rows.append(CheckResult(name, self.code, passed, float(share[at]), most, text, cure))
        return tuple(rows)


CHECK = SimulationError()
