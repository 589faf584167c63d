"""Lagged paths at other intervals: the continuous-time process behind a cross-lagged model.

x(t + d) = expm(F d) x(t): the paths A over an interval d0 give F = logm(A) / d0, and expm(F d) those over
any other (Voelkle, Oud, Davidov & Schmidt, 2012, doi:10.1037/a0027543). Draws whose A has no real logarithm
belong to no such process; they are counted and left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import pandas as pd

from medpsy.derive import raw_coefficients
from medpsy.errors import SpecError
from medpsy.posterior.draws import thinned
from medpsy.posterior.intervals import bounds, check_interval, direction
from medpsy.result import Result

_LABEL = re.compile(r"(?P<source>.+)_to_(?P<target>.+?)(?P<lag>_\d+(?:_\d+)?)?$")
COLUMNS = (
    "from_lag", "interval", "source", "target", "mean", "sd", "lower", "upper", "p_direction",
    "share_of_draws"
)  # fmt: skip


def continuous_time(
    result: Result,
    intervals: float | Iterable[float],
    *,
    interval: float = 0.95,
    lag: float | Iterable[float] = 1.0,
    draws: int = 1000,
) -> pd.DataFrame:
    """Autoregressive and cross-lagged paths over other intervals than those between the waves.

    Parameters
    ----------
    result : Result
        Of a cross-lagged model with the labels of its design (``x_to_y``, ``x_to_y_12``).
    intervals : float or iterable of float
        The intervals asked for, in the unit of ``lag``.
    interval : float
        Posterior mass between ``lower`` and ``upper``.
    lag : float or iterable of float
        Time between the waves: one number, or one for every interval between waves.
    draws : int
        Posterior draws, at even distances.

    Returns
    -------
    DataFrame
        from_lag (``""`` for constant paths, else ``"12"`` ...), interval, source, target, mean, sd, lower,
        upper, p_direction, share_of_draws (that belong to a continuous-time process). Raw units.

    Raises
    ------
    SpecError
        The model has no such labels, an interval that is not positive.
    """
    from scipy.linalg import expm

    check_interval(interval, "eti")
    wanted = [float(d) for d in (intervals if isinstance(intervals, Iterable) else [intervals])]
    lags = _labelled(result)
    steps = [float(d) for d in lag] if isinstance(lag, Iterable) else [float(lag)] * len(lags)
    if min([*wanted, *steps], default=0) <= 0 or len(steps) != len(lags):
        raise SpecError(
            f"{len(lags)} interval(s) between waves need as many positive lags, and intervals are positive",
            hint="continuous_time([0.5, 2], lag=[1, 2]), for example.",
        )
    coefficients = raw_coefficients(result.data, thinned(result, draws))
    assert coefficients is not None
    rows = []
    for (name, (variables, place)), step in zip(lags.items(), steps, strict=True):
        matrices = np.where(place >= 0, coefficients[:, np.maximum(place, 0)], 0.0)
        drift = _drifts(matrices, step)
        for length in wanted:
            made = np.array([expm(f * length) for f in drift]).reshape(-1, *matrices.shape[1:])
            for j, source in enumerate(variables):
                for i, target in enumerate(variables):
                    rows.append(_row(name, length, source, target, made[:, i, j], len(matrices), interval))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _drifts(matrices: np.ndarray, step: float) -> list[np.ndarray]:
    """Real matrix logarithms per unit of time, of the matrices that have one."""
    from scipy.linalg import logm

    found = []
    for matrix in matrices:
        values = np.linalg.eigvals(matrix)
        if np.any((np.abs(values.imag) < 1e-12) & (values.real <= 0)):
            continue
        log = logm(matrix)
        if np.isfinite(log).all() and np.abs(np.imag(log)).max() < 1e-8:
            found.append(np.real(log) / step)
    return found


def _row(
    lag: str, length: float, source: str, target: str, own: np.ndarray, count: int, mass: float
) -> tuple[object, ...]:
    if own.size < 2:
        return (lag, length, source, target, *[np.nan] * 5, own.size / count)
    lower, upper = bounds(own, mass)
    ends = (float(lower), float(upper), float(direction(own)))
    return (lag, length, source, target, own.mean(), own.std(ddof=1), *ends, own.size / count)


def _labelled(result: Result) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """By lag: the variables, and the position of every path (target, source) among the coefficients, -1 for
    none."""
    found: dict[str, dict[tuple[str, str], int]] = {}
    for k, c in enumerate(result.data.layout.coefficients):
        match = _LABEL.match(c.label or "")
        if match and not c.path.measured:
            lag = (match["lag"] or "").strip("_")
            found.setdefault(lag, {}).setdefault((match["target"], match["source"]), k)
    if not found:
        raise SpecError(
            "the model has no paths labelled like those of a cross-lagged design",
            hint="Fit mp.CrossLagged(...) or mp.RandomInterceptCrossLagged(...).",
        )
    out = {}
    for lag, cells in found.items():
        names = tuple(dict.fromkeys(name for pair in cells for name in pair))
        place = np.array([[cells.get((i, j), -1) for j in names] for i in names])
        out[lag] = (names, place)
    return out
