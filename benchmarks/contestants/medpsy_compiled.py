"""medpsy by its compiled route, with a user's defaults."""

#: title: medpsy, compiled
#: order: 1
#: result: posterior
#: families: graded gaussian
#: cache: yes
#: limit: 1800
#: note: persons integrated out

import time
from typing import Any

from benchmarks import with_medpsy as tools
from benchmarks.gradient import gradient_speed
from benchmarks.job import Job

started = time.perf_counter()
job = Job()
model, survey = tools.read(job)
read_in = time.perf_counter() - started
fit = model.fit(survey, **tools.options(job))
first = time.perf_counter() - started
more: dict[str, Any] = {}
tools.hand_back(job, fit, started, read_in)
if first < 60.0:
    # Once more in the same process: what every further fit costs; then what a gradient costs.
    begun = time.perf_counter()
    model.fit(survey, **tools.options(job, seed=job.seed + 1))
    more = {"second_fit": time.perf_counter() - begun}
more["gradient"] = gradient_speed(fit)
job.add(**more)
