"""The model written by hand in PyMC as its users write it: person scores are parameters, nutpie samples."""

#: title: PyMC, persons sampled
#: order: 3
#: result: posterior
#: families: graded gaussian
#: persons: 5000
#: cache: yes
#: limit: 3600
#: note: non-centred person scores

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import nutpie
import pymc as pm
import pytensor.tensor as pt

from benchmarks.job import DRAWS, WARM_UP, Job
from benchmarks.problem import Problem


def slopes(name: str, problem: Problem, first: Callable[..., Any], other: Callable[..., Any]) -> Any:
    """One vector in the order of the items: those that come first in a factor are positive."""
    firsts = problem.firsts
    others = np.setdiff1d(np.arange(len(problem.items)), firsts)
    pieces = [first(f"{name}_first", shape=len(firsts)), other(f"{name}_other", shape=len(others))]
    order = np.argsort(np.concatenate([firsts, others]))
    return pm.Deterministic(name, pt.concatenate(pieces)[order])


def scores(problem: Problem, n_person: int) -> Any:
    """Person scores (person, factor) with correlation matrix R."""
    n_factor = len(problem.factors)
    z = pm.Normal("z", shape=(n_person, n_factor))
    if n_factor == 1:
        return z
    chol = pm.LKJCorr("chol", n=n_factor, eta=2.0)
    pm.Deterministic("r", chol @ chol.T)
    return z @ chol.T


def graded(problem: Problem) -> pm.Model:
    """Graded response model in long format."""
    person, item = np.nonzero(~np.isnan(problem.answers))
    y = problem.answers[person, item].astype(int)
    with pm.Model() as model:
        theta = scores(problem, len(problem.answers))
        slope = slopes(
            "slope", problem,
            lambda name, shape: pm.LogNormal(name, 0.25, 0.6, shape=shape),
            lambda name, shape: pm.StudentT(name, nu=4, mu=1, sigma=1, shape=shape),
        )  # fmt: skip
        prob = pm.Dirichlet("category_prob", np.ones((len(problem.items), problem.n_categories)))
        scale = pt.sqrt(1.0 + 0.3457 * slope**2)[:, None]
        below = pt.cumsum(prob, axis=1)[:, :-1]
        above = pt.cumsum(prob[:, ::-1], axis=1)[:, ::-1][:, 1:]
        cut = scale * (pt.log(below) - pt.log(above))
        eta = slope[item] * theta[person, problem.factor_of[item]]
        pm.OrderedLogistic("y", eta=eta, cutpoints=cut[item], observed=y, compute_p=False)
    return model


def gaussian(problem: Problem) -> pm.Model:
    """Linear factor model of z-scored items."""
    y = problem.scaled
    n_item = len(problem.items)
    with pm.Model() as model:
        theta = scores(problem, len(y))
        loading = slopes(
            "loading", problem,
            lambda name, shape: pm.LogNormal(name, -0.5, 0.6, shape=shape),
            lambda name, shape: pm.Normal(name, 0.6, 0.6, shape=shape),
        )  # fmt: skip
        intercept = pm.Normal("intercept", 0.0, 1.0, shape=n_item)
        sd = pm.HalfNormal("residual_sd", 1.0, shape=n_item)
        pm.Normal("y", intercept + loading * theta[:, problem.factor_of], sd, observed=y)
    return model


def main() -> None:
    """Compile, sample, hand back."""
    job = Job()
    problem = job.problem
    begun = time.perf_counter()
    model = graded(problem) if problem.family == "graded" else gaussian(problem)
    compiled = nutpie.compile_pymc_model(model)
    compiling = time.perf_counter() - begun
    trace = nutpie.sample(
        compiled, draws=job.draws or DRAWS, tune=job.warm_up or WARM_UP, chains=job.chains, cores=job.cores,
        seed=job.seed, progress_bar=False, save_warmup=False,
    )  # fmt: skip
    job.ready()
    sampling = time.perf_counter() - begun - compiling
    posterior, stats = trace["posterior"], trace["sample_stats"]
    found = {}
    for role in ("slope", "loading", "intercept", "residual_sd", "category_prob"):
        if role in posterior:
            values = posterior[role].to_numpy()
            for j, item in enumerate(problem.items):
                if values.ndim == 3:
                    found[f"{role}[{item}]"] = values[:, :, j]
                else:
                    found |= {f"{role}[{item},{k}]": values[:, :, j, k] for k in range(values.shape[3])}
    names = [name for name, _ in problem.factors]
    for i in range(len(names)):
        for j in range(i):
            found[f"r[{names[i]},{names[j]}]"] = posterior["r"].to_numpy()[:, :, i, j]
    job.posterior(
        found, seconds={"compiling": compiling, "sampling": sampling},
        divergences=stats["diverging"].to_numpy().sum(), steps=stats["n_steps"].to_numpy().mean(),
        packages=("pymc", "pytensor", "nutpie", "numba", "numpy"),
    )  # fmt: skip


if __name__ == "__main__":
    main()
