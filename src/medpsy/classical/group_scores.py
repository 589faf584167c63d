"""Groups compared on observed scores: the classical twin of latent mean differences."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from medpsy.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


def score_differences(
    scores: np.ndarray, label: np.ndarray, levels: tuple[str, ...], *, interval: float = 0.95
) -> pd.DataFrame:
    """Differences of mean scores between all pairs of groups, robust to unequal variances.

    Welch's test, which is least squares with heteroscedasticity-robust errors of the HC2 kind (MacKinnon &
    White, 1985, doi:10.1016/0304-4076(85)90158-7), with Satterthwaite's degrees of freedom.

    Parameters
    ----------
    scores : ndarray, shape (person,)
        NaN where there is none.
    label : ndarray of int, shape (person,)
        Group, -1 where unknown.
    levels : tuple of str
    interval : float
        Confidence of the intervals.

    Returns
    -------
    DataFrame
        group, against, n, n_against (persons with a score), difference, se, lower, upper (units of the
        score), df, p, d (in pooled sds, corrected for small samples: Hedges, 1981,
        doi:10.3102/10769986006002107).

    Raises
    ------
    DataError
        Fewer than two groups with at least two scores each.
    """
    import pandas as pd

    known = ~np.isnan(scores)
    held = {g: scores[known & (label == g)] for g in range(len(levels))}
    held = {g: values for g, values in held.items() if values.size >= 2}
    if len(held) < 2:
        raise DataError(
            "fewer than two groups have two persons with a score", hint="Join groups, or leave them out."
        )
    rows = [
        (levels[high], levels[low], held[high].size, held[low].size, *_welch(held[low], held[high], interval))
        for low, high in combinations(held, 2)
    ]
    names = ["group", "against", "n", "n_against", "difference", "se", "lower", "upper", "df", "p", "d"]
    return pd.DataFrame(rows, columns=names)


def _welch(x: np.ndarray, y: np.ndarray, interval: float) -> tuple[float, ...]:
    """Mean of y minus that of x, its error, bounds, degrees of freedom, p, and d."""
    from scipy import stats

    parts = x.var(ddof=1) / x.size, y.var(ddof=1) / y.size
    error = float(np.sqrt(sum(parts)))
    difference = float(y.mean() - x.mean())
    if not error > 0:
        return (difference, error, *[np.nan] * 5)
    total = x.size + y.size - 2
    pooled = np.sqrt(((x.size - 1) * x.var(ddof=1) + (y.size - 1) * y.var(ddof=1)) / total)
    df = error**4 / (parts[0] ** 2 / (x.size - 1) + parts[1] ** 2 / (y.size - 1))
    half = stats.t.ppf(0.5 + interval / 2, df) * error
    p = 2 * stats.t.sf(abs(difference) / error, df)
    d = difference / pooled * (1 - 3 / (4 * total - 1))
    return difference, error, difference - half, difference + half, float(df), float(p), float(d)


def design_effect(size: float, icc: Any) -> Any:
    """How much larger a variance is when persons come in clusters of ``size``: 1 + (size - 1) icc.

    Kish (1965), Survey Sampling, ISBN 9780471109495.
    """
    return 1.0 + (size - 1.0) * icc


def what_if(
    n: int, sizes: tuple[float, ...] = (20, 40, 60), iccs: tuple[float, ...] = (0.01, 0.02, 0.05, 0.1, 0.2)
) -> pd.DataFrame:
    """Effective sample sizes if persons had come in clusters that were not recorded.

    Parameters
    ----------
    n : int
        Persons.
    sizes : tuple of float
        Supposed numbers of persons per cluster.
    iccs : tuple of float
        Supposed intraclass correlations.

    Returns
    -------
    DataFrame
        cluster_size, icc, design_effect, effective_n, error_factor (by which standard errors grow).

    Examples
    --------
    >>> import medpsy as mp
    >>> mp.what_if(783, sizes=(20,), iccs=(0.01, 0.1)).round(2)
       cluster_size   icc  design_effect  effective_n  error_factor
    0          20.0  0.01           1.19       657.98          1.09
    1          20.0  0.10           2.90       270.00          1.70
    """
    import pandas as pd

    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise DataError(f"{n!r} is no number of persons", hint="Give at least 1.")
    rows = []
    for size in sizes:
        for icc in iccs:
            if size < 1 or not 0 <= icc <= 1:
                raise DataError(
                    f"clusters of {size:g} persons with an intraclass correlation of {icc:g} do not exist",
                    hint="Clusters have at least one person; the correlation lies between 0 and 1.",
                )
            effect = design_effect(size, icc)
            rows.append((float(size), float(icc), effect, n / effect, np.sqrt(effect)))
    names = ["cluster_size", "icc", "design_effect", "effective_n", "error_factor"]
    return pd.DataFrame(rows, columns=names)
