"""Inline SVG and the writing of numbers."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import matplotlib
import numpy as np
import pytest

import made_up
from medpsy.plots import numbers, style
from medpsy.plots.category_counts import category_counts
from medpsy.plots.effects_forest import effects_forest
from medpsy.plots.svg import to_svg


def test_svg_is_well_formed_inline_and_described() -> None:
    svg = to_svg(effects_forest(made_up.effects()), title="Effects & more", description="indirect <0.213>")
    root = ET.fromstring(svg)
    assert (
        svg.startswith("<svg ") and "<?xml" not in svg and "<!DOCTYPE" not in svg and "<metadata" not in svg
    )
    space = "{http://www.w3.org/2000/svg}"
    assert root.attrib["role"] == "img"
    assert root.attrib["width"] == "100%" and len(root.attrib["viewBox"].split()) == 4
    title, desc = root.find(f"{space}title"), root.find(f"{space}desc")
    assert title is not None and title.text == "Effects & more"
    assert desc is not None and desc.text == "indirect <0.213>"
    assert root.attrib["aria-labelledby"].split() == [title.attrib["id"], desc.attrib["id"]]


def test_identifiers_are_unique_references_inside_and_two_figures_share_none() -> None:
    first = to_svg(effects_forest(made_up.effects()), title="one", description="")
    second = to_svg(category_counts(made_up.predicted()), title="two", description="")
    found = []
    for svg in (first, second):
        ids = re.findall(r'\bid="([^"]+)"', svg)
        assert len(ids) == len(set(ids))
        used = re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', svg)
        assert {a or b for a, b in used} <= set(ids)
        assert not re.search(r'(?:href|src)="(?!#)', svg)
        found.append(set(ids))
    assert not found[0] & found[1]


def test_style_rules_stay_inside_the_figure() -> None:
    svg = to_svg(effects_forest(made_up.effects()), title="one", description="", prefix="abc")
    rules = re.findall(r"<style[^>]*>([^<]*)</style>", svg)
    assert rules and all(rule.startswith("#abc *{") or rule.startswith("#abc * {") for rule in rules)


def test_the_same_figure_gives_the_same_text_and_two_prefixes_two() -> None:
    texts = [to_svg(effects_forest(made_up.effects()), title="t", description="d") for _ in range(2)]
    assert texts[0] == texts[1]
    other = to_svg(effects_forest(made_up.effects()), title="t", description="d", prefix="fig-2")
    assert 'id="fig-2-title"' in other


def test_drawing_leaves_the_callers_settings_alone() -> None:
    before = dict(matplotlib.rcParams)
    to_svg(effects_forest(made_up.effects()), title="t", description="d")
    assert dict(matplotlib.rcParams) == before


def test_dollars_and_percent_signs_are_plain_text() -> None:
    frame = made_up.effects().assign(effect=["income $ per $ spent", "100 % sure", "a_b^c"])
    svg = to_svg(effects_forest(frame), title="t", description="d")
    assert "<svg" in svg
    texts = [t.get_text() for t in effects_forest(frame).axes[0].texts]
    assert "income $ per $ spent" in texts
    assert not any(t.get_parse_math() for t in effects_forest(frame).axes[0].texts)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.2134, "0.213"), (-0.0841, "−0.084"), (0.99961, "1.00"), (12.345, "12.35"), (123.46, "123.5"),
        (-10231.4, "−10,231.4"), (-0.0001, "0.000"), (0, "0.000"), (np.nan, "–"), (None, "–"),
        (np.inf, "∞"), (-np.inf, "−∞"), ("text", "–"),
    ],
)  # fmt: skip
def test_estimates(value: object, text: str) -> None:
    assert numbers.estimate(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.975, ".975"), (1.0, ">.999"), (0.99949, ".999"), (0.0, "<.001"), (0.0006, ".001"), (None, "–")],
)
def test_probabilities_never_reach_their_ends(value: object, text: str) -> None:
    assert numbers.probability(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.002, "1.002"), (4000, "4,000"), (0.7, "0.7"), (0.00001, "0.00001"), (2312.4, "2,312"), (np.nan, "–")],
)
def test_plain_numbers_have_no_powers_of_ten(value: object, text: str) -> None:
    assert numbers.plain(value) == text


def test_intervals_percentages_and_counts() -> None:
    assert numbers.interval(-0.1, 0.25) == "[−0.100, 0.250]"
    assert numbers.interval(np.nan, 1) == "–"
    assert numbers.with_interval(0.1, np.nan, np.nan) == "0.100"
    assert numbers.percent(0.6262) == "62.6 %"
    assert numbers.count(12345) == "12,345"


def test_long_names_break_after_underscores_and_lose_nothing() -> None:
    assert style.wrap("a_really_long_item_name", 14) == "a_really_\nlong_item_\nname"
    assert style.wrap("mh_1 slept badly", 40) == "mh_1 slept badly"
    assert style.wrap("one two three four", 9, 2) == "one two\nthree …"


def test_colours_are_distinct_and_legible() -> None:
    for n in range(1, 11):
        colours = style.ordinal_colours(n)
        assert len(set(colours)) == n
    assert style.ink_on("#ffffff") == style.INK and style.ink_on("#000000") == "white"
