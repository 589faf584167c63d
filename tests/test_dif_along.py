"""Items that differ along a number: one difference per sd of it, uniform and non-uniform."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import medpsy as mp
from mediation_cases import around_mode
from medpsy.bind import bind
from medpsy.engines.base import choose
from medpsy.errors import SpecError
from medpsy.inference.density import Density, start_point
from medpsy.posterior.item_differences import item_differences
from medpsy.spec.model_spec import Construct, ModelSpec
from medpsy.spec.write_toml import to_toml
from medpsy.survey.bands import band_places, banded
from medpsy.survey.instrument import Instrument, Module, Variable
from medpsy.survey.survey import Survey

ITEMS = tuple(f"i{j}" for j in range(1, 7))


def answers(n: int, uniform: float = 0.0, slope: float = 0.0, seed: int = 1) -> Survey:
    """Item i3 is harder for older persons by ``uniform`` logits per sd, and its slope grows by exp(slope)."""
    rng = np.random.default_rng(seed)
    age = rng.normal(40, 12, n)
    z = (age - age.mean()) / age.std()
    theta = rng.normal(size=n) + 0.3 * z
    a, b = np.array([1.0, 1.4, 1.2, 0.9, 1.6, 1.1]), np.array([-0.8, 0.3, 0.0, 0.7, -0.2, 0.4])
    eta = theta[:, None] * a - b
    eta[:, 2] = theta * a[2] * np.exp(slope * z) - b[2] - uniform * z
    codes = (rng.random((n, 6)) < 1 / (1 + np.exp(-eta))).astype(np.int8)
    instrument = Instrument((Module("m", ITEMS, (0, 1)),), (Variable("age"),))
    return Survey(instrument, np.array([f"p{i}" for i in range(n)]), codes, {"age": age})


def groups_of(survey: Survey, bands: int = 6, **more: object) -> tuple[Survey, mp.Groups]:
    cut, by = banded(survey, "age", bands)
    places = band_places(cut, "age", by)
    middle = min(places, key=lambda pair: abs(pair[1]))[0]
    return cut, mp.Groups(by, along=places, reference=middle, **more)  # type: ignore[arg-type]


def test_places_are_the_means_of_the_bands() -> None:
    cut, groups = groups_of(answers(300))
    age, code = cut.variables["age"], cut.variables[groups.by]
    sizes = np.bincount(code)
    places = np.array([value for _, value in groups.along])
    assert sizes @ places == pytest.approx(0, abs=1e-9)
    assert places[0] == pytest.approx((age[code == 0].mean() - age.mean()) / age.std())


def test_uniform_and_non_uniform_differences_are_found() -> None:
    """Released for one item: its difference per sd; the others are equal and carry the means of the bands."""
    cut, groups = groups_of(answers(6000, uniform=0.5, slope=0.25), release=("i3",))
    model = mp.Model(ModelSpec((Construct("m", ITEMS, "bernoulli", positive=True),), groups=groups))
    table = item_differences(around_mode(model, cut, draws=60).result)
    assert set(table["item"]) == {"i3"}
    assert set(table["group"]) == {"per sd of age (bands)"}
    found = table.set_index("coordinate")
    assert found.loc["location", "mean"] == pytest.approx(0.5, abs=0.12)
    assert found.loc["slope", "mean"] == pytest.approx(0.25, abs=0.12)
    assert found.loc["location", "p_relevant"] > 0.5


def test_gradient_is_the_numerical_one() -> None:
    cut, groups = groups_of(answers(120), bands=3, shrink=("location", "slope"))
    data = bind(mp.Model(ModelSpec((Construct("m", ITEMS, "bernoulli"),), groups=groups)).composed, cut)
    engine, _ = choose(data)
    density = Density(data, engine.compiled(data, engine.settings(data, 31)))
    rng = np.random.default_rng(3)
    u = start_point(data) + 0.2 * rng.standard_normal(density.size)
    _, gradient = density.value_and_gradient(u)
    for _ in range(5):
        direction = rng.standard_normal(density.size)
        ends = [density.value_and_gradient(u + s * direction)[0] for s in (1e-5, -1e-5)]
        assert gradient @ direction == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-5)
    # One number per item and coordinate, however many bands.
    held = {p.name: p for p in data.parameters}
    assert held["shrunk_location_m"].shape == (6,)


def test_what_cannot_be_done_is_refused(tmp_path: object) -> None:
    cut, groups = groups_of(answers(60), bands=3)
    with pytest.raises(SpecError, match="all stand at the same place"):
        mp.Groups("age (bands)", along=(("a", 1.0), ("b", 1.0)))
    wrong = replace(groups, along=groups.along[:2], release=("i3",))
    with pytest.raises(SpecError, match="has no number"):
        bind(mp.Model(ModelSpec((Construct("m", ITEMS, "bernoulli"),), groups=wrong)).composed, cut)
    with pytest.raises(SpecError, match="has levels: items cannot differ in proportion to it"):
        mp.dif(cut, mp.TwoParameterLogistic("m", "i1..i6"), by="age (bands)", along=True)
    text = to_toml(ModelSpec((Construct("m", ITEMS, "bernoulli"),), groups=groups))
    assert "[groups.along]" in text
