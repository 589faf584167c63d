"""NUTS on a whitened density through nutpie.

Where the density exists as one C function, the chains are threads of this process. Elsewhere it is called
back in Python, which holds the interpreter lock, so that each chain gets a forked process of its own.
Either way the draws depend on the seed alone, not on the number of cores.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import nutpie  # noqa: F401  (before processes fork, so that none of them imports it again)

from medpsy.inference.density import Density
from medpsy.inference.mode import Mode
from medpsy.inference.nutpie_run import Chain, run
from medpsy.inference.workers import Line, forked, forks

#: What is computed from a chain's draws (draw, size) in its own process, e.g. log-likelihood terms.
After = Callable[[np.ndarray], dict[str, np.ndarray]]


@dataclass(frozen=True)
class Draws:
    """Unconstrained draws, what the sampler said about them, and what was computed from them.

    ``u`` has shape (chain, draw, size); every entry of ``stats`` and ``more`` starts with (chain, draw).
    ``interrupted`` says what an interruption left, or is empty; ``seconds`` is what sampling took, without
    what was computed afterwards.
    """

    u: np.ndarray
    stats: dict[str, np.ndarray]
    more: dict[str, np.ndarray]
    interrupted: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Plan:
    """How one chain is run."""

    draws: int
    tune: int
    target_accept: float


#: Fewer draws than this in a chain are no result of an interrupted run.
FEWEST = 20


class _NoDensity(ValueError):
    """Tells nutpie that a proposal left the support; it counts as a divergence."""

    is_recoverable = True


def sample(
    density: Density,
    mode: Mode,
    *,
    draws: int,
    tune: int,
    chains: int,
    seed: int,
    cores: int,
    target_accept: float = 0.8,
    progress: bool = True,
    after: After | None = None,
) -> Draws:
    """Sample ``w`` where ``u = mode.place(w)``, from starts dispersed around the mode.

    An interruption (Ctrl-C) keeps what was drawn: chains are cut to equal length, and the result says so.

    Parameters
    ----------
    draws, tune, chains : int
        Kept draws and warm-up draws per chain; number of chains.
    seed : int
        The same seed gives the same draws for any number of cores.
    target_accept : float
        Mean acceptance that the step size is tuned for.
    after : callable, optional
        Called with the draws (draw, size) of each chain in the chain's own process; what it returns is
        stacked over chains into ``more``.

    Raises
    ------
    FitError
        A chain could not start, or its process died.
    KeyboardInterrupt
        Interrupted before any chain had 20 draws.
    """
    plan = Plan(draws, tune, target_accept)
    line = Line("sampling", chains * (draws + tune), progress)
    workers = min(cores, chains)
    begun = time.perf_counter()
    try:
        made = _in_threads(density, mode, plan, chains, seed, workers, line)
        if made is None:
            made = _in_processes(density, mode, plan, chains, seed, workers, line)
    finally:
        line.close()
    seconds = time.perf_counter() - begun
    pieces, stopped = made
    pieces, note = _kept(pieces, stopped, chains, draws)
    u = np.stack([mode.place(w) for w, _ in pieces])
    stats = {name: np.stack([piece[1][name] for piece in pieces]) for name in pieces[0][1]}
    return Draws(u, stats, _computed(density, u, after, workers) if after else {}, note, seconds)


def _in_threads(
    density: Density, mode: Mode, plan: Plan, chains: int, seed: int, workers: int, line: Line
) -> tuple[list[Chain], bool] | None:
    """All chains at once over the C function; None where there is none."""
    from medpsy.inference import nutpie_native
    from medpsy.inference.native import native

    made = native(density, mode) if nutpie_native.available() else "this nutpie takes no C function"
    if isinstance(made, str):
        return None
    return run(
        nutpie_native.native_model(made), draws=plan.draws, tune=plan.tune, chains=chains, cores=workers,
        seed=seed, target_accept=plan.target_accept, report=line.show, stop=lambda: False,
    )  # fmt: skip


def _in_processes(
    density: Density, mode: Mode, plan: Plan, chains: int, seed: int, workers: int, line: Line
) -> tuple[list[Chain], bool]:
    """One chain after another, or each in a process, over the Python callback."""
    seeds = [int(s.generate_state(1)[0]) for s in np.random.SeedSequence(seed).spawn(chains)]
    model = _python_model(density, mode)

    def work(number: int, state: Any) -> Any:
        return run(
            model, draws=plan.draws, tune=plan.tune, chains=1, cores=1, seed=seeds[number],
            target_accept=plan.target_accept, report=state.report, stop=state.stop,
        )  # fmt: skip

    if workers > 1 and forks():
        found, stopped = forked(work, chains, workers, line)
    else:
        found, stopped, state = [], False, _Local(line)
        while len(found) < chains and not stopped:
            found.append(work(len(found), state))
            stopped = found[-1][1]
            state.next()
    return [one for part in found if part is not None for one in part[0]], stopped


def _kept(pieces: list[Chain], stopped: bool, chains: int, draws: int) -> tuple[list[Chain], str]:
    """All chains; after an interruption only those that got anywhere, cut to equal length, and a note."""
    if not stopped:
        return pieces, ""
    pieces = [piece for piece in pieces if len(piece[0]) >= FEWEST]
    if not pieces:
        raise KeyboardInterrupt
    length = min(len(w) for w, _ in pieces)
    cut = sum(len(w) for w, _ in pieces) - length * len(pieces)
    note = f"interrupted: {len(pieces)} of {chains} chains with {length} of {draws} draws each are kept" + (
        f", {cut} draws of longer chains left out" if cut else ""
    )
    return [(w[:length], {k: v[:length] for k, v in stats.items()}) for w, stats in pieces], note


def _computed(density: Density, u: np.ndarray, after: After, workers: int) -> dict[str, np.ndarray]:
    """What ``after`` computes from every chain (chain, draw, size), stacked over chains."""
    from medpsy.inference.native import free

    if workers > 1 and free(density, u[0, 0]):
        with ThreadPoolExecutor(workers) as pool:
            parts = list(pool.map(after, u))
    elif workers > 1 and forks():
        parts, stopped = forked(lambda number, _: after(u[number]), len(u), workers, Line("", 1, False))
        if stopped:
            raise KeyboardInterrupt
    else:
        parts = [after(one) for one in u]
    return {name: np.stack([part[name] for part in parts]) for name in parts[0]}


class _Local:
    """State of a chain that runs in this process."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.before = (0, 0)
        self.now = (0, 0)

    def report(self, done: int, divergences: int) -> None:
        """Remember progress and show it."""
        self.now = (self.before[0] + done, self.before[1] + divergences)
        self.line.show(*self.now)

    def stop(self) -> bool:
        """Never asked to stop from outside; Ctrl-C arrives as an exception."""
        return False

    def next(self) -> None:
        """The chain is over."""
        self.before = self.now


def _python_model(density: Density, mode: Mode) -> Any:
    """The whitened density as a Python callback."""
    from nutpie.compiled_pyfunc import from_pyfunc

    from medpsy.inference.native import whitened

    def make_logp() -> Any:
        def logp(w: np.ndarray) -> tuple[float, np.ndarray]:
            value, gradient = whitened(density, mode, w)
            if not np.isfinite(value):
                raise _NoDensity("the log-density is not finite")
            return value, gradient

        return logp

    def make_expand(*_seeds: int) -> Any:
        return lambda w: {"w": w}

    def start(chain_seed: int) -> np.ndarray:
        return np.random.default_rng(chain_seed).normal(0.0, 1.0, density.size)

    return from_pyfunc(
        density.size, make_logp, make_expand, [np.dtype("float64")], [(density.size,)], ["w"],
        make_initial_point_fn=start,
    )  # fmt: skip
