"""How much the effects hang on the priors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from medpsy.diagnostics.base import CheckResult, listed
from medpsy.diagnostics.evidence import Evidence
from medpsy.dims import ANSWERS, CHAIN, DRAW, LOG_LIKELIHOOD
from medpsy.errors import FitError
from medpsy.posterior.loo import FEWEST_DRAWS
from medpsy.result import Result
from medpsy.spec.priors import density

if TYPE_CHECKING:
    import pandas as pd

#: Sensitivity from which a posterior is said to depend on a component.
NOTABLE = 0.05
#: Powers that the prior, or the likelihood, is raised to.
POWERS = (0.99, 1.01)


class PriorSensitivity:
    """Informs about effects that move when all priors are raised to a power near one.

    Prior and likelihood both above 0.05: they pull in different directions. Prior alone: the data say
    little. Importance sampling, no refit. Source: Kallioinen, Paananen, Bürkner & Vehtari (2024),
    Statistics and Computing, 34, 57, doi:10.1007/s11222-023-10366-5.
    """

    name = "prior sensitivity"
    code = "PRI-25"
    order = 150

    def run(self, evidence: Evidence) -> tuple[CheckResult, ...]:
        """One informational finding; the value is the largest prior sensitivity of an effect."""
        effects = evidence.effects
        if not effects.names:
            return ()
        size = evidence.n_chain * evidence.n_draw
        if evidence.level is None or size < FEWEST_DRAWS:
            why = "no log-likelihood terms" if evidence.level is None else f"{size} draws only"
            return (CheckResult(self.name, self.code, None, None, NOTABLE, f"not computed: {why}"),)
        terms = evidence.result.tree[LOG_LIKELIHOOD][ANSWERS].transpose(CHAIN, DRAW, ...)
        prior = sensitivity(effects.draws, log_prior(evidence.result))
        data = sensitivity(effects.draws, terms.to_numpy().sum(axis=-1))
        order = np.argsort(-prior, kind="stable")
        top = float(prior[order[0]])
        found = [
            f"{effects.names[i]} (prior {prior[i]:.2f}, data {data[i]:.2f}: {_verdict(prior[i], data[i])})"
            for i in order
            if prior[i] >= NOTABLE
        ]
        if not found:
            text = f"largest sensitivity of an effect to the priors {top:.2f} ({effects.names[order[0]]})"
            return (CheckResult(self.name, self.code, True, top, NOTABLE, text),)
        text = f"depends on the priors: {listed(found)}"
        cure = "Fit again with wider priors and report both results side by side."
        return (CheckResult(self.name, self.code, None, top, NOTABLE, text, cure),)


def sensitivity_table(result: Result) -> pd.DataFrame:
    """How far every parameter and effect moves when priors, or the data, are given more weight.

    Parameters
    ----------
    result : Result

    Returns
    -------
    DataFrame
        ``quantity``; ``prior`` and ``data``: cumulative Jensen-Shannon distance of its posterior per doubling
        of the power of all priors, or of the likelihood (notable from 0.05); ``verdict`` in plain words. Most
        sensitive to the priors first.

    Raises
    ------
    FitError
        The fit has no log-likelihood terms, or fewer than 25 draws.
    """
    import pandas as pd

    evidence = Evidence(result)
    size = evidence.n_chain * evidence.n_draw
    if evidence.level is None or size < FEWEST_DRAWS:
        why = (
            "the fit holds no log-likelihood terms" if evidence.level is None else f"{size} draws are too few"
        )
        raise FitError(f"prior sensitivity cannot be computed: {why}", hint="Fit again with more draws.")
    terms = result.tree[LOG_LIKELIHOOD][ANSWERS].transpose(CHAIN, DRAW, ...)
    prior = sensitivity(evidence.quantities.draws, log_prior(result))
    data = sensitivity(evidence.quantities.draws, terms.to_numpy().sum(axis=-1))
    frame = pd.DataFrame({"quantity": evidence.quantities.names, "prior": prior, "data": data})
    frame["verdict"] = [_verdict(p, d) for p, d in zip(prior, data, strict=True)]
    return frame.sort_values("prior", ascending=False, kind="stable", ignore_index=True)


def _verdict(prior: float, data: float) -> str:
    if prior < NOTABLE:
        return "the data decide" if data >= NOTABLE else "neither moves it"
    return "prior and data may disagree" if data >= NOTABLE else "the data say little"


def log_prior(result: Result) -> np.ndarray:
    """Return the log prior density of every draw (chain, draw), up to a constant.

    On the parameters' own scales: the Jacobian of the sampler's coordinates is no part of the prior and
    must not be scaled with it. Correlations count by the density of the correlation matrix.
    """
    values = result.values()
    total = np.zeros(next(iter(values.values())).shape[:2])
    for parameter in result.data.parameters:
        draws = values[parameter.name]
        with np.errstate(divide="ignore"):
            if parameter.event == "correlation":
                diagonal = np.diagonal(draws, axis1=-2, axis2=-1)
                total += 2 * (parameter.priors[0]["eta"] - 1) * np.log(diagonal).sum(axis=-1)
                continue
            for i, prior in enumerate(parameter.priors):
                cells = draws[:, :, i][..., parameter.exists[i]].reshape(*total.shape, -1)
                if parameter.event == "scalar":
                    total += density(prior, cells).sum(axis=-1)
                elif prior["c"] != 1:
                    total += (prior["c"] - 1) * np.log(cells).sum(axis=-1)
    return total


def sensitivity(draws: np.ndarray, component: np.ndarray) -> np.ndarray:
    """Return how far each quantity moves when a component of the log density is power-scaled.

    Parameters
    ----------
    draws : ndarray, shape (chain, draw, variable)
    component : ndarray, shape (chain, draw)
        Log prior, or log-likelihood.

    Returns
    -------
    ndarray, shape (variable,)
        Cumulative Jensen-Shannon distance per doubling of the power; 0 where the component is flat.
    """
    from arviz_stats.base import array_stats

    if np.ptp(component) == 0:
        return np.zeros(draws.shape[-1])
    scaled: dict[str, Any] = {}
    for side, power in zip(("lower", "upper"), POWERS, strict=True):
        weight = np.exp(array_stats.power_scale_lw(component.ravel(), alpha=power))
        scaled |= {f"{side}_w": (weight / weight.sum()).reshape(component.shape), f"{side}_alpha": power}
    columns = np.moveaxis(draws, -1, 0)
    return np.array([array_stats.power_scale_sense(column, **scaled) for column in columns], dtype=float)


CHECK = PriorSensitivity()
