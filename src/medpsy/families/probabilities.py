"""Probabilities of the answers to a construct at points in the space of everything that they depend on."""

from __future__ import annotations

import numpy as np

from medpsy.families.base import ResponseFamily
from medpsy.families.composite import Composite, take_items
from medpsy.families.crossed import Crossed
from medpsy.families.nested import Nested
from medpsy.ops import Numpy


def answer_probabilities(
    family: ResponseFamily,
    name: str,
    theta: dict[str, np.ndarray],
    p: dict[str, np.ndarray],
    rng: np.random.Generator,
) -> np.ndarray:
    """Probabilities of all categories of the items of one construct, person by person.

    Answers are independent given these, also where items share specific factors: those are drawn anew, one
    value a person.

    Parameters
    ----------
    family : ResponseFamily
        Categorical.
    name : str
        The construct.
    theta : dict of str to ndarray, shape (person,)
        Scores on all constructs.
    p : dict of str to ndarray
        One value of every role of the family.
    rng : Generator
        Of specific factors.

    Returns
    -------
    ndarray, shape (item, category, person)
    """
    if isinstance(family, Nested):
        u = rng.standard_normal((len(theta[name]), len(family.groups)))
        predictor = theta[name][:, None] * p["slope"]
        predictor[:, family.members] += family.further_slopes(p) * u[:, family.owner]
        return _at(family, predictor, p)
    if isinstance(family, Crossed):
        return np.asarray(np.exp(family.table(theta, p, Numpy)))
    return np.asarray(np.exp(family.log_prob(theta[name], p, Numpy)))


def _at(family: Composite, predictor: np.ndarray, p: dict[str, np.ndarray]) -> np.ndarray:
    """Probabilities (item, category, person) given linear predictors (person, item)."""
    values = family.total(p, Numpy)
    tables = []
    for j, column in enumerate(predictor.T):
        own = take_items(values, np.array([j]))
        tables.append(family.family.log_prob(column / values["slope"][j], own, Numpy)[0])
    return np.asarray(np.exp(np.stack(tables)))
