"""Do intervals of mediation effects cover as often as they say, and do constructs escape attenuation?

Every set of a design is drawn from known paths by code of its own. The quick tier counts a few sets with the
normal approximation at the mode; the slow tier samples 200 sets a design.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import medpsy as mp
from mediation_cases import around_mode, survey

Made = tuple[dict[str, np.ndarray], dict[str, float]]


def simple(rng: np.random.Generator, n: int) -> Made:
    x = rng.normal(size=n)
    m = 0.4 * x + rng.normal(size=n)
    y = 0.35 * m + 0.2 * x + rng.normal(size=n)
    return {"x": x, "m": m, "y": y}, {"indirect": 0.14, "direct": 0.2, "total": 0.34}


def parallel(rng: np.random.Generator, n: int) -> Made:
    x = rng.normal(size=n)
    m1, m2 = 0.5 * x + rng.normal(size=n), -0.3 * x + rng.normal(size=n)
    y = 0.3 * m1 + 0.4 * m2 + 0.1 * x + rng.normal(size=n)
    truth = {"indirect_m1": 0.15, "indirect_m2": -0.12, "indirect": 0.03, "total": 0.13}
    return {"x": x, "m1": m1, "m2": m2, "y": y}, truth


def serial(rng: np.random.Generator, n: int) -> Made:
    x = rng.normal(size=n)
    m1 = 0.5 * x + rng.normal(size=n)
    m2 = 0.4 * m1 + 0.2 * x + rng.normal(size=n)
    y = 0.3 * m2 + 0.2 * m1 + 0.1 * x + rng.normal(size=n)
    truth = {"indirect_m1": 0.1, "indirect_m2": 0.06, "indirect_m1_m2": 0.06, "direct": 0.1}
    return {"x": x, "m1": m1, "m2": m2, "y": y}, truth


def moderated(rng: np.random.Generator, n: int) -> Made:
    x, w = rng.normal(size=(2, n))
    m = (0.4 + 0.25 * w) * x + 0.1 * w + rng.normal(size=n)
    y = 0.4 * m + 0.1 * x + rng.normal(size=n)
    return {"x": x, "w": w, "m": m, "y": y}, {"index": 0.1, "direct": 0.1, "a_w": 0.25}


DESIGNS: dict[str, tuple[Callable[[np.random.Generator, int], Made], dict[str, object]]] = {
    "simple": (simple, {"mediators": ["m"]}),
    "parallel": (parallel, {"mediators": ["m1", "m2"]}),
    "serial": (serial, {"mediators": ["m1", "m2"], "serial": True}),
    "moderated": (moderated, {"mediators": ["m"], "moderator": "w"}),
}


def covered(design: str, seed: int, fitted: Callable[[mp.Mediation, object], mp.Fit]) -> list[bool]:
    """Whether the 95 % interval of every effect of one simulated set holds the truth."""
    draw, options = DESIGNS[design]
    columns, truth = draw(np.random.default_rng(seed), 200)
    model = mp.Mediation(
        "x", options["mediators"], "y", **{k: v for k, v in options.items() if k != "mediators"}
    )
    table = fitted(model, survey(columns)).effects().set_index("effect")
    return [bool(table.loc[k, "lower"] < value < table.loc[k, "upper"]) for k, value in truth.items()]


@pytest.mark.parametrize("design", DESIGNS)
def test_a_few_intervals_cover_about_as_often_as_they_say(design: str) -> None:
    hits = np.array([covered(design, 100 + s, lambda m, a: around_mode(m, a, 300)) for s in range(12)])
    # 36 or more intervals, correlated within a set: fewer than .8 has a probability far below .001.
    assert hits.mean() > 0.8


@pytest.mark.slow
@pytest.mark.parametrize("design", DESIGNS)
def test_intervals_cover_as_often_as_they_say(design: str) -> None:
    def fitted(model: mp.Mediation, answers: object) -> mp.Fit:
        return model.fit(answers, seed=1, draws=500, chains=4, progress=False)

    hits = np.array([covered(design, s, fitted) for s in range(200)])
    assert abs(hits.mean() - 0.95) <= 0.025, hits.mean(0)


def logistic_items(theta: np.ndarray, items: int, rng: np.random.Generator) -> np.ndarray:
    """Answers 0 to 3 (person, item): a logistic response of slope 1.7 cut at three points."""
    response = 1.7 * theta[:, None] + rng.logistic(size=(len(theta), items))
    return (response[:, :, None] > np.array([-1.8, 0.0, 1.8])).sum(-1)


def latent_set(seed: int, n: int) -> tuple[dict[str, np.ndarray], float]:
    """Ordinal answers to four items each of x -> m -> y, and the standardised indirect effect."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    m = 0.5 * x + np.sqrt(0.75) * rng.normal(size=n)
    y = 0.5 * m + 0.1 * x + np.sqrt(1 - 0.25 - 0.01 - 0.05) * rng.normal(size=n)
    theta = {"x": x, "m": m, "y": y}
    return {k: logistic_items(v, 4, rng) for k, v in theta.items()}, 0.25


def constructs() -> list[mp.Construct]:
    return [mp.GradedResponse(name, f"{name}1..{name}4") for name in "xmy"]


def asked(codes: dict[str, np.ndarray]):  # type: ignore[no-untyped-def]
    from medpsy.survey.instrument import Instrument, Module
    from medpsy.survey.survey import Survey

    modules = tuple(Module(k, tuple(f"{k}{j + 1}" for j in range(4)), (0, 1, 2, 3)) for k in codes)
    table = np.hstack(list(codes.values())).astype(np.int8)
    return Survey(Instrument(modules, ()), np.array([f"p{i}" for i in range(len(table))]), table, {})


def test_the_joint_model_escapes_the_attenuation_of_mean_scores() -> None:
    codes, truth = latent_set(7, 1200)
    x, m, y = constructs()
    fit = around_mode(mp.Mediation(x, [m], y), asked(codes), 100)
    row = fit.naive_effects().set_index("effect").loc["indirect"]
    assert row["lower"] < truth < row["upper"]
    assert row["naive"] < 0.85 * truth  # two paths, each weakened by errors of measurement


@pytest.mark.slow
def test_intervals_of_latent_mediation_cover_as_often_as_they_say() -> None:
    x, m, y = constructs()
    hits, naive = [], []
    for seed in range(200):
        codes, truth = latent_set(seed, 250)
        fit = mp.Mediation(x, [m], y).fit(asked(codes), seed=1, draws=500, progress=False)
        row = fit.naive_effects().set_index("effect").loc["indirect"]
        hits.append(row["lower"] < truth < row["upper"])
        naive.append(row["naive"])
    assert abs(np.mean(hits) - 0.95) <= 0.025
    assert np.mean(naive) < 0.85 * 0.25


@pytest.mark.slow
def test_a_product_of_constructs_is_recovered() -> None:
    rng = np.random.default_rng(3)
    n = 600
    x, w = rng.multivariate_normal([0, 0], [[1, 0.3], [0.3, 1]], n).T
    m = 0.5 * x + 0.3 * w + 0.3 * x * w + rng.normal(size=n)
    codes = {name: logistic_items(theta, 4, rng) for name, theta in (("x", x), ("m", m), ("y", w))}
    exposure, mediator, moderator = constructs()
    model = mp.Mediation(exposure, [], mediator, moderator=moderator, moderates="direct")
    fit = model.fit(asked(codes), seed=1, progress=False)
    assert fit.trusted and fit.provenance["engine"]["name"] == "products"
    table = fit.effects().set_index("effect")
    row = table.loc["c_y"]
    assert row["lower"] < 0.3 < row["upper"] and row["p_direction"] > 0.99
    slopes = fit.simple_slopes("m", "x", at={"y": [-1.0, 1.0]}).set_index("y")["mean"]
    assert slopes[1.0] - slopes[-1.0] == pytest.approx(2 * row["mean"], rel=1e-6)
