"""The page: well-formed, self-contained, marked when it must be."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pandas as pd
import pytest

import made_up
from medpsy.report.blocks import Bullets, Code, Figure, Section, Table, Text
from medpsy.report.render import MARK, Meta, figure_files, render_html, render_markdown
from medpsy.report.sections import build_sections

NOTE = "simulated stand-in with the published margins, not the study's data"
VOID = {"meta", "link", "br", "hr", "img", "input", "base", "col", "source", "wbr"}


class Page(HTMLParser):
    """Reads a page, holding it to matching tags, and keeps what the tests ask for."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, list[str]] = {}
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.text.setdefault(tag, [])
        if tag not in VOID:
            self.open.append(tag)
            self.text[tag].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes <{self.open[-1:]}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        for tag in set(self.open):
            self.text[tag][-1] += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def sections() -> list[Section]:
    return build_sections(made_up.context())


@pytest.fixture(scope="module")
def html(sections: list[Section]) -> str:
    return render_html(sections, Meta.of(made_up.context()))


def small(**meta: object) -> str:
    frame = pd.DataFrame({"effect": ["a -> b", "<b>"], "mean": [0.12345, -12.5], "n": [321, 4000]})
    svg = '<svg id="s" role="img"><title>t</title></svg>'
    blocks = [
        Table("Two rows.", frame),
        Figure("A drawing.", "words", svg),
        Text(["One & two."]),
        Bullets(["<i>"]),
    ]
    return render_html([Section("Only", "only", blocks)], Meta(title="A < B", **meta))  # type: ignore[arg-type]


def test_page_is_well_formed_with_landmarks_and_one_heading(html: str) -> None:
    page = Page(html)
    assert html.startswith('<!DOCTYPE html>\n<html lang="en">')
    for landmark in ("header", "nav", "main", "footer", "h1"):
        assert len(page.all(landmark)) == 1, landmark
    skip = next(attrs for attrs in page.all("a") if attrs.get("class") == "skip")
    ids = {attrs["id"] for _, attrs in page.tags if "id" in attrs}
    assert skip["href"] == "#content"
    assert {str(attrs["href"])[1:] for attrs in page.all("a")} <= ids
    assert len(page.all("section")) == 10


def test_identifiers_are_unique_on_the_page(html: str) -> None:
    ids = [attrs["id"] for _, attrs in Page(html).tags if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_nothing_is_fetched_or_run(html: str) -> None:
    page = Page(html)
    for tag, attrs in page.tags:
        assert tag not in {"script", "iframe", "object", "embed", "base", "form"}
        for name, value in attrs.items():
            if name in {"src", "href", "xlink:href", "action", "poster", "data"}:
                assert str(value).startswith(("#", "data:,")), f"{tag} {name}={value}"
            assert not name.startswith("on"), f"{tag} {name}"
    styles = " ".join(page.text["style"])
    assert "@import" not in styles and "@font-face" not in styles
    assert not re.search(r"url\((?!#)", html)


def test_every_table_has_caption_head_and_scopes(html: str) -> None:
    page = Page(html)
    n = len(page.all("table"))
    assert n >= 10
    assert len(page.all("caption")) == len(page.all("thead")) == len(page.all("tbody")) == n
    assert {attrs.get("scope") for attrs in page.all("th")} == {"col", "row"}
    assert [caption.split(".")[0] for caption in page.text["caption"]] == [
        f"Table {i}" for i in range(1, n + 1)
    ]


def test_every_figure_has_caption_and_words(html: str) -> None:
    page = Page(html)
    n = len(page.all("figure"))
    assert n >= 8
    assert len(page.all("figcaption")) == len(page.all("svg")) == len(page.all("desc")) == n
    assert all(attrs["role"] == "img" and attrs["aria-labelledby"] for attrs in page.all("svg"))
    assert all(text.strip() for text in page.text["desc"])


def test_every_numeral_of_a_table_is_printed_and_text_is_escaped() -> None:
    html = small()
    page = Page(html)
    assert page.text["td"] == ["0.123", "321", "−12.50", "4,000"]
    assert [text for text in page.text["th"]] == ["effect", "mean", "n", "a → b", "<b>"]
    assert "<title>A &lt; B</title>" in html and "&lt;i&gt;" in html and "One &amp; two." in html


def test_a_trusted_page_bears_no_mark(html: str) -> None:
    assert MARK not in html
    assert NOTE not in html


def test_a_failed_gate_marks_page_tables_and_figures() -> None:
    context = made_up.context(trusted=False, gate_reasons=["R-hat 1.08", "12 divergences"], note=NOTE)
    page = Page(render_html(build_sections(context), Meta.of(context)))
    banner = f"{MARK}: the diagnostics gate failed: R-hat 1.08; 12 divergences."
    assert banner in page.text["header"][0] and NOTE in page.text["header"][0]
    assert all(MARK in caption for caption in page.text["caption"] + page.text["figcaption"])
    notes = [attrs for attrs in page.all("p") if attrs.get("class") == "note"]
    assert len(notes) == len(page.all("table")) + len(page.all("figure"))


def test_a_failed_gate_without_reasons_still_warns() -> None:
    assert f"{MARK}: the diagnostics gate failed: no reason given." in small(trusted=False)


def test_markdown_holds_tables_marks_and_notes() -> None:
    frame = pd.DataFrame({"effect": ["a|b", "x_1*"], "mean": [0.12345, -12.5]})
    blocks = [
        Table("Rows.", frame, notes=["A note."]),
        Figure("Drawn.", "in words", "<svg></svg>"),
        Code("y ~ x"),
    ]
    text = render_markdown([Section("Only", "only", blocks)], Meta("T", NOTE, False, ["R-hat 1.08"]))
    lines = text.splitlines()
    assert lines[0] == "# T"
    assert f"> **{MARK}: the diagnostics gate failed: R-hat 1.08.**" in lines
    at = lines.index("| effect | mean |")
    assert lines[at + 1 : at + 4] == ["| --- | ---: |", r"| a\|b | 0.123 |", r"| x\_1\* | −12.50 |"]
    assert f"**Table 1.** **{MARK}** Rows." in lines
    assert f"**Figure 1.** **{MARK}** Drawn. in words" in lines
    assert text.count(f"*{NOTE}*") == 2
    assert "```\ny ~ x\n```" in text and "A note." in lines


def test_markdown_of_a_whole_report_points_to_its_figures(sections: list[Section]) -> None:
    text = render_markdown(sections, Meta.of(made_up.context()), figures="img")
    files = figure_files(sections)
    assert len(files) == text.count("](img/figure-")
    assert all(f"](img/{name})" in text and svg.startswith("<svg ") for name, svg in files.items())
    rows = [line for line in text.splitlines() if line.startswith("|")]
    head = next(at for at, row in enumerate(rows) if row.startswith("| Effect |"))
    assert {row.count("|") for row in rows[head : head + 5]} == {rows[head].count("|")}
