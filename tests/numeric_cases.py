"""Small surveys, models and points for the tests of the numeric core."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

# Read by PyTensor when it is first imported: no C compiler is needed to evaluate a graph once.
os.environ.setdefault("PYTENSOR_FLAGS", "cxx=")

import numpy as np

import twins
from medpsy.bind import ModelData, bind, local
from medpsy.engines.grid import Grid
from medpsy.inference.transforms import Unconstrained
from medpsy.model import ComposedModel, compose
from medpsy.parameter import Parameter
from medpsy.spec.syntax import parse_model
from medpsy.survey.instrument import Instrument, Module, Variable
from medpsy.survey.survey import Survey

MODULES = ("x", "m", "y", "v", "u")
CORRELATION = 0.5 * np.eye(5) + 0.5

#: Priors for two graded constructs x and y of four items each in which every kind occurs.
EVERY_PRIOR = {
    "slope.x.x1": "LogNormal(0.25, 0.6)",
    "slope.x.x2": "Normal(1, 1)",
    "slope.x.x3": "StudentT(4, 1, 1)",
    "slope.x.x4": "HalfNormal(1.5)",
    "slope.y.y1": "HalfStudentT(3, 2)",
    "slope.y.y2": "Exponential(0.7)",
    "slope.y.y3": "Gamma(2.5, 1.3)",
    "slope.y.y4": "Normal(0.5, 2)",
    "category_prob.x": "Dirichlet(0.5)",
    "category_prob.y": "Dirichlet(2.5)",
    "category_prob.y.y2": "Dirichlet(1)",
    "correlation": "LKJ(3.5)",
}


def survey(
    n: int = 15, *, categories: int = 4, items: int = 3, seed: int = 1, missing: float = 0.1
) -> Survey:
    """Five correlated constructs, each asked by ordinal items (x1 ...) and by numbers (cx1 ...).

    Person 0 answered no ordinal item, person 1 has none of the numbers, category 1 of x2 was never used,
    the mediator ``dose`` and the outcome ``grade`` are missing for some.
    """
    rng = np.random.default_rng(seed)
    score = rng.multivariate_normal(np.zeros(5), CORRELATION, size=n)
    modules, variables, codes = [], [], []
    values: dict[str, np.ndarray] = {}
    for d, name in enumerate(MODULES):
        slope = rng.uniform(0.8, 2.0, items)
        cut = np.sort(rng.normal(0, 1.2, (items, categories - 1)), axis=1)
        latent = score[:, [d]] * slope + rng.logistic(size=(n, items))
        codes.append((latent[:, :, None] > cut).sum(-1))
        names = tuple(f"{name}{j + 1}" for j in range(items))
        modules.append(Module(name, names, tuple(range(categories))))
        for item in names:
            number = 3 + 2 * (0.7 * score[:, d] + 0.7 * rng.normal(size=n))
            number[rng.random(n) < missing] = np.nan
            number[1] = np.nan
            variables.append(Variable(f"c{item}"))
            values[f"c{item}"] = number
    answers = np.concatenate(codes, axis=1).astype(np.int8)
    answers[rng.random(answers.shape) < missing] = -1
    answers[0] = -1
    if categories > 2:
        answers[:, 1] = np.where(answers[:, 1] == 1, 0, answers[:, 1])
    variables += [Variable("gender", "category", ("m", "f")), Variable("school", "category", ("a", "b", "c"))]
    variables += [Variable(name) for name in ("age", "dose", "grade", "passed")]
    values["gender"], values["school"] = np.arange(n) % 2, np.arange(n) % 3
    values["age"] = rng.normal(20, 2, n)
    values["dose"] = 5 + 2 * score[:, 0] + rng.normal(size=n)
    values["grade"] = 2 + 0.3 * values["dose"] + score[:, 1] + rng.normal(size=n)
    values["passed"] = (values["grade"] > np.median(values["grade"])).astype(float)
    values["dose"][[2, 5, 6]] = np.nan
    values["grade"][[3, 5]] = np.nan
    values["passed"][[1, 4]] = np.nan
    person = np.array([f"p{i}" for i in range(n)])
    return Survey(Instrument(tuple(modules), tuple(variables)), person, answers, values)


def with_fewer(answers: Survey, item: str, categories: int) -> Survey:
    """The same survey with one item asked with fewer categories, in a module of its own."""
    modules = []
    for module in answers.instrument.modules:
        names = tuple(name for name in module.items if name != item)
        reverse = tuple(name for name in module.reverse if name != item)
        if names:
            modules.append(replace(module, items=names, reverse=reverse, wording=()))
        if item in module.items:
            own = (item,) if item in module.reverse else ()
            name = f"{module.name}_{item}"
            modules.append(Module(name, (item,), tuple(range(categories)), reverse=own))
    instrument = Instrument(tuple(modules), answers.instrument.variables)
    order = [answers.instrument.items.index(name) for name in instrument.items]
    codes = answers.codes[:, order]
    codes[:, instrument.items.index(item)] = np.minimum(
        codes[:, instrument.items.index(item)], categories - 1
    )
    return replace(answers, instrument=instrument, codes=codes)


def composed(
    text: str,
    *,
    family: str = "graded",
    families: Mapping[str, str] | None = None,
    priors: Mapping[str, str] | None = None,
) -> ComposedModel:
    """Compose a model written as text."""
    spec = parse_model(text, family=family, families=families)
    return compose(replace(spec, priors=tuple(sorted((priors or {}).items()))))


def bound(text: str, answers: Survey, **about: Any) -> ModelData:
    """Compose a text and bind it."""
    return bind(composed(text, **about), answers)


def measured(*names: str, items: int = 3, family: str = "graded") -> str:
    """Measurement lines of some constructs of the survey above."""
    head = "c" if family == "gaussian" else ""
    return "\n".join(f"{name} =~ {head}{name}1..{head}{name}{items}" for name in names)


def even_grid(n_factor: int, size: int, reach: float) -> Grid:
    """The same equally spaced nodes for every construct."""
    return Grid(tuple(np.linspace(-reach, reach, size) for _ in range(n_factor)))


def values_at(data: ModelData, seed: int, scale: float = 0.5) -> dict[str, np.ndarray]:
    """Moderate random values of every free parameter."""
    space = Unconstrained(data.parameters)
    return space.constrain(np.random.default_rng(seed).normal(0, scale, space.size))


def points(parameters: tuple[Parameter, ...], n: int, seed: int) -> np.ndarray:
    """Unconstrained points (n, size): half of them moderate, half extreme.

    Extreme means slopes between .01 and 8 in size, categories with probabilities of 1e-9 and less,
    correlations near one.
    """
    space = Unconstrained(parameters)
    rng = np.random.default_rng(seed)
    out = rng.normal(size=(n, space.size)) * rng.uniform(0.2, 1.0, (n, 1))
    for slot in space.slots:
        far = out[n // 2 :, slot.start : slot.stop]
        if slot.name.endswith("_simplex__"):
            far[rng.random(far.shape) < 0.3] *= 15
        elif slot.name.endswith("_cholesky_corr__"):
            far *= 3
        elif slot.name.startswith(("slope", "loading")):
            size = rng.uniform(np.log(0.01), np.log(8), far.shape)
            sign = rng.choice([-1.0, 1.0], far.shape)
            far[:] = size if slot.name.endswith("_log__") else sign * np.exp(size)
    return out


def derivative(function: Callable[[float], float], step: float = 1e-4) -> float:
    """Slope at zero by five-point differences."""
    near, far = function(step) - function(-step), function(2 * step) - function(-2 * step)
    return float((8 * near - far) / (12 * step))


def structural_part(data: ModelData, p: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Paths, residuals and residual correlations of a bound model, by name, for the twins."""
    layout = data.layout
    nodes, observed = layout.nodes, [n for n, k in zip(layout.nodes, layout.latent, strict=True) if not k]
    latent = [n for n in nodes if n not in observed]
    gaussian = [n for n, k in zip(nodes, layout.families, strict=True) if k == "gaussian"]
    correlation = np.eye(len(latent))
    for name, value in p.items():
        if name.startswith("correlation_chol"):
            members = next(q.coords[0] for q in data.parameters if q.name == name)
            where = [latent.index(member) for member in members]
            correlation[np.ix_(where, where)] = value @ value.T
    part: dict[str, Any] = {
        "nodes": nodes,
        "kinds": dict(zip(nodes, layout.families, strict=True)),
        "paths": {},
        "covariates": {},
        "intercept": dict(zip(observed, p.get("intercept", ()), strict=True)),
        "sd": dict.fromkeys(nodes, 1.0) | dict(zip(gaussian, p.get("residual_sd", ()), strict=True)),
        "correlation": correlation,
        # Upper triangular, unlike the root in the package: the last construct comes first.
        "root": np.linalg.cholesky(correlation[::-1, ::-1])[::-1, ::-1],
    }
    chosen = [c for c in layout.coefficients if c.from_column or "path" in p]
    effects = p["path"] if "path" in p else p.get("covariate_effect", np.zeros(0))
    for c, effect in zip(chosen, effects, strict=True):
        target = nodes[c.target]
        if c.from_column:
            part["covariates"][target, c.source] = float(effect)
        else:
            part["paths"][target, nodes[c.source]] = float(effect)
    return part


def brute_force(
    data: ModelData, p: Mapping[str, np.ndarray], persons: list[int], size: int, reach: float = 8.0
) -> np.ndarray:
    """Marginal log-likelihood of some persons by the twins."""
    part = structural_part(data, p)
    out = []
    for i in persons:
        constants = dict(part["intercept"])
        for (target, column), effect in part["covariates"].items():
            constants[target] = constants.get(target, 0.0) + effect * data.design[i, column]
        observed = {
            node: data.observed[i, at] for at, node in enumerate(part["nodes"]) if not data.layout.latent[at]
        }
        answers = {}
        for block in data.blocks:
            values = local(data, block, dict(p))
            given = (block.construct.family, values, block.values[i])
            answers[block.name] = partial(twins.answers_log_prob, *given)
        out.append(twins.marginal_log_likelihood(part, constants, observed, answers, size, reach))
    return np.array(out)


def check_gradient(compiled: Any, p: Mapping[str, np.ndarray]) -> None:
    """Assert that the gradient of a compiled likelihood is that of finite differences, name by name."""
    _, gradient = compiled.value_and_gradient(dict(p))
    assert set(gradient) == set(p)
    for name, value in p.items():

        def total(x: np.ndarray, name: str = name, shape: tuple[int, ...] = value.shape) -> np.ndarray:
            return np.array([compiled.value_and_gradient({**p, name: x.reshape(shape)})[0]])

        # Entries above the diagonal of a Cholesky factor are no parameters.
        free = np.tril(np.ones(value.shape)) if name.startswith("correlation") else 1.0
        want = twins.jacobian(total, value.ravel(), 1e-4)[0].reshape(value.shape)
        scale = np.abs(want * free).max()
        np.testing.assert_allclose(gradient[name] * free, want * free, rtol=1e-6, atol=1e-7 * scale + 1e-8)
