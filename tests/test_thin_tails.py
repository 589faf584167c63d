"""Chains that agree but know too little of the ends of a heavy-tailed parameter are drawn for longer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from medpsy.inference import compiled_route
from medpsy.inference.compiled_route import _climbed, _thin_tails
from medpsy.inference.mode import Mode
from medpsy.inference.nuts import Draws


def told(values: np.ndarray) -> str:
    density: Any = SimpleNamespace(space=SimpleNamespace(constrain=lambda u: {"x": u}))
    return _thin_tails(SimpleNamespace(u=values), density)  # type: ignore[arg-type]


def test_independent_draws_have_tails_enough() -> None:
    rng = np.random.default_rng(1)
    constant = np.ones((4, 1000, 1))  # as the diagonal of a correlation matrix
    assert told(np.concatenate([rng.standard_t(2, (4, 1000, 2)), constant], axis=2)) == ""


def test_slow_excursions_into_a_tail_are_noticed() -> None:
    """Half of the time in the middle, far out for long: the middle mixes well, the tail does not."""
    rng = np.random.default_rng(2)
    far = np.repeat(rng.random((4, 20)) < 0.12, 50, axis=1)
    values = np.where(far, 8.0, 0.0) + rng.normal(size=(4, 1000))
    words = told(values[..., None])
    assert words.startswith("smallest tail effective sample size")
    assert float(words.rsplit(" ", 1)[1]) < 400


def climbed(monkeypatch: pytest.MonkeyPatch, made: dict[tuple[int, float], np.ndarray]) -> list[str]:
    """The log of a ladder whose rungs (draws, target acceptance) yield these draws."""

    def sample(density: Any, mode: Any, *, draws: int, target_accept: float, **_: Any) -> Draws:
        assert (mode.bend is None) == (target_accept > 0.7)  # bent coordinates have one try
        u = made[draws, target_accept]
        return Draws(u, {"diverging": np.zeros(u.shape[:2])}, {})

    monkeypatch.setattr(compiled_route, "sample", sample)
    monkeypatch.setattr(compiled_route, "reference_error", lambda *_: 0.0)
    density: Any = SimpleNamespace(space=SimpleNamespace(constrain=lambda u: {"x": u}))
    rungs, log = compiled_route._ladder(None, None, None, True, False), []
    mode = Mode(np.zeros(1), 0.0, np.eye(1), 0, True, 0, np.full(1, 0.3))
    _climbed(density, mode, rungs, True, 4, 1, 1, False, log)
    return [line.split(" and ", 1)[1] for line in log]


def test_few_independent_draws_are_followed_by_more_and_very_few_by_care(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(3)

    def walk(draws: int, rho: float) -> np.ndarray:
        x = rng.normal(size=(4, draws, 1))
        for i in range(1, draws):
            x[:, i] = rho * x[:, i - 1] + np.sqrt(1 - rho**2) * x[:, i]
        return x

    good, slow, stuck = walk(1000, 0.0), walk(1000, 0.87), walk(1000, 0.985)
    assert [line[-12:] for line in climbed(monkeypatch, {(1000, 0.7): good})] == ["chains agree"]
    short, long = climbed(monkeypatch, {(1000, 0.7): slow, (3000, 0.7): walk(3000, 0.87)})
    assert "smallest effective" in short and long == "3000 draws, target acceptance 0.7: chains agree"
    first, second = climbed(monkeypatch, {(1000, 0.7): stuck, (2000, 0.95): walk(2000, 0.0)})
    assert first.startswith("1000 draws") and "chains agree" not in first
    assert second == "2000 draws, target acceptance 0.95: chains agree"
