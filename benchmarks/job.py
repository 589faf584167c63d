"""The contestant's end of a run, in Python: what is asked, and how answers are handed back.

A contestant is started with the name of a folder that holds ``job.json``. It leaves ``answer.json`` there
and, if it samples, ``draws.bin``: float64, shape (quantity, chain, draw). Quantities have the same names
everywhere: ``slope[item]``, ``category_prob[item,k]`` (k from 0), ``loading[item]``, ``intercept[item]``,
``residual_sd[item]``, ``r[factor,factor]``; from point estimates also ``threshold[item,k]`` (k from 1) and
the effects ``a``, ``b``, ``c``, ``indirect``, ``total``. Factors have sd 1, items of continuous models are
z-scored.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
import time
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.problem import Problem, read_problem

#: NUTS draws that a user asks for where the program has no default of its own.
DRAWS, WARM_UP = 1000, 1000


class Job:
    """One run of one contestant.

    Attributes
    ----------
    chains, cores, seed : int
    draws, warm_up : int or None
        Lengths of the chains in trials; None means what a user of the program would ask for.
    """

    def __init__(self) -> None:
        self.folder = Path(sys.argv[1])
        held = json.loads((self.folder / "job.json").read_text(encoding="utf-8"))
        self.data = Path(held["data"])
        self.cache = Path(held["cache"])
        self.chains, self.cores, self.seed = held["chains"], held["cores"], held["seed"]
        self.draws, self.warm_up = held["draws"], held["warm_up"]
        self._ready = 0.0

    @cached_property
    def problem(self) -> Problem:
        """What is to be solved."""
        return read_problem(self.data)

    def ready(self) -> None:
        """Say that the result is there; what follows is book-keeping and costs nothing."""
        self._ready = time.time()

    def posterior(
        self,
        draws: dict[str, np.ndarray],
        *,
        seconds: dict[str, float],
        divergences: int,
        steps: float,
        packages: tuple[str, ...],
        **more: Any,
    ) -> None:
        """Hand back a posterior.

        Parameters
        ----------
        draws : dict of str to ndarray, shape (chain, draw)
        seconds : dict
            ``sampling`` (warm-up, draws, and any search before them), ``compiling`` where there is any.
        divergences : int
        steps : float
            Mean number of gradients a draw, after warm-up.
        packages : tuple of str
            Whose versions are reported.
        """
        stacked = np.stack([np.asarray(value, dtype=float) for value in draws.values()])
        stacked.tofile(self.folder / "draws.bin")
        self._answer(
            packages, seconds=seconds, divergences=int(divergences), steps=float(steps), names=list(draws),
            shape=list(stacked.shape), **more,
        )  # fmt: skip

    def estimates(
        self, found: dict[str, float], *, seconds: dict[str, float], packages: tuple[str, ...], **more: Any
    ) -> None:
        """Hand back point estimates by name of the quantity."""
        self._answer(
            packages,
            seconds=seconds,
            estimates={k: float(v) for k, v in found.items() if np.isfinite(v)},
            **more,
        )

    def _answer(self, packages: tuple[str, ...], **held: Any) -> None:
        held["ready"] = self._ready or time.time()
        held["versions"] = {name: importlib.metadata.version(name) for name in packages}
        (self.folder / "answer.json").write_text(json.dumps(held), encoding="utf-8")

    def add(self, **more: Any) -> None:
        """Add what was measured after the result was handed back."""
        path = self.folder / "answer.json"
        path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | more), encoding="utf-8")
