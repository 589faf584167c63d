"""Persons whom the model does not expect."""

from __future__ import annotations

import numpy as np

from medpsy.diagnostics.base import CheckResult, listed
from medpsy.diagnostics.evidence import Evidence
from medpsy.posterior.left_clusters import CLUSTER
from medpsy.posterior.loo import WHOLE


class ParetoK:
    """Pareto k of every person is at most min(1 - 1 / log10(draws), 0.7).

    Above it the posterior would change so much without that person that cross-validation by importance
    sampling fails. Source: Vehtari, Simpson, Gelman, Yao & Gabry (2024), Journal of Machine Learning
    Research, 25(72), 1-58.
    """

    name = "Pareto k"
    code = "LOO-06"
    order = 110

    def run(self, evidence: Evidence) -> tuple[CheckResult, ...]:
        """One finding; the value is the largest k."""
        if evidence.level is None:
            text = "the fit holds no log-likelihood terms: not judged"
            return (CheckResult(self.name, self.code, None, None, None, text, "Fit again with medpsy."),)
        if evidence.level not in WHOLE:
            return ()  # terms given the scores say nothing about leaving a person out
        most = float(evidence.loo.good_k)
        k = evidence.loo.pareto_k.to_numpy()
        k = np.where(np.isnan(k), np.inf, k)
        order = np.argsort(-k, kind="stable")
        levels = evidence.result.data.layout.levels
        what, persons = "person", evidence.result.data.person.astype(str)
        if evidence.level == CLUSTER and levels is not None:
            what, persons = "cluster", np.array(levels.labels)
        bad = int((k > most).sum())
        top = float(k[order[0]])
        if not bad:
            text = f"largest Pareto k {top:.2f} ({what} {persons[order[0]]})"
            return (CheckResult(self.name, self.code, True, top, most, text),)
        who = listed([f"{persons[i]} (k {k[i]:.2f})" for i in order[:bad]])
        text = f"{bad} {what}{'s' * (bad > 1)} with Pareto k above {most:.2f}: {who}"
        cure = (
            "Look at their answers; their cross-validation terms need an exact refit without them. "
            "Report the effects with and without them."
        )
        return (CheckResult(self.name, self.code, False, top, most, text, cure),)


CHECK = ParetoK()
