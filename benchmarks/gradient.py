"""Seconds that one gradient of a fitted model takes on the compiled route, beside the counted floor."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

import medpsy as mp
from benchmarks.floors import Work, categorical_work, gaussian_work


def gradient_speed(fit: mp.Fit, budget: float = 2.0) -> dict[str, Any]:
    """Time gradients at one draw of the posterior for about ``budget`` seconds on one core.

    Returns
    -------
    dict
        ``seconds`` (median of one gradient), ``bytes`` and ``operations`` (the counted floor); only
        ``failure`` where it cannot be measured.
    """
    try:
        density, values = _density(fit)
        from medpsy.inference.native import quick
        from medpsy.inference.transforms import unconstrain_start

        u = unconstrain_start(fit.result.data.parameters, values)
        gradient = quick(density, u)
        gradient(u)
        times: list[float] = []
        while sum(times) < budget and len(times) < 2000:
            begun = time.perf_counter()
            gradient(u)
            times.append(time.perf_counter() - begun)
        work = least_work(fit, density.likelihood)
    except Exception as error:
        return {"failure": f"{type(error).__name__}: {error}"}
    return {"seconds": float(np.median(times)), "bytes": work.bytes, "operations": work.operations}


def _density(fit: mp.Fit) -> tuple[Any, dict[str, np.ndarray]]:
    """The density as `fit` sampled it, its grid fitted at the last draw, and that draw."""
    from medpsy.engines.base import choose
    from medpsy.inference.density import Density

    data = fit.result.data
    values = {name: value[-1, -1] for name, value in fit.result.values().items()}
    engine, _ = choose(data)
    likelihood = engine.compiled(data, engine.settings(data)).adapted(values, 2.0).adapted(values)
    return Density(data, likelihood), values


def least_work(fit: mp.Fit, likelihood: Any) -> Work:
    """The counted floor, on the grid and the windows that the likelihood uses."""
    blocks = fit.result.data.blocks
    if not blocks[0].n_categories:
        return gaussian_work(sum(block.values.shape[1] for block in blocks))
    # Windows stand in the last columns, one per factor.
    width = (likelihood.hi - likelihood.lo)[:, -len(blocks) :]
    answers, answer_nodes, at = 0, 0.0, 0
    item_nodes: list[int] = []
    for block in blocks:
        n_item = block.values.shape[1]
        given = (likelihood.codes[:, at : at + n_item] >= 0).sum(1)
        answers += int(given.sum())
        answer_nodes += float((given * width[:, block.factor]).sum())
        item_nodes += [len(likelihood.grid.nodes[block.factor])] * n_item
        at += n_item
    most = max(block.n_categories for block in blocks)
    return categorical_work(answers, item_nodes, most, answer_nodes, float(np.prod(width, axis=1).sum()))
