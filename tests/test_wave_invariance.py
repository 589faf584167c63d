"""Invariance over waves: the models by their parameters, moments by hand, recovery."""

from __future__ import annotations

import numpy as np
import pytest

import medpsy as mp
from group_cases import drawn
from medpsy.api.fits import Fit
from medpsy.api.wave_invariance import WaveInvariance
from medpsy.bind import bind
from medpsy.latent.base import system
from medpsy.model import compose
from medpsy.ops import Numpy
from medpsy.posterior.draws import thinned
from medpsy.posterior.wave_invariance import LEVELS, Waves, latent_moments, wave_means, wave_model, wave_table
from medpsy.result import Result
from medpsy.survey.instrument import Instrument, Variable
from medpsy.survey.survey import Survey

MOOD = Waves("mood", {"t1": ("a1", "a2", "a3"), "t2": ("b1", "b2", "b3")})
LOAD, PLACE = np.array([1.0, 0.8, 1.2]), np.array([3.0, 2.0, 4.0])


def survey(n: int = 300, seed: int = 1, drift: float = 0.0) -> Survey:
    """Two waves of three items; the construct rises by 0.5 and gains spread, item 3 drifts by itself."""
    rng = np.random.default_rng(seed)
    score = rng.multivariate_normal([0, 0.5], [[1.0, 0.6], [0.6, 1.4]], n)
    own = 0.3 * rng.normal(size=(n, 3))
    values = {}
    for wave, name in enumerate("ab"):
        y = PLACE + score[:, [wave]] * LOAD + own + 0.5 * rng.normal(size=(n, 3))
        y[:, 2] += drift * wave
        values |= {f"{name}{j + 1}": y[:, j] for j in range(3)}
    instrument = Instrument((), tuple(Variable(name) for name in values))
    return Survey(instrument, np.array([f"p{i}" for i in range(n)]), np.empty((n, 0), dtype=np.int8), values)


def at_priors(level: str, release: tuple[str, ...] = (), draws: int = 30) -> Result:
    model, answers = compose(wave_model([MOOD], level, release)), survey(60)
    return drawn(bind(model, answers), answers, draws=draws)


def raw(result: Result) -> dict[str, np.ndarray]:
    """Loadings, intercepts, residual variances by wave in raw units: (draw, wave, item)."""
    layout, p = result.data.layout, thinned(result, 1000)
    eq = result.data.model.structure.equations(p, layout, Numpy)
    place = {name: i for i, name in enumerate(layout.nodes)}
    mean, _ = system(eq, layout, Numpy)
    out: dict[str, list[list[np.ndarray]]] = {"loadings": [], "intercepts": [], "residuals": []}
    for wave, items in MOOD.items.items():
        f = place[MOOD.latent(wave)]
        rows: dict[str, list[np.ndarray]] = {key: [] for key in out}
        for item in items:
            i = place[item]
            load = eq.b[..., i, f] * layout.unit[i] / layout.unit[f]
            level = layout.centre[i] + layout.unit[i] * mean[..., i, 0]
            latent = layout.centre[f] + layout.unit[f] * mean[..., f, 0]
            rows["loadings"].append(load)
            rows["intercepts"].append(level - load * latent)
            rows["residuals"].append((eq.d[..., i] * layout.unit[i]) ** 2)
        for key, found in rows.items():
            out[key].append([np.broadcast_to(x, eq.b.shape[:-2]) for x in found])
    return {key: np.moveaxis(np.array(value), -1, 0) for key, value in out.items()}


@pytest.mark.parametrize("level", LEVELS)
def test_what_a_level_says_is_equal_is_equal_and_the_rest_is_not(level: str) -> None:
    found = raw(at_priors(level))
    for word in LEVELS[1:]:
        first, second = found[word][:, 0], found[word][:, 1]
        if LEVELS.index(word) <= LEVELS.index(level):
            np.testing.assert_allclose(first, second, rtol=1e-9)
        else:
            assert (np.abs(first - second)[:, 1:] > 1e-6).all()


def test_what_is_released_stays_free() -> None:
    found = raw(at_priors("residuals", ("intercepts.a3", "a2")))
    gap = {word: np.abs(values[:, 0] - values[:, 1]) for word, values in found.items()}
    assert (gap["intercepts"][:, 2] > 1e-6).all() and (gap["intercepts"][:, 0] < 1e-9).all()
    assert (gap["loadings"][:, 1] > 1e-6).all() and (gap["loadings"][:, 2] < 1e-9).all()
    assert (gap["residuals"][:, 1] > 1e-9).all() and (gap["residuals"][:, 2] < 1e-9).all()


def test_the_unit_is_that_of_an_item_whose_loading_is_equal() -> None:
    found = raw(at_priors("loadings", ("a1",)))["loadings"]
    np.testing.assert_allclose(found[:, :, 1], 1.0)
    assert (np.abs(found[:, 0, 0] - found[:, 1, 0]) > 1e-6).all()
    np.testing.assert_allclose(found[:, 0, 2], found[:, 1, 2])


def test_residuals_of_an_item_correlate_between_its_waves_and_with_nothing_else() -> None:
    pairs = {(c.left, c.right) for c in wave_model([MOOD], "configural").covariances if c.left != c.right}
    assert pairs == {("a1", "b1"), ("a2", "b2"), ("a3", "b3")}


def test_changes_are_in_raw_units_and_pooled_sds() -> None:
    result = at_priors("intercepts")
    mean, sd, r = latent_moments(result)
    row = wave_means({"loadings": result, "intercepts": result}, [MOOD]).iloc[0]
    assert row["level"] == "intercepts" and (row["group"], row["against"]) == ("t2", "t1")
    change = mean["mood_t2"] - mean["mood_t1"]
    assert row["difference"] == pytest.approx(change.mean())
    pooled = np.sqrt((sd["mood_t1"] ** 2 + sd["mood_t2"] ** 2) / 2)
    assert row["d"] == pytest.approx((change / pooled).mean())
    assert row["stability"] == pytest.approx(r["mood_t1", "mood_t2"].mean())
    np.testing.assert_allclose(mean["mood_t1"], 0, atol=1e-12)


def test_tables_and_figure() -> None:
    results = {level: at_priors(level) for level in LEVELS}
    table = wave_table(results)
    assert list(table["level"]) == list(LEVELS) and table["elpd_diff"].isna().tolist() == [True] + [False] * 3
    found = WaveInvariance("wave", {k: Fit(v) for k, v in results.items()}, 0.95, (MOOD,))
    assert found.holds in (True, False) and found.plot() is not None
    assert WaveInvariance("wave", {"configural": Fit(results["configural"])}, 0.95, (MOOD,)).holds is None


def test_what_is_refused_says_why() -> None:
    answers = survey(30)
    cases = [
        ({"mood": {"t1": "a1..a3"}}, {}, "has one wave"),
        ({"mood": {"t1": "a1..a3", "t2": "b1..b2"}}, {}, "different numbers of items: t1 3, t2 2"),
        ({"mood": {"t1": "a1", "t2": "b1"}}, {}, "one item a wave"),
        ({"mood": MOOD.items}, {"levels": ["metric"]}, "no level of invariance 'metric'"),
        ({"mood": MOOD.items}, {"levels": "metric"}, "no level of invariance 'metric'"),
        ({"mood": MOOD.items}, {"release": "thresholds.a3"}, "'thresholds.a3' cannot be released"),
        ({"mood": MOOD.items}, {"release": ["a1", "a2", "intercepts.a3"]}, "all intercepts of 'mood'"),
        ({"mood": MOOD.items}, {"release": ["b3"]}, "'b3' cannot be released"),
        ({}, {}, "no construct"),
        ({"mood": ["a1", "a2"]}, {}, "come as list, not as a mapping"),
    ]
    for constructs, options, said in cases:
        with pytest.raises(mp.SpecError, match=said):
            mp.wave_invariance(answers, constructs, **options)
    with pytest.raises(mp.DataError, match="no item 'c1'"):
        mp.wave_invariance(answers, {"mood": {"t1": "a1..a2", "t2": ["c1", "b2"]}})
    with pytest.raises(mp.DataError, match="not as a Survey"):
        mp.wave_invariance({"a": 1}, {"mood": MOOD.items})  # type: ignore[arg-type]


@pytest.mark.slow
def test_drift_of_an_item_is_found_and_the_change_recovered() -> None:
    found = mp.wave_invariance(
        survey(500, 2, drift=0.6), {"mood": MOOD.items}, levels=["configural", "loadings", "intercepts"],
        seed=1, draws=400, chains=2, progress=False,
    )  # fmt: skip
    assert found.holds is False
    partial = mp.wave_invariance(
        survey(500, 2, drift=0.6), {"mood": MOOD.items}, levels=["configural", "loadings", "intercepts"],
        release=["intercepts.a3"], seed=1, draws=400, chains=2, progress=False,
    )  # fmt: skip
    row = partial.means().iloc[0]
    assert partial.holds is True and row["lower"] < 0.5 / np.sqrt(1.2) < row["upper"]
