"""Answers to a bifactor construct, its specific factors summed out at every node of the construct."""

from __future__ import annotations

from typing import Any

import numpy as np

from medpsy.families.base import Block
from medpsy.families.composite import take_items
from medpsy.families.nested import NODES, Nested, node_weights
from medpsy.ops import Numpy

#: Persons whose likelihood over both factors is held at the same time, on arrays.
CHUNK = 2000


def nested_sums(
    family: Nested, block: Block, p: dict[str, Any], theta: np.ndarray, xp: Any, specific: np.ndarray = NODES
) -> Any:
    """Log-probability of all answers of a person at every node, shape (person, node).

    Parameters
    ----------
    family : Nested
    block : Block
    p : dict
        Roles of the construct, no leading axes.
    theta : ndarray, shape (node,)
        Values of the construct.
    specific : ndarray, shape (specific node,)
        Equally spaced values of the specific factors.
    """
    n_person = len(block.values)
    total: Any = xp.constant(np.zeros((n_person, theta.size)))
    if family.alone.size:
        alone = take_items(family.total(p, xp), family.alone)
        table = family.family.log_prob(xp.constant(theta), alone, xp)
        total = total + _chosen(table, block.values[:, family.alone], block.n_categories, xp)
    weights = xp.constant(node_weights(specific))
    for group, where in enumerate(family.groups):
        table = family.joint(theta, specific, p, group, xp)
        size = CHUNK if xp is Numpy else n_person
        pieces = []
        for first in range(0, n_person, size):
            values = block.values[first : first + size, where]
            both = _chosen(table, values, block.n_categories, xp)
            both = both.reshape((len(values), theta.size, specific.size))
            pieces.append(xp.logsumexp(both + weights, axis=-1))
        total = total + xp.concatenate(pieces, axis=0)
    return total


def _chosen(table: Any, values: np.ndarray, n_cat: int, xp: Any) -> Any:
    """Sum of the log-probabilities (item, category, node) of the answers given, shape (person, node)."""
    n_item = values.shape[1]
    one_hot = (values[:, :, None] == np.arange(n_cat)).reshape(len(values), n_item * n_cat)
    return xp.constant(one_hot.astype(float)) @ table.reshape((n_item * n_cat, -1))
