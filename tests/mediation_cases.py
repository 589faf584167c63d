"""Surveys of observed variables, least squares, and results around the mode: no sampler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from medpsy.api.fits import Fit
from medpsy.api.models import Model
from medpsy.bind import ModelData, bind
from medpsy.engines.base import choose
from medpsy.fit import _tree, complete
from medpsy.inference.compiled_route import Posterior
from medpsy.inference.density import Density, start_point
from medpsy.inference.mode import find_mode
from medpsy.result import Result
from medpsy.survey.instrument import Instrument, Variable
from medpsy.survey.survey import Survey

FLAT = {"path": "Normal(0, 1000)", "intercept": "Normal(0, 1000)", "residual_sd": "HalfNormal(1000)"}


def survey(columns: Mapping[str, Any], levels: Mapping[str, Sequence[str]] | None = None) -> Survey:
    """Person variables only; those in ``levels`` are categories, coded from 0."""
    held = levels or {}
    variables = tuple(
        Variable(name, "category", tuple(held[name])) if name in held else Variable(name) for name in columns
    )
    values = {
        name: np.asarray(column).astype(int if name in held else float) for name, column in columns.items()
    }
    n = len(next(iter(values.values())))
    return Survey(Instrument((), variables), np.array([f"p{i}" for i in range(n)]), np.zeros((n, 0), np.int8),
                  values)  # fmt: skip


def around_mode(model: Model, answers: Survey, draws: int = 400, seed: int = 1, copies: int = 1) -> Fit:
    """A fit whose draws are normal around the mode of the posterior, mirrored: their mean is the mode.

    In a linear model of observed variables under flat priors the mode of the coefficients is least squares,
    and so is the only draw of ``draws=1`` (``copies`` times, for what adds noise of its own).
    """
    answers = complete(model.composed, answers)
    data = bind(model.composed, answers)
    engine, _ = choose(data)
    density = Density(data, engine.compiled(data, engine.settings(data)))
    mode = find_mode(density, start_point(data))
    top = mode.u
    for _ in range(2):  # the search stops early; Newton's steps from there are exact
        top = top + mode.spread @ (mode.spread.T @ density.value_and_gradient(top)[1])
    noise = np.random.default_rng(seed).standard_normal((draws // 2, density.size)) @ mode.spread.T
    points = np.concatenate([top + noise, top - noise]) if draws > 1 else np.repeat(top[None], copies, axis=0)
    return Fit(result_of(data, answers, [density.space.constrain(u) for u in points]))


def result_of(data: ModelData, answers: Survey, made: Sequence[Mapping[str, np.ndarray]]) -> Result:
    """A Result of one chain whose draws are ``made``."""
    held = {name: np.stack([values[name] for values in made])[None] for name in made[0]}
    posterior = Posterior(
        values=held, stats={}, log_likelihood=np.zeros((1, len(made), data.n_person)), log_prior=None
    )
    return Result(_tree(data, posterior, choose(data)[0]), data, answers, {})


def least_squares(y: np.ndarray, **terms: np.ndarray) -> dict[str, float]:
    """Coefficients of y on the named columns and a constant."""
    found = np.linalg.lstsq(np.column_stack([np.ones(len(y)), *terms.values()]), y, rcond=None)[0]
    return dict(zip(["1", *terms], map(float, found), strict=True))
