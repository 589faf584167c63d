"""Omega hierarchical: the oblique rotation, Schmid and Leiman, and agreement with psych."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import optimize

import medpsy as mp
from medpsy.classical.efa import exploratory
from medpsy.classical.schmid_leiman import general_loadings, omega_hierarchical, quartimin, second_order

PATTERN = np.kron(np.eye(3), np.array([[0.8], [0.7], [0.6]])) + 0.05
SECOND = np.array([0.9, 0.7, 0.6])
PHI = np.outer(SECOND, SECOND) + np.diag(1 - SECOND**2)
# psych 2.2.9: omega(d[, items], nfactors = 3, plot = FALSE); d: mexmed_students_clean.csv
PSYCH = {
    "phq": (0.6812265, [0.4606, 0.6001, 0.5082, 0.5401, 0.5391, 0.5988, 0.5821, 0.5051, 0.3507]),
    "gad": (0.8031229, [0.7411, 0.8432, 0.7882, 0.7082, 0.5317, 0.5738, 0.6372]),
    "epworth": (0.5011116, [0.3561, 0.3813, 0.2429, 0.3510, 0.5971, 0.2809, 0.7706, 0.2771]),
}


def plain(seed: int = 0) -> np.ndarray:
    """Loadings on uncorrelated factors, turned at random, that imply pattern and correlations."""
    loading = PATTERN @ np.linalg.cholesky(PHI)
    return loading @ np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]


def test_rotation_finds_the_simple_pattern_whatever_it_starts_from() -> None:
    pattern, phi = quartimin(np.stack([plain(seed) for seed in range(5)]))
    for one, between in zip(pattern, phi, strict=True):
        order = np.abs(one).argmax(axis=0).argsort()
        assert one[:, order] == pytest.approx(PATTERN, abs=0.09)
        assert one @ between @ one.T == pytest.approx(PATTERN @ PHI @ PATTERN.T)
        assert np.diag(between) == pytest.approx(np.ones(3))
    assert pattern.sum(axis=1).min() > 0


def test_rotation_is_the_minimum_that_a_general_optimiser_finds() -> None:
    loading = plain(3) + np.random.default_rng(1).normal(0, 0.05, (9, 3))

    def value(free: np.ndarray) -> float:
        turn = free.reshape(3, 3)
        turn = turn / np.sqrt((turn**2).sum(axis=0))
        square = (loading @ np.linalg.inv(turn.T)) ** 2
        return float(sum((square[:, j] * square[:, k]).sum() for j in range(3) for k in range(j)) / 2)

    rng = np.random.default_rng(2)
    best = min(
        (optimize.minimize(value, np.eye(3).ravel() + rng.normal(0, 0.4, 9)) for _ in range(6)),
        key=lambda found: found.fun,
    )
    pattern, _ = quartimin(loading[None])
    square = pattern[0] ** 2
    own = float((square * (square.sum(axis=1, keepdims=True) - square)).sum() / 4)
    assert own == pytest.approx(best.fun, rel=1e-4)


def test_second_order_loadings_are_found_again_and_stay_within_one() -> None:
    assert second_order(PHI[None])[0] == pytest.approx(SECOND, abs=1e-3)
    two = second_order(np.array([[[1, 0.49], [0.49, 1]], [[1, -0.49], [-0.49, 1]]]))
    assert two == pytest.approx(np.array([[0.7, 0.7], [0.7, -0.7]]))
    wild = np.array([[1, 0.9, 0.9], [0.9, 1, 0.3], [0.9, 0.3, 1]])
    assert np.abs(second_order(wild[None])).max() <= 1.0


def test_omega_hierarchical_of_a_known_population() -> None:
    loading = np.kron(np.eye(3), np.array([[0.8], [0.7], [0.6]])) @ np.linalg.cholesky(PHI)
    residual = 1 - (loading**2).sum(axis=1)
    sd = np.linspace(0.5, 2, 9)
    general = np.repeat(SECOND, 3) * np.tile([0.8, 0.7, 0.6], 3)
    assert general_loadings(loading[None])[0] == pytest.approx(general, abs=2e-3)
    covariance = np.outer(sd, sd) * (loading @ loading.T + np.diag(residual))
    expected = (general @ sd) ** 2 / covariance.sum()
    found = omega_hierarchical(loading[None], residual[None], sd[None]).item()
    assert found == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("module", list(PSYCH))
def test_estimate_agrees_with_psych(module: str, shared: Path) -> None:
    frame = pd.read_csv(shared / "data" / "mexmed_students" / "mexmed_students_clean.csv")
    columns = [name for name in frame.columns if name.rstrip("0123456789") == module]
    found = exploratory(frame[columns].corr().to_numpy(), 3, rotation="none")
    omega, loading = PSYCH[module]
    assert general_loadings(found.loading[None])[0] == pytest.approx(loading, abs=1e-3)
    size = (1, len(columns))
    got = omega_hierarchical(found.loading[None], found.uniqueness[None], np.ones(size)).item()
    assert got == pytest.approx(omega, abs=1e-3)


def test_reliability_has_it_with_a_posterior_that_covers_the_truth() -> None:
    rng = np.random.default_rng(4)
    general = rng.normal(size=(600, 1))
    group = np.repeat(rng.normal(size=(600, 3)), 3, axis=1)
    values = 0.6 * general + 0.5 * group + np.sqrt(1 - 0.61) * rng.normal(size=(600, 9))
    truth = (9 * 0.6) ** 2 / ((9 * 0.6) ** 2 + 3 * (3 * 0.5) ** 2 + 9 * 0.39)
    frame = pd.DataFrame(np.round(values * 1e3) / 1e3, columns=[f"x{j}" for j in range(9)])
    rows = mp.reliability(frame, draws=600).table.set_index("coefficient")
    found = rows.loc["omega hierarchical"]
    assert found["lower"] < truth < found["upper"]
    assert found["estimate"] == pytest.approx(truth, abs=0.06) == found["mean"]
    assert found["mean"] < rows.loc["omega total", "mean"]
    assert list(rows.index[:3]) == ["alpha", "omega total", "omega hierarchical"]
    without = mp.reliability(frame, draws=200, group_factors=0).table
    assert "omega hierarchical" not in set(without["coefficient"])
    with pytest.raises(mp.SpecError, match="no number of group factors"):
        mp.reliability(frame, group_factors=1)


def test_short_modules_are_named_in_a_note() -> None:
    frame = pd.DataFrame(np.random.default_rng(1).normal(size=(80, 4)) + np.arange(80)[:, None] / 20)
    found = mp.reliability(frame, draws=200)
    assert any("needs more items than there are in" in note for note in found.notes)
