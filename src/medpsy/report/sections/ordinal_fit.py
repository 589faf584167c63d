"""Do the answers to ordinal items go together as the model says?"""

from __future__ import annotations

import pandas as pd

from medpsy.posterior.ordinal_fit import is_ordinal, ordinal_fit, residual_polychorics
from medpsy.posterior.replicates import Replicates
from medpsy.report.blocks import Block, Section
from medpsy.report.context import Context
from medpsy.report.fit_part import FitPart, fit_section, gathered, residual_block
from medpsy.report.tables import table
from medpsy.result import Result

ORDER = 69
#: Draws that everything here rests on.
DRAWS = 100


def gather(result: Result, interval: float) -> FitPart | None:
    """Return fit and residual correlations of models with two items that have categories, at least."""
    items = sum(block.values.shape[1] for block in result.data.blocks if block.n_categories)
    if not is_ordinal(result) or items < 2:
        return None
    made = None if result.data.groups is not None else Replicates(result, DRAWS)
    return gathered(
        lambda: ordinal_fit(result, draws=DRAWS, made=made),
        lambda: residual_polychorics(result, interval=interval, draws=DRAWS, made=made),
    )


def build(context: Context) -> Section | None:
    """Return the verdict, the measures and the largest residual correlations."""
    part: FitPart | None = context.parts.get("ordinal_fit")
    if part is None:
        return None
    note = (
        "PPP: of the correlation; PPP table: of the whole two-way table. Residuals of items that hardly "
        "anybody affirms vary widely: there go by PPP."
    )
    return fit_section(
        part, _verdict, lambda: _measures(part.fit),
        lambda: residual_block(context, part.residuals, "polychoric correlations", note),
    )  # fmt: skip


def _verdict(fit: pd.DataFrame) -> str:
    about, (d, srmr) = fit.attrs, fit.to_dict("records")
    share = f"at most {100 * d['ppp']:.1f}" if d["ppp"] < 0.01 else f"{100 * d['ppp']:.0f}"
    told = (
        f"Answers made by the model lie at least as far from its expectation as the real ones, over the "
        f"two-way tables of all {about['pairs']} pairs of items, in {share} % of the draws (posterior "
        f"predictive p; near 0: the model does not reproduce how answers go together). Single tables are "
        f"conspicuous (p below .05) in {about['flags']} pairs, at most {about['by_chance']:.1f} by chance. "
    )
    size = (
        f"Polychoric correlations are off by {srmr['mean']:.3f} (root mean square), in answers made by the "
        f"model by {srmr['by_chance']:.3f}."
    )
    return told + size


def _measures(fit: pd.DataFrame) -> Block:
    rows = fit.assign(rule=[f"\N{LESS-THAN OR EQUAL TO} {cut:g}" if cut == cut else "" for cut in fit["cut"]])
    columns = {
        "measure": ("Measure", "text"), "mean": ("Mean", "three"), "sd": ("SD", "three"),
        "lower": ("Lower", "three"), "upper": ("Upper", "three"), "by_chance": ("By chance", "three"),
        "ppp": ("PPP", "probability"), "rule": ("Usual cut", "text"),
        "p_passes": ("P(passes)", "probability"),
    }  # fmt: skip
    notes = [
        "D: Freeman-Tukey distance of all two-way tables from the expected ones. Polychoric SRMR: root mean "
        "square of observed less implied polychoric correlations (Maydeu-Olivares, 2017, "
        "doi:10.1007/s11336-016-9552-7). By chance: the mean in answers made by the model, which sampling "
        "alone keeps from 0. The cut is a convention (Shi, Maydeu-Olivares & Rosseel, 2020, "
        "doi:10.1080/10705511.2019.1611434). Ordinal items have no RMSEA of their own."
    ]
    mass = f"{100 * fit.attrs['interval']:g} %"
    return table(f"Fit of all pairs of items, {mass} highest-density intervals.", rows, columns, notes=notes)
