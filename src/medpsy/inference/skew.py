"""Skewed directions of a posterior, and coordinates in which it is straight.

The third derivatives of the log-density at the mode, over whitened coordinates w (``u = mode + spread w``),
are a symmetric tensor T. Directions d of length one where |T(d, d, d)| is largest are found one after another
by power iteration, each orthogonal to those before (Kolda & Mayo, 2011, doi:10.1137/100801482); T(d, d, .)
is a second difference of gradients. Along the direction k,

    w = s(v) = v + (c^2 / b) (sqrt(1 + (b v / c)^2) - 1),    b = T_k / 3,  c = 0.8,

a hyperbola of slope one at the mode, and of slopes 0.2 and 1.8 far from it, that takes the third derivative
away. (The cube root does so for a gamma variate, see Wilson & Hilferty, 1931, doi:10.1073/pnas.17.12.684; a
rare category has such a posterior. Bounded slopes keep draws near where the posterior is another one.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from medpsy.bind import ModelData
from medpsy.inference.density import Density
from medpsy.inference.mode import Mode
from medpsy.inference.native import quick
from medpsy.inference.prepare import wanders

#: Third derivatives, in sds of the posterior, that are left alone, and what larger ones are taken for.
LEAST, MOST = 0.1, 2.0

#: With more persons a posterior is all but normal, and gradients are dear.
MANY_PERSONS = 10_000

#: How far from the mode the third derivatives are measured, in sds.
STEP = 1.0

#: Power iterations for one direction, and the relative change that ends them.
ITERATIONS = 6
SETTLED = 0.01

#: A candidate of which less than this is orthogonal to the directions found is theirs already.
NEW = 0.3


def straightened(density: Density, mode: Mode, log: list[str]) -> Mode:
    """The mode with coordinates turned to the skewed directions first, and how far each is to be bent.

    Parameters
    ----------
    log : list of str
        Is told how many there are.
    """
    if density.data.n_person > MANY_PERSONS or not mode.converged or _narrowing(density.data):
        return mode
    evaluate = quick(density, mode.u)

    def gradient(w: np.ndarray) -> np.ndarray:
        return evaluate(mode.u + mode.spread @ w)[1] @ mode.spread

    found, third = skewed_directions(gradient, mode.spread)
    if not third.size:
        return mode
    turned = np.linalg.qr(np.vstack([found, np.eye(density.size)]).T)[0]
    turned[:, : third.size] = found.T
    bend = np.zeros(density.size)
    bend[: third.size] = np.clip(third, -MOST, MOST) / 3.0
    log.append(f"{third.size} skewed directions, third derivatives up to {np.abs(third).max():.2f}")
    return replace(mode, spread=mode.spread @ turned, bend=bend)


def _narrowing(data: ModelData) -> bool:
    """Whether the posterior narrows towards small sds, of which what happens at the mode says too little."""
    hierarchical = data.layout.levels is not None or any(p.scale is not None for p in data.parameters)
    return hierarchical or wanders(data)


def skewed_directions(
    gradient: Callable[[np.ndarray], np.ndarray], spread: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal directions (direction, size) and the third derivatives along them, largest first or so.

    Parameters
    ----------
    gradient : callable
        Of the log-density over whitened coordinates (size,), mode at zero.
    spread : ndarray, shape (size, size)
        Its rows, where single coordinates change most, are what the search begins with.
    """
    size = len(spread)
    centre = gradient(np.zeros(size))
    found = np.zeros((0, size))
    third: list[float] = []

    def tensor(d: np.ndarray) -> np.ndarray:
        made = (gradient(STEP * d) - 2.0 * centre + gradient(-STEP * d)) / STEP**2
        made = np.where(np.isfinite(made), made, 0.0)
        return np.asarray(made - found.T @ (found @ made))

    starts = spread / np.linalg.norm(spread, axis=1)[:, None]
    score = np.array([abs(tensor(d) @ d) for d in starts])
    for i in np.argsort(-score):
        d = starts[i] - found.T @ (found @ starts[i])
        length = np.linalg.norm(d)
        if length < NEW or len(third) == size:
            continue
        d, before = d / length, 0.0
        for _ in range(ITERATIONS):
            made = tensor(d)
            value = float(made @ d)
            if abs(value) < 0.5 * LEAST or abs(abs(value) - before) < SETTLED * abs(value):
                break
            d, before = made / np.linalg.norm(made) * np.sign(value), abs(value)
        if abs(value) >= LEAST:
            found, third = np.vstack([found, d]), [*third, value]
    return found, np.array(third)
