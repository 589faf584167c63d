"""How the variables of a model are spread and related at one setting of what their paths change with.

At fixed values of the moderators a model with products is linear: eta = B eta + ... + e with its own B, so
that the covariance of the variables given the covariates is A Psi A' with A = (I - B)^-1.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from medpsy.errors import SpecError
from medpsy.posterior.level_pathways import BETWEEN
from medpsy.posterior.pathways import Pathways, Value

#: Most settings that are told one by one.
MOST_SETTINGS = 12


class Within:
    """Covariances given the covariates, draw by draw, in raw units (constructs in residual sds).

    Parameters
    ----------
    along : Pathways
        On a level, of deviations within clusters or of the means of clusters.
    """

    def __init__(self, along: Pathways) -> None:
        self.along, self.layout = along, along.layout
        structure = along.structure
        spread = along.residuals()
        if structure.name == "correlated":
            # The residuals that the paths of a saturated structure leave over.
            diagonal = np.diagonal(spread, axis1=-2, axis2=-1)
            spread = diagonal[..., :, None] * np.eye(len(self.layout.nodes))
        inner = spread @ np.swapaxes(spread, -1, -2)
        inner = np.broadcast_to(inner, (len(along.coefficients), *inner.shape[-2:])).copy()
        for i, one in enumerate(self.layout.observed):
            # What is left of one person, not of the mean of a cluster.
            if one is not None and not one.normal and along.level != BETWEEN:
                inner[..., i, i] += one.link_variance(np.zeros(()), self.layout.own(i, along.values))
        self.residual = inner * np.outer(self.layout.unit, self.layout.unit)

    def slopes(self, setting: Mapping[str, Value]) -> np.ndarray:
        """B (draw, node, node) in raw units at a setting, all that it does not name at its mean."""
        at = self._everything() | self.along.at(setting)
        nodes = self.layout.nodes
        out = np.zeros((len(self.along.coefficients), len(nodes), len(nodes)))
        joined = {(c.target, name) for c in self.along.steps for name in self.layout.factors_of(c)}
        for target, name in joined:
            if name in nodes:
                out[:, target, nodes.index(name)] = self.along.slope(name, nodes[target], at)
        return out

    def covariance(self, setting: Mapping[str, Value]) -> np.ndarray:
        """Covariance (draw, node, node) given the covariates."""
        size = len(self.layout.nodes)
        reduced = np.linalg.inv(np.eye(size) - self.slopes(setting))
        return np.asarray(reduced @ self.residual @ np.swapaxes(reduced, -1, -2))

    def _everything(self) -> dict[str, float]:
        out = dict(zip(self.layout.nodes, map(float, self.layout.centre), strict=True))
        return out | {column.name: column.centre for column in self.layout.columns}

    def correlations(self, exposure: str, names: list[str], setting: Mapping[str, Value]) -> np.ndarray:
        """Correlations (draw, 1 + name, 1 + name) of an exposure and other nodes, given the covariates.

        Raises
        ------
        SpecError
            The exposure is a category.
        """
        nodes = self.layout.nodes
        inside = [nodes.index(name) for name in names]
        if exposure in nodes:
            where = [nodes.index(exposure), *inside]
            joint = self.covariance(setting)[..., where, :][..., :, where]
        else:
            residual = self.covariance(setting)[..., inside, :][..., :, inside]
            slope = np.stack([self._total(exposure, name, setting) for name in names], axis=-1)
            joint = _with_exposure(residual, slope, self._variance(exposure))
        sd = np.sqrt(np.diagonal(joint, axis1=-2, axis2=-1))
        return np.asarray(joint / (sd[..., :, None] * sd[..., None, :]))

    def _total(self, exposure: str, name: str, setting: Mapping[str, Value]) -> np.ndarray:
        """Total effect (draw,) of an observed exposure, raw units."""
        at = self._everything() | self.along.at(setting)
        return np.sum([self.along.effect(way, at) for way in self.along.ways(exposure, name)], axis=0)

    def _variance(self, exposure: str) -> float:
        """Variance of an observed exposure given the other covariates, raw units."""
        columns = [
            i + 1 for i, c in enumerate(self.layout.columns) if c.variable == exposure and not c.factors
        ]
        if len(columns) != 1 or "[" in self.layout.columns[columns[0] - 1].name:
            raise SpecError(
                f"'{exposure}' is a category, which has no correlation with others",
                hint="Use a construct or a number as the exposure.",
            )
        column = columns[0]
        plain = [i + 1 for i, c in enumerate(self.layout.columns) if not c.factors and i + 1 != column]
        design = self.layout.covariance
        variance = design[column, column]
        if plain:
            cross = design[column, plain]
            variance = variance - cross @ np.linalg.lstsq(design[np.ix_(plain, plain)], cross, rcond=None)[0]
        return float(variance) * self.layout.columns[column - 1].unit ** 2


def _with_exposure(residual: np.ndarray, slope: np.ndarray, variance: float) -> np.ndarray:
    """Covariance of an observed exposure and nodes whose covariance given it is ``residual``."""
    size = residual.shape[-1] + 1
    out = np.empty((*residual.shape[:-2], size, size))
    out[..., 0, 0] = variance
    out[..., 0, 1:] = out[..., 1:, 0] = slope * variance
    out[..., 1:, 1:] = residual + variance * slope[..., :, None] * slope[..., None, :]
    return out
