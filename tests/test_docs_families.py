"""Pages of the response families say what the families do; their pictures show the families of today."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

import medpsy as mp
from medpsy.api.check import check_model_file
from medpsy.bind import bind
from medpsy.families.base import families, family, unsuited
from medpsy.families.composite import Composite
from medpsy.families.coordinates import comparable, coordinates_of
from medpsy.ops import Numpy
from medpsy.spec.model_spec import Construct
from test_families import CATEGORICAL, random_parameters

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "families"
NAMES = sorted(families())


def text(name: str) -> str:
    return (PAGES / f"{name}.md").read_text(encoding="utf-8")


def blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)\n```$", text(name), flags=re.MULTILINE | re.DOTALL)


def section(name: str, title: str) -> str:
    return text(name).partition(f"\n## {title}")[2].partition("\n## ")[0]


def model_file(name: str) -> Path:
    return ROOT / "models" / f"family-{name.replace('_', '-')}.toml"


@pytest.fixture(scope="module")
def draw() -> ModuleType:
    spec = importlib.util.spec_from_file_location("draw_families", PAGES / "draw.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_every_family_has_a_page_and_a_picture_and_every_page_a_family() -> None:
    assert sorted(path.stem for path in PAGES.glob("*.md")) == sorted([*NAMES, "index"])
    assert sorted(path.stem for path in PAGES.glob("*.png")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_formula_and_reference_are_those_of_the_family(name: str) -> None:
    part = family(name)
    assert part.formula.format(item="item", name="construct") in blocks(name, "text")
    assert "$$" in section(name, "Formula")
    reference = " ".join(section(name, "Reference").split())
    cited, _, doi = re.sub(r" \([^()]*\)$", "", part.reference).partition(" doi:")
    assert cited in reference
    assert (f"[doi:{doi}](https://doi.org/{doi})" if doi else "without a DOI") in reference


@pytest.mark.parametrize("name", NAMES)
def test_parameters_and_default_priors_are_those_of_the_family(name: str) -> None:
    table = re.findall(r"^\| `(\w+)` \|.*\|(.*)\|$", section(name, "Parameters"), flags=re.MULTILINE)
    written = {role: re.findall(r"`([^`]+)`", priors) for role, priors in table}
    true: dict[str, list[str]] = {role: [] for role in family(name).roles}
    for row in family(name).rows(Construct("x", ("a", "b", "c"), name)):
        if str(row.prior) not in true[row.target.partition(".")[0]]:
            true[row.target.partition(".")[0]].append(str(row.prior))
    assert written == true
    reported = getattr(family(name), "reported", {})
    assert [what for what in reported if f"`{what}`" not in section(name, "Parameters")] == []


@pytest.mark.parametrize("name", NAMES)
def test_python_and_model_file_say_the_same(name: str) -> None:
    names: dict[str, Any] = {}
    (code,) = blocks(name, "python")
    exec(compile(code, f"{name}.md", "exec"), names)
    (made,), (same,) = names["model"].spec.constructs, names["same"].spec.constructs
    assert made.family == name
    assert replace(made, positive=same.positive) == same
    (shown,) = blocks(name, "toml")
    whole = tomllib.loads(model_file(name).read_text(encoding="utf-8"))
    assert tomllib.loads(shown)["constructs"] == whole["constructs"]
    assert mp.load_model(model_file(name)).spec.constructs == (made,)
    assert f"<../../models/{model_file(name).name}>" in text(name)
    assert blocks(name, "sh")[0].startswith(f"medpsy run models/{model_file(name).name} ")


def test_priors_named_in_the_text_are_accepted() -> None:
    found = [
        (name, m) for name in NAMES for m in re.findall(r"`priors=\{(\"\w+\": \"[^\"]+\")\}`", text(name))
    ]
    assert found
    for name, written in found:
        ((role, prior),) = json.loads(f"{{{written}}}").items()
        model = mp.Model("x =~ a + b + c", families={"x": name}, priors={role: prior})
        assert str(model.composed.table[f"{role}.x.b"].prior) == prior


def refusals(name: str) -> list[str]:
    """What a family says to items that do not suit it: too many, too few, different numbers of categories."""
    construct = mp.load_model(model_file(name)).spec.constructs[0]
    found = (unsuited(family(name), construct, sizes) for sizes in ((4, 4), (2, 2), (3, 4)))
    return list(dict.fromkeys(str(error) for error in found if error is not None))


@pytest.mark.parametrize("name", CATEGORICAL)
def test_refusals_read_as_shown(name: str) -> None:
    shown = re.findall(r"```text\n(.*?)\n```", section(name, "What it refuses"), flags=re.DOTALL)
    assert sorted(shown) == sorted(refusals(name))
    assert bool(shown) != ("Nothing beyond" in section(name, "What it refuses"))


def test_columns_that_are_no_numbers_are_refused_as_shown() -> None:
    model = mp.load_model(model_file("gaussian"))
    answers = model.simulate(n=20)
    flat = replace(answers, variables=answers.variables | {"t1": np.full(20, 400.0)})
    with pytest.raises(mp.DataError) as constant:
        bind(model.composed, flat)
    assert str(constant.value) in blocks("gaussian", "text")
    group = replace(answers.instrument.variables[0], name="group", kind="category", levels=("a", "b", "c"))
    instrument = replace(answers.instrument, variables=(*answers.instrument.variables, group))
    three = replace(
        answers, instrument=instrument, variables=answers.variables | {"group": np.arange(20) % 3}
    )
    with pytest.raises(mp.SpecError) as category:
        bind(mp.Model([mp.LinearFactor("f", ["t1", "t2", "group"])]).composed, three)
    assert str(category.value) in blocks("gaussian", "text")


def test_what_every_family_refuses_reads_as_shown(tmp_path: Path) -> None:
    model = mp.load_model(model_file("graded"))
    answers, said = model.simulate(n=30), []
    silent, alike = answers.codes.copy(), np.zeros_like(answers.codes)
    silent[:, 2] = -1
    for survey in (replace(answers, codes=silent), replace(answers, codes=alike), answers.take(np.arange(4))):
        with pytest.raises(mp.DataError) as caught:
            bind(model.composed, survey)
        said.append(str(caught.value))
    with pytest.raises(mp.SpecError) as unknown:
        family("partial_credits")
    numbers = tmp_path / "numbers.toml"
    numbers.write_text(model_file("gaussian").read_text().replace('"gaussian"', '"graded"'), encoding="utf-8")
    with pytest.raises(mp.SpecError, match="line 26") as number:
        check_model_file(numbers)
    said += [str(unknown.value), str(number.value).partition(": ")[2]]
    assert sorted(said) == sorted(blocks("index", "text"))


def test_the_index_tells_what_groups_may_differ_in_and_who_takes_further_factors() -> None:
    rows = re.findall(
        r"^\| \[.*\]\((\w+)\.md\) \| `(\w+)` \| .* \| (.*) \| (\w+) \|$", text("index"), re.MULTILINE
    )
    assert sorted(page for page, *_ in rows) == NAMES
    for page, name, differ, further in rows:
        assert page == name
        part = family(name)
        binary = getattr(part, "max_categories", None) == 2  # one threshold has no distance to another
        parts = [c.name for c in coordinates_of(part).parts if not (binary and c.name in ("gap", "step"))]
        assert re.findall(r"`(\w+)`", differ) == (parts if comparable(part) else [])
        try:
            Composite(part, Construct("x", ("a", "b")), "cross_slope", np.array([0]), "cross-loadings")
        except mp.SpecError:
            assert further == "no"
        else:
            assert further == "yes"


@pytest.mark.parametrize(
    "name, turns", [("graded", True), ("generalised_partial_credit", True), ("sequential", False)]
)
def test_only_the_sequential_model_has_a_direction(name: str, turns: bool) -> None:
    p, theta = random_parameters(name, 4, 2), np.linspace(-2, 2, 5)
    other = {"slope": -p["slope"], "category_prob": p["category_prob"][:, ::-1]}
    table = families()[name].log_prob(theta, p, Numpy)
    turned = families()[name].log_prob(theta, other, Numpy)[:, ::-1]
    assert np.allclose(table, turned, rtol=1e-8) == turns


@pytest.mark.parametrize("name", NAMES)
def test_the_picture_shows_the_family_of_today(name: str, draw: ModuleType) -> None:
    """The curves that are kept inside the file are those of the model file and the family's log_prob."""
    file = PAGES / f"{name}.png"
    assert file.stat().st_size < 40_000
    assert f"]({file.name})" in text(name)
    shown = draw.drawn(name)
    with Image.open(file) as image:
        kept = json.loads(image.text["Description"])
        assert image.width > 900
    assert (kept["items"], kept["titles"]) == (list(shown.items), list(shown.titles))
    np.testing.assert_allclose(kept["curves"], shown.curves[..., draw.HELD], atol=2e-5)
    if shown.labels:
        np.testing.assert_allclose(shown.curves.sum(axis=1), 1.0, rtol=1e-12)
    figure = draw.picture(shown)
    assert len(figure.axes) == (1 if len(shown.labels) == 2 else 3)
