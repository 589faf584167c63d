"""Does a Gaussian model reproduce means and covariances: posterior predictive check, fit indices, residuals.

Posterior predictive p: of T = 2 (ell of the unrestricted model - ell), of the answers and of answers made at
the same draw (Gelman, Meng & Stern, 1996; for structural equations Scheines, Hoijtink & Boomsma, 1999,
doi:10.1007/BF02294318). Indices: :mod:`medpsy.posterior.fit_indices`; replicates and the model of independent
variables: :mod:`medpsy.posterior.replicated_moments`.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from medpsy.classical.correlation import to_correlation
from medpsy.posterior.fit_indices import Cut, chosen_cuts, indices, srmr
from medpsy.posterior.intervals import bounds, check_interval
from medpsy.posterior.loo import loo
from medpsy.posterior.moments import Compared, compared
from medpsy.posterior.replicated_moments import (
    independent_discrepancy,
    independent_parameters,
    replicated_places,
    replicates,
)
from medpsy.posterior.replicates import ppp
from medpsy.result import Result

COLUMNS = ["measure", "mean", "sd", "lower", "upper", "cut", "passes", "p_passes"]
RESIDUALS = ["item_1", "item_2", "observed", "implied", "residual", "lower", "upper", "p_relevant", "ppp"]


def model_fit(
    result: Result,
    *,
    interval: float = 0.9,
    kind: str = "hdi",
    cuts: Mapping[str, float] | None = None,
    draws: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Fit of a Gaussian model, each index with its posterior and the probability of passing the usual cut.

    Parameters
    ----------
    result : Result
        A model on the engine ``gaussian``.
    interval, kind : float, str
        Posterior mass of the intervals, ``"hdi"`` or ``"eti"``.
    cuts : mapping of str to float, optional
        Cuts of your own by name of the index.
    draws : int
        Posterior draws, at even distances, and as many of the model of independent variables.
    seed : int
        Of replicates and of the model of independent variables.

    Returns
    -------
    DataFrame
        measure, mean, sd, lower, upper, cut, passes ("at most" or "at least"), p_passes. ``D`` is the
        discrepancy itself, ``PPP`` (in column mean) the posterior predictive p value of it. ``attrs``:
        ``moments`` p, ``p_d``, ``p_d0``, ``n``, ``variables``, ``groups``, and ``notes``, sentences on what
        keeps an index from being read.

    Raises
    ------
    SpecError
        The model has no covariance matrix to compare with (ordinal items, paths that differ between
        persons), an impossible interval, cut or number of draws.
    DataError
        Too few persons for an unrestricted covariance matrix, variables that follow from others.
    FitError
        Fewer than 25 draws.

    Notes
    -----
    Moments and replicates are given the covariates. With missing values the unrestricted model is estimated
    from all values there are (EM), of replicates with the same gaps, too, as Asparouhov and Muthen (2021,
    doi:10.1080/10705511.2020.1764360) propose; for these 200 of the draws are used. The effective number of
    parameters is that of leave-one-person-out cross-validation; for independent variables it is exact.
    """
    check_interval(interval, kind)
    limits = chosen_cuts(cuts)
    found, about = _draws(compared(result, draws), _effective(result), np.random.default_rng(seed))
    first = [
        ("D", *_summary(found["D"], interval, kind), np.nan, "", np.nan),
        ("PPP", float(found["PPP"]), *[np.nan] * 4, "", np.nan),
    ]
    rows = [_row(name, cut, np.asarray(found[name]), interval, kind) for name, cut in limits.items()]
    table = pd.DataFrame([*first, *rows], columns=COLUMNS)
    table.attrs = about | {"interval": interval}
    return table


def residual_correlations(
    result: Result,
    *,
    interval: float = 0.9,
    kind: str = "hdi",
    relevant: float = 0.1,
    draws: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Correlations that a Gaussian model leaves over, pair by pair: where it does not fit.

    Parameters
    ----------
    result : Result
    interval, kind, draws, seed
        As in :func:`model_fit`.
    relevant : float
        Residual correlations beyond this, either sign, matter.

    Returns
    -------
    DataFrame
        item_1, item_2, observed, implied (posterior mean), residual (observed - implied: posterior mean,
        lower, upper), ``p_relevant`` (probability of a residual beyond ``relevant``) and ``ppp`` (share of
        draws in which replicated answers lie at least as far off); largest first. With groups a first column
        ``group``. Correlations given the covariates.

    Raises
    ------
    SpecError, DataError
        As :func:`model_fit`, and a ``relevant`` that is no number between 0 and 1.
    """
    check_interval(interval, kind)
    check_interval(relevant)
    rng = np.random.default_rng(seed)
    frames = []
    parts = compared(result, draws)
    places = replicated_places(parts)
    for part in parts:
        own = part.sample
        rows, columns = np.tril_indices(len(own.names), -1)
        observed = to_correlation(own.covariance)[rows, columns]
        implied = to_correlation(part.implied)[:, rows, columns]
        made = to_correlation(replicates(part, places, rng)[1])[:, rows, columns]
        residual = observed - implied
        lower, upper = bounds(residual.T, interval, kind)
        share = ppp(np.abs(residual)[places], np.abs(made - implied[places]))
        beyond = (np.abs(residual) > relevant).mean(axis=0)
        numbers = (observed, implied.mean(axis=0), residual.mean(axis=0), lower, upper, beyond, share)
        names = np.array(own.names)
        frame = pd.DataFrame(dict(zip(RESIDUALS, (names[columns], names[rows], *numbers), strict=True)))
        if own.group:
            frame.insert(0, "group", own.group)
        frames.append(frame)
    table = pd.concat(frames, ignore_index=True)
    order = table["residual"].abs().sort_values(ascending=False, kind="stable").index
    return table.reindex(order).reset_index(drop=True)


def _srmr(parts: list[Compared]) -> np.ndarray:
    """SRMR (draw,), groups weighted by their persons."""
    sizes = [part.sample.n for part in parts]
    return np.average([srmr(part.sample.covariance, part.implied) for part in parts], axis=0, weights=sizes)


def _draws(
    parts: list[Compared], p_d: float, rng: np.random.Generator
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Discrepancy, its posterior predictive p, and draws of every index; and what they rest on."""
    size, places = len(parts[0].d), replicated_places(parts)
    d = np.sum([part.d for part in parts], axis=0)
    d0 = np.sum([independent_discrepancy(part.sample, size, rng) for part in parts], axis=0)
    p_d0 = sum(independent_parameters(part.sample) for part in parts)
    replicated = np.sum([replicates(part, places, rng)[0] for part in parts], axis=0)
    p = sum(part.sample.p for part in parts)
    shape = {
        "n": sum(part.sample.n for part in parts),
        "variables": len(parts[0].sample.names),
        "groups": len(parts),
    }
    found = {"D": d, "PPP": ppp(d[places], replicated), "SRMR": _srmr(parts)}
    about: dict[str, Any] = {"moments": p, "p_d": p_d, "p_d0": p_d0, **shape}
    gaps = sum(int(np.isnan(part.sample.y).any(axis=1).sum()) for part in parts)
    about["notes"] = _notes(about, gaps, len(places))
    return found | indices(d, p_d, d0, p_d0, p=p, **shape), about


def _effective(result: Result) -> float:
    """Effective number of parameters."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # high Pareto k: the gate says so, with the persons
        return float(loo(result).p)


def _row(name: str, cut: Cut, values: np.ndarray, interval: float, kind: str) -> tuple[object, ...]:
    """One index: its posterior, its cut, and the probability of passing it; NaN where it is not defined."""
    share = float(cut.passes(values).mean()) if np.isfinite(values).all() else np.nan
    side = "at most" if cut.at_most else "at least"
    return (name, *_summary(values, interval, kind), cut.value, side, share)


def _summary(values: np.ndarray, interval: float, kind: str) -> tuple[float, float, float, float]:
    lower, upper = bounds(values, interval, kind)
    return float(values.mean()), float(values.std(ddof=min(1, values.size - 1))), float(lower), float(upper)


def _notes(about: dict[str, Any], gaps: int, replicated: int) -> list[str]:
    """What keeps the indices from being read, and what was done about persons with gaps."""
    p, p_d, n, groups = (float(about[key]) for key in ("moments", "p_d", "n", "groups"))
    notes = []
    if p - p_d <= 0:
        notes.append(
            f"The effective number of parameters ({p_d:.1f}) is not below the {p:.0f} moments: BRMSEA, "
            "adjusted gamma-hat and BTLI are not defined. The model fits by construction, or the priors "
            "fight the answers."
        )
    elif p - p_d < 2:
        notes.append(
            f"Only {p - p_d:.1f} degrees of freedom are left: the model is close to an unrestricted one, and "
            "indices per degree of freedom vary wildly."
        )
    if gaps:
        notes.append(
            f"{gaps} of {n:.0f} persons have missing values: the unrestricted model is estimated from all "
            f"values there are (EM), and PPP is from {replicated} draws, answers made with the same gaps."
        )
    if n / groups < 1000:
        notes.append(
            "In samples below 1000 persons BRMSEA wavers (Hoofs et al., 2018, doi:10.1177/0013164417709314): "
            "rather go by gamma-hat and BCFI."
        )
    return notes
