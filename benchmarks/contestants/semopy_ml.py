"""The Python package semopy: maximum likelihood with its default objective."""

#: title: semopy
#: order: 11
#: result: estimates
#: families: gaussian
#: missing: no
#: note: point estimates with standard errors

import re
import time

import pandas as pd
import semopy

from benchmarks.job import Job

started = time.perf_counter()
job = Job()
problem = job.problem
frame = pd.read_csv(job.data / "scaled.csv")
# semopy has neither labels nor defined effects.
lines = [line for line in problem.text.splitlines() if ":=" not in line]
model = semopy.Model(re.sub(r"\b[abc]\*", "", "\n".join(lines)))
solution = model.fit(frame)
table = model.inspect(std_est=True)
job.ready()
taken = time.perf_counter() - started
names = [name for name, _ in problem.factors]
effects = {}
if problem.effects:
    x, m, y = names
    effects = {(m, x): "a", (y, m): "b", (y, x): "c"}
found = {}
for left, operator, right, value in table[["lval", "op", "rval", "Est. Std"]].itertuples(index=False):
    if (left, right) in effects:
        found[effects[left, right]] = value
    elif operator == "~" and right in names:
        found[f"loading[{left}]"] = value
    elif operator == "~~" and left != right and not effects:
        places = sorted((names.index(left), names.index(right)), reverse=True)
        found[f"r[{names[places[0]]},{names[places[1]]}]"] = value
if effects:
    found["indirect"] = found["a"] * found["b"]
    found["total"] = found["c"] + found["indirect"]
job.estimates(
    found, seconds={"fitting": taken}, packages=("semopy", "numpy"), converged=bool(solution.success)
)
