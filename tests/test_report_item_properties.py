"""The section of the report on items that are explained by their properties."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import medpsy as mp
from mediation_cases import around_mode
from medpsy.report.blocks import Table
from medpsy.report.sections.item_properties import build, gather

MODELS = Path(__file__).parents[1] / "models"


def shown(name: str, n: int) -> tuple[Any, Any]:
    model = mp.load_model(MODELS / f"{name}.toml")
    fit = around_mode(model, model.simulate(n=n, seed=3), draws=1, copies=2)
    part = gather(fit.result, 0.95)
    context: Any = SimpleNamespace(parts={} if part is None else {"item_properties": part}, mass="95 %")
    return part, build(context)


def test_raters_stand_there_with_their_answers() -> None:
    part, section = shown("structure-many-facet", 120)
    (printed,) = section.blocks
    assert isinstance(printed, Table)
    rows = printed.frame[printed.frame["Property"] == "rater"]
    assert list(rows["Level"]) == ["anna", "ben", "carla", "dan", "sd"]
    assert list(rows["Answers"])[:4] == [360] * 4
    assert list(rows["Mean"]) == list(part["writing"].query("property == 'rater'")["mean"])
    assert len(printed.notes) == 1


def test_few_answers_are_said() -> None:
    _, section = shown("structure-many-facet", 3)
    assert "Fewer than ten answers" in section.blocks[0].notes[1]
    assert "rater 'anna'" in section.blocks[0].notes[1]


def test_models_without_properties_have_no_such_section() -> None:
    part, section = shown("family-rasch", 40)
    assert part is None and section is None
