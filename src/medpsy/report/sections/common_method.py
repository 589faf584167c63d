"""What a method that all items share would change, where a model file asks for it: ``[report]``."""

from __future__ import annotations

from dataclasses import dataclass

from medpsy.diagnostics.gate import gate
from medpsy.errors import MedpsyError
from medpsy.posterior.common_method import method_fits
from medpsy.posterior.group_fits import without_groups
from medpsy.posterior.judging.findings import Findings
from medpsy.posterior.judging.method_tables import method_tables
from medpsy.report.blocks import Section, Text
from medpsy.report.context import Context
from medpsy.report.judged import blocks
from medpsy.result import Result

ORDER = 58
SAMPLING = ("draws", "tune", "chains", "seed", "cores", "target_accept")


@dataclass(frozen=True)
class Part:
    """What was found, or why nothing was."""

    refused: str = ""
    found: Findings | None = None


def gather(result: Result, interval: float) -> Part | None:
    """Return what the three fits say; nothing where nobody asked."""
    if not result.provenance.get("report", {}).get("common_method", False):
        return None
    known = result.provenance.get("sampler", {})
    given = known | {"draws": known.get("draws asked")}  # as many as it takes, unless the user said how many
    sampling = {key: given[key] for key in SAMPLING if given.get(key) is not None} | {"progress": False}
    try:
        held = method_fits(without_groups(result.model.spec), result.survey, sampling=sampling)
        found = method_tables(held, interval=interval)
    except MedpsyError as error:
        return Part(refused=f"Not computed: {error.message}. {error.hint}".strip())
    gates = {name: gate(one) for name, one in held.results.items()}
    bad = [f"Not to be trusted ({n}): {'; '.join(g.reasons)}." for n, g in gates.items() if not g.trusted]
    return Part(found=found.noted(*bad))


def build(context: Context) -> Section | None:
    """Return figure, tables and caveats."""
    part: Part | None = context.parts.get("common_method")
    if part is None:
        return None
    inside = [Text([part.refused])] if part.found is None else blocks(part.found)
    return Section("Common method variance", "common-method-variance", inside)
