"""Invariance over waves of ordinal items: levels by their parameters, tables by hand, recovery, bad input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import medpsy as mp
from group_cases import drawn
from medpsy.api.fits import Fit
from medpsy.api.wave_invariance import WaveInvariance
from medpsy.api.wave_invariance import _survey as answers_of
from medpsy.api.wave_invariance import _waves as asked_about
from medpsy.bind import bind
from medpsy.families.graded_coordinates import GradedCoordinates
from medpsy.model import compose
from medpsy.ops import Numpy
from medpsy.posterior.draws import thinned
from medpsy.posterior.invariance import levels_hold
from medpsy.posterior.wave_invariance import Waves, latent_moments, wave_means
from medpsy.posterior.wave_items import LEVELS, aligned_waves, item_changes, ordinal_model
from medpsy.result import Result
from wave_cases import two_waves

MOOD = Waves("mood", {"may": ("a1", "a2", "a3", "a4"), "june": ("b1", "b2", "b3", "b4")})
NAMES = {"mood": {"may": "a1..a4", "june": "b1..b4"}}


def at_priors(level: str, release: tuple[str, ...] = (), draws: int = 30) -> Result:
    answers = two_waves(50, items=4)
    data = bind(compose(ordinal_model([MOOD], level, "graded", release)), answers)
    return drawn(data, answers, draws=draws)


def coordinates(result: Result) -> list[dict[str, np.ndarray]]:
    p = thinned(result, 1000)
    names = ("mood_may", "mood_june")
    roles = ("slope", "category_prob")
    return [GradedCoordinates().to({r: p[f"{r}_{name}"] for r in roles}, Numpy) for name in names]


@pytest.mark.parametrize(
    ("level", "equal"),
    [("configural", ()), ("thresholds", ("location", "gap")), ("loadings", ("slope", "location", "gap"))],
)
def test_what_a_level_says_is_equal_is_equal_and_the_rest_is_not(level: str, equal: tuple[str, ...]) -> None:
    result = at_priors(level)
    early, late = coordinates(result)
    for name in ("slope", "location", "gap"):
        if name in equal:
            np.testing.assert_allclose(early[name], late[name], rtol=1e-5, atol=1e-6)
        else:
            assert (np.abs(early[name] - late[name]) > 1e-6).all()
    mean, sd, _ = latent_moments(result)
    assert np.ptp(mean["mood_may"]) < 1e-12 and np.ptp(sd["mood_may"]) < 1e-12
    assert (np.ptp(mean["mood_june"]) > 0.1) == (level != "configural")
    assert (np.ptp(sd["mood_june"]) > 0.1) == (level == "loadings")


def test_what_is_released_differs_and_its_size_is_told() -> None:
    result = at_priors("loadings", ("a2", "location.b4"))
    early, late = coordinates(result)
    rows = item_changes({"loadings": result}, [MOOD]).set_index(["item", "coordinate", "cell"])
    assert set(rows.index) == {
        ("a2", "slope", 0), ("a2", "location", 0), *(("a2", "gap", k) for k in (1, 2, 3)),
        ("a4", "location", 0),
    }  # fmt: skip
    moved = late["location"][:, 3] - early["location"][:, 3]
    assert rows.loc[("a4", "location", 0), "mean"] == pytest.approx(moved.mean())
    assert rows.loc[("a4", "location", 0), "p_relevant"] == pytest.approx((np.abs(moved) > 0.43).mean())
    ratio = np.log(late["gap"][:, 1, 2] / early["gap"][:, 1, 2])
    assert rows.loc[("a2", "gap", 3), "mean"] == pytest.approx(ratio.mean())


def test_alignment_finds_the_scale_and_the_item_by_hand() -> None:
    """Draws made from a known change: waves on two scales, one item that drifts."""
    answers = two_waves(50, items=4)
    data = bind(compose(ordinal_model([MOOD], "configural")), answers)
    slope, place = np.array([1.2, 1.5, 1.8, 2.0]), np.array([-0.5, 0.0, 0.3, 0.6])
    gap = np.full((4, 3), 1.1)
    mean, sd, drift = 0.5, 1.3, np.array([0, 0, 0, 1.0])
    early = GradedCoordinates().back({"slope": slope, "location": place, "gap": gap}, Numpy)
    # What a wave with mean and sd of its own looks like where these are taken to be 0 and 1.
    moved = {"slope": slope * sd, "location": place + drift - slope * mean, "gap": gap}
    late = GradedCoordinates().back(moved, Numpy)
    held = {f"{r}_mood_may": v for r, v in early.items()} | {f"{r}_mood_june": v for r, v in late.items()}
    result = drawn(data, answers, held, draws=10)
    own = aligned_waves(result, MOOD)
    assert own is not None
    np.testing.assert_allclose(own.mean[:, 1], mean, atol=0.04)
    np.testing.assert_allclose(own.sd[:, 1], sd, rtol=0.04)
    rows = item_changes({"configural": result}, [MOOD])
    found = rows[rows["p_relevant"] > 0.5]
    assert list(zip(found["item"], found["coordinate"], strict=True)) == [("a4", "location")]
    assert found["mean"].item() == pytest.approx(1.0, abs=0.15)


def test_changes_are_in_sds_of_the_first_wave() -> None:
    result = at_priors("loadings")
    mean, sd, r = latent_moments(result)
    row = wave_means({"loadings": result}, [MOOD], levels=LEVELS, known="thresholds").iloc[0]
    assert row["difference"] == pytest.approx(mean["mood_june"].mean())
    np.testing.assert_allclose(sd["mood_may"], 1.0)
    assert row["d"] == pytest.approx((mean["mood_june"] / np.sqrt((1 + sd["mood_june"] ** 2) / 2)).mean())
    assert row["stability"] == pytest.approx(r["mood_may", "mood_june"].mean())


def test_tables_and_figure() -> None:
    fits = {level: Fit(at_priors(level)) for level in LEVELS}
    found = WaveInvariance("wave", fits, 0.95, (MOOD,), "graded")
    table = found.table()
    assert list(table["level"]) == list(LEVELS) and table.loc[0, "equal"] == "nothing"
    assert table["share_relevant"].notna().tolist() == [True, False, False]
    assert list(found.means()["level"]) == ["aligned", "thresholds", "loadings"]
    assert set(found.parameters()["level"]) == {"configural"}
    assert found.holds in (True, False) and found.plot() is not None and "unrelated" in found.caution
    part = WaveInvariance("wave", {"thresholds": fits["thresholds"]}, 0.95, (MOOD,), "graded")
    assert part.holds is None and list(part.means()["level"]) == ["thresholds"]
    assert part.parameters().empty


def test_what_is_refused_says_why() -> None:
    answers = two_waves(30, waves=3, items=4)
    three = {
        "mood": {"t1": "a1..a4", "t2": "b1..b4", "t3": "c1..c4"},
        "more": {"t1": "a1..a2", "t2": "b1..b2"},
    }
    cases: list[tuple[Any, dict[str, Any], str]] = [
        (NAMES, {"levels": ["intercepts"]}, "no level of invariance 'intercepts'"),
        (NAMES, {"release": ["c1"]}, "'c1' cannot be released"),
        (three, {}, "5 constructs"),
        ({"mood": {"t1": "a1..a4", "t2": "b1..b3"}}, {}, "different numbers of items"),
        (NAMES, {"release": ["a1", "a2", "a3", "thresholds.a4"]}, "all thresholds of 'mood' are released"),
        (NAMES, {"release": "loading.a3"}, "'loading' is nothing that can be released"),
        (NAMES, {"interval": 2}, "cannot hold the posterior mass 2"),
        ([("mood", NAMES["mood"])], {}, "constructs come as list"),
    ]
    for constructs, options, said in cases:
        with pytest.raises(mp.SpecError, match=said):
            mp.wave_invariance(answers, constructs, **options)


def test_what_holds_is_known_from_the_whole_ladder_only() -> None:
    fits = {level: Fit(at_priors(level)) for level in ("thresholds", "loadings")}
    assert WaveInvariance("wave", fits, 0.95, (MOOD,), "graded").holds is None
    two = {"configural": "", "loadings": "predicts worse than configural: fails"}
    assert levels_hold(two, ("thresholds", "loadings")) is False
    assert levels_hold({**two, "loadings": "predicts as well as configural: holds"}, ("loadings",)) is True
    assert levels_hold({"configural": "", "thresholds": ": holds"}, ("thresholds", "loadings")) is None


def test_items_without_places_of_their_own_are_not_aligned() -> None:
    answers = two_waves(50, items=4)
    data = bind(compose(ordinal_model([MOOD], "configural", "graded_probit")), answers)
    result = drawn(data, answers, draws=5)
    assert aligned_waves(result, MOOD) is None and item_changes({"configural": result}, [MOOD]).empty


def test_a_frame_has_one_answer_scale_at_all_waves() -> None:
    answers = two_waves(40, items=2)
    frame = pd.DataFrame(np.minimum(answers.codes, 3), columns=list(answers.instrument.items))
    frame.loc[frame["b1"] == 0, ["b1", "b2"]] = 1
    waves = asked_about({"mood": {1: ["a1..a2"], 2: ("b1", "b2")}})
    assert waves[0].items == {"1": ("a1", "a2"), "2": ("b1", "b2")}
    read = answers_of(frame, waves, None)
    assert [m.codes for m in read.instrument.modules] == [(0, 1, 2, 3)]
    assert answers_of(frame, waves, "gaussian").instrument.modules == ()
    with pytest.raises(mp.DataError, match="come as list"):
        answers_of([], waves, None)  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_drifting_item_is_found_and_the_change_recovered() -> None:
    answers = two_waves(600, drift=1.2, seed=4)
    names = {"mood": {"may": "a1..a5", "june": "b1..b5"}}
    options: dict[str, Any] = {"seed": 1, "draws": 400, "chains": 2, "progress": False}
    found = mp.wave_invariance(answers, names, **options)
    rows = found.parameters()
    assert found.holds is False
    assert list(rows.loc[rows["p_relevant"] > 0.5, "item"]) == ["a5"]
    assert found.table().loc[0, "differing"] == "a5 location (june)"
    true = 0.4 / np.sqrt((1 + 1.2**2) / 2)
    means = found.means().set_index("level")
    assert means.loc["aligned", "lower"] < true < means.loc["aligned", "upper"]
    partial = mp.wave_invariance(answers, names, levels=["loadings"], release=["a5"], **options)
    row, drift = partial.means().iloc[0], partial.parameters().set_index("coordinate").loc["location"]
    assert row["lower"] < true < row["upper"] and abs(row["d"] - true) < abs(
        means.loc["loadings", "d"] - true
    )
    assert drift["lower"] < 1.2 < drift["upper"]


@pytest.mark.slow
def test_change_and_stability_are_those_of_lavaan() -> None:
    """lavaan 0.6, WLSMV, theta parameterisation, equal loadings and thresholds, on the same answers."""
    answers = two_waves(600, seed=7)
    found = mp.wave_invariance(
        answers, {"mood": {"may": "a1..a5", "june": "b1..b5"}}, levels=["loadings"], seed=1, draws=400,
        chains=2, progress=False,
    )  # fmt: skip
    row = found.means().iloc[0]
    assert row["d"] == pytest.approx(0.2541, abs=0.02)
    assert row["stability"] == pytest.approx(0.5619, abs=0.025)
    _, sd, _ = latent_moments(found.fits["loadings"].result)
    assert sd["mood_june"].mean() == pytest.approx(1.1166, abs=0.05)
