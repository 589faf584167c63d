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
        progress_callback=tell, return_raw_trace=True,
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
    # Not through a tree of labelled arrays, which takes longer than a small model is sampled.
    return [_chain(*batches) for batches in zip(*trace.get_arrow_trace(), strict=True)], stopped


def _chain(drawn: Any, stats: Any) -> Chain:
    """One chain without its warm-up, from a record batch of draws and one of statistics."""
    kept = ~_column(stats, "tuning").astype(bool)
    w = _column(drawn, "w").reshape(drawn.num_rows, -1)[kept]
    there = set(stats.column_names)
    return w, {new: _column(stats, old)[kept] for old, new in STATS.items() if old in there}


def _column(batch: Any, name: str) -> np.ndarray:
    """The values of a column, lists of equal length one after another."""
    import pyarrow

    column = pyarrow.array(batch.column(name))
    column = column.flatten() if hasattr(column, "flatten") else column
    return np.asarray(column.to_numpy(zero_copy_only=False))
