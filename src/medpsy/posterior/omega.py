"""Reliability of the sum score of a bifactor or testlet construct, split by what it measures."""

from __future__ import annotations

import math

import numpy as np

from medpsy.bind import ModelData, local
from medpsy.families.base import Block
from medpsy.families.crossed import Crossed
from medpsy.families.nested import NODES, Nested, node_weights
from medpsy.latent.base import system
from medpsy.ops import Numpy
from medpsy.posterior.draws import at

#: Spacing of the nodes in sds of the construct, and how far they reach beyond its means.
SPACING, REACH = 0.25, 6.0
#: Draws that are used, at even distances.
DRAWS = 300


def omegas(
    data: ModelData,
    block: Block,
    p: dict[str, np.ndarray],
    people: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> dict[str, np.ndarray]:
    """Shares of the variance of the sum score X, draw by draw.

    Parameters
    ----------
    data : ModelData
    block : Block
        Of a construct with specific factors.
    p : dict of str to ndarray
        Free parameters (draw, ...).
    people : tuple
        Distribution of the constructs, from :func:`medpsy.posterior.draws.population`.

    Returns
    -------
    dict of str to ndarray, shape (draw,)
        ``omega hierarchical``: var E[X | construct] / var X; ``omega total``: var E[X | construct, specific
        factors] / var X; ``explained common variance``: sum of squared slopes on the construct over that of
        all squared slopes.

    Notes
    -----
    Zinbarg, Revelle, Yovel & Li (2005, doi:10.1007/s11336-003-0974-7), as variances of the observed sum
    score of categorical items, which depend on the construct nonlinearly (Green & Yang, 2009,
    doi:10.1007/s11336-008-9099-3); explained common variance after Reise (2012,
    doi:10.1080/00273171.2012.715555).
    """
    family = data.model.families[block.name]
    assert isinstance(family, Nested)
    weight, location, spread = people
    rows = []
    for s in np.unique(np.linspace(0, len(spread) - 1, min(DRAWS, len(spread))).round().astype(int)):
        place, sd = location[s, :, block.factor], spread[s, block.factor]
        low, high = place.min() - REACH * sd, place.max() + REACH * sd
        theta = np.linspace(low, high, math.ceil((high - low) / (SPACING * sd)) + 1)
        density = weight @ np.exp(-0.5 * ((theta - place[:, None]) / sd) ** 2)
        own = local(data, block, at(p, s))
        rows.append((*_shares(family, block, own, theta, density / density.sum()), _common(family, own)))
    names = ("omega hierarchical", "omega total", "explained common variance")
    return dict(zip(names, np.array(rows).T, strict=True))


def _shares(
    family: Nested, block: Block, p: dict[str, np.ndarray], theta: np.ndarray, density: np.ndarray
) -> tuple[float, float]:
    """Variance due to the construct, and to all factors, over the variance of the sum score."""
    expected, within, noise = np.zeros(theta.size), np.zeros(theta.size), np.zeros(theta.size)
    if family.alone.size:
        log_prob = family.log_prob(theta, p, Numpy)[family.alone]
        mean, variance = _moments(log_prob)
        expected += mean.sum(0)
        noise += variance.sum(0)
    u_weight = np.exp(node_weights(NODES))
    u_weight /= u_weight.sum()
    for group in range(len(family.groups)):
        mean, variance = _moments(family.joint(theta, NODES, p, group, Numpy))
        score = mean.sum(0).reshape(theta.size, NODES.size)
        centre = score @ u_weight
        expected += centre
        # Specific factors are independent given the construct: their variances add up.
        within += score**2 @ u_weight - centre**2
        noise += variance.sum(0).reshape(theta.size, NODES.size) @ u_weight
    general = density @ (expected - density @ expected) ** 2
    common = general + density @ within
    total = common + density @ noise
    return float(general / total), float(common / total)


def crossed_share(
    data: ModelData, block: Block, p: dict[str, np.ndarray], seed: int = 0, points: int = 4000
) -> np.ndarray:
    """Var E[X | all constructs] / var X per draw (at most 300), where items load on several constructs.

    Over ``points`` simulated persons, the same ones at every draw.
    """
    family = data.model.families[block.name]
    assert isinstance(family, Crossed)
    rng = np.random.default_rng(seed)
    design = data.design[rng.integers(data.n_person, size=points)]
    z = rng.standard_normal((points, len(data.layout.nodes)))
    size = max(len(value) for value in p.values())
    out = []
    for s in np.unique(np.linspace(0, size - 1, min(DRAWS, size)).round().astype(int)):
        values = at(p, s)
        mean, chol = system(data.model.structure.equations(values, data.layout, Numpy), data.layout, Numpy)
        theta = design @ mean.T + z @ chol.T
        named = {name: theta[:, i] for i, name in enumerate(data.layout.nodes)}
        expected, noise = _moments(family.table(named, local(data, block, values), Numpy))
        true = expected.sum(0).var()
        out.append(true / (true + noise.sum(0).mean()))
    return np.array(out)


def _moments(log_prob: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of each item's code, each (item, node), from (item, category, node)."""
    prob, codes = np.exp(log_prob), np.arange(log_prob.shape[1])
    mean = np.einsum("k,jkq->jq", codes, prob)
    return mean, np.einsum("k,jkq->jq", codes**2, prob) - mean**2


def _common(family: Nested, p: dict[str, np.ndarray]) -> float:
    general, own = (p["slope"] ** 2).sum(), (family.further_slopes(p) ** 2).sum()
    return float(general / (general + own))
