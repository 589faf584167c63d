"""Maximum likelihood of linear models through the compiled likelihood, for comparison with lavaan."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from medpsy.bind import ModelData, bind
from medpsy.derive import raw_coefficients
from medpsy.engines.base import choose
from medpsy.inference.density import Density, start_point
from medpsy.latent.linear_raw import covariance, intercepts, variances
from medpsy.model import ComposedModel
from medpsy.survey.instrument import Instrument, Variable
from medpsy.survey.survey import Survey
from numeric_cases import points
from pymc_density import density_function


def survey_of(frame: pd.DataFrame) -> Survey:
    """A survey of numbers."""
    import medpsy as mp

    return mp.from_frame(frame, Instrument((), tuple(Variable(name) for name in frame.columns)))


def waves_frame(n: int = 300) -> pd.DataFrame:
    """Three variables at three waves, with stable differences, carry-over and mediation."""
    rng = np.random.default_rng(41)
    stable = rng.multivariate_normal(np.zeros(3), 0.5 * np.eye(3) + 0.2, size=n, method="cholesky")
    a = np.array([[0.35, 0.0, 0.05], [0.4, 0.3, 0.0], [0.1, 0.35, 0.3]])
    state = rng.multivariate_normal(np.zeros(3), 0.7 * np.eye(3) + 0.3, size=n, method="cholesky")
    out = {}
    for wave in range(1, 4):
        for k, name in enumerate("xmy"):
            mean, unit = (5.0, 20.0, -1.0)[k] + 0.2 * wave, (1.0, 4.0, 0.5)[k]
            out[f"{name}{wave}"] = np.round(mean + unit * (stable[:, k] + state[:, k]), 3)
        state = state @ a.T + rng.multivariate_normal(
            np.zeros(3), 0.6 * np.eye(3) + 0.2, size=n, method="cholesky"
        )
    return pd.DataFrame(out)


def growth_frame(n: int = 300) -> pd.DataFrame:
    """Mediator and outcome that grow, and an exposure of their slopes, at waves 0, 1, 2 and 4."""
    rng = np.random.default_rng(42)
    x = rng.normal(3.0, 1.5, n)
    level_m, level_y = rng.multivariate_normal([0, 0], [[1.0, 0.3], [0.3, 1.0]], size=n, method="cholesky").T
    slope_m = 0.5 + 0.3 * (x - 3) + 0.4 * rng.normal(size=n)
    slope_y = 1.0 + 0.5 * (slope_m - 0.5) + 0.1 * (x - 3) + 0.4 * rng.normal(size=n)
    out = {"x": x}
    for wave, time in enumerate((0, 1, 2, 4), 1):
        out[f"m{wave}"] = 10 + level_m + slope_m * time + 0.7 * rng.normal(size=n)
    for wave, time in enumerate((0, 1, 2, 4), 1):
        out[f"y{wave}"] = 50 + 3 * (level_y + slope_y * time + 0.6 * rng.normal(size=n))
    return pd.DataFrame(out).round(3)


def maximum(model: ComposedModel, survey: Survey) -> tuple[float, dict[str, float], ModelData]:
    """Largest log-likelihood in raw units, estimates by lavaan's names (``y~x``, ``f=~y``, ``x~1``)."""
    total, values, data = at_maximum(model, survey)
    return total, estimates(data, values), data


def result_at(values: dict[str, np.ndarray], data: ModelData) -> Any:
    """What verbs of a fit need of a result whose only draw is at these values."""
    one = {name: value[None, None] for name, value in values.items()}
    return SimpleNamespace(data=data, model=data.model, values=lambda: one)


def at_maximum(model: ComposedModel, survey: Survey) -> tuple[float, dict[str, np.ndarray], ModelData]:
    """Largest log-likelihood in raw units, and the named values there."""
    from scipy.optimize import minimize

    data = bind(model, survey)
    engine, _ = choose(data)
    density = Density(data, engine.compiled(data, None))

    def negative(u: np.ndarray) -> tuple[float, np.ndarray]:
        gradient = np.zeros(u.size)
        values, _, _ = density.space.point(u)
        try:
            value, d = density.likelihood.value_and_gradient(values)
        except np.linalg.LinAlgError:
            return 1e10, gradient
        density.space.pull_back(values, d, gradient)
        return (-value, -gradient) if np.isfinite(value) else (1e10, np.zeros(u.size))

    options: dict[str, Any] = {"maxiter": 4000, "maxfun": 6000, "ftol": 1e-14, "gtol": 1e-6, "maxcor": 40}
    found = minimize(negative, start_point(data), jac=True, method="L-BFGS-B", options=options)
    values = density.space.constrain(found.x)
    layout = data.layout
    given = (~np.isnan(data.observed[:, layout.measured])).sum(axis=0)
    total = -float(found.fun) - float(given @ np.log(layout.unit[layout.measured]))
    return total, values, data


def estimates(data: ModelData, values: dict[str, np.ndarray]) -> dict[str, float]:
    """Every number in raw units by lavaan's names."""
    layout, structure = data.layout, data.model.structure
    out: dict[str, float] = {}
    coefficients = raw_coefficients(data, values)
    for i, c in enumerate(layout.coefficients):
        name = f"{c.path.source}=~{c.path.target}" if c.path.measured else c.path.key
        out[name] = float(coefficients[i])
    held, means = variances(structure, values, layout), intercepts(structure, values, layout)
    for i, node in enumerate(layout.nodes):
        out[f"{node}~~{node}"] = float(np.broadcast_to(held, len(layout.nodes))[i])
        out[f"{node}~1"] = float(means[i])
    for c in data.model.spec.covariances:
        if c.left != c.right:
            out[f"{c.left}~~{c.right}"] = float(covariance(structure, values, layout, c.left, c.right))
    return out


def check_two_routes(data: ModelData, count: int, scale: float, least: int) -> None:
    """Both routes state one density at ``count`` points, or both none; more than ``least`` have one."""
    from medpsy.inference.pymc_model import build

    engine = choose(data)[0]
    density, start = Density(data, engine.compiled(data, None)), start_point(data)
    pymc = density_function(build(data, engine), density.space.slots)
    offsets = []
    for u in points(data.parameters, count, 2):
        value, gradient = pymc(start + scale * u)
        own, own_gradient = density.value_and_gradient(start + scale * u)
        # Where shared covariances are no correlations both say so.
        assert np.isfinite(own) == np.isfinite(value)
        if np.isfinite(own):
            np.testing.assert_allclose(own_gradient, gradient, rtol=1e-6, atol=1e-9 * np.abs(gradient).max())
            offsets.append(value - own)
    assert len(offsets) > least
    np.testing.assert_allclose(offsets, offsets[0], rtol=1e-8)
