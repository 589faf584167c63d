"""How far the effects of a mediation can be trusted: confounding, time, measurement, the graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from medpsy.errors import FitError, SpecError
from medpsy.plots.numbers import estimate, fixed
from medpsy.plots.tipping_curve import tipping_curve
from medpsy.posterior.confounding import tipping
from medpsy.posterior.confounding import tipping_curve as curve
from medpsy.posterior.independences import adjustments, independence_table
from medpsy.posterior.naive import naive_vs_latent
from medpsy.posterior.stability import stability_grid
from medpsy.report.blocks import Block, Bullets, Section, Text
from medpsy.report.context import Context
from medpsy.report.figures import drawn
from medpsy.report.tables import table
from medpsy.result import Result

ORDER = 31


def gather(result: Result, interval: float) -> dict[str, Any] | None:
    """Return what can be said for this design; what is defined for others only is left out."""
    design = result.model.spec.design
    if design is None or not design.mediators or result.data.groups is not None:
        return None
    made: dict[str, Callable[[], pd.DataFrame]] = {
        "tipping": lambda: tipping(result, interval=interval),
        "curve": lambda: curve(result, interval=interval),
        "stability": lambda: stability_grid(result, interval=interval),
        "naive": lambda: naive_vs_latent(result, interval=interval),
        "independences": lambda: independence_table(result, interval=interval),
        "adjustment": lambda: adjustments(result),
    }
    found = {}
    for name, make in made.items():
        try:
            found[name] = make()
        except (SpecError, FitError):  # not defined for this design: the function says why when asked
            continue
    return found


def build(context: Context) -> Section | None:
    """Return adjustment sets, tipping points, stability grid, sum scores and implied independences."""
    parts = context.parts.get("mediation_limits")
    if not parts:
        return None
    blocks: list[Block] = []
    makers = {
        "adjustment": _adjustment, "tipping": _tipping, "curve": _curve, "independences": _independences,
        "naive": _naive, "stability": _stability,
    }  # fmt: skip
    for name, make in makers.items():
        if name in parts:
            blocks += make(context, parts[name])
    title = "How much the mediation rests on"
    return Section(title, "how-much-the-mediation-rests-on", blocks) if blocks else None


def _adjustment(context: Context, frame: pd.DataFrame) -> list[Block]:
    return [Text(["Read off the path graph:"]), Bullets(list(frame["text"]))] if len(frame) else []


def _tipping(context: Context, frame: pd.DataFrame) -> list[Block]:
    columns = {
        "mediator": ("Mediator", "text"), "outcome": ("Outcome", "text"),
        "rho": ("Tipping correlation", "estimate"),
        "rho_lower": ("Lower", "estimate"), "rho_upper": ("Upper", "estimate"),
        "share": ("Share", "estimate"),
        "robustness": ("Robustness value", "estimate"),
    }  # fmt: skip
    first = frame.iloc[0]
    said = (
        f"Something unmeasured that moves both {first['mediator']} and {first['outcome']} would undo the "
        "indirect "
        f"effect through {first['mediator']} if it made their residuals correlate by "
        f"{fixed(first['rho'], 2)} "
        f"({context.mass} interval {fixed(first['rho_lower'], 2)} to {fixed(first['rho_upper'], 2)}): a "
        "single such "
        f"cause would have to explain {100 * first['share']:.0f} % of what the model leaves unexplained in "
        "both."
    )
    notes = [
        "Tipping correlation: of the residuals of mediator and outcome, at which their path is zero (Imai, "
        "Keele & "
        "Yamamoto, 2010). Share: of both residual variances, for one cause. Robustness value: the same with "
        "the "
        "share of the outcome counted given the mediator (Cinelli & Hazlett, 2020)."
    ]
    caption = f"Tipping points: posterior medians with {context.mass} intervals."
    return [Text([said]), table(caption, frame, columns, notes=notes)]


def _curve(context: Context, frame: pd.DataFrame) -> list[Block]:
    about = frame.attrs
    chain = f"{about['exposure']} -> {about['mediator']} -> {about['outcome']}"
    caption = (
        f"The indirect effect {chain} if an unmeasured cause made the residuals of {about['mediator']} and "
        f"{about['outcome']} correlate, with its {context.mass} band; shaded: where it is zero."
    )
    alt = f"{caption} It is zero at {fixed(about['tipping'], 2)}."
    return [drawn(tipping_curve(frame), name="tipping", caption=caption, alt=alt)]


def _independences(context: Context, frame: pd.DataFrame) -> list[Block]:
    if frame.empty:
        return [
            Text(
                [
                    "Every pair of variables is joined: the graph implies nothing that answers could "
                    "contradict."
                ]
            )
        ]
    columns = {
        "left": ("Variable", "text"), "right": ("Independent of", "text"), "given": ("Given", "text"),
        "mean": ("Partial correlation", "estimate"), "lower": ("Lower", "estimate"),
        "upper": ("Upper", "estimate"),
        "in_rope": ("Within \N{PLUS-MINUS SIGN}.05", "percent"), "source": ("From", "text"),
    }  # fmt: skip
    notes = []
    if (frame["source"] == "scores").any():
        notes = [
            "From scores: drawn from the fitted model, which holds the independence to be true; what speaks "
            "against it is understated."
        ]
    caption = f"Independences that the paths imply, tested, with {context.mass} intervals."
    return [table(caption, frame, columns, notes=notes, optional=("given",))]


def _naive(context: Context, frame: pd.DataFrame) -> list[Block]:
    columns = {
        "effect": ("Effect", "text"), "naive": ("Mean scores", "estimate"),
        "mean": ("This model", "estimate"),
        "lower": ("Lower", "estimate"), "upper": ("Upper", "estimate"), "ratio": ("Ratio", "estimate"),
    }  # fmt: skip
    note = (
        f"Mean scores: least squares on the {frame.attrs['persons']} persons with complete values, as if the "
        "scores "
        "were the constructs. Errors of measurement weaken paths, and products of paths more."
    )
    caption = f"What mean scores would have said, standardised; this model with {context.mass} intervals."
    return [table(caption, frame, columns, notes=[note])]


def _stability(context: Context, frame: pd.DataFrame) -> list[Block]:
    columns = {
        "stability_x": ("Stability of the exposure", "estimate"),
        "stability_m": ("Of the mediator", "estimate"),
        "stability_y": ("Of the outcome", "estimate"), "indirect": ("Lagged indirect effect", "estimate"),
        "lower": ("Lower", "estimate"), "upper": ("Upper", "estimate"), "possible": ("Possible", "percent"),
    }  # fmt: skip
    at = estimate(frame.attrs["cross_sectional"])
    note = (
        f"The indirect effect of this one occasion is {at}. Possible: share of the posterior for which a "
        "process "
        "with these stabilities and independent shocks exists (Maxwell & Cole, 2007)."
    )
    caption = (
        "What these answers would mean over one lag of time, if the variables were as stable as assumed."
    )
    return [table(caption, frame.dropna(subset=["indirect"]), columns, notes=[note])]
