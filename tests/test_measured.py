"""What a fit of a measurement model answers: verbs, figures by name, and its sections of the report."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import medpsy as mp
from made_posterior import bound, made, survey
from medpsy.api.figures import figures
from medpsy.bind import bind
from medpsy.posterior import measurement
from medpsy.posterior.measurement import is_measurement, measured
from medpsy.report.blocks import Figure, Section, Table
from medpsy.report.context import Context
from medpsy.report.sections import build_sections, items, precision, scores
from medpsy.result import Result

ABOUT = {"sampler": {"name": "nutpie (NUTS)", "seed": 1}, "route": {"name": "compiled"}, "versions": {}}


@cache
def fitted(text: str = "x =~ x1..x3", simulated: str = "") -> mp.Fit:
    answers = survey(60)
    codes = answers.codes.copy()
    codes[4, 0] = codes[5, :3] = -1
    object.__setattr__(answers, "codes", codes)
    object.__setattr__(answers, "simulated", simulated)
    result = made(answers=answers, data=bound(text, answers, name="made"), draws=40)
    result.provenance.update(ABOUT)
    return mp.Fit(result)


@pytest.fixture(autouse=True, scope="module")
def few_draws() -> Iterator[None]:
    """Reports of these tests draw scores at 40 posterior draws, not 200."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measurement, "DRAWS", 40)
        yield


def gather(result: Result, interval: float) -> dict[str, object]:
    """What the three sections gather, without those that others wrote."""
    found = {"items": items.gather(result, interval), "precision": precision.gather(result, interval)}
    found["scores"] = scores.gather(result, interval)
    return {name: part for name, part in found.items() if part is not None}


@cache
def sections(text: str = "x =~ x1..x3") -> dict[str, Section]:
    parts = gather(fitted(text).result, interval=0.9)
    return {s.title: s for s in build_sections(Context(title="t", interval=0.9, parts=parts))}


def of(section: Section, kind: type) -> list:
    return [block for block in section.blocks if isinstance(block, kind)]


# --- Verbs --------------------------------------------------------------------------------------------------


def test_the_only_construct_need_not_be_named_and_others_are_listed() -> None:
    fit = fitted()
    assert fit.information().equals(fit.information("x"))
    with pytest.raises(mp.SpecError, match="no construct 'xx'"):
        fit.item_curves("xx")
    with pytest.raises(mp.SpecError, match=r"2 constructs: x, y\n.*Name one"):
        fitted("x =~ x1..x3\ny =~ y1..y3").score_table()


def test_tables_and_curves_carry_the_verdict_and_the_note() -> None:
    fit = fitted(simulated="made for a test")
    persons, steps = fit.wright()
    for table in (persons, steps, fit.score_table(), fit.person_table(), fit.plausible_values(3)):
        assert (table["note"] == "made for a test").all()
        assert {"trusted", "reasons", "note"} <= set(table.attrs)
    for data in (fit.item_curves(), fit.information(), fit.scores(draws=5)):
        assert data.attrs["note"] == "made for a test"


def test_scores_hold_means_modes_and_draws_of_the_persons_of_the_survey() -> None:
    fit = fitted()
    found = fit.scores(draws=20)
    assert {"mean", "sd", "draw", "map", "map_error"} <= set(found)
    assert found["person"].to_numpy().tolist() == fit.survey.person.tolist()
    assert np.corrcoef(found["map"][:, 0], found["mean"][:, 0])[0, 1] > 0.99
    assert float(found["map"][5, 0]) == pytest.approx(0.0)  # answered nothing


def test_scores_without_a_mode_say_why() -> None:
    answers = survey(60)
    answers.variables["grade"] = (answers.variables["grade"] > 0).astype(float)
    model = mp.Model("x =~ x1..x3\ngrade ~ x", families={"grade": "bernoulli"})
    data = bind(model.composed, answers)
    pieces = made(answers=answers, data=data, draws=10, chains=2, engine="conditional")
    z = np.random.default_rng(0).normal(size=(2, 10, 60, 1))
    pieces.tree["posterior"]["z"] = xr.DataArray(z, dims=("chain", "draw", "person", "factor"))
    found = mp.Fit(pieces).scores(draws=5)
    assert "map" not in found
    assert "binary" in found.attrs["map"]


def test_reliability_of_scores_and_plausible_values_come_by_their_verbs() -> None:
    table = fitted().score_reliability(interval=0.5)
    assert list(table["coefficient"]) == ["marginal", "plausible values", "empirical"]
    assert fitted().plausible_values(4)["imputation"].nunique() == 4


# --- Figures ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(figures()))
def test_every_registered_figure_of_measurement_is_drawn(name: str) -> None:
    if name not in {
        "boundaries", "expected", "information", "item_information", "wright", "sum_scores", "scores",
    }:  # fmt: skip
        pytest.skip("a figure of another kind of model, with tests of its own")
    figure = fitted().plot(name)
    assert figure.axes and any(axes.has_data() for axes in figure.axes)


def test_figures_show_the_numbers_of_their_tables() -> None:
    fit = fitted()
    curves = fit.item_curves()
    axes = fit.plot("boundaries").axes[1]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), curves["boundary"][1, 0].sel(bound="mean"))
    right = fit.plot("expected").axes[1]
    np.testing.assert_allclose(right.lines[0].get_ydata(), curves["expected_sum"].sel(bound="mean"))
    information = fit.information()
    left, errors = fit.plot("information").axes
    np.testing.assert_allclose(left.lines[0].get_ydata(), information["test"].sel(bound="mean"))
    assert [text.get_text() for text in errors.get_legend().get_texts()] == [
        "maximum-likelihood score", "score that also uses the population",
    ]  # fmt: skip
    table = fit.score_table()
    scores, counts = fit.plot("sum_scores").axes
    assert scores.lines[0].get_ydata().tolist() == table["score"].tolist()
    assert [bar.get_height() for bar in counts.patches] == table["persons"].tolist()
    people, steps = fit.wright()
    left, right = fit.plot("wright").axes
    assert [bar.get_width() for bar in left.patches] == people["mean"].tolist()
    inside = steps["location"].clip(*right.get_ylim())
    assert [line.get_ydata()[0] for line in right.lines] == pytest.approx(inside.tolist())


def test_steps_beyond_the_axis_become_arrows() -> None:
    from medpsy.plots.wright_map import wright_map

    people, steps = fitted().wright()
    steps.loc[0, ["location", "lower", "upper"]] = [-np.inf, -np.inf, -1.0]
    steps.loc[1, ["location", "lower", "upper"]] = [np.inf, 1.0, np.inf]
    right = wright_map(people, steps).axes[1]
    low, high = right.get_ylim()
    assert [(line.get_marker(), line.get_ydata()[0]) for line in right.lines[:2]] == [("v", low), ("^", high)]


def test_changes_are_coloured_by_their_verdict() -> None:
    from medpsy.plots.change_scores import change_scores

    table = pd.DataFrame(
        {
            "before": [0.0, 1.0, 0.5], "after": [1.5, 1.1, -1.0], "change": [1.5, 0.1, -1.5],
            "lower": [0.5, -0.9, -2.5], "upper": [2.5, 1.1, -0.5], "verdict": ["up", "", "down"],
        }
    )  # fmt: skip
    left, right = change_scores(table, construct="x").axes
    texts = [text.get_text() for text in left.get_legend().get_texts()]
    assert texts == ["reliably up: 1", "reliably down: 1", "no reliable change: 1"]
    assert sorted(line.get_ydata()[0] for line in right.lines[:3]) == [-1.5, 0.1, 1.5]


def test_figures_go_by_name_and_a_wrong_name_by_the_nearest() -> None:
    fit = fitted()
    assert fit.plot("counts").axes
    assert len(fit.plot("categories").axes) == 3
    with pytest.raises(mp.SpecError, match=r"no figure 'wrihgt'\n.*Did you mean 'wright'"):
        fit.plot("wrihgt")
    with pytest.raises(mp.SpecError, match="2 constructs"):
        fitted("x =~ x1..x3\ny =~ y1..y3").plot("wright")
    assert fitted("x =~ x1..x3\ny =~ y1..y3").plot("wright", "y").axes


# --- Report -------------------------------------------------------------------------------------------------


def test_a_measurement_model_has_its_three_sections() -> None:
    found = sections()
    assert {"Items", "Information and precision", "Scores"} <= set(found)
    assert len(of(found["Items"], Figure)) == 3
    (steps,) = of(found["Items"], Table)
    assert steps.frame["Item"].tolist() == ["x1"] * 2 + ["x2"] * 2 + ["x3"] * 2
    (reliability,) = of(found["Information and precision"], Table)
    assert reliability.frame["Reliability"].tolist() == ["marginal", "plausible values", "empirical"]
    assert "most precisely at" in of(found["Information and precision"], Figure)[0].alt


def test_the_scores_section_counts_who_left_items_out() -> None:
    section = sections()["Scores"]
    alt = of(section, Figure)[0].alt
    assert "1 person left some items out, 1 person all of them" in alt
    (table,) = of(section, Table)
    assert "an answer is missing: 2 persons" in table.notes[0]
    assert table.frame["Sum score"].tolist() == list(range(7))
    assert table.frame["Persons"].sum() == 58


def test_two_constructs_have_figures_of_different_names() -> None:
    found = sections("x =~ x1..x3\ny =~ y1..y3")
    for title in ("Items", "Information and precision", "Scores"):
        drawings = [figure.svg.split('id="', 1)[1].split('"')[0] for figure in of(found[title], Figure)]
        assert len(set(drawings)) == len(drawings) > 2


def test_constructs_of_numbers_have_precision_and_scores_but_no_steps() -> None:
    answers = survey(60)
    result = made(answers=answers, data=bound("f =~ n1..n3", answers, family="gaussian"), draws=50)
    parts = gather(result, interval=0.9)
    assert "items" not in parts
    found = {s.title: s for s in build_sections(Context(title="t", interval=0.9, parts=parts))}
    assert {"Information and precision", "Scores"} <= set(found)


def test_models_with_paths_are_no_measurement_models() -> None:
    fit = fitted("x =~ x1..x3\ny =~ y1..y3\ny ~ a*x")
    assert not is_measurement(fit.result)
    assert list(measured(fit.result)) == []
    assert {"items", "precision", "scores"}.isdisjoint(gather(fit.result, interval=0.9))
    assert is_measurement(fitted("x =~ x1..x3\ny =~ y1..y3").result)


def test_change_takes_a_fit_or_a_survey_and_nothing_else() -> None:
    fit = fitted()
    again = mp.change(fit, fit, draws=5)
    pd.testing.assert_frame_equal(again.persons, mp.change(fit, fit.survey, "x", draws=5).persons)
    assert again.persons.attrs["trusted"] in (0, 1)
    with pytest.raises(mp.DataError, match="comes as str"):
        mp.change(fit, "after.csv")  # type: ignore[arg-type]
