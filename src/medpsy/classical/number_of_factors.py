"""How many factors: parallel analysis by permutation, and the minimum average partial correlation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medpsy.classical.correlation import pearson, smooth
from medpsy.classical.factorability import squared_multiple
from medpsy.classical.polychoric import Tables


@dataclass(frozen=True)
class Parallel:
    """Parallel analysis.

    Parameters
    ----------
    observed, threshold, mean : ndarray, shape (item,)
        Eigenvalues of the correlations, and the chosen quantile and mean of those of permuted answers.
    reduced_observed, reduced_threshold : ndarray, shape (item,)
        The same with squared multiple correlations on the diagonal (secondary: its bias is upwards).
    quantile : float
    repetitions : int
    smoothed : int
        Permuted matrices that had to be smoothed.
    """

    observed: np.ndarray
    threshold: np.ndarray
    mean: np.ndarray
    reduced_observed: np.ndarray
    reduced_threshold: np.ndarray
    quantile: float
    repetitions: int
    smoothed: int

    @property
    def n_factors(self) -> int:
        """Leading eigenvalues above those of permuted answers."""
        return leading(self.observed > self.threshold)

    @property
    def n_factors_reduced(self) -> int:
        """The same for the reduced matrix."""
        return leading(self.reduced_observed > self.reduced_threshold)


def leading(above: np.ndarray) -> int:
    """Number of True before the first False."""
    return int(len(above) if above.all() else np.argmin(above))


def parallel_analysis(
    values: np.ndarray,
    items: tuple[str, ...],
    *,
    ordinal: bool = True,
    repetitions: int = 500,
    quantile: float = 0.95,
    seed: int = 0,
) -> Parallel:
    """Compare the eigenvalues of the correlations with those of answers permuted within every item.

    Parameters
    ----------
    values : ndarray, shape (person, item)
        NaN is no answer; missing answers are permuted along.
    items : tuple of str
    ordinal : bool
        Polychoric correlations, else Pearson's.
    repetitions : int
    quantile : float
        Of the permuted eigenvalues.
    seed : int

    Returns
    -------
    Parallel

    Notes
    -----
    Horn (1965), doi:10.1007/BF02289447; permutation keeps the margins (Buja & Eyuboglu, 1992,
    doi:10.1207/s15327906mbr2704_2); eigenvalues of the whole polychoric matrix (Garrido, Abad & Ponsoda,
    2013, doi:10.1037/a0030005).
    """
    rng = np.random.default_rng(seed)
    tables = Tables(values, items) if ordinal else None
    data = values if tables is None else tables.codes

    def matrix(block: np.ndarray) -> np.ndarray:
        return pearson(block) if tables is None else tables.to_matrix(tables.estimate(block))

    observed = _eigenvalues(smooth(matrix(data))[0])
    permuted = np.empty((repetitions, 2, len(items)))
    changed = 0
    for s in range(repetitions):
        found, smoothed = smooth(matrix(rng.permuted(data, axis=0)))
        changed += smoothed
        permuted[s] = _eigenvalues(found)
    threshold = np.quantile(permuted, quantile, axis=0)
    return Parallel(
        observed=observed[0],
        threshold=threshold[0],
        mean=permuted[:, 0].mean(axis=0),
        reduced_observed=observed[1],
        reduced_threshold=threshold[1],
        quantile=quantile,
        repetitions=repetitions,
        smoothed=changed,
    )


def _eigenvalues(correlation: np.ndarray) -> np.ndarray:
    """Eigenvalues, largest first, of the matrix and of the reduced one (2, item)."""
    reduced = correlation.copy()
    np.fill_diagonal(reduced, squared_multiple(correlation))
    return np.stack([np.linalg.eigvalsh(m)[::-1] for m in (correlation, reduced)])


def average_partial(correlation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean squared and mean fourth-power partial correlation after m components were taken out.

    Parameters
    ----------
    correlation : ndarray, shape (item, item)

    Returns
    -------
    squared, fourth : ndarray, shape (item,)
        For m = 0, 1, ..., items - 1 components; NaN where nothing is left of an item. The number of
        components is where they are smallest.

    Notes
    -----
    Velicer (1976), doi:10.1007/BF02293557; fourth powers: Velicer, Eaton & Fava (2000,
    doi:10.1007/978-1-4615-4397-8_3).
    """
    size = len(correlation)
    values, vectors = np.linalg.eigh(correlation)
    weights = (vectors * np.sqrt(np.maximum(values, 0)))[:, ::-1]
    away = ~np.eye(size, dtype=bool)
    out = np.full((2, size), np.nan)
    for m in range(size):
        left = correlation - weights[:, :m] @ weights[:, :m].T
        spread = np.diag(left)
        if (spread <= 1e-10).any():
            break
        partial = (left / np.sqrt(np.outer(spread, spread)))[away]
        out[0, m], out[1, m] = (partial**2).mean(), (partial**4).mean()
    return out[0], out[1]
