"""How good the questionnaire is: where a model file asks with ``[report] questionnaire = true``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from medpsy.classical.inputs import read_answers
from medpsy.posterior.judging.findings import Findings
from medpsy.posterior.judging.judge import judge
from medpsy.posterior.judging.latent_validity import latent_validity
from medpsy.report.blocks import Block, Heading, Section
from medpsy.report.context import Context
from medpsy.report.judged import blocks
from medpsy.result import Result

ORDER = 52

#: The section on the questionnaire has these already.
ELSEWHERE = {"describe": ("items",)}


def gather(result: Result, interval: float) -> tuple[Findings, ...] | None:
    """Return all findings on the constructs' items, and the validity of the constructs."""
    if not result.provenance.get("report", {}).get("questionnaire", False):
        return None
    asked = set(result.survey.instrument.items)
    constructs = [c for c in result.model.spec.constructs if set(c.items) <= asked]
    if not constructs:
        return None
    answers = read_answers(result.survey, {c.name: c.items for c in constructs})
    return (*judge(answers, interval=interval), latent_validity(result, interval=interval))


def build(context: Context) -> Section | None:
    """Return one part after the other, its title first."""
    parts: Any = context.parts.get("judging")
    if not parts:
        return None
    out: list[Block] = []
    for found in parts:
        # The note of the page stands under every table already.
        told = replace(found, notes=tuple(note for note in found.notes if note != context.note))
        out += [Heading(found.title), *blocks(told, leave_out=ELSEWHERE.get(found.name, ()))]
    return Section("How good the questionnaire is", "how-good-the-questionnaire-is", out)
