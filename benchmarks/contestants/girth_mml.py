"""The Python package girth: marginal maximum likelihood of one graded factor."""

#: title: girth, MML
#: order: 10
#: result: estimates
#: families: graded
#: factors: 1
#: persons: 20000
#: missing: no
#: limit: 1800
#: note: point estimates without standard errors

import time

import girth
import numpy as np

from benchmarks.job import Job

started = time.perf_counter()
job = Job()
problem = job.problem
fit = girth.grm_mml(problem.answers.astype(int).T + 1)
job.ready()
taken = time.perf_counter() - started
slope = np.asarray(fit["Discrimination"])
found = {f"slope[{item}]": value for item, value in zip(problem.items, slope, strict=True)}
cut = slope[:, None] * np.asarray(fit["Difficulty"])
found |= {
    f"threshold[{item},{k + 1}]": cut[j, k]
    for j, item in enumerate(problem.items)
    for k in range(cut.shape[1])
}
job.estimates(found, seconds={"fitting": taken}, packages=("girth", "numpy"))
