"""The unrestricted Gaussian model of incomplete answers: cross-products by pattern, and its estimates.

y given w is N(C w, S), C and S free. With complete answers C is least squares and S the residual covariance;
with missing ones both follow from the EM algorithm (Dempster, Laird & Rubin, 1977,
doi:10.1111/j.2517-6161.1977.tb01600.x), in which a step needs no more than the cross-products of each pattern
of missing values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Pattern:
    """Persons who have values on the same variables.

    Parameters
    ----------
    rows, columns : ndarray of int
        These persons, these variables.
    yy, yw, ww : ndarray
        Cross-products of values and design: (variable, variable), (variable, column), (column, column).
    """

    rows: np.ndarray
    columns: np.ndarray
    yy: np.ndarray
    yw: np.ndarray
    ww: np.ndarray


def patterns(y: np.ndarray, design: np.ndarray) -> tuple[Pattern, ...]:
    """Cross-products by pattern of missing values (NaN); persons without any value have none."""
    kinds, which = np.unique(~np.isnan(y), axis=0, return_inverse=True)
    out = []
    for number, kind in enumerate(kinds):
        rows, columns = np.flatnonzero(which.ravel() == number), np.flatnonzero(kind)
        if columns.size:
            own, w = y[np.ix_(rows, columns)], design[rows]
            out.append(Pattern(rows, columns, own.T @ own, own.T @ w, w.T @ w))
    return tuple(out)


def log_likelihood(held: tuple[Pattern, ...], mean: np.ndarray, covariance: np.ndarray) -> float:
    """Log-density of all values at C (variable, column of the design) and S (variable, variable)."""
    total = 0.0
    for part in held:
        c, s = mean[part.columns], covariance[np.ix_(part.columns, part.columns)]
        cross = part.yw @ c.T
        residual = part.yy - cross - cross.T + c @ part.ww @ c.T
        constant = len(part.columns) * math.log(2 * math.pi) + np.linalg.slogdet(s)[1]
        total -= 0.5 * (len(part.rows) * constant + np.trace(np.linalg.solve(s, residual)))
    return float(total)


def estimate(
    held: tuple[Pattern, ...],
    mean: np.ndarray,
    covariance: np.ndarray,
    *,
    steps: int = 5000,
    tolerance: float = 1e-9,
) -> tuple[np.ndarray, np.ndarray]:
    """Maximum likelihood C and S, from where ``mean`` and ``covariance`` start; exact with complete answers.

    Stops where no entry moves by more than ``tolerance`` or after ``steps``.

    Raises
    ------
    LinAlgError
        The values of a pattern have no invertible covariance matrix.
    """
    for _ in range(steps):
        new_mean, new_covariance = _step(held, mean, covariance)
        moved = max(np.abs(new_mean - mean).max(), np.abs(new_covariance - covariance).max())
        mean, covariance = new_mean, new_covariance
        if moved < tolerance:
            break
    return mean, covariance


def _step(
    held: tuple[Pattern, ...], mean: np.ndarray, covariance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Expected cross-products given the values there are, and the regression from them."""
    v, q = mean.shape
    yy, yw, ww, n = np.zeros((v, v)), np.zeros((v, q)), np.zeros((q, q)), 0
    for part in held:
        given = part.columns
        gone = np.setdiff1d(np.arange(v), given)
        # Expected values of everybody: fill @ (values there are) + shift @ w.
        fill, shift = np.zeros((v, given.size)), np.zeros((v, q))
        fill[given] = np.eye(given.size)
        if gone.size:
            gain = np.linalg.solve(covariance[np.ix_(given, given)], covariance[np.ix_(given, gone)]).T
            fill[gone], shift[gone] = gain, mean[gone] - gain @ mean[given]
            left = covariance[np.ix_(gone, gone)] - gain @ covariance[np.ix_(given, gone)]
            yy[np.ix_(gone, gone)] += len(part.rows) * left
        cross = fill @ part.yw @ shift.T
        yy += fill @ part.yy @ fill.T + cross + cross.T + shift @ part.ww @ shift.T
        yw += fill @ part.yw + shift @ part.ww
        ww += part.ww
        n += len(part.rows)
    new = np.linalg.solve(ww, yw.T).T
    spread = (yy - new @ yw.T) / n
    return new, (spread + spread.T) / 2
