"""What the two medpsy contestants share: the answers read as a user reads them, draws by common names."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

import medpsy as mp
from benchmarks.job import Job

if TYPE_CHECKING:
    from medpsy.survey.survey import Survey

ROLES = ("slope", "category_prob", "loading", "intercept", "residual_sd")
PACKAGES = ("medpsy", "nutpie", "numba", "numpy", "pymc", "arviz")


def read(job: Job) -> tuple[mp.Model, Survey]:
    """Model and answers, from the model text and ``answers.csv``."""
    from medpsy.survey.instrument import Module, Variable

    problem = job.problem
    if problem.family == "graded":
        codes = tuple(range(problem.n_categories))
        modules = tuple(Module(name, items, codes) for name, items in problem.factors)
        instrument = mp.Instrument(modules)
    else:
        instrument = mp.Instrument((), tuple(Variable(item) for item in problem.items))
    survey = mp.read_survey(job.data / "answers.csv", instrument)
    return mp.Model(problem.text, family=problem.family), survey


def options(job: Job, **more: Any) -> dict[str, Any]:
    """Options of ``fit``: those of a user, shorter chains in trials."""
    chosen = {"chains": job.chains, "cores": job.cores, "seed": job.seed, "progress": False, **more}
    if job.draws is not None:
        chosen |= {"draws": job.draws, "tune": job.warm_up}
    return chosen


def draws(fit: mp.Fit, job: Job) -> dict[str, np.ndarray]:
    """Draws (chain, draw) of every parameter by its common name."""
    posterior = fit.tree["posterior"]
    out = {}
    for factor, items in job.problem.factors:
        for role in ROLES:
            if f"{role}_{factor}" not in posterior:
                continue
            values = posterior[f"{role}_{factor}"].to_numpy()
            for j, item in enumerate(items):
                if values.ndim == 3:
                    out[f"{role}[{item}]"] = values[:, :, j]
                else:
                    out |= {f"{role}[{item},{k}]": values[:, :, j, k] for k in range(values.shape[3])}
    names = [name for name, _ in job.problem.factors]
    for i in range(len(names)):
        for j in range(i):
            values = posterior["correlation"].to_numpy()
            out[f"r[{names[i]},{names[j]}]"] = values[:, :, i, j]
    return out


def hand_back(
    job: Job, fit: mp.Fit, started: float, read_in: float, compiling: float = 0.0, **more: Any
) -> None:
    """Report a fit; its own gate is asked before the clock stops."""
    reasons = fit.gate.reasons
    job.ready()
    stats = fit.tree["sample_stats"]
    about = fit.provenance
    terms = sum(value for key, value in about["seconds"].items() if "likelihood" in key)
    compiling += about["seconds"].get("machine code", 0.0)
    seconds = {
        "reading": read_in,
        "compiling": compiling,
        "sampling": sum(about["seconds"].values()) - terms - compiling,
        "log-likelihood terms": terms,
        "whole": time.perf_counter() - started,
        **{f"part: {key}": value for key, value in about["seconds"].items()},
    }
    diverging = stats["diverging"].to_numpy().sum() if "diverging" in stats else 0
    steps = stats["n_steps"].to_numpy().mean() if "n_steps" in stats else np.nan
    job.posterior(
        draws(fit, job), seconds=seconds, divergences=diverging, steps=steps, packages=PACKAGES,
        own_gate=reasons, log=about["log"], route=about["route"]["name"],
        engine=about["engine"]["name"], **more,
    )  # fmt: skip
