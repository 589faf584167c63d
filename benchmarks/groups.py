"""Models with groups by their C function, beside the same models by the Python callback, in one run.

``python -m benchmarks.groups`` prints what a gradient costs in the models that comparisons of groups consist
of, and with ``--fits`` what whole fits cost (processor seconds of all processes) and whether they agree.
Answers: the example ``students``, 783 persons by sex.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

import medpsy as mp
from medpsy.bind import ModelData, bind
from medpsy.engines.base import choose
from medpsy.fit import fit
from medpsy.inference import native
from medpsy.inference.prepare import prepared
from medpsy.model import ComposedModel, compose
from medpsy.spec.groups import Groups
from medpsy.spec.syntax import parse_model

ONE = "anxiety =~ gad1..gad7"
TEXTS = {"one module": ONE, "three modules": f"{ONE}\ndepression =~ phq1..phq9\nsleep =~ epworth1..epworth8"}
GROUPS = {
    "items equal": Groups("sex"),
    "slopes and places shrunk": Groups("sex", shrink=("slope", "location")),
    "configural": Groups("sex", equal=()),
}


def models() -> Iterator[tuple[str, ComposedModel]]:
    """Every model with its name."""
    for size, text in TEXTS.items():
        for name, groups in GROUPS.items():
            yield f"{size}, {name}", compose(replace(parse_model(text), groups=groups))


@contextmanager
def callback() -> Iterator[None]:
    """No model has a C function inside."""
    held = native._laid_out
    native._laid_out = lambda density: "the callback was asked for"
    try:
        yield
    finally:
        native._laid_out = held


def processor() -> float:
    """Seconds of processor that this process and those it waited for have taken."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def gradients(data: ModelData, count: int = 100) -> tuple[int, float, float]:
    """Number of parameters; milliseconds of a gradient by the callback and by the C function."""
    density, mode, _ = prepared(data, choose(data)[0], None, [])
    made = native.native(density, mode)
    assert not isinstance(made, str), made
    at = np.random.default_rng(1).standard_normal((count, density.size))
    slow = _milliseconds(lambda w: density.value_and_gradient(mode.u + mode.spread @ w), at)
    return density.size, slow, _milliseconds(made.value_and_gradient, at)


def _milliseconds(function: Callable[[np.ndarray], Any], points: np.ndarray) -> float:
    """Processor time of one call, the best of five rounds."""
    function(points[0])
    rounds = []
    for part in np.array_split(points, 5):
        begun = time.process_time()
        for point in part:
            function(point)
        rounds.append((time.process_time() - begun) / len(part))
    return 1e3 * min(rounds)


def fits(model: ComposedModel, survey: Any) -> tuple[float, float, float]:
    """Processor seconds by the callback and by the C function, and how far apart the posteriors are.

    The distance is the largest difference of two means in their Monte Carlo errors, over all parameters.
    """
    taken, means, errors = [], [], []
    for slow in (False, True):
        begun = processor()
        if slow:
            with callback():
                result = fit(model, survey, seed=2, progress=False)
        else:
            result = fit(model, survey, seed=1, progress=False)
        taken.append(processor() - begun)
        values = [v.reshape(*v.shape[:2], -1) for v in result.values().values()]
        draws = np.concatenate(values, axis=-1)
        draws = draws[..., np.ptp(draws, axis=(0, 1)) > 0]
        means.append(draws.mean((0, 1)))
        errors.append(np.array([_error(draws[..., i]) for i in range(draws.shape[-1])]))
    off = np.abs(means[0] - means[1]) / np.hypot(*errors)
    return taken[1], taken[0], float(off.max())


def _error(x: np.ndarray) -> float:
    from arviz_stats.base import array_stats

    return float(x.std() / np.sqrt(array_stats.ess(x, chain_axis=0, draw_axis=1, method="mean")))


def main(arguments: list[str] | None = None) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.groups", description=__doc__)
    parser.add_argument("--fits", action="store_true", help="whole fits too")
    parser.add_argument("--only", default="", help="only models whose name begins like this")
    asked = parser.parse_args(arguments)
    survey = mp.load_example("students")
    chosen = [(name, model) for name, model in models() if name.startswith(asked.only)]
    print(
        "| model | parameters | callback (ms a gradient) | C function (ms) | ratio |\n|---|---|---|---|---|"
    )
    for name, model in chosen:
        size, slow, quick = gradients(bind(model, survey))
        print(f"| {name} | {size} | {slow:.3f} | {quick:.3f} | {slow / quick:.1f} |", flush=True)
    if asked.fits:
        head = "whole fit | callback (s) | C function (s) | ratio | means apart (errors)"
        print(f"\n| {head} |\n|---|---|---|---|---|")
        for name, model in chosen:
            slow, quick, off = fits(model, survey)
            print(f"| {name} | {slow:.1f} | {quick:.1f} | {slow / quick:.1f} | {off:.1f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
