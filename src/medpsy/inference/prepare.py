"""Before sampling: a start, numerics that fit the posterior, its mode and the curvature there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from medpsy.bind import ModelData
from medpsy.engines.base import CompiledLikelihood, LikelihoodEngine
from medpsy.inference.density import Density, start_point
from medpsy.inference.mode import Mode, climb, find_mode
from medpsy.inference.products import measured, unmeasured

#: Largest tolerated difference of the total log-likelihood from numerics twice as fine.
TOLERANCE = 0.05

#: Largest one at the points that numerics are chosen by: the draws will see more than these.
GOOD = 0.3 * TOLERANCE

#: Nodes per construct that the search for the mode begins with.
FIRST_SIZE = {1: 61, 2: 31, 3: 17}

#: How fine the numerics are in turn; with fewer constructs finer ones cost little.
FINENESS = (1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 4.0)
FIRST_FINENESS = {1: 1.5, 2: 1.1}

#: So many of the points at which numerics are tried may be out of reach of the draws.
OUTLYING = 2

#: How fine numerics become for their sake: draws that need more are found by the check after sampling.
MOST_SHRUNK = 2.0
#: Where their draws, which reach further than these points, are nearly always good enough.
FIRST_SHRUNK = {1: MOST_SHRUNK}

#: Points near the mode that windows of persons reach to where differences are shrunk, or where the sds of
#: levels, slopes and what is left of the constructs are known only together.
WANDERED = 8
#: How fine numerics begin there.
FIRST_WANDERED = 1.25

#: With more persons errors of the log-likelihood are judged by how they vary over the posterior: a constant
#: changes nothing.
CONSTANT_PERSONS = 2_000

#: With more persons the search begins at the mode of some of them.
MANY_PERSONS = 10_000
SOME_PERSONS = 4_000


def prepared(
    data: ModelData, engine: LikelihoodEngine, nodes: int | None, log: list[str]
) -> tuple[Density, Mode, float]:
    """Density with numerics fitted to the posterior, its mode, and how fine the numerics are.

    Parameters
    ----------
    nodes : int, optional
        Nodes per construct to begin with.
    log : list of str
        Is told what was done.
    """
    if data.n_person > MANY_PERSONS and data.undivided:
        part = _some(data, SOME_PERSONS)
        _, small, _ = prepared(part, engine, nodes, [])
        start, used, shrink = small.u, small.evaluations, np.sqrt(part.n_person / data.n_person)
        spread: np.ndarray | None = small.spread * shrink
        density = Density(data, opened(data, engine, nodes))
        log.append(f"search begun at the mode of {part.n_person} persons")
    else:
        density, spread, start = Density(data, opened(data, engine, nodes)), None, start_point(data)
        if engine.name == "layered":  # the whole grid is out of reach even once
            density = Density(data, density.likelihood.adapted(density.space.constrain(start), 1.0))
        start, used, _ = climb(density, start)
        if unmeasured(data):
            density, start, more = measured(density, start)
            used += more
    density, mode, fineness = _tuned(density, start, spread, log)
    log.append(
        f"mode after {used + mode.evaluations} gradients"
        + ("" if mode.converged else f"; not a clean maximum, {mode.damped} directions damped")
    )
    return density, mode, fineness


def refined(density: Density, mode: Mode, fineness: float) -> Density:
    """The same density on other numerics, fitted at the mode."""
    at = near(density, mode, np.random.default_rng(2)) if wanders(density.data) else []
    return _on(density, density.likelihood, density.space.constrain(mode.u), fineness, at)


def wanders(data: ModelData) -> bool:
    """Whether the scores of persons move much with parameters that are uncertain."""
    shrunk = data.groups is not None and data.groups.shrunk
    return shrunk or (data.model.spec.linear is not None and bool(data.model.spec.latents and data.blocks))


def near(density: Density, mode: Mode, rng: np.random.Generator) -> list[dict[str, np.ndarray]]:
    """Values at some points as far from the mode as draws are."""
    around = mode.u + rng.standard_normal((WANDERED, density.size)) @ mode.spread.T
    return [density.space.constrain(u) for u in around]


def opened(data: ModelData, engine: LikelihoodEngine, nodes: int | None) -> CompiledLikelihood:
    """The compiled likelihood on its opening numerics."""
    return engine.compiled(data, engine.settings(data, nodes or FIRST_SIZE.get(data.n_factor, 17)))


def reference_error(density: Density, mode: Mode) -> float:
    """What numerical errors are measured from: zero, or with many persons the error at the mode."""
    if density.data.n_person <= CONSTANT_PERSONS:
        return 0.0
    return density.likelihood.numerical_error(density.space.constrain(mode.u))


def _tuned(
    density: Density, start: np.ndarray, spread: np.ndarray | None, log: list[str]
) -> tuple[Density, Mode, float]:
    """Numerics fine enough at the mode and at points as far from it as draws will be, and the mode."""
    values = density.space.constrain(start)
    # Twice: on the opening grid the spread of sharply measured persons is not yet seen.
    coarse, mode = density.likelihood.adapted(values, 2.0 if density.data.n_factor <= 3 else 1.25), None
    rng = np.random.default_rng(1)
    at: list[dict[str, np.ndarray]] = []
    # Where differences are shrunk the posterior is no normal: some of its points lie where no draw will.
    few = OUTLYING if density.data.groups is not None and density.data.groups.shrunk else 0
    moving = wanders(density.data)
    usual = FIRST_SHRUNK if few else FIRST_FINENESS
    first = usual.get(density.data.n_factor, FIRST_WANDERED if moving else 1.0)
    for fineness in [f for f in FINENESS if first <= f <= (MOST_SHRUNK if few else FINENESS[-1])]:
        density = _on(density, coarse, values, fineness, at)
        if mode is None:
            mode = find_mode(density, start, spread)
            if moving:
                # Shrunk differences leave a group's mean uncertain, and with it where all of its persons are.
                at = near(density, mode, rng)
                density = _on(density, coarse, values, fineness, at)
        base = reference_error(density, mode)
        # A little further than the normal at the mode says: posteriors of slopes are skewed.
        far = mode.u + 1.25 * rng.standard_normal((12, density.size)) @ mode.spread.T
        points = far if base else [mode.u, *far]
        worst = _worst(density, points, base, few)
        # The draws will see more than these points, and to sample twice costs more than a finer grid.
        if worst <= GOOD:
            break
        log.append(f"grid refined: log-likelihood off by {worst:.3f} ({density.likelihood.describe()})")
    assert mode is not None
    return density, mode, fineness


def _on(
    density: Density,
    likelihood: CompiledLikelihood,
    values: dict[str, np.ndarray],
    fineness: float,
    at: list[dict[str, np.ndarray]],
) -> Density:
    """The density on numerics fitted to the posteriors at ``values``, and at ``at`` where the engine can."""
    more: dict[str, Any] = {"at": at} if at and getattr(likelihood, "wanders", False) else {}
    return Density(density.data, likelihood.adapted(values, fineness, **more), density.space.products)


def _worst(density: Density, points: Iterable[np.ndarray], base: float, few: int) -> float:
    """Largest numerical error but for ``few`` larger ones; of the first points, if they are bad enough."""
    errors: list[float] = []
    for u in points:
        errors.append(abs(density.likelihood.numerical_error(density.space.constrain(u)) - base))
        # An error costs many gradients: numerics that are too coarse need not be measured to the end.
        if sum(error > GOOD for error in errors) > few:
            break
    return sorted(errors)[-1 - few]


def _some(data: ModelData, count: int) -> ModelData:
    """A random part of the persons."""
    keep = np.sort(np.random.default_rng(data.n_person).choice(data.n_person, count, replace=False))
    blocks = tuple(replace(block, values=block.values[keep]) for block in data.blocks)
    return replace(
        data, person=data.person[keep], blocks=blocks, design=data.design[keep], observed=data.observed[keep]
    )
