"""Surveys of persons in clusters, made without any of the package's own equations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from medpsy.bind import ModelData, bind
from medpsy.engines.base import choose, without_integrated
from medpsy.inference.density import Density
from medpsy.model import compose
from medpsy.spec.clusters import Clusters
from medpsy.spec.model_spec import Path
from medpsy.spec.syntax import parse_model
from medpsy.survey.instrument import Instrument, Variable
from medpsy.survey.survey import Survey

#: What :func:`sample` is made from.
TRUE = {
    "a": 0.4, "b": 0.3, "c": 0.2, "a_between": 0.6, "b_between": 0.5, "c_between": 0.1,
    "sd_a": 0.3, "sd_b": 0.3, "corr": 0.6,
}  # fmt: skip


def sample(
    seed: int = 3, clusters: int = 40, *, slopes: bool = False, size: int = 0
) -> dict[str, np.ndarray]:
    """Columns school, x, m, y, z: x, m and y have cluster means and deviations, z belongs to the school."""
    rng = np.random.default_rng(seed)
    sizes = np.full(clusters, size) if size else rng.integers(4, 15, clusters)
    school = np.repeat(np.arange(clusters), sizes)
    cov = TRUE["corr"] * TRUE["sd_a"] * TRUE["sd_b"]
    own = rng.multivariate_normal([0, 0], [[TRUE["sd_a"] ** 2, cov], [cov, TRUE["sd_b"] ** 2]], clusters)
    own = own if slopes else 0.0 * own
    mean_x = rng.normal(0, 0.7, clusters)
    mean_m = TRUE["a_between"] * mean_x + rng.normal(0, 0.5, clusters)
    mean_y = TRUE["b_between"] * mean_m + TRUE["c_between"] * mean_x + rng.normal(0, 0.5, clusters)
    x = rng.normal(size=school.size)
    m = (TRUE["a"] + own[school, 0]) * x + 0.8 * rng.normal(size=school.size)
    y = (TRUE["b"] + own[school, 1]) * m + TRUE["c"] * x + 0.7 * rng.normal(size=school.size)
    return {
        "school": school.astype(float), "x": 3 + mean_x[school] + x, "m": mean_m[school] + m,
        "y": mean_y[school] + y, "z": mean_x[school],
    }  # fmt: skip


def as_survey(columns: dict[str, np.ndarray]) -> Survey:
    """Numbers as a survey."""
    person = np.array([f"p{i}" for i in range(len(columns["school"]))])
    instrument = Instrument((), tuple(Variable(name) for name in columns))
    return Survey(instrument, person, np.empty((len(person), 0), np.int8), columns)


def clustered_data(
    text: str,
    answers: Survey,
    slopes: tuple[str, ...] = (),
    between: tuple[str, ...] = (),
    family: str = "gaussian",
    priors: dict[str, str] | None = None,
) -> ModelData:
    """Bind a text with clusters of ``school``; ``between`` holds paths such as ``"m~x"``."""
    paths = tuple(Path(*one.split("~"), f"{'_'.join(one.split('~'))}_between") for one in between)
    spec = replace(parse_model(text, family=family), clusters=Clusters("school", slopes, paths))
    return bind(compose(replace(spec, priors=tuple(sorted((priors or {}).items())))), answers)


def sampled(data: ModelData, name: str = "auto") -> tuple[Any, ModelData, Any]:
    """Engine, data as it is sampled, settings."""
    engine, _ = choose(data, name)
    part = without_integrated(data, engine)
    return engine, part, engine.settings(part, 9)


def density_of(data: ModelData, name: str = "auto") -> Density:
    """The compiled density."""
    engine, part, settings = sampled(data, name)
    return Density(part, engine.compiled(part, settings))


def maximum(data: ModelData) -> tuple[dict[str, np.ndarray], float]:
    """Maximum-likelihood values of a Gaussian model without random slopes, and the log-likelihood there."""
    from scipy.optimize import minimize

    density = density_of(data)

    def negative(u: np.ndarray) -> tuple[float, np.ndarray]:
        values = density.space.constrain(u)
        value, d = density.likelihood.value_and_gradient(values)
        gradient = np.zeros(density.size)
        density.space.pull_back(values, d, gradient)
        return -value, -gradient

    found = minimize(
        negative, np.zeros(density.size), jac=True, method="BFGS", options={"gtol": 1e-7, "maxiter": 3000}
    )
    return density.space.constrain(found.x), -float(found.fun)
