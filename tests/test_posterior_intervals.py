"""Intervals, direction and region of practical equivalence against plain arithmetic and ArviZ."""

from __future__ import annotations

import numpy as np
import pytest

from medpsy.errors import SpecError
from medpsy.posterior.intervals import bounds, check_rope, direction, eti, hdi, rope_share


def test_equal_tailed_interval_of_a_ramp() -> None:
    lower, upper = eti(np.arange(101.0), 0.9)
    assert (lower, upper) == pytest.approx((5, 95))


def test_highest_density_interval_is_the_shortest_and_agrees_with_arviz() -> None:
    from arviz_stats.base.array import array_stats

    draws = np.random.default_rng(1).gamma(2.0, size=(3, 500))
    lower, upper = hdi(draws, 0.8)
    np.testing.assert_allclose(np.column_stack([lower, upper]), array_stats.hdi(draws, 0.8, axis=-1))
    inside = ((draws >= lower[:, None]) & (draws <= upper[:, None])).mean(1)
    assert (inside >= 0.8).all() and (inside < 0.81).all()
    wide_low, wide_high = eti(draws, 0.8)
    assert (upper - lower < wide_high - wide_low).all()


def test_a_single_draw_and_constant_draws_have_intervals_of_no_width() -> None:
    for kind in ("eti", "hdi"):
        assert bounds(np.array([2.0]), 0.95, kind) == (2.0, 2.0)
        assert bounds(np.full(10, 3.0), 0.95, kind) == (3.0, 3.0)


def test_draws_that_are_not_defined_leave_everything_undefined() -> None:
    draws = np.array([1.0, np.nan, 2.0])
    assert np.isnan(hdi(draws, 0.5)).all() and np.isnan(eti(draws, 0.5)).all()
    assert np.isnan(direction(draws)) and np.isnan(rope_share(draws, -1, 1))


def test_direction_and_share_in_the_region() -> None:
    draws = np.array([[-1.0, 0.0, 0.05, 2.0], [-1.0, -1.0, -1.0, 1.0]])
    np.testing.assert_allclose(direction(draws), [0.5, 0.75])
    np.testing.assert_allclose(rope_share(draws, -0.05, 0.05), [0.5, 0.0])
    assert np.isnan(rope_share(draws, np.nan, np.nan)).all()


@pytest.mark.parametrize("mass", [0, 1, -0.1, 95, float("nan"), True, "0.9"])
def test_an_impossible_mass_is_refused(mass: object) -> None:
    with pytest.raises(SpecError, match="posterior mass") as error:
        bounds(np.zeros(3), mass)  # type: ignore[arg-type]
    assert "0.95" in error.value.hint


def test_an_unknown_kind_and_an_impossible_region_are_refused() -> None:
    with pytest.raises(SpecError, match="Did you mean 'hdi'"):
        bounds(np.zeros(3), 0.9, "hdpi")
    for rope in (0, -1, float("inf"), float("nan")):
        with pytest.raises(SpecError, match="half-width"):
            check_rope(rope)
