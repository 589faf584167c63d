"""The compiled route: mode, curvature, then NUTS in whitened coordinates with a ladder of retries.

With many persons importance resampling around the mode is tried first.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from medpsy.bind import ModelData
from medpsy.engines.base import LikelihoodEngine
from medpsy.inference.density import Density
from medpsy.inference.importance import EFFICIENCY, MANY_PERSONS, resample
from medpsy.inference.leave_out import Sampler, by_coordinate, efficiency, repair
from medpsy.inference.mode import Mode
from medpsy.inference.native import pointwise
from medpsy.inference.nuts import Draws, sample
from medpsy.inference.prepare import TOLERANCE, opened, prepared, reference_error, refined, wanders
from medpsy.inference.products import in_products
from medpsy.inference.skew import straightened
from medpsy.jit import announced

#: Draws per chain, if not said otherwise.
DRAWS = 1000

#: From so many persons on a draw is dear: fewer are taken, of which nearly all count.
VERY_MANY_PERSONS = 500_000
DEAR_DRAWS, DEAR_EFFICIENCY = 550, 0.9

#: Warm-up draws of the first try: only the step size has to be found.
WARM_UP = 150

#: Target acceptance of the first try. In whitened coordinates 0.7 takes seven steps a draw where 0.8 often
#: takes fifteen, at the same effective sample size.
ACCEPT = 0.7

#: A run is repeated with a longer warm-up above this R-hat; what passes is the gate's business.
RETRY_RHAT = 1.03


@dataclass
class Posterior:
    """What either route hands over.

    ``values`` maps parameter names to arrays (chain, draw, *shape); ``log_likelihood`` has shape
    (chain, draw, person), or is None where that would be too large; ``log_prior`` (chain, draw), up to a
    constant.
    """

    values: dict[str, np.ndarray]
    stats: dict[str, np.ndarray]
    log_likelihood: np.ndarray | None
    log_prior: np.ndarray | None
    log: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    numerics: dict[str, Any] = field(default_factory=dict)
    #: Person -> (elpd, Pareto k) where leaving that person out took more than importance sampling.
    matched: dict[int, tuple[float, float]] = field(default_factory=dict)
    method: str = "nutpie (NUTS)"
    #: What every output has to say about these draws; empty for an ordinary run.
    note: str = ""


def run(
    data: ModelData,
    engine: LikelihoodEngine,
    *,
    draws: int | None,
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
    disagree, diverge or mix slowly, longer ones follow. Every rung is logged.
    """
    started = time.perf_counter()
    log: list[str] = []
    with announced(progress) as machine_code:
        density, mode, fineness = prepared(data, engine, nodes, log)
        density, mode = in_products(density, mode)
        mode = straightened(density, mode, log)
        loading = machine_code()
    found, sampling = time.perf_counter(), 0.0
    for again in (True, True, False):
        posterior = _sampled(
            density, mode, engine, draws=draws, tune=tune, chains=chains, seed=seed, cores=cores,
            target_accept=target_accept, progress=progress, nodes=nodes, log=log, last=not again,
        )  # fmt: skip
        sampling += posterior.seconds["sampling"]
        off = posterior.numerics["largest error"]
        if off <= TOLERANCE or not again:
            break
        fineness *= 1.4
        log.append(f"grid refined and sampled again: log-likelihood off by {off:.3f} at a draw")
        density = refined(density, mode, fineness)
    posterior.seconds = {
        "machine code": loading,
        "mode and curvature": found - started - loading,
        "sampling": sampling,
        "log-likelihood and leave-one-out": time.perf_counter() - found - sampling,
    }
    return posterior


def _sampled(
    density: Density,
    mode: Mode,
    engine: LikelihoodEngine,
    *,
    draws: int | None,
    tune: int | None,
    chains: int,
    seed: int,
    cores: int,
    target_accept: float | None,
    progress: bool,
    nodes: int | None,
    log: list[str],
    last: bool,
) -> Posterior:
    """The posterior on given numerics; what takes long afterwards only if they are good, or the last."""
    many = density.data.n_person >= MANY_PERSONS or getattr(density.likelihood, "dear", False)
    if many and mode.converged and tune is None and target_accept is None:
        posterior = _resampled(density, mode, draws, chains, seed, log)
        if posterior is not None:
            return posterior
    rungs = _ladder(draws, tune, target_accept, mode.converged, wanders(density.data))
    result = _climbed(density, mode, rungs, draws is None, chains, seed, cores, progress, log)

    def without(other: ModelData) -> np.ndarray:
        own = Density(other, opened(other, engine, nodes), density.space.products)
        left = refined(own, mode, 1.0)
        return sample(left, mode, draws=200, tune=50, chains=1, seed=seed, cores=1, progress=False).u[0]

    # What is left out is a person; with clusters, see `medpsy.posterior.clusters`.
    worth = (last or _fine(result)) and density.data.layout.levels is None
    return _finish(density, result, without if worth else None, cores, log)


def _resampled(
    density: Density, mode: Mode, draws: int | None, chains: int, seed: int, log: list[str]
) -> Posterior | None:
    """Importance resampling, where the Pareto k of the weights allows it."""
    dear = density.data.n_person >= VERY_MANY_PERSONS
    each = draws or (DEAR_DRAWS if dear else DRAWS)
    begun = time.perf_counter()
    found = resample(density, mode, chains * each, seed, DEAR_EFFICIENCY if dear else EFFICIENCY)
    seconds = time.perf_counter() - begun
    if isinstance(found, float):
        log.append(f"importance resampling at the mode refused: Pareto k {found:.2f}")
        return None
    log.append(f"importance resampling at the mode: Pareto k {found.k:.2f}")
    base = reference_error(density, mode)
    points = found.u[:: max(1, len(found.u) // 20)]
    errors = [density.likelihood.numerical_error(density.space.constrain(u)) - base for u in points]
    numerics = _numerics(density, np.array(errors), log)
    numerics |= {"importance k": found.k, "importance ess": found.ess}
    shape = (chains, each)
    values = {k: v.reshape(*shape, *v.shape[1:]) for k, v in density.space.constrain(found.u).items()}
    terms = found.log_likelihood
    return Posterior(
        values, {}, None if terms is None else terms.reshape(*shape, -1), found.log_prior.reshape(shape), log,
        {"sampling": seconds}, numerics, method="importance resampling at the mode",
        note=f"posterior by importance resampling at the mode (Pareto k {found.k:.2f})",
    )  # fmt: skip


def _climbed(
    density: Density,
    mode: Mode,
    rungs: list[Rung],
    effective: bool,
    chains: int,
    seed: int,
    cores: int,
    progress: bool,
    log: list[str],
) -> Draws:
    """Draws of the first rung that is good enough, or of the last."""
    base = reference_error(density, mode)

    def after(u: np.ndarray) -> dict[str, np.ndarray]:
        return _evaluated(density, u, chains, base)

    seconds, waiting = 0.0, list(rungs)
    while waiting:
        rung = waiting.pop(0)
        result = sample(
            density, mode if rung.bent else replace(mode, bend=None), draws=rung.draws, tune=rung.tune,
            chains=chains, seed=seed + rung.number, cores=cores, target_accept=rung.target_accept,
            progress=progress, after=after,
        )  # fmt: skip
        seconds += result.seconds
        problem, few = result.interrupted or _problem(result), ""
        if effective and not problem:
            problem, few = _too_few(result, density)
        log.append(f"NUTS with {rung}: {problem or few or 'chains agree'}")
        if result.interrupted or (not problem and (rung.longer or not few)):
            break
        if few:  # the chains agree, so that more of the same will do
            waiting.insert(0, replace(rung, number=rung.number + 3, draws=3 * rung.draws, longer=True))
    return replace(result, seconds=seconds)


@dataclass(frozen=True)
class Rung:
    """One way to run the sampler; ``longer`` than planned, because draws were few.

    Where coordinates that are ``bent`` did not do, those of the curvature alone may.
    """

    number: int
    draws: int
    tune: int
    target_accept: float
    longer: bool = False
    bent: bool = True

    def __str__(self) -> str:
        return f"{self.tune} warm-up and {self.draws} draws, target acceptance {self.target_accept}"


def _ladder(
    draws: int | None, tune: int | None, target_accept: float | None, clean: bool, moving: bool
) -> list[Rung]:
    """What to try in turn; more carefully from the start where the posterior is far from normal."""
    kept = draws or DRAWS
    if tune is not None or target_accept is not None:
        return [Rung(0, kept, tune or WARM_UP, target_accept or ACCEPT)]
    more = draws or 2 * DRAWS
    first = Rung(0, kept, 400, 0.85) if moving else Rung(0, kept, WARM_UP, ACCEPT)
    rungs = [first, Rung(1, more, 1000, 0.95, bent=False), Rung(2, more, 2000, 0.99, bent=False)]
    return rungs if clean else rungs[1:]


def _problem(draws: Draws) -> str:
    """Why the chains are not to be trusted, or an empty string."""
    from arviz_stats.base import array_stats

    diverging = int(draws.stats["diverging"].sum())
    if diverging:
        return f"{diverging} divergences"
    if draws.u.shape[1] < 4 or draws.u.shape[0] < 2:
        return ""
    rhat = max(float(array_stats.rhat(x, chain_axis=0, draw_axis=1)) for x in by_coordinate(draws.u))
    return "" if rhat <= RETRY_RHAT else f"largest R-hat {rhat:.3f}"


def _too_few(draws: Draws, density: Density) -> tuple[str, str]:
    """Why not even three times as many draws would do, and why there should be more: words, or nothing."""
    from arviz_stats.base import array_stats

    least = min(float(array_stats.ess(x, chain_axis=0, draw_axis=1)) for x in by_coordinate(draws.u))
    if least >= _enough(draws):
        return "", _thin_tails(draws, density)
    words = f"smallest effective sample size {least:.0f}"
    return (words, "") if 3 * least < _enough(draws) and len(draws.u) > 1 else ("", words)


def _enough(draws: Draws) -> int:
    """Effective draws that the gate asks for."""
    return 100 * draws.u.shape[0]


def _thin_tails(draws: Draws, density: Density) -> str:
    """Too few independent draws of 5 % or 95 % quantiles, in words, or an empty string.

    Asked of the parameters themselves: whitened coordinates mix those with heavy tails with others.
    """
    from arviz_stats.base import array_stats

    least = math.inf
    for name, values in density.space.constrain(draws.u).items():
        if "correlation_chol" in name:  # the rest of a row decides the diagonal
            values = np.tril(values, -1)
        columns = by_coordinate(values.reshape(*values.shape[:2], -1))
        for x in columns[np.ptp(columns, axis=(1, 2)) > 0]:
            ess = array_stats.ess(x, chain_axis=0, draw_axis=1, method="tail", prob=(0.05, 0.95))
            least = min(least, float(ess))
    return f"smallest tail effective sample size {least:.0f}" if least < _enough(draws) else ""


def _evaluated(density: Density, u: np.ndarray, chains: int, base: float) -> dict[str, np.ndarray]:
    """What one chain's draws (draw, size) say: log-likelihood terms, log-prior, and numerical errors.

    The error is measured at every draw of a sparse sequence, 20 over all chains; NaN elsewhere.
    """
    prior, terms = pointwise(density, u[0])(u)
    error = np.full(len(u), np.nan)
    for i in range(0, len(u), max(1, len(u) * chains // 20)):
        error[i] = density.likelihood.numerical_error(density.space.constrain(u[i])) - base
    return {"log_likelihood": terms, "log_prior": prior, "error": error}


def _fine(draws: Draws) -> bool:
    """Whether the numerics were good enough wherever they were checked."""
    return bool(np.nanmax(np.abs(draws.more["error"])) <= TOLERANCE)


def _finish(density: Density, draws: Draws, without: Sampler | None, cores: int, log: list[str]) -> Posterior:
    """Named values, leave-one-out where it needs more, and the check of the numerics."""
    values = density.space.constrain(draws.u)
    terms, prior = draws.more["log_likelihood"], draws.more["log_prior"]
    flat = draws.u.reshape(-1, density.size)
    matched: dict[int, tuple[float, float]] = {}
    share = efficiency(draws.u)
    if without is not None and len(flat) >= 100 and not draws.interrupted:
        pooled = terms.reshape(len(flat), -1)
        matched = repair(density, flat, prior.ravel(), pooled, share, without, cores, log)
    numerics = _numerics(density, draws.more["error"], log) | {"efficiency": share}
    seconds = {"sampling": draws.seconds}
    return Posterior(
        values, draws.stats, terms, prior, log, seconds, numerics, matched, note=draws.interrupted
    )


def _numerics(density: Density, errors: np.ndarray, log: list[str]) -> dict[str, Any]:
    """The largest numerical error among the draws where it was measured (elsewhere NaN)."""
    worst = float(np.nanmax(np.abs(errors)))
    checked = int((~np.isnan(errors)).sum())
    log.append(f"log-likelihood within {worst:.4f} of numerics twice as fine at {checked} draws")
    return {"largest error": worst, "tolerance": TOLERANCE, "grid": density.likelihood.describe()}
