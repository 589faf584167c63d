"""The PyMC route: compile the pm.Model and sample it with any backend of pm.sample."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
import pymc as pm

from medpsy.bind import ModelData
from medpsy.engines.base import LikelihoodEngine, terms_of
from medpsy.errors import FitError
from medpsy.inference.compiled_route import Posterior
from medpsy.inference.pymc_model import build
from medpsy.ops import Numpy

RENAME = {
    "depth": "tree_depth",
    "logp": "lp",
    "mean_tree_accept": "acceptance_rate",
    "maxdepth_reached": "reached_max_treedepth",
}


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
    sampler: str | None = None,
) -> Posterior:
    """Sample the PyMC model.

    Parameters
    ----------
    sampler : str, optional
        ``nuts_sampler`` of ``pm.sample``: ``"nutpie"`` (default), ``"pymc"``, ``"numpyro"``.

    Raises
    ------
    FitError
        No chain could start.
    """
    settings = engine.settings(data, nodes)
    started = time.perf_counter()
    model = build(data, engine, settings)
    draws, warm_up, accept = draws or 1000, tune or 1000, target_accept or 0.9
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = pm.sample(
                draws, tune=warm_up, chains=chains, cores=min(cores, chains), random_seed=seed,
                progressbar=progress, nuts_sampler=sampler, target_accept=accept, model=model,
                compute_convergence_checks=False,
            )  # fmt: skip
    except (RuntimeError, ValueError, pm.exceptions.SamplingError) as error:
        raise FitError(
            f"sampling the PyMC model failed: {error}",
            hint="Look at model.to_pymc(survey).debug() for the variable that is at fault.",
        ) from error
    seconds = {"compiling and sampling": time.perf_counter() - started}
    names = [parameter.name for parameter in data.parameters]
    if engine.person_normals(data):
        names.append("z")
    values = {name: tree["posterior"][name].to_numpy() for name in names}
    sampled = time.perf_counter()
    terms = _terms(data, engine, settings, values)
    seconds["log-likelihood terms"] = time.perf_counter() - sampled
    stats = {}
    for name, array in tree["sample_stats"].data_vars.items():
        if array.dtype.kind in "biuf" and array.shape == (chains, draws):
            stats[RENAME.get(name, name)] = array.to_numpy()
    log = [f"{sampler or 'nutpie'} with {warm_up} warm-up draws, target acceptance {accept}"]
    numerics = {"grid": settings.describe()} if settings is not None else {}
    return Posterior(values, stats, terms, None, log, seconds, numerics)


def _terms(
    data: ModelData, engine: LikelihoodEngine, settings: Any, values: dict[str, np.ndarray]
) -> np.ndarray:
    """Log-likelihood of every person at every draw (chain, draw, person), by the NumPy definition."""
    chains, draws = next(iter(values.values())).shape[:2]
    terms = np.empty((chains, draws, len(terms_of(data, engine)[1])))
    for chain in range(chains):
        for draw in range(draws):
            one = {name: value[chain, draw] for name, value in values.items()}
            terms[chain, draw] = engine.log_likelihood(data, one, Numpy, settings)
    return terms
