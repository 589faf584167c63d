"""medpsy by its PyMC route: the same model as a compiled PyTensor graph, persons still integrated out."""

#: title: medpsy, PyMC route
#: order: 2
#: result: posterior
#: families: graded gaussian
#: persons: 5000
#: cache: yes
#: limit: 1800
#: note: persons integrated out

import time
from typing import Any

import nutpie

from benchmarks import with_medpsy as tools
from benchmarks.job import Job

started = time.perf_counter()
job = Job()
model, survey = tools.read(job)
read_in = time.perf_counter() - started

compile_model = nutpie.compile_pymc_model
spent: list[float] = []


def timed(*args: Any, **kwargs: Any) -> Any:
    """Compile as before, and note how long that took."""
    begun = time.perf_counter()
    compiled = compile_model(*args, **kwargs)
    spent.append(time.perf_counter() - begun)
    return compiled


nutpie.compile_pymc_model = timed
fit = model.fit(survey, **tools.options(job, route="pymc"))
tools.hand_back(job, fit, started, read_in, compiling=sum(spent))
