"""Importance resampling at the mode: right where it accepts, silent where it must refuse."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from medpsy.engines.base import choose
from medpsy.fit import fit
from medpsy.inference import importance
from medpsy.inference.importance import Resampled, resample
from medpsy.inference.mode import Mode
from medpsy.inference.prepare import prepared
from medpsy.model import compose
from medpsy.spec.syntax import parse_model
from numeric_cases import bound, measured, survey


@dataclass
class Plain:
    """A density of ``size`` independent coordinates with a given log-density, as one person's term."""

    size: int
    log_density: Any
    n_person: int = 1

    @property
    def data(self) -> Any:
        return SimpleNamespace(n_person=self.n_person)

    @property
    def native(self) -> str:
        return "this density has no C function"

    @property
    def likelihood(self) -> None:
        return None

    def terms_at(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros(len(u)), np.array([[self.log_density(one)] for one in u])


def at_zero(size: int, sd: float = 1.0) -> Mode:
    return Mode(np.zeros(size), 0.0, sd * np.eye(size), 0, True, 0)


def test_a_skewed_target_is_reached_from_a_normal() -> None:
    # Gumbel-like: log p = -u - exp(-u), mean 0.5772, variance pi^2 / 6.
    density: Any = Plain(2, lambda u: float(-(u + np.exp(-u)).sum()))
    found = resample(density, at_zero(2, 1.7), 4000, 3)
    assert isinstance(found, Resampled)
    assert found.u.shape == (4000, 2) and found.k < 0.5
    np.testing.assert_allclose(found.u.mean(0), np.euler_gamma, atol=0.12)
    np.testing.assert_allclose(found.u.var(0), np.pi**2 / 6, rtol=0.15)
    assert found.log_likelihood is not None
    np.testing.assert_allclose(found.log_likelihood[:, 0], [density.log_density(u) for u in found.u])


def test_tails_that_the_normal_never_visits_are_refused() -> None:
    density: Any = Plain(3, lambda u: float(-2.0 * np.log1p(u**2).sum()))
    found = resample(density, at_zero(3, 0.5), 2000, 1)
    assert isinstance(found, float) and found > 0.5


def test_a_region_without_density_gets_no_weight() -> None:
    density: Any = Plain(1, lambda u: float(-0.5 * u @ u) if u[0] > -2 else -np.inf)
    found = resample(density, at_zero(1), 2000, 2)
    assert isinstance(found, Resampled)
    assert found.u.min() > -2


def test_terms_beyond_the_limit_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importance, "MOST_TERMS", 10)
    density: Any = Plain(1, lambda u: float(-0.5 * u @ u), n_person=5)
    found = resample(density, at_zero(1), 100, 2)
    assert isinstance(found, Resampled) and found.log_likelihood is None


def test_many_persons_are_resampled_and_the_result_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medpsy.inference.compiled_route.MANY_PERSONS", 300)
    answers = survey(900, items=4, categories=2, missing=0.02)
    model = compose(parse_model(measured("x", items=4)))
    quick = fit(model, answers, draws=400, chains=2, seed=1, progress=False)
    assert "importance resampling" in quick.provenance["sampler"]["name"]
    assert quick.provenance["numerics"]["importance k"] < 0.5
    slow = fit(model, answers, draws=400, chains=2, tune=200, seed=1, progress=False)
    assert "NUTS" in slow.provenance["sampler"]["name"]
    for name in ("slope_x", "threshold_x"):
        a, b = (r.tree["posterior"][name].to_numpy().reshape(800, -1) for r in (quick, slow))
        spread = b.std(0)
        assert (np.abs(a.mean(0) - b.mean(0)) / spread).max() < 0.2
        np.testing.assert_allclose(a.std(0), spread, rtol=0.15)


def test_the_search_may_begin_with_some_of_the_persons(monkeypatch: pytest.MonkeyPatch) -> None:
    data = bound(measured("x", "y", items=4), survey(500, items=4))
    engine, _ = choose(data)
    log: list[str] = []
    _, whole, _ = prepared(data, engine, None, [])
    monkeypatch.setattr("medpsy.inference.prepare.MANY_PERSONS", 400)
    monkeypatch.setattr("medpsy.inference.prepare.SOME_PERSONS", 200)
    density, mode, _ = prepared(data, engine, None, log)
    assert any("200 persons" in line for line in log)
    assert density.data.n_person == 500
    w = np.linalg.solve(whole.spread, mode.u - whole.u)
    assert np.abs(w).max() < 0.05
    assert mode.converged
