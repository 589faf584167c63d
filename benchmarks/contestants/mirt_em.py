"""The Python package mirt: marginal maximum likelihood by EM with its defaults."""

#: title: mirt (Python), EM
#: order: 9
#: result: estimates
#: families: graded
#: limit: 1800
#: note: point estimates; standard errors for one factor from the observed information, else complete-data

import time
from typing import Any

import mirt
import numpy as np

from benchmarks.job import Job

started = time.perf_counter()
job = Job()
problem = job.problem
answers = np.where(np.isnan(problem.answers), -1, problem.answers).astype(int)
names = [name for name, _ in problem.factors]
more: dict[str, Any] = {}
if len(names) > 1:
    lines = [f"{name} = {', '.join(items)}" for name, items in problem.factors]
    more = {"spec": "\n".join([*lines, f"COV = {'*'.join(names)}"]), "n_factors": len(names)}
if job.draws is not None:
    more["max_iter"] = 5
fit = mirt.fit_mirt(
    answers, model="GRM", n_categories=problem.n_categories, item_names=list(problem.items), **more
)
job.ready()
taken = time.perf_counter() - started
slope = np.asarray(fit.model.parameters["discrimination"])
own = slope if slope.ndim == 1 else slope[np.arange(len(slope)), problem.factor_of]
found = {f"slope[{item}]": value for item, value in zip(problem.items, own, strict=True)}
if slope.ndim == 1:
    cut = own[:, None] * np.asarray(fit.model.parameters["thresholds"])
    found |= {
        f"threshold[{item},{k + 1}]": cut[j, k]
        for j, item in enumerate(problem.items)
        for k in range(cut.shape[1])
    }
else:
    r = np.asarray(fit.latent_covariance)
    found |= {f"r[{names[i]},{names[j]}]": r[i, j] for i in range(len(names)) for j in range(i)}
job.estimates(
    found, seconds={"fitting": taken}, packages=("mirt", "numpy"), converged=bool(fit.converged),
    iterations=int(fit.n_iterations),
)  # fmt: skip
