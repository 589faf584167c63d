"""Information, sums and scores of items that share specific factors, against all patterns of answers."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

import medpsy as mp
from mediation_cases import around_mode
from medpsy.bind import local
from medpsy.families.nested import Nested
from medpsy.ops import Numpy
from medpsy.posterior import nested_items
from medpsy.posterior.nested_items import nested_information, nested_log_likelihood, nested_sums
from medpsy.posterior.person_modes import person_modes, posterior_means

MODELS = Path(__file__).parents[1] / "models"
ITEMS, K = 5, 3
SLOPE = np.array([1.2, 0.8, 1.5, 1.0, 0.7])
SPECIFIC = np.array([0.9, 1.1, 0.6])  # of items 0, 1 and 3
PROB = np.array([[0.2, 0.5, 0.3], [0.4, 0.4, 0.2], [0.1, 0.3, 0.6], [0.3, 0.3, 0.4], [0.5, 0.25, 0.25]])
OWN = {"slope": SLOPE, "category_prob": PROB, "specific_slope": SPECIFIC}


def nested() -> Nested:
    model = mp.Model([mp.Bifactor("g", "i1..i5", {"s": ["i1", "i2", "i4"]})])
    family = model.composed.families["g"]
    assert isinstance(family, Nested)
    return family


def patterns() -> np.ndarray:
    return np.array(list(product(range(K), repeat=ITEMS)))


def probabilities(theta: float) -> np.ndarray:
    """P(pattern | theta) for all patterns: Gauss-Hermite over the specific factor, item by item."""
    from medpsy.families.graded import FAMILY

    points, weights = np.polynomial.hermite_e.hermegauss(61)
    weights = weights / weights.sum()
    every = patterns()
    further = np.zeros(ITEMS)
    further[[0, 1, 3]] = SPECIFIC
    total = np.sqrt(SLOPE**2 + further**2)
    threshold = FAMILY.derived({"slope": total, "category_prob": PROB}, Numpy)["threshold"]
    out = np.zeros(len(every))
    for u, w in zip(points, weights, strict=True):
        above = 1 / (1 + np.exp(-(SLOPE * theta + further * u)[:, None] + threshold))
        p = -np.diff(np.column_stack([np.ones(ITEMS), above, np.zeros(ITEMS)]), axis=1)
        out += w * np.prod(p[np.arange(ITEMS), every], axis=1)
    return out


@pytest.mark.parametrize("theta", [-1.3, 0.0, 0.8])
def test_information_is_the_variance_of_the_score_over_all_patterns(theta: float) -> None:
    step = 1e-4
    middle = probabilities(theta)
    slope = (np.log(probabilities(theta + step)) - np.log(probabilities(theta - step))) / (2 * step)
    assert middle.sum() == pytest.approx(1)
    wanted = float(middle @ slope**2)
    got = nested_information(nested(), OWN, np.array([theta]), np.random.default_rng(1))
    assert got.item() == pytest.approx(wanted, rel=1e-6)


def test_drawn_patterns_agree_with_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    theta = np.linspace(-2, 2, 5)
    exact = nested_information(nested(), OWN, theta, np.random.default_rng(1))
    monkeypatch.setattr(nested_items, "PATTERNS", 2)
    monkeypatch.setattr(nested_items, "SAMPLED", 20_000)
    np.testing.assert_allclose(
        nested_information(nested(), OWN, theta, np.random.default_rng(1)), exact, rtol=0.03
    )


def test_sums_are_those_over_all_patterns() -> None:
    places = [np.arange(K)] * (ITEMS - 1) + [np.array([0, 2, 3])]
    every = patterns()
    points = sum(np.asarray(places[j])[every[:, j]] for j in range(ITEMS))
    got = nested_sums(nested(), OWN, np.array([-0.7, 0.9]), places)
    for column, theta in enumerate((-0.7, 0.9)):
        wanted = np.bincount(points, probabilities(theta), minlength=len(got))
        np.testing.assert_allclose(got[:, column], wanted, atol=1e-8)


def test_log_likelihood_of_answers_with_gaps() -> None:
    theta = np.array([0.4, -1.0])
    answers = np.array([[0, 2, 1, 1, 2], [1, -1, 0, 2, -1]])
    got = nested_log_likelihood(nested(), OWN, theta, answers)
    every = patterns()
    for i in range(2):
        fits = ((every == answers[i]) | (answers[i] < 0)).all(axis=1)
        assert got[i] == pytest.approx(np.log(probabilities(theta[i])[fits].sum()), abs=1e-8)


@pytest.mark.parametrize("name", ["structure-bifactor", "structure-testlet"])
def test_a_fit_shows_them(name: str) -> None:
    model = mp.load_model(MODELS / f"{name}.toml")
    answers = model.simulate(n=120, seed=5)
    fit = around_mode(model, answers, draws=2)
    curve = fit.information()
    test = curve["test"].sel(bound="mean").to_numpy()
    alone = curve["item"].sel(bound="mean").sum("item_name").to_numpy()
    # Items that share a factor tell less about the construct together than one by one.
    assert (test > 0).all()
    middle = np.abs(curve["theta"].to_numpy()) < 1
    assert (test[middle] < alone[middle]).all()
    table = fit.score_table(short_form=True)
    assert table["share"].sum() == pytest.approx(1, abs=1e-6)
    scores = table["score"].dropna().to_numpy()
    assert (np.diff(scores) > 0).all()


def test_map_scores_maximise_the_density_given_the_answers() -> None:
    model = mp.load_model(MODELS / "structure-bifactor.toml")
    answers = model.simulate(n=25, seed=5)
    fit = around_mode(model, answers, draws=1, copies=2)
    mode, error = person_modes(fit.result)
    data, p = fit.result.data, posterior_means(fit.result)
    block = data.blocks[0]
    family = data.model.families[block.name]
    own = local(data, block, p)
    for i in (0, 7, 20):
        found = minimize_scalar(
            lambda t, i=i: 0.5 * t**2
            - nested_log_likelihood(family, own, np.array([t]), block.values[i : i + 1])[0],
            bounds=(-5, 5), method="bounded", options={"xatol": 1e-9},
        )  # fmt: skip
        assert mode[i, 0] == pytest.approx(found.x, abs=1e-5)
        assert 0 < error[i, 0] < 1
    assert fit.scores()["map"].isel(factor=0).notnull().all()
