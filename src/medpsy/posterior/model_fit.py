"""Does a Gaussian model reproduce means and covariances: posterior predictive check, fit indices, residuals.

Posterior predictive p: of T = 2 (ell of the unrestricted model - ell), of the answers and of answers made at
the same draw (Gelman, Meng & Stern, 1996; for structural equations Scheines, Hoijtink & Boomsma, 1999,
doi:10.1007/BF02294318). Replicated means are normal and replicated covariances Wishart, so that no answers
have to be made; with complete answers T of replicates does not even depend on the parameters. Indices:
:mod:`medpsy.posterior.fit_indices`.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
import pandas as pd

from medpsy.classical.correlation import to_correlation
from medpsy.posterior.fit_indices import CUTS, chosen_cuts, indices, srmr
from medpsy.posterior.intervals import bounds, check_interval
from medpsy.posterior.loo import loo
from medpsy.posterior.moments import Compared, Sample, compared
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
        A model on the engine ``gaussian``, its persons complete.
    interval : float
        Posterior mass of the intervals.
    kind : str
        ``"hdi"`` or ``"eti"``.
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
        Missing values, or too few persons.
    FitError
        Fewer than 25 draws.

    Notes
    -----
    Moments and replicates are given the covariates. The effective number of parameters is that of
    leave-one-person-out cross-validation; that of the model of independent variables is exact.
    """
    check_interval(interval, kind)
    limits = chosen_cuts(cuts)
    parts = compared(result, draws)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # high Pareto k: the gate says so, with the persons
        p_d = float(loo(result).p)
    rng = np.random.default_rng(seed)
    size = len(parts[0].d)
    d, replicated, d0, p_d0 = np.zeros(size), np.zeros(size), np.zeros(size), 0.0
    for part in parts:
        d += part.d
        replicated += replicated_discrepancy(part.sample, size, rng)
        d0 += independent_discrepancy(part.sample, size, rng)
        p_d0 += independent_parameters(part.sample)
    shape = {
        "p": sum(part.sample.p for part in parts),
        "n": sum(part.sample.n for part in parts),
        "variables": len(parts[0].sample.names),
        "groups": len(parts),
    }
    found = indices(d, p_d, d0, p_d0, **shape) | {"SRMR": _srmr(parts)}
    rows: list[tuple[object, ...]] = [("D", *_summary(d, interval, kind), np.nan, "", np.nan)]
    rows.append(("PPP", float(ppp(d, replicated)), *[np.nan] * 4, "", np.nan))
    for name in CUTS:
        cut, values = limits[name], np.asarray(found[name])
        share = float(cut.passes(values).mean()) if np.isfinite(values).all() else np.nan
        side = "at most" if cut.at_most else "at least"
        rows.append((name, *_summary(values, interval, kind), cut.value, side, share))
    table = pd.DataFrame(rows, columns=COLUMNS)
    table.attrs = {"moments": shape.pop("p"), "p_d": p_d, "p_d0": p_d0, "interval": interval, **shape}
    table.attrs["notes"] = _notes(table.attrs)
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
    for part in compared(result, draws):
        own = part.sample
        rows, columns = np.tril_indices(len(own.names), -1)
        observed = to_correlation(own.covariance)[rows, columns]
        implied = to_correlation(part.implied)[:, rows, columns]
        made = to_correlation(replicated_covariance(own, part.implied, rng))[:, rows, columns]
        residual = observed - implied
        lower, upper = bounds(residual.T, interval, kind)
        numbers = (
            observed, implied.mean(axis=0), residual.mean(axis=0), lower, upper,
            (np.abs(residual) > relevant).mean(axis=0), ppp(np.abs(residual), np.abs(made - implied)),
        )  # fmt: skip
        names = np.array(own.names)
        frame = pd.DataFrame(dict(zip(RESIDUALS, (names[columns], names[rows], *numbers), strict=True)))
        if own.group:
            frame.insert(0, "group", own.group)
        frames.append(frame)
    table = pd.concat(frames, ignore_index=True)
    order = table["residual"].abs().sort_values(ascending=False, kind="stable").index
    return table.reindex(order).reset_index(drop=True)


def replicated_discrepancy(own: Sample, size: int, rng: np.random.Generator) -> np.ndarray:
    """T of answers made by any model at its own parameters, shape (size,): its distribution needs no model.

    With W the Wishart matrix of the residuals of the unrestricted regression and E the error of its
    coefficients, both in units in which S is the identity, T = n log|W / n|^-1 + tr(W) + |E|^2 - n v. By the
    decomposition of Bartlett (1933), log|W| and tr(W) are sums over independent chi-square variables.
    """
    n, v = own.n, len(own.names)
    squares = rng.chisquare(n - own.columns - np.arange(v), (size, v))
    below = rng.chisquare(v * (v - 1) / 2, size) if v > 1 else np.zeros(size)
    errors = rng.chisquare(v * own.columns, size)
    return np.asarray(-n * np.log(squares / n).sum(axis=1) + squares.sum(axis=1) + below + errors - n * v)


def replicated_covariance(own: Sample, implied: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Residual covariances of new answers, one of each implied matrix (draw, variable, variable)."""
    size, v = len(implied), len(own.names)
    factor = np.tril(rng.standard_normal((size, v, v)), -1)
    place = np.arange(v)
    factor[:, place, place] = np.sqrt(rng.chisquare(own.n - own.columns - place, (size, v)))
    half = np.linalg.cholesky(implied) @ factor
    return np.asarray(half @ np.swapaxes(half, -1, -2) / own.n)


def independent_discrepancy(own: Sample, size: int, rng: np.random.Generator) -> np.ndarray:
    """D of the model in which all variables are independent given the covariates, shape (size,).

    Exact draws: every variable has its own regression on the covariates with prior p(b, s^2) proportional to
    1 / s^2, so that RSS / s^2 is chi-square on n - q and the error of the coefficients on q.
    """
    n, v, q = own.n, len(own.names), own.columns
    squares = rng.chisquare(n - q, (size, v))
    errors = rng.chisquare(q, (size, v))
    log_det = np.linalg.slogdet(to_correlation(own.covariance))[1]
    return np.asarray((-n * np.log(squares / n) + squares - n + errors).sum(axis=1) - n * log_det)


def independent_parameters(own: Sample) -> float:
    """Effective number of parameters of the same model, by leave-one-person-out in closed form.

    Posterior predictive densities of one person, with and without that person, are t densities.
    """
    from scipy.stats import t as student

    n, q = own.n, own.columns
    residual = own.y - own.design @ own.coefficient.T
    leverage = (np.linalg.qr(own.design)[0] ** 2).sum(axis=1)[:, None]
    squares = (residual**2).sum(axis=0)
    rest = squares - residual**2 / (1 - leverage)
    within = student.logpdf(residual, n - q, scale=np.sqrt(squares / (n - q) * (1 + leverage)))
    scale = np.sqrt(rest / (n - q - 1) / (1 - leverage))
    without = student.logpdf(residual / (1 - leverage), n - q - 1, scale=scale)
    return float((within - without).sum())


def _srmr(parts: list[Compared]) -> np.ndarray:
    """SRMR (draw,), groups weighted by their persons."""
    sizes = [part.sample.n for part in parts]
    return np.average([srmr(part.sample.covariance, part.implied) for part in parts], axis=0, weights=sizes)


def _summary(values: np.ndarray, interval: float, kind: str) -> tuple[float, float, float, float]:
    lower, upper = bounds(values, interval, kind)
    return float(values.mean()), float(values.std(ddof=1)), float(lower), float(upper)


def _notes(about: dict[str, object]) -> list[str]:
    """What keeps the indices from being read."""
    p, p_d, n, groups = (float(about[key]) for key in ("moments", "p_d", "n", "groups"))  # type: ignore[arg-type]
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
    if n / groups < 1000:
        notes.append(
            "In samples below 1000 persons BRMSEA wavers (Hoofs et al., 2018, doi:10.1177/0013164417709314): "
            "rather go by gamma-hat and BCFI."
        )
    return notes
