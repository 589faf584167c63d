"""A covariance matrix in the place of answers, for models that see nothing else of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from medpsy.errors import DataError
from medpsy.survey.instrument import Instrument, Variable
from medpsy.survey.survey import Event, Survey

#: How far from symmetric a printed matrix may be.
ROUNDING = 1e-4


def read_covariance(matrix: Any, n: int, *, means: Any = None, names: Iterable[str] | None = None) -> Survey:
    """Take a covariance matrix and a number of persons for a survey.

    The survey holds ``n`` made-up rows that have exactly this covariance matrix (divisor n - 1, as printed)
    and these means. A Gaussian model without missing answers sees nothing else of its data, so that its
    posterior is that of the real persons. What is about single persons (scores, leave-one-out, person fit)
    means nothing here; every output says what the rows are.

    Parameters
    ----------
    matrix : array_like, DataFrame, str or path
        Covariances (variable, variable), whole or the lower triangle; a data frame's columns, a file's header
        (``.csv``), name the variables. Text of several lines is read as a triangle. A correlation matrix may
        stand here where no number depends on the units.
    n : int
        Persons it was computed from.
    means : array_like or mapping, optional
        Means of the variables; 0 unless given.
    names : iterable of str, optional
        Names of the variables.

    Returns
    -------
    Survey

    Raises
    ------
    DataError
        The matrix is not square, not symmetric, not positive definite, has no names, or n is too small.

    Examples
    --------
    >>> import medpsy as mp
    >>> survey = mp.read_covariance([[1.0], [0.4, 1.0], [0.3, 0.5, 1.0]], 200, names=["x", "m", "y"])
    >>> survey.n_person
    200
    """
    values, known = _checked(matrix, n, names)
    rows = _rows(values, _means(means, known), int(n))
    about = "results about single persons mean nothing"
    note = f"rows made to have a given covariance matrix of {n} persons; {about}"
    return Survey(
        instrument=Instrument((), tuple(Variable(name) for name in known), note=note),
        person=np.array([str(k + 1) for k in range(n)]),
        codes=np.zeros((n, 0), np.int8),
        variables={name: rows[:, j].copy() for j, name in enumerate(known)},
        ledger=(Event("covariance", f"a covariance matrix of {len(values)} variables", "persons", n, n),),
        simulated=note,
        source="covariance matrix",
    )


def _checked(matrix: Any, n: int, names: Iterable[str] | None) -> tuple[np.ndarray, tuple[str, ...]]:
    """The matrix and its names, refused where no persons can have it."""
    values, found = _matrix(matrix)
    known = tuple(names) if names is not None else found
    size = len(values)
    if known is None or len(known) != size:
        raise DataError(
            f"the covariance matrix of {size} variables has {'no' if known is None else len(known)} names",
            hint='Pass names=["y1", "y2", ...], or a data frame with named columns.',
        )
    if not np.isfinite(values).all() or np.abs(values - values.T).max() > ROUNDING * np.abs(values).max():
        raise DataError(
            "the covariance matrix is not symmetric", hint="Pass it whole, or its lower triangle."
        )
    values = 0.5 * (values + values.T)
    smallest = float(np.linalg.eigvalsh(values)[0])
    if smallest <= 1e-12 * float(np.trace(values)):
        raise DataError(
            f"the covariance matrix is not positive definite (smallest eigenvalue {smallest:.3g})",
            hint="Is a variable the sum of others? A matrix of pairwise covariances need not be one.",
        )
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n <= size:
        raise DataError(
            f"n = {n!r} persons give no covariance matrix of {size} variables",
            hint="n is a whole number above it.",
        )
    return values, known


def instead_of(survey: Survey | None, matrix: Any, n: int | None, means: Any) -> Survey:
    """A covariance matrix where a survey could be.

    Raises
    ------
    DataError
        There is a survey as well, or no number of persons.
    """
    if survey is not None or n is None:
        raise DataError(
            "a covariance matrix stands for the answers, and needs the number of persons",
            hint="Write fit(cov=matrix, n=200), without a survey.",
        )
    return read_covariance(matrix, n, means=means)


def _rows(values: np.ndarray, mean: np.ndarray, n: int) -> np.ndarray:
    """Rows (person, variable) with exactly these moments."""
    noise = np.random.default_rng(1).standard_normal((n, len(values)))
    white = np.linalg.qr(noise - noise.mean(axis=0))[0] * np.sqrt(n - 1)
    return np.asarray(white @ np.linalg.cholesky(values).T + mean)


def _means(means: Any, names: tuple[str, ...]) -> np.ndarray:
    if means is None:
        return np.zeros(len(names))
    if isinstance(means, Mapping):
        missing = [name for name in names if name not in means]
        if missing:
            raise DataError(f"there is no mean of '{missing[0]}'", hint="Give all means, or none.")
        return np.array([float(means[name]) for name in names])
    found = np.asarray(means, dtype=float).ravel()
    if found.shape != (len(names),):
        raise DataError(f"{found.size} means for {len(names)} variables", hint="Give one for each variable.")
    return found


def _matrix(given: Any) -> tuple[np.ndarray, tuple[str, ...] | None]:
    """The whole matrix, and names where it brings any."""
    if isinstance(given, str) and "\n" in given.strip():
        return _whole([line.split() for line in given.strip().splitlines()]), None
    if isinstance(given, str | os.PathLike):
        import pandas as pd

        frame = pd.read_csv(given)
        first = frame.columns[0]
        given = (
            frame.set_index(first) if frame[first].astype(str).tolist() == list(frame.columns[1:]) else frame
        )
    names = getattr(given, "columns", None)
    values = _whole(given.to_numpy(dtype=float, copy=True) if names is not None else given)
    return values, None if names is None else tuple(map(str, names))


def _whole(rows: Any) -> np.ndarray:
    """A square matrix from itself or from its lower triangle (short rows, zeros or gaps above)."""
    held = [np.asarray(row, dtype=float) for row in rows]
    size = len(held)
    if any(row.ndim != 1 or row.size > size for row in held) or size == 0:
        raise DataError(
            "the covariance matrix is not square", hint="One row and one column for each variable."
        )
    out = np.full((size, size), np.nan)
    for i, row in enumerate(held):
        if row.size <= i:
            raise DataError(
                f"row {i + 1} of the covariance matrix has {row.size} numbers", hint="It is not square."
            )
        out[i, : row.size] = row
    upper = np.triu_indices(size, 1)
    empty = np.isnan(out[upper]) | (out[upper] == 0)
    if empty.all():
        out[upper] = out.T[upper]
    return out
