"""Effects along the paths of one level: deviations within clusters, or means of clusters.

A moderator of the clusters has the same value for all persons of one, so that it is probed, and its regions
are counted, over clusters.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np

from medpsy.latent.base import Coefficient
from medpsy.latent.cluster_moderation import cluster_mean, raw_between
from medpsy.ops import Numpy
from medpsy.posterior.pathways import Pathways
from medpsy.result import Result

WITHIN, BETWEEN = LEVELS = ("within", "between")


def on_levels(result: Result) -> list[Pathways]:
    """The paths of a fit: on both levels, within clusters first, where variables are split into deviation and
    cluster mean; else all of them."""
    if not result.data.layout.between:
        return [Pathways(result)]
    return [OnLevel(result, level) for level in LEVELS]


class OnLevel(Pathways):
    """The slopes between the variables of one fit on one level.

    Parameters
    ----------
    result : Result
        Of a model with paths between clusters.
    level : str
        ``"within"`` or ``"between"``.
    """

    def __init__(self, result: Result, level: str) -> None:
        super().__init__(result)
        self.level = level
        levels = self.layout.levels
        assert levels is not None
        self._index, upper = levels.index, set(levels.upper.tolist())
        self.of = f"clusters of {levels.by}"
        self._upper = {
            self.layout.columns[c - 1].variable for c in upper if 0 < c <= len(self.layout.columns)
        }
        above = [bool(c.from_column and c.source in upper) for c in self.layout.coefficients]
        self._kept = np.flatnonzero(np.array(above, dtype=bool) == (level == BETWEEN))
        own: tuple[Coefficient, ...] = tuple(self.layout.coefficients[i] for i in self._kept)
        self.steps = (*self.layout.between, *own) if level == BETWEEN else own
        self._terms = [self.layout.factors_of(c) for c in self.steps]

    @cached_property
    def coefficients(self) -> np.ndarray:
        """Coefficients (draw, step) in raw units."""
        own = super().coefficients[:, self._kept]
        if self.level == WITHIN:
            return own
        return np.concatenate([raw_between(self.values, self.layout), own], axis=1)

    @property
    def random(self) -> bool:
        """Whether slopes differ between clusters beside what moderators make of them: within alone."""
        return self.level == WITHIN and super().random

    def sd(self, name: str) -> np.ndarray:
        """Sd (draw,) of deviations or of cluster means that the model implies, raw units."""
        if name not in self.layout.nodes:
            return super().sd(name)
        i = self.layout.nodes.index(name)
        sds = self.structure.level_sds(self.values, self.layout)[self.level == BETWEEN]
        return np.asarray(sds[..., i] * self.layout.unit[i])

    def residuals(self) -> np.ndarray:
        """As of all paths; of deviations, or of the intercepts of clusters."""
        if self.level == WITHIN:
            eq = self.structure.inner.equations(self.values, self.layout, Numpy)
            return np.asarray(eq.d[..., :, None] * eq.z)
        first = len(self.structure.clusters.random)
        return np.asarray(self.structure.factor(self.values, self.layout.nodes, Numpy)[..., first:, :])

    def numbers(self, name: str) -> np.ndarray:
        """Values of a variable on this level: of clusters one for each, of a variable that is split its
        cluster means, or deviations around the mean of all persons."""
        if name not in self.result.survey.variables:
            return super().numbers(name)
        values = np.asarray(self.result.survey.variables[name], dtype=float)
        given = ~np.isnan(values)
        index, values = self._index[given], values[given]
        size = np.bincount(index)
        means = np.bincount(index, weights=values)[size > 0] / size[size > 0]
        if self.level == BETWEEN or name in self._upper:
            return means
        at = np.cumsum(size > 0) - 1
        return np.asarray(values.mean() + values - means[at[index]])

    def predicted(self, target: str, at: Mapping[str, float]) -> np.ndarray:
        """Expected value (draw,) of a variable of a cluster, or within one, at ``at`` (value by factor), all
        else at its mean; raw units, of what is no number on the scale of its link."""
        layout, node = self.layout, self.layout.nodes.index(target)
        intercept = self.structure.inner.equations(self.values, layout, Numpy).g[..., node, 0]
        internal = self.structure.coefficients(self.values, layout, Numpy)
        inside = [name for name in at if name in layout.nodes] if self.level == WITHIN else []
        above = {name: value for name, value in at.items() if name not in inside}
        mean = cluster_mean(self.values, layout, node, internal, above)
        total = layout.centre[node] + layout.unit[node] * (intercept + mean)
        for name in inside:
            total = total + self.slope(name, target, at) * (
                at[name] - layout.centre[layout.nodes.index(name)]
            )
        return np.broadcast_to(total, (len(self.coefficients),))
