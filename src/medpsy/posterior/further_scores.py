"""Scores on latent variables beyond the constructs: specific factors, testlets, a second-order construct, the
levels and slopes of growth.

Given the constructs (and explained variables) they depend on nothing else but their own items, so that they
are drawn after them.
"""

from __future__ import annotations

import numpy as np

from medpsy.bind import ModelData, local
from medpsy.engines.base import observed_patterns
from medpsy.families.nested import Nested, node_weights
from medpsy.latent.base import system
from medpsy.latent.second_order import SecondOrderStructure
from medpsy.ops import Numpy
from medpsy.posterior.draws import at

#: Nodes of a specific factor to draw from.
NODES = np.linspace(-6.0, 6.0, 61)
#: Persons whose tables over the nodes of a specific factor are held at the same time.
CHUNK = 2000

Moments = tuple[np.ndarray, np.ndarray, np.ndarray]


def further_names(data: ModelData) -> list[str]:
    """Names of the latent variables beyond the constructs."""
    names = []
    for block in data.blocks:
        family = data.model.families[block.name]
        names += list(family.specific_names) if isinstance(family, Nested) else []
    structure = data.model.structure
    if isinstance(structure, SecondOrderStructure):
        return [*names, structure.higher]
    return [*names, *(data.layout.nodes[i] for i in without_items(data))]


def without_items(data: ModelData) -> np.ndarray:
    """Positions of the latent nodes without items that are normal given the other nodes."""
    layout = data.layout
    if layout.products.size or layout.not_normal:
        return np.empty(0, dtype=int)
    return np.setdiff1d(np.flatnonzero(~layout.latent), layout.measured)


def further_scores(
    data: ModelData, p: dict[str, np.ndarray], drawn: np.ndarray, rng: np.random.Generator
) -> Moments:
    """Draws, posterior means and sds of those variables.

    Parameters
    ----------
    data : ModelData
    p : dict of str to ndarray
        Free parameters (sample, ...).
    drawn : ndarray, shape (sample, person, factor)
        Scores on the constructs, drawn at the same parameters.
    rng : Generator

    Returns
    -------
    draw : ndarray, shape (sample, person, variable)
    mean, sd : ndarray, shape (person, variable)
        From the conditional means and variances given each sample.
    """
    found = [_one(data, at(p, s), theta, rng) for s, theta in enumerate(drawn)]
    draw, mean, variance = (np.stack(parts) for parts in zip(*found, strict=True))
    return draw, mean.mean(0), np.sqrt(mean.var(0) + variance.mean(0))


def _one(data: ModelData, p: dict[str, np.ndarray], theta: np.ndarray, rng: np.random.Generator) -> Moments:
    """Draws, conditional means and variances (person, variable) at one sample."""
    pieces: list[Moments] = []
    for block in data.blocks:
        family = data.model.families[block.name]
        if isinstance(family, Nested):
            own = local(data, block, p)
            score = theta[:, block.factor]
            for group in range(len(family.groups)):
                log_density = _specific(family, block.values, own, score, group)
                pieces.append(_from_density(log_density, rng))
    structure = data.model.structure
    if isinstance(structure, SecondOrderStructure):
        mean = system(structure.equations(p, data.layout, Numpy), data.layout, Numpy)[0]
        centre, variance = structure.given_constructs(p, theta - data.design @ mean.T)
        noise = np.sqrt(variance) * rng.standard_normal(len(theta))
        pieces.append((centre + noise, centre, np.full(len(theta), variance)))
    elif (nodes := without_items(data)).size:
        pieces += _given_nodes(data, p, theta, nodes, rng)
    draw, centre, spread = (np.stack(parts, axis=-1) for parts in zip(*pieces, strict=True))
    return draw, centre, spread


def _given_nodes(
    data: ModelData, p: dict[str, np.ndarray], theta: np.ndarray, nodes: np.ndarray, rng: np.random.Generator
) -> list[Moments]:
    """Draws, conditional means and variances of ``nodes`` given constructs and explained variables."""
    mean, chol = system(data.model.structure.equations(p, data.layout, Numpy), data.layout, Numpy)
    location, covariance = data.design @ mean.T, chol @ chol.T
    values = data.observed - location
    values[:, data.layout.factors] = theta - location[:, data.layout.factors]
    out = np.empty((3, data.n_person, nodes.size))
    for persons, numbers in observed_patterns(data):
        known = np.concatenate([data.layout.factors, numbers])
        gain = np.linalg.solve(covariance[np.ix_(known, known)], covariance[np.ix_(known, nodes)])
        centre = location[np.ix_(persons, nodes)] + values[np.ix_(persons, known)] @ gain
        spread = covariance[np.ix_(nodes, nodes)] - covariance[np.ix_(nodes, known)] @ gain
        # Some of them may follow from the others: the root of a matrix that is not of full rank.
        size, axes = np.linalg.eigh(spread)
        noise = rng.standard_normal(centre.shape) @ (axes * np.sqrt(np.maximum(size, 0.0))).T
        out[:, persons] = centre + noise, centre, np.broadcast_to(np.diag(spread), centre.shape)
    return [(draw, centre, variance) for draw, centre, variance in np.moveaxis(out, 2, 0)]


def _specific(
    family: Nested, values: np.ndarray, p: dict[str, np.ndarray], theta: np.ndarray, group: int
) -> np.ndarray:
    """Log of prior times likelihood over the nodes of a specific factor, shape (person, specific node)."""
    codes = values[:, family.groups[group]]
    out = np.tile(node_weights(NODES), (len(theta), 1))
    for first in range(0, len(theta), CHUNK):
        who = slice(first, first + CHUNK)
        table = family.joint(theta[who], NODES, p, group, Numpy)
        table = table.reshape(*table.shape[:2], -1, NODES.size)
        for j, code in enumerate(codes[who].T):
            given = np.flatnonzero(code >= 0)
            out[who][given] += table[j, code[given], given]
    return out


def _from_density(log_density: np.ndarray, rng: np.random.Generator) -> Moments:
    """Draw from each row's distribution over the nodes, uniform within a node's interval."""
    mass = np.exp(log_density - log_density.max(axis=1, keepdims=True))
    mass /= mass.sum(axis=1, keepdims=True)
    mean = mass @ NODES
    u = rng.random((len(mass), 1))
    node = np.minimum((np.cumsum(mass, axis=1) < u).sum(axis=1), NODES.size - 1)
    draw = NODES[node] + (rng.random(len(mass)) - 0.5) * (NODES[1] - NODES[0])
    return draw, mean, mass @ NODES**2 - mean**2
