"""Ordinal items of constructs that grow or have random intercepts: a separate simulator for the tests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from medpsy.survey.instrument import Instrument, Module, Variable
from medpsy.survey.survey import Survey

CUTS = np.array([-1.8, -0.5, 0.6, 1.9])
CODES = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Grown:
    """A survey, and what it was made of: level, slope (person,) and scores (person, wave) of every series."""

    survey: Survey
    level: dict[str, np.ndarray]
    slope: dict[str, np.ndarray]
    score: dict[str, np.ndarray]


def asked(
    scores: dict[str, np.ndarray],
    rng: np.random.Generator,
    *,
    items: int = 5,
    steep: float = 1.0,
    wide: float = 1.0,
    variables: dict[str, np.ndarray] | None = None,
) -> Survey:
    """Every series asked by the same graded items at every wave: module ``a1`` has a1_1, a1_2 ..."""
    slope, place = steep * np.linspace(1.2, 2.2, items), np.linspace(-0.6, 0.6, items)
    modules, codes = [], []
    for name, score in scores.items():
        for wave, theta in enumerate(score.T, 1):
            latent = theta[:, None] * slope + rng.logistic(size=(len(theta), items))
            cuts = wide * slope[:, None] * (place[:, None] + CUTS) / 1.7
            codes.append((latent[:, :, None] > cuts).sum(-1))
            names = tuple(f"{name}{wave}_{j + 1}" for j in range(items))
            modules.append(Module(f"{name}{wave}", names, CODES))
    known = variables or {}
    n = len(codes[0])
    return Survey(
        Instrument(tuple(modules), tuple(Variable(one) for one in known)),
        np.array([f"p{i}" for i in range(n)]),
        np.column_stack(codes).astype(np.int8),
        dict(known),
    )


def columns(name: str, waves: int, items: int = 5) -> list[list[str]]:
    """Names of the items, wave by wave."""
    return [[f"{name}{t + 1}_{j + 1}" for j in range(items)] for t in range(waves)]


def grown(
    n: int = 600,
    *,
    times: tuple[float, ...] = (0, 1, 2),
    level_sd: float = 1.2,
    slope_mean: float = 0.4,
    slope_sd: float = 0.5,
    correlation: float = -0.2,
    residual: tuple[float, ...] = (1.0, 0.8, 0.9),
    effect: tuple[float, float] = (0.0, 0.0),
    items: int = 5,
    steep: float = 1.0,
    wide: float = 1.0,
    seed: int = 1,
) -> Grown:
    """One series ``a``; a normal variable ``dose`` with ``effect`` on level and slope."""
    rng = np.random.default_rng(seed)
    dose = rng.standard_normal(n)
    u, v = rng.standard_normal((2, n))
    level = effect[0] * dose + level_sd * u
    slope = slope_mean + effect[1] * dose
    slope = slope + slope_sd * (correlation * u + np.sqrt(1 - correlation**2) * v)
    e = rng.standard_normal((n, len(times))) * np.array(residual)
    score = level[:, None] + slope[:, None] * (np.array(times) - times[0]) + e
    survey = asked({"a": score}, rng, items=items, steep=steep, wide=wide, variables={"dose": dose})
    return Grown(survey, {"a": level}, {"a": slope}, {"a": score})


def intercepts(
    n: int = 800,
    *,
    stable_sd: float = 1.0,
    carry: float = 0.4,
    means: tuple[float, ...] = (0.0, 0.3, 0.1),
    sds: tuple[float, ...] = (1.0, 0.9, 0.9),
    items: int = 5,
    seed: int = 1,
) -> Grown:
    """One series ``a``: a stable part, and deviations that carry over; ``sds`` are those of what is new."""
    rng = np.random.default_rng(seed)
    stable = stable_sd * rng.standard_normal(n)
    deviation = sds[0] * rng.standard_normal(n)
    score = [means[0] + stable + deviation]
    for mean, sd in zip(means[1:], sds[1:], strict=True):
        deviation = carry * deviation + sd * rng.standard_normal(n)
        score.append(mean + stable + deviation)
    scores = np.stack(score, axis=1)
    return Grown(asked({"a": scores}, rng, items=items), {"a": stable}, {}, {"a": scores})
