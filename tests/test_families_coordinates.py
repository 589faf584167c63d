"""Coordinates in which groups are compared: there and back, and the gradients of both ways."""

from __future__ import annotations

import numpy as np
import pytest

import twins
from medpsy.families.base import families
from medpsy.families.coordinates import comparable, coordinates_of
from medpsy.ops import Numpy
from test_families import CATEGORICAL, categories_of, random_parameters

COMPARED = [name for name in CATEGORICAL if comparable(families()[name])]


def moderate(name: str, seed: int = 3) -> dict[str, np.ndarray]:
    """Values of every role without extremes."""
    rng = np.random.default_rng(seed)
    p = random_parameters(name, categories_of(name)[-1], 1)
    out = {role: rng.uniform(0.5, 2.0, value.shape) for role, value in p.items()}
    if "category_prob" in p:
        out["category_prob"] = rng.dirichlet(np.full(p["category_prob"].shape[1], 3.0), 3)
    return out


def test_the_families_of_the_rasch_tradition_can_be_compared() -> None:
    names = {"graded", "rasch", "partial_credit", "generalised_partial_credit", "rating_scale"}
    assert names <= set(COMPARED)


@pytest.mark.parametrize("name", COMPARED)
def test_coordinates_lead_there_and_back(name: str) -> None:
    p, about = moderate(name), coordinates_of(families()[name])
    again = about.back(about.to(p, Numpy), Numpy)
    assert set(again) == set(p)
    for role, value in p.items():
        np.testing.assert_allclose(again[role], value, rtol=1e-11)
    # Leading axes are kept.
    two = {role: np.stack([value, value]) for role, value in p.items()}
    for role, value in about.back(about.to(two, Numpy), Numpy).items():
        np.testing.assert_allclose(value[1], p[role], rtol=1e-11)


@pytest.mark.parametrize("name", COMPARED)
def test_a_uniform_difference_moves_every_threshold_alike(name: str) -> None:
    p, family = moderate(name), families()[name]
    about = coordinates_of(family)
    if "location" not in {part.name for part in about.parts}:
        pytest.fail("a family that is compared has locations")
    c = about.to(p, Numpy)
    moved = about.back(c | {"location": c["location"] + 0.4}, Numpy)
    shift = family.derived(moved, Numpy)["threshold"] - family.derived(p, Numpy)["threshold"]
    scale = p["slope"][:, None] if name == "graded_rating_scale" else 1.0
    np.testing.assert_allclose(shift, 0.4 * scale + 0 * shift, rtol=1e-9)


@pytest.mark.parametrize("name", COMPARED)
def test_gradients_go_both_ways(name: str) -> None:
    p, about = moderate(name), coordinates_of(families()[name])
    rng = np.random.default_rng(5)
    c = about.to(p, Numpy)
    for source, forward, reverse in ((p, about.to, about.to_reverse), (c, about.back, about.back_reverse)):
        weights = {key: rng.normal(size=value.shape) for key, value in forward(source, Numpy).items()}
        got = reverse(source, weights)
        assert set(got) == set(source)
        for key, value in source.items():
            if not value.size:  # two categories have no distances between thresholds
                continue

            def total(x: np.ndarray, key: str = key, shape: tuple[int, ...] = value.shape) -> np.ndarray:
                made = forward(source | {key: x.reshape(shape)}, Numpy)  # noqa: B023
                return np.array([sum((weights[k] * v).sum() for k, v in made.items())])  # noqa: B023

            want = twins.jacobian(total, value.ravel(), 1e-5)[0].reshape(value.shape)
            np.testing.assert_allclose(got[key], want, rtol=1e-6, atol=1e-7)
