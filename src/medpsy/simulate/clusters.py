"""The truth about clusters, and persons drawn in them.

::

    [truth.clusters]
    n = 40                                   # clusters; persons are dealt out evenly
    variables = ["policy"]                   # covariates and exposures that belong to the cluster
    [truth.clusters.sd]
    m = 0.5                                  # random intercepts, in within-cluster sds of the node
    a = 0.3                                  # random slopes, by label
    [truth.clusters.correlations]
    "a~~b" = 0.5
    [truth.clusters.between]
    a_between = 0.4                          # paths between cluster means
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from medpsy.errors import nearest
from medpsy.latent.clustered import ClusteredStructure
from medpsy.model import ComposedModel
from medpsy.simulate.read_paths import read_coefficients
from medpsy.simulate.truth import Term
from medpsy.spec.toml_table import TomlTable


@dataclass(frozen=True)
class TrueClusters:
    """What differs between simulated clusters.

    Parameters
    ----------
    by : str
        Variable that says who belongs where.
    n : int
        Number of clusters.
    split : bool
        Whether paths act on deviations from cluster means.
    slopes : tuple of str
        Labels or keys of the paths that differ.
    nodes : tuple of str
        Nodes with random intercepts.
    factor : ndarray, shape (effect, effect)
        Cholesky factor of the covariance of (slopes, intercepts).
    between : dict of str to Term
        Paths between cluster means and their products with moderators, by name.
    variables : tuple of str
        Person variables that are the same for all persons of a cluster.
    """

    by: str
    n: int
    split: bool
    slopes: tuple[str, ...]
    nodes: tuple[str, ...]
    factor: np.ndarray
    between: dict[str, Term]
    variables: tuple[str, ...]

    def members(self, n_person: int) -> np.ndarray:
        """Cluster of every person, evenly dealt out, shape (person,)."""
        return np.arange(n_person) * self.n // n_person

    def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Slopes (cluster, slope) and intercepts (cluster, node) of all clusters."""
        made = rng.standard_normal((self.n, len(self.factor))) @ self.factor.T
        return made[:, : len(self.slopes)], made[:, len(self.slopes) :]


def read_clusters(
    table: TomlTable, model: ComposedModel, levels: Mapping[str, tuple[str, ...]]
) -> TrueClusters | None:
    """Read ``[truth.clusters]``; None for a model without clusters.

    Raises
    ------
    SpecError
        An unknown key, effect or path, a number that is impossible, correlations that contradict each other.
    """
    structure = model.structure
    if not isinstance(structure, ClusteredStructure):
        table.only(())
        return None
    table.only(("n", "variables", "sd", "correlations", "between"))
    if "n" not in table.values:
        raise table.fail("[truth.clusters] has no n", "Write n = 40, the number of clusters.")
    nodes = model.sketch.nodes
    names = structure.effects(nodes)
    spread, sd = table.table("sd"), np.zeros(len(names))
    for key in spread.values:
        if key not in names:
            raise spread.fail(f"'{key}' does not differ between clusters", nearest(key, names), key)
        sd[names.index(key)] = spread.number(key, 0, 1e6, open_ends=False)
    correlation = _correlations(table.table("correlations"), names)
    between = read_coefficients(table.table("between"), structure.clusters.between, model, levels)
    variables = table.texts("variables")
    for name in variables:
        if name not in model.covariates:
            raise table.fail(f"'{name}' is no covariate", nearest(name, model.covariates), "variables")
    upper = {name for path in structure.clusters.between for name in path.by}
    for name in sorted(upper - set(variables)):
        raise table.fail(
            f"'{name}' moderates paths between clusters and differs between persons",
            f'Add it to the variables of the clusters: variables = ["{name}"].', "variables",
        )  # fmt: skip
    factor = sd[:, None] * np.linalg.cholesky(correlation)
    return TrueClusters(
        structure.clusters.by, table.whole("n", 2), structure.split, structure.clusters.random, nodes, factor,
        between, variables,
    )  # fmt: skip


def _correlations(table: TomlTable, names: tuple[str, ...]) -> np.ndarray:
    matrix = np.eye(len(names))
    for key in table.values:
        pair = [part.strip() for part in key.split("~~")]
        if len(pair) != 2 or not set(pair) <= set(names) or pair[0] == pair[1]:
            raise table.fail(
                f"'{key}' is no pair of effects of clusters", f"Write two of {', '.join(names)}.", key
            )
        i, j = (names.index(name) for name in pair)
        matrix[i, j] = matrix[j, i] = table.number(key, -1, 1, open_ends=True)
    if np.linalg.eigvalsh(matrix).min() < 1e-9:
        raise table.fail("no clusters can have these correlations", "Make the strongest of them weaker.")
    return matrix
