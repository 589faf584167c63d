"""Who is who among the clusters of a model: what every cluster has for itself, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Levels:
    """Clusters of one survey.

    Parameters
    ----------
    by : str
        Variable that makes the clusters.
    labels : tuple of str
        Names of the clusters.
    index : ndarray, shape (person,)
        Cluster of every person.
    columns : ndarray, shape (cluster,)
        Design column that is one for the persons of a cluster.
    upper : ndarray of int
        Design columns that are the same for all persons of a cluster, the constant first.
    own : int, optional
        The only cluster of these persons, where every cluster is a model of its own.
    values : ndarray, shape (cluster, design column)
        Value of every ``upper`` column in every cluster; NaN in columns that vary within clusters.
    """

    by: str
    labels: tuple[str, ...]
    index: np.ndarray
    columns: np.ndarray
    upper: np.ndarray
    own: int | None = None
    values: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))

    @property
    def size(self) -> np.ndarray:
        """Persons in every cluster."""
        return np.bincount(self.index, minlength=len(self.labels))


@dataclass(frozen=True)
class PooledLevels:
    """Levels of one person variable that shift one node by effects from a common distribution.

    Parameters
    ----------
    target : int
        The node.
    key : str
        ``target~variable``.
    variable : str
        The person variable.
    labels : tuple of str
        Its levels, as far as they occur.
    columns : ndarray, shape (level,)
        Design column of every level: one for its persons, less their share.
    size : ndarray, shape (level,)
        Persons of every level.
    """

    target: int
    key: str
    variable: str
    labels: tuple[str, ...]
    columns: np.ndarray
    size: np.ndarray
