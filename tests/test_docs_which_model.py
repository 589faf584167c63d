"""The page that helps to choose a model names every family, as the code calls it."""

from __future__ import annotations

import re
from pathlib import Path

import medpsy as mp
from medpsy.api.figures import figures
from medpsy.families.base import families

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "which-model.md").read_text(encoding="utf-8")


def test_both_tables_list_every_family_once() -> None:
    by_answers, _, rest = PAGE.partition("## By what is assumed")
    by_assumption = rest.partition("## Questions")[0]
    first = re.findall(r"^\|.*\| `(\w+)` \| `mp\.\w+` \|$", by_answers, flags=re.MULTILINE)
    second = re.findall(r"^\| `(\w+)` \|", by_assumption, flags=re.MULTILINE)
    assert sorted(first) == sorted(second) == sorted(families())


def test_the_python_name_beside_a_family_makes_it() -> None:
    rows = re.findall(r"^\|.*\| `(\w+)` \| `mp\.(\w+)` \|$", PAGE, flags=re.MULTILINE)
    assert rows
    for family, name in rows:
        assert getattr(mp, name)("x", "q1..q4").family == family


def test_figures_and_verbs_of_the_example_exist() -> None:
    called = re.findall(r'^fit\.plot\("(\w+)"\)', PAGE, flags=re.MULTILINE)
    assert len(called) == 5
    assert all(name in figures() or hasattr(mp.Fit, f"plot_{name}") for name in called)
    assert all(hasattr(mp.Fit, verb) for verb in re.findall(r"^fit\.(\w+)\(", PAGE, flags=re.MULTILINE))


def test_the_model_file_of_the_example_composes() -> None:
    file = Path(__file__).resolve().parent.parent / re.findall(r'load_model\("(.*?)"\)', PAGE)[0]
    model = mp.load_model(file)
    assert [construct.family for construct in model.spec.constructs] == ["graded"]
    assert model.simulate(n=40).n_person == 40
