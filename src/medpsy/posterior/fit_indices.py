"""Fit indices of models of a covariance matrix, as functions of their discrepancy; nothing else.

The deviance version of Garnier-Villarreal and Jorgensen (2020, Psychological Methods, 25, 46-70,
doi:10.1037/met0000224). Written for one draw or many: D = 2 (ell of the unrestricted model - ell of this
one) at the draw, p the moments of the unrestricted model, pD the effective number of parameters of this
model, D0 and pD0 the same of the model in which all variables are independent. The posterior mean of D - pD
is what maximum likelihood calls chi-square, p - pD its degrees of freedom.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from medpsy.errors import SpecError, nearest


@dataclass(frozen=True)
class Cut:
    """A usual cut of one index: good fit is at most, or at least, ``value``."""

    value: float
    at_most: bool
    source: str

    def passes(self, draws: np.ndarray) -> np.ndarray:
        """Which draws pass; NaN does not."""
        return draws <= self.value if self.at_most else draws >= self.value


HU_BENTLER = "Hu & Bentler (1999), doi:10.1080/10705519909540118"
BENTLER_BONETT = "Bentler & Bonett (1980), doi:10.1037/0033-2909.88.3.588"
CUTS = {
    "BRMSEA": Cut(0.06, True, HU_BENTLER),
    "BGammaHat": Cut(0.95, False, HU_BENTLER),
    "adjusted BGammaHat": Cut(0.95, False, HU_BENTLER),
    "BMc": Cut(0.90, False, HU_BENTLER),
    "BCFI": Cut(0.95, False, HU_BENTLER),
    "BTLI": Cut(0.95, False, HU_BENTLER),
    "BNFI": Cut(0.90, False, BENTLER_BONETT),
    "SRMR": Cut(0.08, True, HU_BENTLER),
}


def chosen_cuts(cuts: Any) -> dict[str, Cut]:
    """The usual cuts, with those that a user gave instead.

    Raises
    ------
    SpecError
        An index that does not exist, a cut that is no number between 0 and 1.
    """
    out = dict(CUTS)
    for name, value in (cuts or {}).items():
        if name not in CUTS:
            raise SpecError(f"there is no fit index '{name}'", hint=nearest(str(name), CUTS))
        number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if not number or not 0 <= value <= 1:
            raise SpecError(
                f"the cut {value!r} of '{name}' is no number between 0 and 1",
                hint="Usual ones: .95, .06, .08.",
            )
        out[name] = Cut(float(value), CUTS[name].at_most, "yours")
    return out


def excess(d: Any, p: int) -> Any:
    """Noncentrality of every draw, max(D - p, 0)."""
    return np.maximum(np.asarray(d, dtype=float) - p, 0.0)


def brmsea(d: Any, p_d: float, p: int, n: int, groups: int = 1) -> Any:
    """Bayesian RMSEA: error of approximation per degree of freedom; 0 is perfect."""
    return np.sqrt(excess(d, p) / ((p - p_d) * n)) * np.sqrt(groups)


def bgamma_hat(d: Any, p: int, n: int, variables: int) -> Any:
    """Bayesian gamma-hat: misfit per person against the number of variables; 1 is perfect."""
    return variables / (variables + 2.0 * excess(d, p) / n)


def adjusted_bgamma_hat(d: Any, p_d: float, p: int, n: int, variables: int) -> Any:
    """Gamma-hat that charges for parameters."""
    return 1.0 - p / (p - p_d) * (1.0 - bgamma_hat(d, p, n, variables))


def bmc(d: Any, p: int, n: int) -> Any:
    """Bayesian centrality index of McDonald; 1 is perfect."""
    return np.exp(-excess(d, p) / (2.0 * n))


def bcfi(d: Any, d0: Any, p: int) -> Any:
    """Bayesian comparative fit index: 1 is perfect, 0 no better than independent variables."""
    worst = np.maximum(excess(d0, p), excess(d, p))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(worst > 0, 1.0 - excess(d, p) / worst, 1.0)


def btli(d: Any, p_d: float, d0: Any, p_d0: float, p: int) -> Any:
    """Bayesian Tucker-Lewis index: as the comparative one, per degree of freedom; may exceed 1."""
    null = (np.asarray(d0, dtype=float) - p_d0) / (p - p_d0)
    return (null - (np.asarray(d, dtype=float) - p_d) / (p - p_d)) / (null - 1.0)


def bnfi(d: Any, p_d: float, d0: Any, p_d0: float) -> Any:
    """Bayesian normed fit index: how much of the misfit of independent variables the model removes."""
    null = np.asarray(d0, dtype=float) - p_d0
    return (null - (np.asarray(d, dtype=float) - p_d)) / null


def indices(
    d: Any, p_d: float, d0: Any, p_d0: float, *, p: int, n: int, variables: int, groups: int = 1
) -> dict[str, Any]:
    """All indices that are functions of the discrepancy, by name.

    Parameters
    ----------
    d, d0 : float or ndarray, shape (draw,)
        Discrepancy of the model and of independent variables.
    p_d, p_d0 : float
        Effective numbers of parameters.
    p : int
        Moments of the unrestricted model, all groups together.
    n : int
        Persons, all groups together.
    variables : int
    groups : int

    Returns
    -------
    dict of str to ndarray
        Like ``d``; NaN where p - pD is not positive: no degree of freedom is left to divide by.
    """
    out = {
        "BGammaHat": bgamma_hat(d, p, n, variables),
        "BMc": bmc(d, p, n),
        "BCFI": bcfi(d, d0, p),
        "BNFI": bnfi(d, p_d, d0, p_d0),
    }
    if p - p_d > 0:
        out["BRMSEA"] = brmsea(d, p_d, p, n, groups)
        out["adjusted BGammaHat"] = adjusted_bgamma_hat(d, p_d, p, n, variables)
        out["BTLI"] = btli(d, p_d, d0, p_d0, p)
    unknown = np.full(np.shape(d), np.nan)
    return {name: out.get(name, unknown) for name in CUTS if name != "SRMR"}


def srmr(observed: np.ndarray, implied: np.ndarray) -> np.ndarray:
    """Standardised root mean square residual of covariances, diagonal included.

    Residuals are divided by the observed standard deviations (Bentler, 1995; the ``srmr`` of lavaan without
    the means).

    Parameters
    ----------
    observed : ndarray, shape (variable, variable)
    implied : ndarray, shape (..., variable, variable)

    Returns
    -------
    ndarray, shape (...)
    """
    sd = np.sqrt(np.diag(observed))
    residual = (observed - implied) / np.outer(sd, sd)
    rows, columns = np.tril_indices(len(sd))
    return np.asarray(np.sqrt((residual[..., rows, columns] ** 2).mean(-1)))
