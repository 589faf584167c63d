"""Runs nutpie so that an interruption keeps what was drawn, and takes its trace apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from medpsy.errors import FitError

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

#: Draws (draw, size) of one chain in the sampler's coordinates, and its statistics (draw,).
Chain = tuple[np.ndarray, dict[str, np.ndarray]]


def run(
    model: Any,
    *,
    draws: int,
    tune: int,
    chains: int,
    cores: int,
    seed: int,
    target_accept: float,
    report: Callable[[int, int], None],
    stop: Callable[[], bool],
) -> tuple[list[Chain], bool]:
    """Sample a nutpie model of one vector ``w``.

    Parameters
    ----------
    report : callable
        Told the number of draws done and of divergences, now and then.
    stop : callable
        Asked now and then whether to stop early; Ctrl-C stops too.

    Returns
    -------
    list of Chain
    bool
        Whether it was stopped early.

    Raises
    ------
    FitError
        No chain could start.
    """
    import nutpie

    def tell(progress: Any) -> None:
        report(sum(c.finished_draws for c in progress), sum(c.divergences for c in progress))

    sampler = nutpie.sample(
        model, draws=draws, tune=tune, chains=chains, cores=cores, seed=seed, progress_bar=False,
        target_accept=target_accept, save_warmup=False, blocking=False, progress_rate=200,
        progress_callback=tell,
    )  # fmt: skip
    trace, stopped = None, False
    try:
        while trace is None:
            try:
                stopped = stopped or stop()
                trace = sampler.abort() if stopped else sampler.wait(timeout=0.1)
            except TimeoutError:
                continue
            except KeyboardInterrupt:
                stopped = True
    except (RuntimeError, ValueError) as error:
        reason = str(error).split("Stack backtrace")[0].strip()
        raise FitError(
            f"sampling could not start: {reason}", hint="Check the priors, or use route='pymc'."
        ) from error
    if "posterior" not in trace.children or "w" not in trace["posterior"]:
        return [], stopped
    return [_chain(trace, number) for number in range(trace["posterior"].sizes["chain"])], stopped


def _chain(trace: Any, number: int) -> Chain:
    """One chain; what an interruption left empty is cut off."""
    w = trace["posterior"]["w"].to_numpy()[number]
    length = int(np.isfinite(w).all(axis=1).sum())
    recorded = trace["sample_stats"]
    stats = {new: recorded[old].to_numpy()[number][:length] for old, new in STATS.items() if old in recorded}
    return w[:length], stats
