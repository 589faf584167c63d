"""The compiled route: mode, curvature, NUTS in whitened coordinates, with a ladder of retries."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from medpsy.bind import ModelData
from medpsy.engines.base import LikelihoodEngine
from medpsy.inference.density import Density, start_point
from medpsy.inference.mode import Mode, climb, find_mode
from medpsy.inference.moment_match import repair
from medpsy.inference.nuts import Draws, sample

#: Largest tolerated difference of the total log-likelihood from numerics twice as fine.
TOLERANCE = 0.05

#: A run is repeated with a longer warm-up above this R-hat; what passes is the gate's business.
RETRY_RHAT = 1.03


@dataclass
class Posterior:
    """What either route hands over.

    ``values`` maps parameter names to arrays (chain, draw, *shape); ``log_likelihood`` has shape
    (chain, draw, person); ``log_prior`` (chain, draw), up to a constant.
    """

    values: dict[str, np.ndarray]
    stats: dict[str, np.ndarray]
    log_likelihood: np.ndarray
    log_prior: np.ndarray | None
    log: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    numerics: dict[str, Any] = field(default_factory=dict)
    #: Person -> (elpd, Pareto k) where leaving that person out took moment matching.
    matched: dict[int, tuple[float, float]] = field(default_factory=dict)


def run(
    data: ModelData,
    engine: LikelihoodEngine,
    *,
    draws: int,
    tune: int | None,
    chains: int,
    seed: int,
    cores: int,
    target_accept: float | None,
    progress: bool,
    nodes: int | None,
) -> Posterior:
    """Sample the posterior of a model whose parts all have compiled kernels.

    The first rung uses a short warm-up, because the scale is known from the curvature; if the chains
    disagree or diverge, longer warm-ups with smaller steps follow. Every rung is logged.
    """
    started = time.perf_counter()
    first_size = nodes or {1: 61, 2: 31, 3: 17}.get(data.n_factor, 17)
    density = Density(data, engine.compiled(data, engine.settings(data, first_size)))
    start, used, _ = climb(density, start_point(data))
    log: list[str] = []
    density, mode = _tuned(density, start, log)
    log.append(
        f"mode after {used + mode.evaluations} gradients"
        + ("" if mode.converged else f"; not a clean maximum, {mode.damped} directions damped")
    )
    found = time.perf_counter()
    for rung, (warm_up, accept) in enumerate(_ladder(tune, target_accept, mode.converged)):
        result = sample(
            density, mode, draws=draws, tune=warm_up, chains=chains, seed=seed + rung, cores=cores,
            target_accept=accept, progress=progress,
        )  # fmt: skip
        problem = _problem(result)
        log.append(
            f"NUTS with {warm_up} warm-up draws, target acceptance {accept}: {problem or 'chains agree'}"
        )
        if not problem:
            break
    sampled = time.perf_counter()
    posterior = _finish(density, result, log)
    posterior.seconds = {
        "mode and curvature": found - started,
        "sampling": sampled - found,
        "log-likelihood terms": time.perf_counter() - sampled,
    }
    return posterior


def _tuned(density: Density, start: np.ndarray, log: list[str]) -> tuple[Density, Mode]:
    """Numerics fine enough at the mode and at points as far from it as draws will be, and the mode."""
    values = density.space.constrain(start)
    # Twice: on the opening grid the spread of sharply measured persons is not yet seen.
    coarse, mode = density.likelihood.adapted(values, 2.0), None
    rng = np.random.default_rng(1)
    for fineness in (1.0, 1.3, 1.7, 2.5, 4.0):
        density = Density(density.data, coarse.adapted(values, fineness))
        if mode is None:
            mode = find_mode(density, start)
        far = mode.u + rng.standard_normal((4, density.size)) @ mode.spread.T
        errors = [density.likelihood.numerical_error(density.space.constrain(u)) for u in (mode.u, *far)]
        worst = float(np.abs(errors).max())
        # The draws will see a little more than these five points.
        if worst <= 0.8 * TOLERANCE:
            break
        log.append(f"grid refined: log-likelihood off by {worst:.3f} ({density.likelihood.describe()})")
    assert mode is not None
    return density, mode


def _ladder(tune: int | None, target_accept: float | None, clean: bool) -> list[tuple[int, float]]:
    """Warm-up lengths and target acceptances to try in turn."""
    if tune is not None or target_accept is not None:
        return [(tune or 300, target_accept or 0.8)]
    rungs = [(300, 0.8), (1000, 0.95), (2000, 0.99)]
    return rungs if clean else rungs[1:]


def _problem(draws: Draws) -> str:
    """Why a run is not good enough to stop at, or an empty string."""
    from arviz_stats.base import array_stats

    diverging = int(draws.stats["diverging"].sum())
    if diverging:
        return f"{diverging} divergences"
    if draws.u.shape[1] < 4 or draws.u.shape[0] < 2:
        return ""
    rhat = max(
        float(array_stats.rhat(draws.u[..., i], chain_axis=0, draw_axis=1)) for i in range(draws.u.shape[-1])
    )
    return f"largest R-hat {rhat:.3f}" if not rhat <= RETRY_RHAT else ""


def _finish(density: Density, draws: Draws, log: list[str]) -> Posterior:
    """Named values, log-likelihood terms and the final check of the numerics."""
    values = density.space.constrain(draws.u)
    n_chain, n_draw = draws.u.shape[:2]
    terms = np.empty((n_chain, n_draw, density.data.n_person))
    prior = np.empty((n_chain, n_draw))
    for chain in range(n_chain):
        for draw in range(n_draw):
            terms[chain, draw] = density.likelihood.per_person(
                {name: value[chain, draw] for name, value in values.items()}
            )
            prior[chain, draw] = density.space.log_prior(draws.u[chain, draw])[0]
    flat = draws.u.reshape(n_chain * n_draw, -1)
    matched = repair(density, flat, terms.reshape(len(flat), -1)) if len(flat) >= 100 else {}
    if matched:
        log.append(f"moment matching for leave-one-out of {len(matched)} person(s)")
    every = max(1, n_chain * n_draw // 20)
    errors = [
        density.likelihood.numerical_error(
            {name: value.reshape(-1, *value.shape[2:])[i] for name, value in values.items()}
        )
        for i in range(0, n_chain * n_draw, every)
    ]
    worst = float(np.abs(errors).max())
    log.append(f"log-likelihood within {worst:.4f} of numerics twice as fine at {len(errors)} draws")
    numerics = {"largest error": worst, "tolerance": TOLERANCE, "grid": density.likelihood.describe()}
    return Posterior(values, draws.stats, terms, prior, log, {}, numerics, matched)
