"""Sections to one self-contained page of HTML, or to Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2

from medpsy.report import format as numbers
from medpsy.report.blocks import Block, Bullets, Code, Figure, Heading, Section, Table, Text
from medpsy.report.context import Context

MARK = "NOT TO BE TRUSTED"
_KINDS = {
    Heading: "heading",
    Text: "text",
    Bullets: "bullets",
    Code: "code",
    Table: "table",
    Figure: "figure",
}


@dataclass(frozen=True)
class Meta:
    """What the page says about itself: title, the note every table carries, and whether to trust it."""

    title: str
    note: str = ""
    trusted: bool = True
    gate_reasons: Sequence[str] = field(default=())

    @classmethod
    def of(cls, context: Context) -> Meta:
        """Return the meta of a context."""
        return cls(context.title, context.note, context.trusted, tuple(context.gate_reasons))

    @property
    def warning(self) -> str:
        """The sentence of the banner; empty where the gate passed."""
        if self.trusted:
            return ""
        return f"{MARK}: the diagnostics gate failed: {'; '.join(self.gate_reasons) or 'no reason given'}."


def render_html(sections: Sequence[Section], meta: Meta) -> str:
    """Return one HTML page that needs nothing else: styles and figures inside, no script, no request.

    A failed gate marks the page and every table and figure; ``meta.note`` stands at the top and under each.
    """
    return _environment(escape=True).get_template("page.html.j2").render(_values(sections, meta))


def render_markdown(sections: Sequence[Section], meta: Meta, *, figures: str = "") -> str:
    """Return the report as Markdown.

    Parameters
    ----------
    sections : sequence of Section
    meta : Meta
    figures : str, optional
        Folder, relative to the Markdown file, that holds what ``figure_files`` returns. Without it
        figures are given in words.
    """
    values = _values(sections, meta) | {"folder": figures}
    text = _environment(escape=False).get_template("page.md.j2").render(values)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def figure_files(sections: Sequence[Section]) -> dict[str, str]:
    """Return file names and SVG texts of all figures, numbered as in the report."""
    drawn = [block for section in sections for block in section.blocks if isinstance(block, Figure)]
    return {f"figure-{at}.svg": block.svg for at, block in enumerate(drawn, 1)}


def _values(sections: Sequence[Section], meta: Meta) -> dict[str, Any]:
    """Return what the templates fill in: numbered blocks with their cells already printed."""
    tally = {"table": 0, "figure": 0}
    parts = []
    for section in sections:
        blocks = []
        for block in section.blocks:
            kind = _KINDS[type(block)]
            if kind in tally:
                tally[kind] += 1
            blocks.append({"kind": kind, "number": tally.get(kind, 0), "block": block} | _cells(block))
        parts.append({"title": section.title, "anchor": section.anchor, "blocks": blocks})
    mark = "" if meta.trusted else MARK
    style = Path(__file__).with_name("templates").joinpath("style.css").read_text(encoding="utf-8")
    return {"meta": meta, "sections": parts, "mark": mark, "style": style}


def _cells(block: Block) -> dict[str, Any]:
    if not isinstance(block, Table):
        return {}
    return {
        "heads": [str(column) for column in block.frame.columns],
        "right": numbers.numeric(block.frame, block.formats),
        "rows": numbers.cells(block.frame, block.formats),
    }


def _environment(*, escape: bool) -> jinja2.Environment:
    folder = Path(__file__).with_name("templates")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder), autoescape=escape, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    environment.filters["md"] = _markdown
    environment.filters["mdcell"] = lambda text: _markdown(text).replace("|", r"\|").replace("\n", " ")
    return environment


def _markdown(text: object) -> str:
    """Keep the characters of plain text that Markdown would read as markup."""
    return re.sub(r"([\\`*_<>\[\]])", r"\\\1", str(text))
