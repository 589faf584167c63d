"""Rank plots: chains that agree stay in the band, chains that do not leave it."""

from __future__ import annotations

import numpy as np
import pytest

import made_up
from medpsy.errors import DataError
from medpsy.plots.ranks import band, ecdf_difference, fractional_ranks, rank_plot, thinning


def test_ranks_are_shares_with_ties_at_their_mean() -> None:
    ranks = fractional_ranks(np.array([[1.0, 2.0], [2.0, 5.0]]))
    assert ranks == pytest.approx(np.array([[0.125, 0.5], [0.5, 0.875]]))


def test_ecdf_differences_of_equal_chains_cancel() -> None:
    difference = ecdf_difference(made_up.draws(1)[:, :, 0])
    assert difference.shape == (4, 49)
    assert difference.mean(0) == pytest.approx(np.zeros(49), abs=1e-3)


def test_band_holds_95_percent_of_independent_draws() -> None:
    half = band(4, 200)
    rng = np.random.default_rng(9)
    inside = [(np.abs(ecdf_difference(rng.normal(size=(4, 200)))) <= half).all() for _ in range(300)]
    assert 0.90 <= np.mean(inside) <= 0.99


def test_a_shifted_chain_leaves_the_band() -> None:
    draws = made_up.draws(1)[:, :, 0]
    draws[2] += 0.5
    assert (np.abs(ecdf_difference(draws)) > band(4, 500)).any()


def test_thinning_follows_the_autocorrelation() -> None:
    draws = made_up.draws(1)[:, :, 0]
    assert thinning(draws) <= 2
    slow = draws.copy()
    for at in range(1, slow.shape[1]):
        slow[:, at] = 0.8 * slow[:, at - 1] + 0.6 * draws[:, at]
    assert 5 <= thinning(slow) <= 10  # the integrated time is (1 + 0.8) / (1 - 0.8) = 9
    assert thinning(np.cumsum(draws, axis=1)) == 10
    assert thinning(np.ones((4, 500))) == 1


def test_one_line_per_chain_and_panel() -> None:
    figure = rank_plot(made_up.draws(12), [f"v{i}" for i in range(12)])
    assert [axes.get_title() for axes in figure.axes] == [f"v{i}" for i in range(12)]
    assert all(len(axes.lines) == 4 for axes in figure.axes)
    assert [t.get_text() for t in figure.legends[0].get_texts()][-1] == "chain 4"
    assert len(rank_plot(made_up.draws(1), ["a"]).axes) == 1


@pytest.mark.parametrize(
    ("shape", "names", "message"),
    [
        ((4, 50, 2), ["a"], r"shape \(4, 50, 2\) do not fit 1 names"),
        ((4, 50, 2), ["a", "a"], "each once"),
        ((1, 50, 1), ["a"], "run two"),
        ((4, 50, 13), [f"v{i}" for i in range(13)], "between 1 and 12"),
        ((4, 50, 0), [], "between 1 and 12"),
    ],
)
def test_impossible_input_is_named(shape: tuple[int, ...], names: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        rank_plot(np.zeros(shape), names)
