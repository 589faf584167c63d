"""Persons sampled: their independent normals z are parameters, non-centred.

The fall-back where no other engine integrates the persons out (six or more constructs with ordinal items,
four or more beside explained observed variables), and an independent check of the others. Its log-likelihood
terms are conditional on the scores, so they must not be compared with marginal ones.
"""

from __future__ import annotations

from functools import reduce
from operator import mul
from typing import Any

import numpy as np

from medpsy.bind import ModelData, local
from medpsy.engines.base import Verdict
from medpsy.families.composite import Composite


class Conditional:
    """The engine ``conditional``."""

    name = "conditional"
    order = 3
    unit = "person, scores given"
    products = True

    def accepts(self, data: ModelData) -> Verdict:
        """Everything whose explained variables that explain others are complete."""
        layout = data.layout
        if any(isinstance(family, Composite) for family in data.model.families.values()):
            return Verdict(False, "items measure more than their construct")
        for node in layout.measured:
            explains = any(not c.from_column and c.source == node for c in layout.coefficients)
            missing = int(np.isnan(data.observed[:, node]).sum())
            if explains and missing:
                return Verdict(
                    False,
                    f"'{layout.nodes[node]}' explains another variable and is missing for {missing} persons",
                )
        return Verdict(True, "persons sampled")

    def person_normals(self, data: ModelData) -> int:
        """One per construct, and for latent variables without items; none for what has no residual."""
        return int(sampled(data).size)

    def settings(self, data: ModelData, size: int | None = None) -> None:
        """Nothing is needed."""
        return None

    def compiles(self, data: ModelData) -> Verdict:
        """Never: with persons sampled the PyMC model is the route."""
        return Verdict(False, "persons are sampled, which is done by the PyMC model")

    def log_likelihood(self, data: ModelData, p: dict[str, Any], xp: Any, settings: Any = None) -> Any:
        """Log-likelihood of every person given ``p["z"]`` (person, factor); shape (person,)."""
        layout = data.layout
        eq = data.model.structure.equations(p, layout, xp)
        scores, total = _walk(data, p["z"], eq, p, xp)
        for block in data.blocks:
            theta = scores[layout.factors[block.factor]]
            total = total + _answers(data, block, local(data, block, p), theta, xp)
        return total


def node_values(data: ModelData, z: np.ndarray, p: dict[str, np.ndarray]) -> np.ndarray:
    """Scores (person, factor) that the sampled normals ``z`` (person, factor) stand for."""
    from medpsy.ops import Numpy

    eq = data.model.structure.equations(p, data.layout, Numpy)
    value, _ = _walk(data, z, eq, p, Numpy)
    return np.stack([value[node] for node in data.layout.factors], axis=1)


def sampled(data: ModelData) -> np.ndarray:
    """Positions of the latent nodes, with items or without, that are more than what explains them."""
    still = getattr(data.model.structure, "still", None)
    gone = data.layout.measured if still is None else [*data.layout.measured, *still(data.layout)]
    return np.setdiff1d(np.arange(len(data.layout.nodes)), gone)


def _walk(data: ModelData, z: Any, eq: Any, p: dict[str, Any], xp: Any) -> tuple[dict[int, Any], Any]:
    """Values of all nodes in topological order, and the log-density of the observed ones."""
    layout = data.layout
    base = xp.constant(data.design) @ xp.swapaxes(eq.g, 0, 1)
    latent = sampled(data)
    factor_of = {node: d for d, node in enumerate(latent)}
    noise = z @ xp.swapaxes(eq.z[latent][:, latent], 0, 1)
    value: dict[int, Any] = {}
    total = xp.zeros((data.n_person,))
    for node, family in enumerate(layout.observed):
        eta = base[:, node]
        for i, c in enumerate(layout.coefficients):
            if c.target == node and not c.from_column:
                # A moderated path is everybody's own: its product comes beside the path itself.
                own = (
                    eq.b[node, c.source] if c.by is None else p["path"][i] * xp.constant(data.design[:, c.by])
                )
                if c.times:
                    own = p["path"][i] * reduce(mul, (value[node] for node in c.times))
                eta = eta + own * value[c.source]
        if family is None:
            value[node] = eta + eq.d[node] * noise[:, factor_of[node]] if node in factor_of else eta
            continue
        y = data.observed[:, node]
        given = xp.constant((~np.isnan(y)).astype(float))
        y = xp.constant(np.where(np.isnan(y), 0.0, y))
        value[node] = y
        total = total + given * family.log_prob(y, eta, layout.own(node, p), xp)
    return value, total


def _answers(data: ModelData, block: Any, p: dict[str, Any], theta: Any, xp: Any) -> Any:
    """Log-probability of all answers of a person to one block at that person's score."""
    family = data.model.families[block.name]
    if family.categorical:
        table = family.log_prob(theta, p, xp)
        chosen = (block.values.T[:, None, :] == np.arange(block.n_categories)[None, :, None]).astype(float)
        return xp.sum(xp.sum(xp.constant(chosen) * table, axis=0), axis=0)
    mean, sd = family.log_prob(theta, p, xp)
    given = (~np.isnan(block.values.T)).astype(float)
    y = np.where(np.isnan(block.values.T), 0.0, block.values.T)
    term = -0.5 * ((xp.constant(y) - mean) / sd) ** 2 - xp.log(sd) - 0.5 * np.log(2 * np.pi)
    return xp.sum(xp.constant(given) * term, axis=0)


ENGINE = Conditional()
