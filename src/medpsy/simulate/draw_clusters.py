"""Persons in clusters: deviations within, means between, as the equations of a truth say."""

from __future__ import annotations

import numpy as np

from medpsy.observed.base import observed_family
from medpsy.simulate.clusters import TrueClusters
from medpsy.simulate.truth import Equation, Term, Truth


def draw_nodes(
    truth: Truth,
    clusters: TrueClusters,
    variables: dict[str, np.ndarray],
    noise: np.ndarray,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Values of all nodes (person,), in their own units.

    Parameters
    ----------
    truth, clusters
    variables : dict of str to ndarray
        Unexplained person variables.
    noise : ndarray, shape (person, node)
        Normal residuals with their correlations.
    rng : Generator
    """
    index = clusters.members(len(noise))
    slopes, shift = (effects[index] for effects in clusters.draw(rng))
    deviation: dict[str, np.ndarray] = {}
    mean: dict[str, np.ndarray] = {}
    value: dict[str, np.ndarray] = {}
    out: dict[str, np.ndarray] = {}
    for node, (equation, e) in enumerate(zip(truth.equations, noise.T, strict=True)):
        below, above = np.zeros(len(noise)), shift[:, node].copy()
        source = deviation if clusters.split else value
        for term in equation.terms:
            part = _slope(term, clusters, slopes) * _factors(term, truth, variables, source)
            if clusters.split and {term.source} <= set(clusters.variables):
                above += part
            else:
                below += part
        for term in clusters.between.values():
            if term.target == equation.node:
                above += term.coefficient * _factors(term, truth, variables, mean)
        standard, own = _value(equation, below, above, e, rng)
        deviation[equation.node], mean[equation.node], value[equation.node] = own, above, standard
        out[equation.node] = equation.intercept + equation.scale * standard
    return out


def _value(
    equation: Equation, below: np.ndarray, above: np.ndarray, e: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Value of a node, and its deviation from the cluster mean."""
    family = None if equation.family == "latent" else observed_family(equation.family)
    if family is None or family.normal:
        own = below + equation.residual_sd * e
        return equation.shift + own + above, own
    eta = equation.shift + below + above
    return np.asarray(family.quantile(rng.random(len(e)), eta, equation.own)), below


def _slope(term: Term, clusters: TrueClusters, slopes: np.ndarray) -> np.ndarray | float:
    """The coefficient of a term in everybody's cluster."""
    for k, name in enumerate(clusters.slopes):
        if name in (term.label, term.name):
            return term.coefficient + slopes[:, k]
    return term.coefficient


def _factors(
    term: Term, truth: Truth, variables: dict[str, np.ndarray], source: dict[str, np.ndarray]
) -> np.ndarray:
    """What the coefficient multiplies, for every person."""
    product = np.ones(())
    for name, level in ((term.source, term.level), *term.by):
        own = source[name] if name in source else truth.variables[name].standard(variables[name], level)
        product = product * own
    return np.asarray(product)
