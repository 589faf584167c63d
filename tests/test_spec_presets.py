"""Presets of priors: by name in text, model file and API; what is named beside them wins."""

from __future__ import annotations

from pathlib import Path

import pytest

import medpsy as mp
from medpsy.errors import SpecError
from medpsy.families.base import families
from medpsy.families.base import family as part
from medpsy.families.explained import has_locations
from medpsy.model import compose
from medpsy.spec.model_spec import Construct, ModelSpec
from medpsy.spec.presets import HIERARCHICAL, PRESETS
from medpsy.spec.priors import parse_prior
from medpsy.spec.write_toml import to_toml

TEXT = "x =~ x1..x4\ny =~ y1..y3\nf =~ n1 + n2 + n3\ny ~ x\nf ~ x + y\no ~ y"
FAMILIES = {"f": "gaussian", "o": "gaussian"}


def priors(**named: str) -> dict[str, str]:
    model = mp.Model(TEXT, families=FAMILIES, priors=named)
    return {row.target: str(row.prior) for row in model.composed.table if row.free}


def test_default_changes_nothing() -> None:
    assert priors(preset="default") == priors()


def test_weak_is_wider_everywhere() -> None:
    plain, weak = priors(), priors(preset="weak")
    assert weak["slope.x.x1"] == "LogNormal(0.25, 1)" and weak["slope.x.x2"] == "StudentT(4, 1, 2.5)"
    assert weak["category_prob.y.y1"] == "Dirichlet(0.5)" and weak["path.y~x"] == "Normal(0, 2)"
    assert weak["loading.f.n1"] == "LogNormal(-0.5, 1.2)" and weak["loading.f.n2"] == "Normal(0.6, 2)"
    assert not {t for t in plain if plain[t] == weak[t]} - {t for t in plain if t.startswith("residual_sd.o")}


def test_published_makes_every_slope_positive() -> None:
    found = priors(preset="published")
    assert {found[f"slope.x.x{j}"] for j in (1, 2, 3, 4)} == {"LogNormal(0.5, 1)"}
    assert found["path.y~x"] == "StudentT(7, 0, 2.5)" and found["residual_sd.f.n2"] == "Gamma(1, 0.5)"


def test_named_priors_win_over_the_preset() -> None:
    found = priors(preset="weak", slope="LogNormal(0, 0.5)", **{"slope.x.x3": "Normal(0, 1)"})
    assert found["slope.x.x1"] == found["slope.y.y2"] == "LogNormal(0, 0.5)"
    assert found["slope.x.x3"] == "Normal(0, 1)" and found["category_prob.x.x1"] == "Dirichlet(0.5)"


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("family", families())
def test_every_prior_fits_its_parameter(name: str, family: str) -> None:
    spec = ModelSpec((Construct("x", ("x1", "x2", "x3"), family),), priors=(("preset", name),))
    if name == HIERARCHICAL and not has_locations(part(family)):
        with pytest.raises(SpecError, match="has no location to explain"):
            compose(spec)
        return
    for row in compose(spec).table:
        if row.free and row.prior is not None:
            both = (row.support, row.prior.support)
            assert both[0] == both[1] or both == ("real", "positive")
    for text in PRESETS[name].priors.values():
        assert str(parse_prior(text)) == text


def test_unknown_preset_is_met_with_the_nearest() -> None:
    with pytest.raises(SpecError, match="no preset of priors 'weka'") as caught:
        mp.Model("x =~ x1..x4", priors={"preset": "weka"})
    assert "weak" in caught.value.hint


def test_preset_in_a_model_file(tmp_path: Path) -> None:
    path = tmp_path / "m.toml"
    lines = ["schema = 1", 'name = "m"', "[constructs.x]", 'items = "x1..x4"', "[priors]"]
    path.write_text("\n".join([*lines, 'preset = "weak"', 'slope = "LogNormal(0, 1)"']))
    model = mp.load_model(path)
    assert model == mp.Model("x =~ x1..x4", name="m", priors={"preset": "weak", "slope": "LogNormal(0, 1)"})
    assert dict(model.spec.priors) == {"preset": "weak", "slope": "LogNormal(0, 1)"}
    path.write_text(to_toml(model.spec))
    assert mp.load_model(path).spec == model.spec
    path.write_text("\n".join([*lines, 'preset = "wide"']))
    with pytest.raises(SpecError, match="no preset of priors 'wide'") as caught:
        mp.load_model(path)
    assert "6" in str(caught.value)  # the line
