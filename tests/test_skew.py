"""Skewed directions of a posterior, and the coordinates in which it is straight."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.special import digamma, polygamma

from medpsy.inference.importance import Resampled, resample
from medpsy.inference.mode import Mode, hessian
from medpsy.inference.native import whitened
from medpsy.inference.skew import skewed_directions, straightened
from numeric_cases import bound, measured, survey

#: What is asked of the data of a density: few persons, nothing hierarchical.
ABOUT = SimpleNamespace(
    n_person=1, parameters=(), groups=None, layout=SimpleNamespace(levels=None),
    model=SimpleNamespace(spec=SimpleNamespace(linear=None)),
)  # fmt: skip

#: Shapes of gamma variates, whose logarithms are skewed by -1 / sqrt(shape) at the mode.
SHAPES = np.array([1.0, 3.0, 12.0, 400.0])


def hyperbola(v: np.ndarray, bend: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What `Mode.straight` says, written out for one number after another."""
    out = []
    for x, b in zip(v.tolist(), bend.tolist(), strict=True):
        if b == 0:
            out.append((x, 1.0, 0.0))
            continue
        root = (1 + (b * x / 0.8) ** 2) ** 0.5
        slope = 1 + b * x / root
        out.append((x + 0.64 / b * (root - 1), slope, b / root**3 / slope))
    made = np.array(out)
    return made[:, 0], made[:, 1], made[:, 2]


class LogGammas:
    """Logarithms of independent gamma variates, turned by a rotation; a density of one person."""

    native = "this density has no C function"
    likelihood = None

    def __init__(self, data: Any = ABOUT) -> None:
        self.size, self.data = len(SHAPES), data
        self.turn = np.linalg.qr(np.random.default_rng(4).standard_normal((self.size, self.size)))[0]

    def value_and_gradient(self, u: np.ndarray) -> tuple[float, np.ndarray]:
        y = self.turn @ u
        return float((SHAPES * y - np.exp(y)).sum()), (SHAPES - np.exp(y)) @ self.turn

    def terms_at(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros(len(u)), np.array([[self.value_and_gradient(one)[0]] for one in u])

    def mode(self) -> Mode:
        u = np.log(SHAPES) @ self.turn
        curvature = -hessian(lambda x: self.value_and_gradient(x)[1], u)
        return Mode(u, 0.0, np.linalg.cholesky(np.linalg.inv(curvature)), 0, True, 0)


def test_a_bent_coordinate_is_a_hyperbola() -> None:
    v = np.linspace(-6, 6, 41)
    for b in (-0.66, -0.1, 1e-9, 0.0, 0.3):
        mode = Mode(np.zeros(41), 0.0, np.eye(41), 0, True, 0, np.full(41, b))
        np.testing.assert_allclose(mode.straight(v), hyperbola(v, np.full(41, b)), atol=1e-6)
        slope = (mode.place(v + 1e-6) - mode.place(v - 1e-6)) / 2e-6
        np.testing.assert_allclose(mode.straight(v)[1], slope, rtol=1e-6)
        assert (slope > 0.19).all() and (slope < 1.81).all()


def test_directions_and_third_derivatives_are_found() -> None:
    density: Any = LogGammas()
    mode = density.mode()

    def gradient(w: np.ndarray) -> np.ndarray:
        return density.value_and_gradient(mode.u + mode.spread @ w)[1] @ mode.spread

    found, third = skewed_directions(gradient, mode.spread)
    np.testing.assert_allclose(found @ found.T, np.eye(len(found)), atol=1e-12)
    # Over y the direction w moves SHAPES^-1/2 w; the last one is too straight to count.
    own = found @ (np.sqrt(SHAPES)[:, None] * (density.turn @ mode.spread)).T
    assert len(third) == 3
    np.testing.assert_allclose(np.abs(own[:, :3]), np.eye(3), atol=0.02)
    # Over one sd, not at a point: exp is more than its third power.
    np.testing.assert_allclose(np.abs(third), 1 / np.sqrt(SHAPES[:3]), rtol=0.1)


def test_the_coordinates_take_most_of_the_third_derivatives_away() -> None:
    density: Any = LogGammas()
    mode = straightened(density, density.mode(), [])

    def third(mode: Mode, i: int) -> float:
        e, h = np.eye(4)[i], 0.05
        ahead, here, behind = (whitened(density, mode, x)[1][i] for x in (h * e, 0.0 * e, -h * e))
        return float((ahead - 2 * here + behind) / h**2)

    assert abs(third(Mode(mode.u, 0.0, mode.spread, 0, True, 0), 0)) == pytest.approx(1.0, abs=0.1)
    for i in range(3):
        assert abs(third(mode, i)) < 0.3 / np.sqrt(SHAPES[i])


def test_bent_proposals_are_weighted_right_and_better() -> None:
    density: Any = LogGammas()
    plain = resample(density, density.mode(), 4000, 5)
    found = resample(density, straightened(density, density.mode(), []), 4000, 5)
    assert isinstance(found, Resampled)
    assert isinstance(plain, float) or found.ess > plain.ess
    y = found.u @ density.turn.T
    sd = np.sqrt(polygamma(1, SHAPES))
    assert (np.abs(y.mean(0) - digamma(SHAPES)) < 4 * sd / np.sqrt(found.ess / 2)).all()
    np.testing.assert_allclose(y.std(0), sd, rtol=0.06)


def test_a_straight_posterior_is_left_alone() -> None:
    density: Any = SimpleNamespace(
        size=3, data=ABOUT, native="none", likelihood=None, value_and_gradient=lambda u: (-0.5 * u @ u, -u)
    )
    mode = Mode(np.zeros(3), 0.0, np.eye(3), 0, True, 0)
    log: list[str] = []
    assert straightened(density, mode, log) is mode and log == []


def test_sds_of_deviations_are_left_alone() -> None:
    about = SimpleNamespace(**vars(ABOUT) | {"layout": SimpleNamespace(levels="school")})
    density: Any = LogGammas(about)
    mode, log = density.mode(), list[str]()
    assert straightened(density, mode, log) is mode and log == []


def test_draws_of_a_model_are_those_of_unbent_coordinates(monkeypatch: pytest.MonkeyPatch) -> None:
    from medpsy.engines.base import choose
    from medpsy.inference import compiled_route

    data = bound(measured("x"), survey())
    engine = choose(data)[0]

    def drawn() -> tuple[np.ndarray, list[str]]:
        made = compiled_route.run(
            data, engine, draws=1500, tune=None, chains=4, seed=2, cores=1, target_accept=None,
            progress=False, nodes=None,
        )  # fmt: skip
        return made.values["category_prob_x"], made.log

    bent, log = drawn()
    monkeypatch.setattr(compiled_route, "straightened", lambda density, mode, log: mode)
    plain, _ = drawn()
    assert any("skewed directions" in line for line in log)
    sd = plain.std((0, 1))
    assert (np.abs(bent.mean((0, 1)) - plain.mean((0, 1))) < 0.12 * sd).all()
    np.testing.assert_allclose(bent.std((0, 1)), sd, rtol=0.12)
