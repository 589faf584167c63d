"""Natural effects, where products of paths are none: binary, counted or otherwise non-linear variables."""

from __future__ import annotations

from typing import Any

import pandas as pd

from medpsy.errors import SpecError
from medpsy.plots.numbers import estimate
from medpsy.posterior.e_value import mediational_e_value
from medpsy.posterior.natural import natural
from medpsy.report.blocks import Block, Section, Text
from medpsy.report.context import Context
from medpsy.report.tables import table
from medpsy.result import Result

ORDER = 16
#: Posterior draws that effects are simulated for.
DRAWS = 300
#: What differences of expected outcomes are, in words.
SCALES = {
    "difference": "in units of the outcome", "probability": "as differences of probabilities",
    "count": "as differences of expected counts", "score": "as differences of expected scores",
}  # fmt: skip


def gather(result: Result, interval: float) -> dict[str, Any] | None:
    """Return natural effects of a mediation with a mediator or outcome whose mean is no straight line."""
    design, layout = result.model.spec.design, result.data.layout
    if design is None or not design.mediators or result.data.groups is not None:
        return None
    curved = [
        name for name in (*design.mediators, *design.outcomes)
        if (family := layout.observed[layout.nodes.index(name)]) is not None and not family.linear
    ]  # fmt: skip
    if not curved:
        return None
    found: dict[str, Any] = {"curved": curved, "effects": [], "e_values": []}
    for x in design.exposures:
        for y in design.outcomes:
            found["effects"].append(
                (x, y, natural(result, exposure=x, outcome=y, interval=interval, draws=DRAWS))
            )
            try:
                found["e_values"].append(
                    (x, y, mediational_e_value(result, exposure=x, outcome=y, interval=interval, draws=DRAWS))
                )
            except SpecError:  # a number or construct
                continue
    return found


def build(context: Context) -> Section | None:
    """Return natural effects and E-values."""
    parts = context.parts.get("natural_effects")
    if not parts:
        return None
    blocks: list[Block] = [
        Text(
            [
                f"Of {', '.join(parts['curved'])} the mean is no straight line, so that no product of paths "
                "is an indirect effect. Natural effects compare expected outcomes under do(): the natural "
                "indirect effect lets the mediators be as they would be under the higher instead of the "
                "lower exposure, the natural direct effect changes the exposure alone."
            ]
        )
    ]
    blocks += [_effects(context, *one) for one in parts["effects"]]
    blocks += [_e_values(context, *one) for one in parts["e_values"]]
    return Section("Natural effects", "natural-effects", blocks)


def _value(value: float | str) -> str:
    return value if isinstance(value, str) else estimate(value)


def _effects(context: Context, x: str, y: str, frame: pd.DataFrame) -> Any:
    about = frame.attrs
    columns = {
        "effect": ("Effect", "text"), "mean": ("Mean", "estimate"), "sd": ("SD", "estimate"),
        "lower": ("Lower", "estimate"), "upper": ("Upper", "estimate"),
        "p_direction": ("P(direction)", "probability"),
    }  # fmt: skip
    held = ", ".join(f"{name} = {estimate(value)}" for name, value in about["mediators_at"].items())
    caption = (
        f"Effects on {y} of changing {x} from {_value(about['low'])} to {_value(about['high'])}, averaged "
        f"over the persons, {SCALES[about['scale']]}, with {context.mass} intervals."
    )
    return table(caption, frame, columns, notes=[f"The controlled direct effect holds {held}."])


def _e_values(context: Context, x: str, y: str, frame: pd.DataFrame) -> Any:
    columns = {
        "effect": ("Effect", "text"), "ratio": ("Ratio", "estimate"), "lower": ("Lower", "estimate"),
        "upper": ("Upper", "estimate"), "e_value": ("E-value", "estimate"),
        "e_value_limit": ("of the interval", "estimate"),
    }  # fmt: skip
    note = (
        "E-value: risk ratio that a hidden cause would need with mediator and outcome both to explain the "
        "effect away (Smith & VanderWeele, 2019); of the interval: to move its nearer end to 1."
    )
    caption = f"Natural effects of {x} on {y} as ratios of expected outcomes, with {context.mass} intervals."
    return table(caption, frame, columns, notes=[note])
