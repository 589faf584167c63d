"""NUTS on a whitened density through nutpie, one process per core.

A Python callback holds the interpreter lock, so chains in threads would wait for one another; forked
processes do not. Each chain has its own seed, so the draws do not depend on the number of processes.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from medpsy.errors import FitError
from medpsy.inference.density import Density
from medpsy.inference.mode import Mode


@dataclass(frozen=True)
class Draws:
    """Unconstrained draws and what the sampler said about them.

    ``u`` has shape (chain, draw, size); every entry of ``stats`` has shape (chain, draw).
    """

    u: np.ndarray
    stats: dict[str, np.ndarray]


@dataclass(frozen=True)
class Plan:
    """How one chain is run."""

    draws: int
    tune: int
    target_accept: float


#: Statistics kept, under the names that PyMC gives them.
STATS = {
    "diverging": "diverging",
    "energy": "energy",
    "step_size": "step_size",
    "depth": "tree_depth",
    "n_steps": "n_steps",
    "mean_tree_accept": "acceptance_rate",
    "logp": "lp",
    "maxdepth_reached": "reached_max_treedepth",
}


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
) -> Draws:
    """Sample ``w`` where ``u = mode.u + mode.spread @ w``, from starts dispersed around the mode.

    Parameters
    ----------
    draws, tune, chains : int
        Kept draws and warm-up draws per chain; number of chains.
    seed : int
        The same seed gives the same draws for any number of cores.
    target_accept : float
        Mean acceptance that the step size is tuned for.

    Raises
    ------
    FitError
        A chain could not start, or its process died.
    """
    seeds = [int(s.generate_state(1)[0]) for s in np.random.SeedSequence(seed).spawn(chains)]
    plan = Plan(draws, tune, target_accept)
    workers = min(cores, chains)
    if workers > 1 and "fork" in multiprocessing.get_all_start_methods() and sys.platform != "darwin":
        pieces = _forked(density, mode, plan, seeds, workers, progress)
    else:
        pieces = [_chain(density, mode, plan, one, None) for one in seeds]
    w = np.stack([piece[0] for piece in pieces])
    stats = {name: np.stack([piece[1][name] for piece in pieces]) for name in pieces[0][1]}
    return Draws(mode.u + w @ mode.spread.T, stats)


def _chain(
    density: Density, mode: Mode, plan: Plan, seed: int, counter: Any
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Run one chain; ``counter`` (if any) is raised by one per draw."""
    import nutpie
    from nutpie.compiled_pyfunc import from_pyfunc

    def make_logp() -> Any:
        def logp(w: np.ndarray) -> tuple[float, np.ndarray]:
            value, gradient = density.value_and_gradient(mode.u + mode.spread @ w)
            if not np.isfinite(value):
                raise _NoDensity
            return value, mode.spread.T @ gradient

        return logp

    def make_expand(seed1: int, seed2: int, chain: int) -> Any:
        def expand(w: np.ndarray) -> dict[str, np.ndarray]:
            if counter is not None:
                counter.value += 1
            return {"w": w}

        return expand

    def start(chain_seed: int) -> np.ndarray:
        return np.random.default_rng(chain_seed).normal(0.0, 1.0, density.size)

    model = from_pyfunc(
        density.size, make_logp, make_expand, [np.dtype("float64")], [(density.size,)], ["w"],
        make_initial_point_fn=start,
    )  # fmt: skip
    try:
        trace = nutpie.sample(
            model, draws=plan.draws, tune=plan.tune, chains=1, cores=1, seed=seed,
            progress_bar=False, target_accept=plan.target_accept, save_warmup=False,
        )  # fmt: skip
    except RuntimeError as error:
        raise FitError(
            f"sampling could not start: {error}", hint="Check the priors, or use route='pymc'."
        ) from error
    stats = trace["sample_stats"]
    kept = {new: stats[old].to_numpy()[0] for old, new in STATS.items() if old in stats}
    return trace["posterior"]["w"].to_numpy()[0], kept


def _forked(
    density: Density, mode: Mode, plan: Plan, seeds: list[int], workers: int, progress: bool
) -> list[tuple[np.ndarray, dict[str, np.ndarray]]]:
    """Run the chains in forked processes and collect them in order."""
    context = multiprocessing.get_context("fork")
    counters = [context.Value("q", 0, lock=False) for _ in seeds]
    total = len(seeds) * (plan.draws + plan.tune)
    waiting = list(enumerate(seeds))
    running: dict[int, tuple[Any, Any]] = {}
    done: dict[int, Any] = {}
    bar = _Bar(total, progress)
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                number, seed = waiting.pop(0)
                ours, theirs = context.Pipe(duplex=False)
                arguments = (theirs, density, mode, plan, seed, counters[number])
                process = context.Process(target=_work, args=arguments, daemon=True)
                process.start()
                theirs.close()
                running[number] = (process, ours)
            for number, (process, pipe) in list(running.items()):
                if pipe.poll(0.05):
                    done[number] = _receive(pipe, process, number)
                    process.join()
                    del running[number]
            bar.show(sum(counter.value for counter in counters))
    finally:
        for process, _ in running.values():
            process.terminate()
        bar.close()
    return [done[number] for number in range(len(seeds))]


def _work(pipe: Any, density: Density, mode: Mode, plan: Plan, seed: int, counter: Any) -> None:
    """Body of a forked process: send the chain, or the message of what went wrong."""
    try:
        pipe.send(_chain(density, mode, plan, seed, counter))
    except FitError as error:
        pipe.send(error.message)
    finally:
        pipe.close()


def _receive(pipe: Any, process: Any, number: int) -> Any:
    """What a process sent, or a FitError that says how it ended."""
    try:
        piece = pipe.recv()
    except EOFError:
        process.join()
        raise FitError(
            f"the process of chain {number + 1} died (exit code {process.exitcode})",
            hint="It may have run out of memory; try cores=1.",
        ) from None
    if isinstance(piece, str):
        raise FitError(piece, hint="Check the priors, or use route='pymc'.")
    return piece


class _Bar:
    """One line on a terminal: share of the draws and the time left. Silent elsewhere."""

    def __init__(self, total: int, wanted: bool) -> None:
        self.total = total
        self.live = wanted and sys.stderr.isatty() and not os.environ.get("CI")
        self.start = time.perf_counter()

    def show(self, done: int) -> None:
        """Redraw the line."""
        if not self.live or done == 0:
            return
        share = min(done / self.total, 1.0)
        left = (time.perf_counter() - self.start) * (1 - share) / share
        filled = int(30 * share)
        sys.stderr.write(f"\rsampling [{'#' * filled}{'.' * (30 - filled)}] {share:4.0%}, {left:.0f} s left ")
        sys.stderr.flush()

    def close(self) -> None:
        """Clear the line."""
        if self.live:
            sys.stderr.write("\r" + " " * 70 + "\r")
            sys.stderr.flush()
