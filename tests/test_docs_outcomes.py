"""The page on observed families says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import medpsy as mp
from mediation_cases import survey
from medpsy.bind import bind
from medpsy.observed.base import observed_families

PAGE = (Path(__file__).parents[1] / "docs" / "outcomes.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)\n```$", PAGE, flags=re.MULTILINE | re.DOTALL)


def test_examples_run_and_print_what_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    space: dict[str, object] = {}
    for block in blocks("python"):
        exec(compile(block, "outcomes.md", "exec"), space)
    assert capsys.readouterr().out.strip() in blocks("text")


def test_the_table_names_every_family_with_its_parameters_and_priors() -> None:
    first = PAGE.partition("\nIntercepts have")[0]
    rows = re.findall(r"^\| [^|]* \| `(\w+)`(?: \(default\))? \| (.*) \|$", first, flags=re.MULTILINE)
    shown = {name: re.findall(r"`(\w+\([^`]*\))`", rest) for name, rest in rows}
    assert set(shown) == set(observed_families())
    for name, family in observed_families().items():
        assert shown[name] == [role.prior for role in family.roles if role.name != "intercept"]
        assert f"`{family.roles[0].prior}`" in PAGE


def test_refusals_read_as_shown() -> None:
    held = survey({"x": np.arange(4.0), "sleep": [7, 6.5, 8, 6], "absence": [0, 1, 1, 3]})
    for name, family in (("sleep", "poisson"), ("absence", "bernoulli")):
        with pytest.raises(mp.DataError) as caught:
            bind(mp.Model(f"{name} ~ x", families={name: family}).composed, held)
        assert str(caught.value) in blocks("text")
    levels = survey({"x": np.arange(4.0), "sleep": np.arange(4)}, {"sleep": ("1", "2", "3", "4")})
    with pytest.raises(mp.SpecError) as unordered:
        bind(mp.Model("sleep ~ x").composed, levels)
    assert str(unordered.value) in blocks("text")


@pytest.mark.parametrize("name", ["student-t", "logistic", "ordinal", "poisson", "negative-binomial"])
def test_a_model_file_for_every_family(name: str) -> None:
    path = Path(__file__).parents[1] / "models" / f"outcome-{name}.toml"
    assert path.name in PAGE
    assert mp.load_model(path).simulate(n=50).n_person == 50
