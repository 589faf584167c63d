"""Models with groups, their surveys, and a separate simulator for the tests of groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

import numeric_cases  # noqa: F401  (sets the flags under which PyTensor evaluates a graph once)
from medpsy.bind import ModelData, bind
from medpsy.engines.base import engines
from medpsy.fit import _tree
from medpsy.inference.compiled_route import Posterior
from medpsy.model import compose
from medpsy.result import Result
from medpsy.simulate import draw_prior
from medpsy.spec.groups import Groups
from medpsy.spec.syntax import parse_model
from medpsy.survey.instrument import Instrument, Module, Variable
from medpsy.survey.survey import Survey

CUTS = np.array([-1.8, -0.6, 0.6, 1.8])


def simulated(
    sizes: Sequence[int] = (300, 300),
    *,
    items: int = 6,
    means: Sequence[float] = (0.0, 0.5),
    sds: Sequence[float] = (1.0, 1.3),
    shift: Mapping[int, float] | None = None,
    stretch: Mapping[int, float] | None = None,
    seed: int = 1,
) -> tuple[Survey, dict[str, np.ndarray]]:
    """Ordinal answers of groups a, b, ... to one module x; the last group has shifted or stretched items."""
    rng = np.random.default_rng(seed)
    slope, location = rng.uniform(1.0, 2.2, items), rng.normal(0.0, 0.6, items)
    codes, group, scores = [], [], []
    for g, size in enumerate(sizes):
        theta = rng.normal(means[g], sds[g], size)
        a, at = slope.copy(), location.copy()
        if g == len(sizes) - 1:
            for j, d in (shift or {}).items():
                at[j] += d
            for j, d in (stretch or {}).items():
                a[j] *= np.exp(d)
        answer = theta[:, None] * a + rng.logistic(size=(size, items))
        codes.append((answer[:, :, None] > at[:, None] + CUTS).sum(-1))
        group += [g] * size
        scores.append(theta)
    order = rng.permutation(len(group))
    names = tuple(f"x{j + 1}" for j in range(items))
    levels = tuple("abcdefgh"[: len(sizes)])
    instrument = Instrument(
        (Module("x", names, (1, 2, 3, 4, 5), ("1", "2", "3", "4", "5")),),
        (Variable("arm", "category", levels), Variable("score")),
    )
    theta = np.concatenate(scores)[order]
    variables = {"arm": np.array(group)[order], "score": theta}
    answers = np.concatenate(codes)[order].astype(np.int8)
    person = np.array([f"p{i}" for i in range(len(order))])
    return Survey(instrument, person, answers, variables), {"slope": slope, "location": location}


def simulated_numbers(
    sizes: Sequence[int] = (400, 400),
    *,
    items: int = 5,
    means: Sequence[float] = (0.0, 0.6),
    sds: Sequence[float] = (1.0, 1.4),
    shift: Mapping[int, float] | None = None,
    seed: int = 2,
) -> tuple[Survey, dict[str, np.ndarray]]:
    """Continuous answers of groups a, b, ... to variables n1, n2, ... with different means and units."""
    rng = np.random.default_rng(seed)
    loading, intercept = rng.uniform(0.6, 1.2, items), rng.normal(3.0, 1.0, items)
    values, group = [], []
    for g, size in enumerate(sizes):
        theta = rng.normal(means[g], sds[g], size)
        at = intercept.copy()
        if g == len(sizes) - 1:
            for j, d in (shift or {}).items():
                at[j] += d
        values.append(at + theta[:, None] * loading + rng.normal(0, 0.7, (size, items)))
        group += [g] * size
    order = rng.permutation(len(group))
    names = [f"n{j + 1}" for j in range(items)]
    levels = tuple("abcdefgh"[: len(sizes)])
    variables = [Variable("arm", "category", levels), *(Variable(name) for name in names)]
    table = np.concatenate(values)[order]
    columns: dict[str, Any] = {"arm": np.array(group)[order]}
    columns |= {name: table[:, j] for j, name in enumerate(names)}
    module = Module("spare", ("s1",), (0, 1), ("no", "yes"))
    codes = rng.integers(0, 2, (len(order), 1)).astype(np.int8)
    person = np.array([f"p{i}" for i in range(len(order))])
    truth = {"loading": loading, "intercept": intercept}
    return Survey(Instrument((module,), tuple(variables)), person, codes, columns), truth


def drawn(
    data: ModelData,
    survey: Survey,
    values: Mapping[str, Any] | None = None,
    *,
    chains: int = 2,
    draws: int = 100,
    noise: float = 0.0,
    seed: int = 1,
) -> Result:
    """A result without a sampler: draws of the priors, but for ``values``, with normal noise around them."""
    rng = np.random.default_rng(seed)
    held = {
        name: value.reshape(chains, draws, *value.shape[1:])
        for name, value in draw_prior(data.parameters, rng, chains * draws).items()
    }
    for name, value in (values or {}).items():
        wide = np.broadcast_to(np.asarray(value, dtype=float), held[name].shape)
        held[name] = wide + (noise * rng.normal(size=wide.shape) if wide.ndim == 3 else 0.0)
    terms = rng.normal(-5.0, 0.3, (chains, draws, data.n_person))
    posterior = Posterior(values=held, stats={}, log_likelihood=terms, log_prior=None)
    return Result(_tree(data, posterior, engines()["quadrature"]), data, survey, {})


def grouped(
    text: str, survey: Survey, groups: Groups | None, family: str = "graded", **about: Any
) -> ModelData:
    """Compose a text with groups and bind it."""
    return bind(compose(replace(parse_model(text, family=family), groups=groups, **about)), survey)
