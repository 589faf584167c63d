"""How far the effects of a mediation can be trusted: confounding, time, measurement, the graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from medpsy.errors import FitError, SpecError
from medpsy.plots.numbers import estimate, fixed
from medpsy.plots.tipping_curve import tipping_curve
from medpsy.posterior.conditional import in_words
from medpsy.posterior.confounding import tipping
from medpsy.posterior.confounding import tipping_curve as curve
from medpsy.posterior.independences import adjustments, independence_table
from medpsy.posterior.level_pathways import on_levels
from medpsy.posterior.naive import naive_vs_latent
from medpsy.posterior.orders import orders_within
from medpsy.posterior.stability import stability_grid
from medpsy.report.blocks import Block, Bullets, Section, Text
from medpsy.report.context import Context
from medpsy.report.figures import drawn, slug
from medpsy.report.tables import table
from medpsy.result import Result

ORDER = 31
#: Most settings whose orders are listed one by one, and most curves.
MOST_ORDERS, MOST_CURVES = 4, 3
#: What each part is called where a design does not have it.
NAMES = {
    "tipping": "Tipping points", "stability": "Stability over time", "naive": "Comparison with mean scores",
    "independences": "Implied independences", "adjustment": "Adjustment sets",
}  # fmt: skip


def gather(result: Result, interval: float) -> dict[str, Any] | None:
    """Return what can be said for this design, and why not the rest."""
    design = result.model.spec.design
    if design is None or not design.mediators or result.data.groups is not None:
        return None
    made: dict[str, Callable[[], Any]] = {
        "tipping": lambda: tipping(result, interval=interval),
        "curves": lambda: _curves(result, interval),
        "stability": lambda: stability_grid(result, interval=interval),
        "naive": lambda: naive_vs_latent(result, interval=interval),
        "independences": lambda: independence_table(result, interval=interval),
        "adjustment": lambda: adjustments(result),
        "orders": lambda: orders_within(result, interval=interval),
    }
    found: dict[str, Any] = {"moderators": list(design.moderators), "absent": []}
    for name, make in made.items():
        try:
            value = make()
        except (SpecError, FitError) as error:
            if name in NAMES:
                found["absent"].append(f"{NAMES[name]}: {error.message}.")
            continue
        if value is not None:
            found[name] = value
    return found


def _curves(result: Result, interval: float) -> list[pd.DataFrame]:
    """One tipping curve, or those of the first settings of a moderated path from mediator to outcome; on two
    levels one for each, at the setting in the middle."""
    design = result.model.spec.design
    assert design is not None
    out = []
    for along in on_levels(result):
        # Of several outcomes the first one; a curve for each setting of what both paths change with.
        ways = [w for w in along.ways(design.exposure, design.outcome) if len(w.stations) == 3][:1]
        if along.level and not ways:
            continue
        settings = along.settings(along.moderators(ways), None)
        settings = [settings[len(settings) // 2]] if along.level else settings[:MOST_CURVES]
        mediator, level = ways[0].stations[1] if ways else None, along.level or None
        out += [
            curve(result, mediator, design.outcome, at=one, interval=interval, level=level)
            for one in settings
        ]
    return out


def build(context: Context) -> Section | None:
    """Return adjustment sets, tipping points, stability grid, sum scores and implied independences."""
    parts = context.parts.get("mediation_limits")
    if not parts:
        return None
    blocks: list[Block] = []
    makers = {
        "orders": _orders, "adjustment": _adjustment, "tipping": _tipping, "curves": _drawn_curves,
        "independences": _independences, "naive": _naive, "stability": _stability,
    }  # fmt: skip
    for name, make in makers.items():
        if name in parts:
            blocks += make(context, parts[name], parts["moderators"])
    if parts["absent"]:
        blocks += [Text(["Not given for this design:"]), Bullets(parts["absent"])]
    title = "How much the mediation rests on"
    return Section(title, "how-much-the-mediation-rests-on", blocks) if blocks else None


def _settings(frame: pd.DataFrame, moderators: list[str]) -> tuple[pd.DataFrame, dict[str, tuple[str, str]]]:
    """The columns of the moderators as text."""
    held = [name for name in moderators if name in frame.columns]
    shown = frame.copy()
    for name in held:
        shown[name] = [value if isinstance(value, str) else estimate(value) for value in frame[name]]
    return shown, {name: (name, "text") for name in held}


def _orders(context: Context, frame: pd.DataFrame, moderators: list[str]) -> list[Block]:
    shown, columns = _settings(frame, moderators)
    columns = {"order": ("Order", "text"), **columns}
    columns |= {
        "indirect_mean": ("Indirect effect", "estimate"), "lower": ("Lower", "estimate"),
        "upper": ("Upper", "estimate"), "mark": ("In this report", "text"),
    }  # fmt: skip
    said = (
        "Data of one occasion cannot order the variables: at every value of what the paths change with, the "
        "same three correlations can be read in any order. The order is what the hypothesis assumes."
    )
    if len(frame) > 6 * MOST_ORDERS:
        shown = shown.groupby("order", sort=False).head(1)
        said += f" The first of {len(frame) // 6} settings is shown; orders_within() has all."
    shown["mark"] = ["hypothesised" if flag else "" for flag in shown["hypothesised"]]
    caption = f"Standardised indirect effects in every order, with {context.mass} intervals."
    return [Text([said]), table(caption, shown.reset_index(drop=True), columns)]


def _adjustment(context: Context, frame: pd.DataFrame, moderators: list[str]) -> list[Block]:
    return [Text(["Read off the path graph:"]), Bullets(list(frame["text"]))] if len(frame) else []


def _tipping(context: Context, frame: pd.DataFrame, moderators: list[str]) -> list[Block]:
    shown, settings = _settings(frame, moderators)
    columns = {"level": ("Level", "text")} if "level" in frame else {}
    columns |= {"mediator": ("Mediator", "text"), "outcome": ("Outcome", "text"), **settings}
    columns |= {
        "rho": ("Tipping correlation", "estimate"),
        "rho_lower": ("Lower", "estimate"), "rho_upper": ("Upper", "estimate"),
        "share": ("Share", "estimate"),
        "robustness": ("Robustness value", "estimate"),
    }  # fmt: skip
    first = frame.iloc[0]
    at = f" at {in_words({name: first[name] for name in settings})}" if settings else ""
    what = f"indirect effect through {first['mediator']}{at}"
    if "level" in frame:  # where slopes differ, their covariance stays
        what = f"path from {first['mediator']} to {first['outcome']} {first['level']} clusters{at}"
    said = (
        f"Something unmeasured that moves both {first['mediator']} and {first['outcome']} would undo the "
        f"{what} if it made their residuals correlate by "
        f"{fixed(first['rho'], 2)} "
        f"({context.mass} interval {fixed(first['rho_lower'], 2)} to {fixed(first['rho_upper'], 2)}): a "
        f"single such cause would have to explain {100 * first['share']:.0f} % of what the model leaves "
        "unexplained in both."
    )
    notes = [
        "Tipping correlation: of the residuals of mediator and outcome, at which their path is zero (Imai, "
        "Keele & Yamamoto, 2010). Share: of both residual variances, for one cause. Robustness value: the "
        "same with the share of the outcome counted given the mediator (Cinelli & Hazlett, 2020)."
    ]
    caption = f"Tipping points: posterior medians with {context.mass} intervals."
    return [Text([said]), table(caption, shown, columns, notes=notes)]


def _drawn_curves(context: Context, frames: list[pd.DataFrame], moderators: list[str]) -> list[Block]:
    out: list[Block] = []
    for frame in frames:
        about = frame.attrs
        chain = f"{about['exposure']} -> {about['mediator']} -> {about['outcome']}"
        at = f" at {in_words(about['setting'])}" if about["setting"] else ""
        level = f" {about['level']} clusters" if about["level"] else ""
        caption = (
            f"The indirect effect{level} {chain}{at} if an unmeasured cause made the residuals of "
            f"{about['mediator']} and {about['outcome']} correlate, with its {context.mass} band; "
            "shaded: where it is zero."
        )
        alt = f"{caption} It is zero at {fixed(about['tipping'], 2)}."
        name = "-".join(["tipping", slug(level + in_words(about["setting"]))]).strip("-")
        out.append(drawn(tipping_curve(frame), name=name, caption=caption, alt=alt))
    return out


def _independences(context: Context, frame: pd.DataFrame, moderators: list[str]) -> list[Block]:
    if frame.empty:
        said = "Every pair of variables is joined: the graph implies nothing that answers could contradict."
        return [Text([said])]
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


def _naive(context: Context, frame: pd.DataFrame, moderators: list[str]) -> list[Block]:
    shown, settings = _settings(frame, moderators)
    columns = {"effect": ("Effect", "text")}
    columns |= ({"text": ("Path", "text")} if "text" in frame else {}) | settings
    columns |= {
        "naive": ("Mean scores", "estimate"), "mean": ("This model", "estimate"),
        "lower": ("Lower", "estimate"), "upper": ("Upper", "estimate"), "ratio": ("Ratio", "estimate"),
    }  # fmt: skip
    note = (
        f"Mean scores: least squares on the {frame.attrs['persons']} persons with complete values, as if the "
        "scores were the constructs. Errors of measurement weaken paths, and products of paths more."
    )
    caption = f"What mean scores would have said, standardised; this model with {context.mass} intervals."
    return [table(caption, shown, columns, notes=[note])]


def _stability(context: Context, frame: pd.DataFrame, moderators: list[str]) -> list[Block]:
    shown, settings = _settings(frame, moderators)
    shown = shown.dropna(subset=["indirect"])
    several = frame.attrs["settings"] > 1
    if several:  # all combinations at every setting would be a book
        shown = shown[shown[["stability_x", "stability_m", "stability_y"]].nunique(axis=1) == 1]
        settings |= {"here": ("This occasion", "estimate")}
    columns = settings | {
        "stability_x": ("Stability of the exposure", "estimate"),
        "stability_m": ("Of the mediator", "estimate"),
        "stability_y": ("Of the outcome", "estimate"), "indirect": ("Lagged indirect effect", "estimate"),
        "lower": ("Lower", "estimate"), "upper": ("Upper", "estimate"), "possible": ("Possible", "percent"),
    }  # fmt: skip
    first = f"The indirect effect of this one occasion is {estimate(frame.attrs['cross_sectional'])}. "
    note = (
        f"{'' if several else first}Possible: share of the posterior for which a process with these "
        "stabilities and independent shocks exists (Maxwell & Cole, 2007)."
    )
    caption = (
        "What these answers would mean over one lag of time, if the variables were as stable as assumed."
    )
    return [table(caption, shown.reset_index(drop=True), columns, notes=[note])]
