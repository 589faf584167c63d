"""Figures draw the numbers of their tables, whatever the number of rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import made_up
from medpsy.errors import DataError
from medpsy.plots.category_counts import category_counts
from medpsy.plots.category_curves import category_curves
from medpsy.plots.effects_forest import effects_forest
from medpsy.plots.item_bars import item_bars
from medpsy.plots.posterior_density import density, posterior_density
from medpsy.plots.prior_predictive import prior_predictive


def texts(figure: Figure) -> list[str]:
    return [t.get_text() for axes in figure.axes for t in axes.texts]


def tops(figure: Figure) -> float:
    """Highest pixel that any text reaches, as a share of the height of the page."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw_without_rendering()
    extents = [t.get_window_extent(renderer) for axes in figure.axes for t in axes.texts]
    return max(box.x1 for box in extents) / figure.bbox.x1


def test_forest_draws_points_intervals_ropes_and_numbers() -> None:
    figure = effects_forest(made_up.effects())
    axes = figure.axes[0]
    assert [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o"] == [0.213, 0.041, 0.254]
    segments = [c.get_segments()[0][:, 0].tolist() for c in axes.collections if hasattr(c, "get_segments")]
    assert segments[0] == [0.137, 0.296]
    assert segments[1] == pytest.approx([0.172, 0.254])
    bands = [c for c in axes.collections if not hasattr(c, "get_segments")]
    assert bands[0].get_paths()[0].get_extents().intervalx == pytest.approx([-0.05, 0.05])
    written = texts(figure)
    for text in ("indirect", "0.213", "[0.137, 0.296]", ">.999", ".741", "95 % interval"):
        assert text in written
    assert "mental health → meaning in life →\nprofessional mission" in written
    assert tops(figure) <= 1


def test_forest_takes_one_row_a_rope_and_a_row_without_numbers() -> None:
    one = made_up.effects().head(1).drop(columns=["rope_low", "rope_high"])
    assert not [c for c in effects_forest(one).axes[0].collections if not hasattr(c, "get_segments")]
    band = [
        c for c in effects_forest(one, rope=(-0.1, 0.1)).axes[0].collections if not hasattr(c, "get_segments")
    ]
    assert band[0].get_paths()[0].get_extents().intervalx == pytest.approx([-0.1, 0.1])
    empty = one.assign(mean=np.nan, lower=np.nan, upper=np.nan, sd=np.nan, p_direction=np.nan)
    assert texts(effects_forest(empty, interval=0.9)).count("–") == 3


def test_forest_needs_its_columns_and_a_row() -> None:
    with pytest.raises(DataError, match=r"effects forest: the table has no column 'lower'"):
        effects_forest(made_up.effects().drop(columns="lower"))
    with pytest.raises(DataError, match="no rows"):
        effects_forest(made_up.effects().head(0))


def test_curves_draw_the_means_of_the_chosen_items() -> None:
    curves = made_up.curves(n_items=30, n_categories=7)
    figure = category_curves(curves, items=["q30", "q2"])
    assert [axes.get_title() for axes in figure.axes] == ["q30", "q2"]
    line = figure.axes[1].lines[3]
    drawn = pd.Series(line.get_ydata(), index=np.round(line.get_xdata(), 6))
    assert drawn.loc[0.0] == pytest.approx(
        float(curves["probability"].sel(item="q2", theta=0, bound="mean")[3])
    )
    assert len(figure.axes[0].lines) == 7
    assert [t.get_text() for t in figure.legends[0].get_texts()] == curves.attrs["labels"]
    assert len(category_curves(curves).axes) == 30


def test_curves_name_an_unknown_item_and_a_missing_dimension() -> None:
    with pytest.raises(DataError, match=r"no item 'q11'\n.*Did you mean 'q1'|no item 'q11'"):
        category_curves(made_up.curves(), items=["q11"])
    with pytest.raises(DataError, match="theta and bound"):
        category_curves(made_up.curves().isel(bound=0, drop=True))
    with pytest.raises(DataError, match="no items to draw"):
        category_curves(made_up.curves(), items=[])


def test_counts_draw_bars_and_predictions_per_item() -> None:
    table = made_up.predicted()
    figure = category_counts(table)
    assert len(figure.axes) == 26
    first = table[table["item"] == "mh1"]
    axes = figure.axes[0]
    assert [bar.get_height() for bar in axes.patches] == first["observed"].tolist()
    assert axes.lines[0].get_ydata().tolist() == first["predicted"].tolist()
    assert axes.get_ylim()[1] >= table["upper"].max()
    headings = [t.get_text().replace("\N{NO-BREAK SPACE}", " ") for t in figure.texts]
    assert "mental health: 1 never, 2 rarely, 3 sometimes, 4 often, 5 almost every day" in headings


def test_counts_keep_each_constructs_own_categories_and_draw_no_bar_for_unknown() -> None:
    table = made_up.predicted()
    short = (table["construct"] == "professional mission") & (table["category"] > 3)
    figure = category_counts(table[~short].assign(observed=np.nan))
    assert not any(axes.patches for axes in figure.axes)
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["predicted, with interval"]
    figure.draw_without_rendering()
    assert [axes.get_xticks().tolist() for axes in (figure.axes[0], figure.axes[-1])] == [
        [1, 2, 3, 4, 5],
        [1, 2, 3],
    ]


def test_counts_of_one_item_and_of_none() -> None:
    table = made_up.predicted()
    assert len(category_counts(table[table["item"] == "pm6"]).axes) == 1
    with pytest.raises(DataError, match="no rows"):
        category_counts(table.head(0))


def test_item_bars_are_shares_in_category_order() -> None:
    table = made_up.items()
    figure = item_bars(table)
    assert len(figure.axes) == 3
    counts = table[table["item"] == "mh3"]["count"].to_numpy()
    bars = figure.axes[0].containers
    widths = [container[2].get_width() for container in bars]
    assert widths == pytest.approx(counts / counts.sum())
    labels = [t.get_text() for t in figure.axes[0].get_yticklabels()]
    assert labels[0] == "mh1  I slept badly"
    assert labels[3] == "mh4"
    assert labels[1].startswith("mh2  In the last two weeks") and labels[1].count("\n") == 2
    assert "321" in texts(figure)


def test_item_bars_count_an_unused_category_as_zero_and_an_item_without_answers() -> None:
    table = made_up.items()
    one = table[(table["item"] == "mh1") & (table["category"] != 2)]
    widths = [c[0].get_width() for c in item_bars(one).axes[0].containers]
    assert len(widths) == 4 and sum(widths) == pytest.approx(1)
    figure = item_bars(one.assign(count=0))
    assert [c[0].get_width() for c in figure.axes[0].containers] == [0, 0, 0, 0]
    assert "0" in texts(figure)


def test_prior_predictive_draws_one_row_per_construct() -> None:
    figure = prior_predictive(made_up.predicted().assign(observed=np.nan), made_up.prior_scores())
    assert len(figure.axes) == 6
    points = figure.axes[0].lines[0].get_ydata()
    table = made_up.predicted()
    assert points.tolist() == table.loc[table["construct"] == "mental health", "predicted"].tolist()
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["prior expectation, with interval"]
    with pytest.raises(DataError, match="prior predictive, scores: the table has no column 'mean'"):
        prior_predictive(made_up.predicted(), made_up.prior_scores().drop(columns="mean"))


def test_density_integrates_to_one_and_matches_the_normal() -> None:
    draws = np.random.default_rng(1).normal(2, 3, 20_000)
    grid = np.linspace(-13, 17, 601)
    values = density(draws, grid)
    assert np.trapezoid(values, grid) == pytest.approx(1, abs=2e-3)
    normal = np.exp(-0.5 * ((grid - 2) / 3) ** 2) / (3 * np.sqrt(2 * np.pi))
    assert np.abs(values - normal).max() < 0.01


def test_posterior_density_states_mean_and_interval_and_counts_lost_draws() -> None:
    draws = np.append(np.linspace(0.1, 0.3, 1001), np.nan)
    figure = posterior_density(draws, np.linspace(-1, 1, 500), rope=(-0.05, 0.05), label="indirect")
    axes = figure.axes[0]
    assert axes.get_title() == "mean 0.200, 95 % interval [0.105, 0.295]"
    assert axes.get_xlabel() == "indirect (1 of 1002 draws not finite)"
    names = [t.get_text() for t in axes.get_legend().get_texts()]
    assert names == ["practical equivalence", "prior", "posterior"]
    low, high = axes.get_xlim()
    assert low < -0.05 and high > 0.3


def test_posterior_density_of_a_constant_and_of_too_few_draws() -> None:
    figure = posterior_density(np.full(10, 0.4))
    assert figure.axes[0].lines[0].get_xdata() == [0.4, 0.4]
    with pytest.raises(DataError, match="'b': fewer than two finite draws"):
        posterior_density(np.array([1.0, np.nan]), label="b")
