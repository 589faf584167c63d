"""Intraclass correlations of persons in clusters: analysis of variance, and the exact posterior."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medpsy.errors import DataError


@dataclass(frozen=True)
class Clusters:
    """Persons per cluster, their means and sums of squares within.

    ``rows`` are the persons with a value and a cluster; ``label`` the cluster of each.
    """

    label: np.ndarray
    size: np.ndarray
    mean: np.ndarray
    within: float

    @property
    def n(self) -> int:
        """Persons."""
        return int(self.size.sum())


def clusters(values: np.ndarray, label: np.ndarray) -> Clusters:
    """Summarise a score (person,) by cluster; persons without either are left out.

    Raises
    ------
    DataError
        Fewer than two clusters, no cluster with two persons, or no variance within clusters.
    """
    known = ~np.isnan(values)
    names, at, size = np.unique(label[known], return_inverse=True, return_counts=True)
    if len(names) < 2:
        raise DataError(
            f"{len(names)} cluster cannot show differences between clusters", hint="Name another variable."
        )
    if size.max() < 2:
        raise DataError(
            "every cluster holds one person only", hint="Name the variable of classes or centres."
        )
    score = values[known]
    mean = np.bincount(at, score) / size
    within = float(((score - mean[at]) ** 2).sum())
    if not within > 0:
        raise DataError("persons do not differ within clusters", hint="Check the score and the clusters.")
    return Clusters(at, size, mean, within)


def anova_icc(groups: Clusters) -> tuple[float, float]:
    """ICC(1) and ICC(2) from the one-way analysis of variance.

    ICC(1) = (MSB - MSW) / (MSB + (m - 1) MSW) with m the mean size of a cluster, ICC(2) = (MSB - MSW) / MSB
    (Bliese, 2000, ISBN 9780787950774; Shrout & Fleiss, 1979, doi:10.1037/0033-2909.86.2.420).
    """
    total, k = groups.n, len(groups.size)
    grand = (groups.size * groups.mean).sum() / total
    between = (groups.size * (groups.mean - grand) ** 2).sum() / (k - 1)
    inside = groups.within / (total - k)
    average = total / k
    return float((between - inside) / (between + (average - 1) * inside)), float((between - inside) / between)


def icc_log_posterior(groups: Clusters, rho: np.ndarray) -> np.ndarray:
    """Log posterior density of the intraclass correlation under a uniform prior, up to a constant.

    One-way normal random effects; the mean under a flat prior and the total variance under 1 / variance are
    integrated out, so that this is the restricted likelihood and its mode the REML estimate (Harville, 1974,
    doi:10.1093/biomet/61.2.383).

    Parameters
    ----------
    groups : Clusters
    rho : ndarray, shape (point,)
        Between 0 and 1.
    """
    m, mean = groups.size[:, None], groups.mean[:, None]
    inside = 1 - rho  # variance within, as a share of the total
    of_sum = inside + m * rho  # eigenvalue of a cluster's matrix along its mean
    precision = m / of_sum
    centre = (precision * mean).sum(axis=0) / precision.sum(axis=0)
    squares = groups.within / inside + (precision * (mean - centre) ** 2).sum(axis=0)
    log_det = (groups.n - len(groups.size)) * np.log(inside) + np.log(of_sum).sum(axis=0)
    return np.asarray(
        -0.5 * log_det - 0.5 * np.log(precision.sum(axis=0)) - (groups.n - 1) / 2 * np.log(squares)
    )


def icc_draws(groups: Clusters, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Draws of the intraclass correlation from its exact posterior, inverted on a grid."""
    # Finer near zero, where most intraclass correlations of questionnaires lie.
    rho = np.linspace(0, 1, 20001)[:-1] ** 2
    log_density = icc_log_posterior(groups, rho)
    weight = np.exp(log_density - log_density.max())
    steps = np.diff(rho) * (weight[1:] + weight[:-1]) / 2
    cumulative = np.concatenate([[0.0], np.cumsum(steps)])
    return np.interp(rng.random(draws) * cumulative[-1], cumulative, rho)
