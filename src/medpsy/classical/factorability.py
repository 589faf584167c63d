"""Whether correlations can be factored at all: Kaiser-Meyer-Olkin, Bartlett."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medpsy.errors import DataError

#: A correlation matrix with a smaller eigenvalue is singular.
SINGULAR = 1e-8


@dataclass(frozen=True)
class Bartlett:
    """Bartlett's test of sphericity: statistic, degrees of freedom, p value."""

    chi2: float
    df: int
    p: float


def kmo(correlation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Kaiser-Meyer-Olkin measure of sampling adequacy, overall and per item.

    Parameters
    ----------
    correlation : ndarray, shape (..., item, item)
        Positive definite.

    Returns
    -------
    overall : ndarray, shape (...)
        Sum of squared correlations over that plus the sum of squared partial correlations.
    items : ndarray, shape (..., item)
        The same over the pairs of each item (MSA).

    Notes
    -----
    Kaiser & Rice (1974), doi:10.1177/001316447403400115.
    """
    inverse = np.linalg.inv(correlation)
    own = np.sqrt(np.diagonal(inverse, axis1=-2, axis2=-1))
    partial = inverse / (own[..., :, None] * own[..., None, :])
    away = 1 - np.eye(correlation.shape[-1])
    r2, q2 = (correlation**2 * away).sum(-1), (partial**2 * away).sum(-1)
    with np.errstate(invalid="ignore"):  # items that correlate with nothing at all
        return np.asarray(r2.sum(-1) / (r2 + q2).sum(-1)), np.asarray(r2 / (r2 + q2))


def bartlett(correlation: np.ndarray, n: int) -> Bartlett:
    """Bartlett's test that the items are uncorrelated in the population.

    -(n - 1 - (2p + 5) / 6) log det R with p (p - 1) / 2 degrees of freedom (Bartlett, 1951,
    doi:10.1093/biomet/38.3-4.337). With some hundred persons it rejects for any real questionnaire.

    Raises
    ------
    DataError
        A singular matrix or too few persons.
    """
    from scipy.stats import chi2

    size = len(correlation)
    factor = n - 1 - (2 * size + 5) / 6
    if factor <= 0:
        raise DataError(
            f"Bartlett's test of {size} items needs more than {n} persons", hint="Use fewer items."
        )
    sign, log_det = np.linalg.slogdet(correlation)
    if sign <= 0 or not np.isfinite(log_det):
        raise DataError("the correlation matrix is singular", hint="Leave out an item that repeats others.")
    statistic, df = float(-factor * log_det), size * (size - 1) // 2
    return Bartlett(statistic, df, float(chi2.sf(statistic, df)))


def check_regular(correlation: np.ndarray, items: tuple[str, ...]) -> None:
    """Refuse a singular correlation matrix and name the items that make it so.

    Raises
    ------
    DataError
    """
    values, vectors = np.linalg.eigh(correlation)
    if values[0] > SINGULAR:
        return
    weights = np.abs(vectors[:, 0])
    involved = [items[j] for j in np.argsort(-weights) if weights[j] > 0.1]
    raise DataError(
        f"the correlation matrix is singular: {', '.join(involved)} determine one another",
        hint="Leave out one of them (an item entered twice, or the sum of others).",
    )


def first_factor_share(correlation: np.ndarray) -> tuple[float, float]:
    """Share of the variance of all items that the first unrotated factor explains.

    Returns
    -------
    component, axis : float
        First principal component, and first principal axis factor (squared multiple correlations on the
        diagonal, one step), each over the number of items.

    Notes
    -----
    Harman's single-factor test as commonly done (Podsakoff, MacKenzie, Lee & Podsakoff, 2003,
    doi:10.1037/0021-9010.88.5.879). It is insensitive and cannot rule out common method variance.
    """
    size = len(correlation)
    reduced = correlation.copy()
    np.fill_diagonal(reduced, squared_multiple(correlation))
    first = np.linalg.eigvalsh(correlation)[-1], np.linalg.eigvalsh(reduced)[-1]
    return float(first[0] / size), float(first[1] / size)


def squared_multiple(correlation: np.ndarray) -> np.ndarray:
    """Squared multiple correlation of every item with all others (..., item)."""
    return np.asarray(1 - 1 / np.diagonal(np.linalg.inv(correlation), axis1=-2, axis2=-1))
