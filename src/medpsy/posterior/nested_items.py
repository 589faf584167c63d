"""Items that share specific factors: what they tell together about their construct.

Given the construct alone the answers to the items of one specific factor depend on one another, so that
neither their information nor their log-likelihoods add up. Here the specific factors are integrated out of
all items of each together (Gibbons & Hedeker, 1992, doi:10.1007/BF02295430); the parts then add up.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from medpsy.classical.sum_scores import sum_scores
from medpsy.families.composite import take_items
from medpsy.families.nested import NODES, Nested, node_weights
from medpsy.ops import Numpy

#: Central differences of eighth order (Fornberg, 1988, doi:10.1090/S0025-5718-1988-0935077-0).
OFFSETS = np.arange(-4, 5)
FIRST = np.array([1 / 280, -4 / 105, 1 / 5, -4 / 5, 0, 4 / 5, -1 / 5, 4 / 105, -1 / 280])
#: Step of the differences, in residual sds of the construct.
STEP = 0.01
#: So many patterns of answers to the items of one specific factor are summed; of more, so many are drawn.
PATTERNS, SAMPLED = 1100, 800


def nested_information(
    family: Nested, p: dict[str, np.ndarray], theta: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Fisher information of all items about the construct, specific factors integrated out.

    Parameters
    ----------
    family : Nested
    p : dict of str to ndarray
        One value of every role.
    theta : ndarray, shape (node,)
        Internal scale.
    rng : Generator
        For specific factors whose items have more than 1,100 patterns of answers: there the information is a
        mean over 800 patterns drawn at every node (relative error about 5 %).

    Returns
    -------
    ndarray, shape (node,)
        Variance of d log P(answers) / d theta, per squared unit of ``theta``.
    """
    total = np.zeros(len(theta))
    if family.alone.size:
        shifted = (theta + STEP * OFFSETS[:, None]).ravel()
        values = take_items(family.total(p, Numpy), family.alone)
        table = family.family.log_prob(shifted, values, Numpy)
        table = table.reshape(*table.shape[:2], len(OFFSETS), -1)
        slope = np.einsum("o,jkoq->jkq", FIRST, table) / STEP
        total += (np.exp(table[:, :, 4]) * slope**2).sum(axis=(0, 1))
    for group in range(len(family.groups)):
        table, slope = _tables(family, p, theta, group)
        few = table.shape[1] ** table.shape[0] <= PATTERNS
        total += _summed(table, slope) if few else _drawn(table, slope, rng)
    return total


def _tables(
    family: Nested, p: dict[str, np.ndarray], theta: np.ndarray, group: int
) -> tuple[np.ndarray, np.ndarray]:
    """Log-probabilities (item, category, node, specific node) and their derivatives by theta."""
    shifted = (theta + STEP * OFFSETS[:, None]).ravel()
    table = family.joint(shifted, NODES, p, group, Numpy)
    table = table.reshape(*table.shape[:2], len(OFFSETS), len(theta), len(NODES))
    # Categories that an item does not have never occur.
    slope = np.einsum("o,jkoqu->jkqu", FIRST, np.maximum(table, -700.0)) / STEP
    return np.maximum(table[:, :, 4], -700.0), slope


def _summed(table: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """Information (node,) by the sum over all patterns of answers, a few nodes at a time."""
    weight, out = node_weights(NODES), np.zeros(table.shape[2])
    for nodes in np.array_split(np.arange(table.shape[2]), max(1, table.shape[2] // 8)):
        log, score = np.zeros((1, len(nodes), len(NODES))), np.zeros((1, len(nodes), len(NODES)))
        for t, s in zip(table[:, :, nodes], slope[:, :, nodes], strict=True):
            log = (log[:, None] + t).reshape(-1, *t.shape[1:])
            score = (score[:, None] + s).reshape(-1, *t.shape[1:])
        mass = np.exp(log + weight)
        share = mass.sum(axis=-1)
        gain = (mass * score).sum(axis=-1)
        with np.errstate(invalid="ignore", divide="ignore"):
            out[nodes] = np.where(share > 0, gain**2 / share, 0.0).sum(axis=0)
    return out


def _drawn(table: np.ndarray, slope: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Information (node,) as the mean of the squared score over patterns drawn at every node."""
    weight = node_weights(NODES)
    share = np.exp(weight) / np.exp(weight).sum()
    out = np.empty(table.shape[2])
    spread = (np.arange(SAMPLED) + rng.random(SAMPLED)) / SAMPLED
    u = np.searchsorted(np.cumsum(share), spread).clip(0, len(NODES) - 1)
    uniform = rng.random((table.shape[0], SAMPLED))
    for q in range(table.shape[2]):
        log, score = np.zeros((SAMPLED, len(NODES))), np.zeros((SAMPLED, len(NODES)))
        for j in range(table.shape[0]):
            below = np.cumsum(np.exp(table[j, :, q, :]), axis=0)[:-1][:, u]
            answer = (uniform[j] > below).sum(axis=0)
            log += table[j, answer, q, :]
            score += slope[j, answer, q, :]
        mass = np.exp(log + weight)
        out[q] = np.mean(((mass * score).sum(axis=1) / mass.sum(axis=1)) ** 2)
    return out


def nested_sums(
    family: Nested, p: dict[str, np.ndarray], theta: np.ndarray, places: list[np.ndarray]
) -> np.ndarray:
    """Distribution (sum, node) of the sum over all items given the construct.

    Lord and Wingersky's recursion inside each specific factor, which is integrated out of the sum over its
    items.

    Parameters
    ----------
    places : list of ndarray
        What each category of every item adds to the sum: whole numbers from 0 up.
    """
    parts = []
    if family.alone.size:
        values = take_items(family.total(p, Numpy), family.alone)
        table = np.exp(family.family.log_prob(theta, values, Numpy))
        parts += [placed(t, places[j]) for t, j in zip(table, family.alone, strict=True)]
    weight = np.exp(node_weights(NODES))
    for group, where in enumerate(family.groups):
        table = np.exp(family.joint(theta, NODES, p, group, Numpy))
        sums = sum_scores([placed(t, places[j]) for t, j in zip(table, where, strict=True)])
        parts.append(sums.reshape(len(sums), len(theta), len(NODES)) @ weight)
    return sum_scores(parts)


def placed(prob: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Probability (point, ...) of every number of points, from that of every category (category, ...)."""
    out = np.zeros((int(place[-1]) + 1, *prob.shape[1:]))
    out[place.astype(int)] = prob[: len(place)]
    return out


def nested_log_likelihood(
    family: Nested, p: dict[str, np.ndarray], theta: np.ndarray, answers: np.ndarray
) -> np.ndarray:
    """Log-probability (person,) of the answers (person, item; -1 missing) at each person's own ``theta``."""
    person, weight = np.arange(len(theta)), node_weights(NODES)
    total = np.zeros(len(theta))

    def chosen(table: Any, item: int) -> np.ndarray:
        codes = answers[:, item]
        found = table[np.maximum(codes, 0), person]
        return np.where((codes >= 0).reshape(-1, *[1] * (found.ndim - 1)), found, 0.0)

    if family.alone.size:
        values = take_items(family.total(p, Numpy), family.alone)
        for table, item in zip(family.family.log_prob(theta, values, Numpy), family.alone, strict=True):
            total = total + chosen(table, item)
    for group, where in enumerate(family.groups):
        joint = family.joint(theta, NODES, p, group, Numpy)
        joint = joint.reshape(*joint.shape[:2], len(theta), len(NODES))
        log = sum(chosen(table, item) for table, item in zip(joint, where, strict=True))
        total = total + Numpy.logsumexp(log + weight, axis=-1)
    return total
