"""Does a model of numbers reproduce their means and covariances?"""

from __future__ import annotations

import pandas as pd

from medpsy.engines.gaussian import ENGINE
from medpsy.posterior.model_fit import model_fit, residual_correlations
from medpsy.report.blocks import Block, Section
from medpsy.report.context import Context
from medpsy.report.fit_part import FitPart, fit_section, gathered, residual_block
from medpsy.report.tables import table
from medpsy.result import Result

ORDER = 68


def gather(result: Result, interval: float) -> FitPart | None:
    """Return indices and residual correlations of Gaussian models; nothing for others.

    Indices keep their customary 90 % intervals, whatever ``interval`` is.
    """
    groups = result.data.groups
    if not ENGINE.accepts(groups.parts[0] if groups is not None else result.data).accepted:
        return None
    return gathered(lambda: model_fit(result), lambda: residual_correlations(result, interval=interval))


def build(context: Context) -> Section | None:
    """Return the verdict, the table of indices and the largest residual correlations."""
    part: FitPart | None = context.parts.get("gaussian_fit")
    if part is None:
        return None
    note = "These pairs share what the model does not say."
    return fit_section(
        part, _verdict, lambda: _indices(part.fit),
        lambda: residual_block(context, part.residuals, "correlations", note),
    )  # fmt: skip


def _verdict(fit: pd.DataFrame) -> str:
    rows, about = fit.set_index("measure"), fit.attrs
    ppp, d = rows.loc["PPP", "mean"], rows.loc["D", "mean"]
    free = about["moments"] - about["p_d"]
    share = "less than 0.1" if ppp < 0.001 else f"{100 * ppp:.1f}"
    return (
        f"Answers made by the model lie at least as far from it as the real ones in {share} % of the "
        f"draws (posterior predictive p; near 0: the model does not reproduce means and covariances). "
        f"{about['n']} persons, {about['moments']} moments, {about['p_d']:.1f} effective parameters; "
        f"discrepancy less parameters {d - about['p_d']:.1f} on {free:.1f} degrees of freedom."
    )


def _indices(fit: pd.DataFrame) -> Block:
    rows = fit[~fit["measure"].isin(["D", "PPP"])].copy()
    signs = {"at most": "\N{LESS-THAN OR EQUAL TO}", "at least": "\N{GREATER-THAN OR EQUAL TO}"}
    rows["rule"] = [f"{signs[side]} {cut:g}" for side, cut in zip(rows["passes"], rows["cut"], strict=True)]
    columns = {
        "measure": ("Index", "text"), "mean": ("Mean", "three"), "sd": ("SD", "three"),
        "lower": ("Lower", "three"), "upper": ("Upper", "three"), "rule": ("Usual cut", "text"),
        "p_passes": ("P(passes)", "probability"),
    }  # fmt: skip
    notes = [
        "Indices are posteriors of their own (Garnier-Villarreal & Jorgensen, 2020, doi:10.1037/met0000224), "
        "against independent variables where they compare. Cuts are conventions (Hu & Bentler, 1999, "
        "doi:10.1080/10705519909540118), no tests; P(passes) is their posterior probability."
    ]
    mass = f"{100 * fit.attrs['interval']:g} %"
    return table(f"Fit indices with {mass} highest-density intervals.", rows, columns, notes=notes)
