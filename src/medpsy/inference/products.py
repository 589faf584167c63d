"""Coordinates between deviations in units of a sd and their products with it, and how far between."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from medpsy.bind import ModelData
from medpsy.inference.density import Density
from medpsy.inference.mode import Mode, find_mode

#: Errors are measured at the mode, and once more at the mode in the coordinates that they lead to.
ROUNDS = 2

#: How fine the numerics are meanwhile.
FINENESS = 1.25

#: Least share of its prior precision that the answers add to a deviation: an error stays finite.
LEAST = 1e-3


def unmeasured(data: ModelData) -> bool:
    """Whether some deviations do not know yet how exactly the answers determine their products."""
    return any(p.scale is not None and not p.scale.error for p in data.parameters)


def in_products(density: Density, mode: Mode) -> tuple[Density, Mode]:
    """Density and mode where products of deviations and their scales are the coordinates."""
    if density.space.products or all(parameter.scale is None for parameter in density.data.parameters):
        return density, mode
    moved = Density(density.data, density.likelihood, products=True)
    u, spread = moved.space.from_plain(mode.u, mode.spread)
    return moved, replace(mode, u=u, spread=spread)


def measured(density: Density, start: np.ndarray) -> tuple[Density, np.ndarray, int]:
    """Measure the errors of all products; a point near the mode in the coordinates that follow from them.

    Over deviations and the logarithm of their sd the density is highest at a sd far too large: there the
    deviations are told most exactly. In these coordinates they are told equally exactly for every sd, so that
    the mode is near that of the posterior of the sd itself.

    Parameters
    ----------
    start : ndarray, shape (size,)
        Near the mode, in coordinates without products.

    Returns
    -------
    density : Density
    start : ndarray, shape (size,)
    evaluations : int
        Gradients used.
    """
    left = [p.name for p in density.data.parameters if p.scale is not None and not p.scale.error]
    used = 0
    for _ in range(ROUNDS):
        likelihood = density.likelihood.adapted(density.space.constrain(start), FINENESS)
        density = Density(density.data, likelihood, density.space.products)
        mode = find_mode(density, start)
        used += mode.evaluations
        moved = Density(_with_errors(density, mode, left), likelihood, products=True)
        plain = density.space.to_plain(mode.u)
        start, _ = moved.space.from_plain(plain, np.zeros((density.size, 0)))
        density = moved
    return density, start, used


def _with_errors(density: Density, mode: Mode, names: list[str]) -> ModelData:
    """The data with the errors of some scaled parameters as the curvature at the mode says.

    Given the sd s, a standard normal deviation has a posterior variance v = 1 / (1 + s^2 / e^2).
    """
    space = density.space
    values = space.constrain(mode.u)
    places = {p.name: space.places_of(p) for p in density.data.parameters if p.name in names}
    given = np.unique(np.concatenate([scales for _, scales in places.values()]))
    rest = np.setdiff1d(np.arange(space.size), given)
    precision = np.linalg.inv(mode.spread @ mode.spread.T)
    variance = np.ones(space.size)
    variance[rest] = np.diag(np.linalg.inv(precision[np.ix_(rest, rest)]))
    variance *= space.stretch(mode.u) ** 2
    parameters = []
    for p in density.data.parameters:
        if p.name in names and p.scale is not None:
            added = np.maximum(1.0 / variance[places[p.name][0]] - 1.0, LEAST)
            sds = values[p.scale.name].ravel()[list(p.scale.index)]
            p = replace(p, scale=replace(p.scale, error=tuple(map(float, sds / np.sqrt(added)))))
        parameters.append(p)
    return replace(density.data, parameters=tuple(parameters))
