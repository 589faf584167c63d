"""What a questionnaire was found to be, as blocks and sections of a report."""

from __future__ import annotations

from collections.abc import Sequence

from medpsy.plots.findings import figures
from medpsy.posterior.judging.findings import Findings
from medpsy.report.blocks import Block, Bullets, Section
from medpsy.report.figures import drawn, slug
from medpsy.report.tables import table

#: Tables that are drawn, or too long for a page; they are in the files and in Python.
NOT_PRINTED = ("categories", "distribution", "n", "discrimination", "eigenvalues")


def blocks(found: Findings, *, leave_out: Sequence[str] = ()) -> list[Block]:
    """Return figures, tables and notes of one question; ``leave_out`` names tables and figures."""
    out: list[Block] = []
    for name, (draw, caption) in figures(found).items():
        if name not in leave_out:
            out.append(
                drawn(draw(), name=slug(f"{found.name} {name}"), caption=caption, alt=_words(found, caption))
            )
    for sheet in found.sheets:
        if sheet.name not in (*NOT_PRINTED, *leave_out) and not sheet.frame.empty:
            optional = [name for name in sheet.columns if name in sheet.frame.columns]
            out.append(table(sheet.caption, sheet.frame, sheet.columns, optional=optional))
    if found.notes:
        out.append(Bullets(list(found.notes)))
    return out


def sections(parts: Sequence[Findings]) -> list[Section]:
    """Return one section per question."""
    return [Section(found.title, slug(found.title), blocks(found)) for found in parts]


def _words(found: Findings, caption: str) -> str:
    return f"{caption} The numbers are in the tables of {found.title.lower()}."
