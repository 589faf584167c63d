"""Effects in plain words: what the posterior says, no causal claims, no labels such as full mediation."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pandas as pd

from medpsy.dims import POSTERIOR
from medpsy.errors import SpecError
from medpsy.posterior.by_group import ALL, views
from medpsy.posterior.conditional import said
from medpsy.posterior.intervals import eti
from medpsy.posterior.natural import natural
from medpsy.posterior.quantities import Quantity, quantities
from medpsy.result import Result

#: When a proportion mediated means something: posterior probability of one sign of the total effect, and of
#: indirect and direct effect having the same sign.
SURE_TOTAL, SAME_SIGN = 0.975, 0.95


def sentences(table: pd.DataFrame, result: Result) -> list[str]:
    """Put the rows of a table of effects into words.

    Parameters
    ----------
    table : DataFrame
        As :func:`medpsy.posterior.effects.effects` makes it, or some of its rows.
    result : Result
        The same fit.

    Returns
    -------
    list of str
        One sentence per definition and correlation (per labelled path where nothing is defined), then one
        on the proportion mediated of a recognised mediation: its posterior median and interval, or why it
        is not reported. Conditional effects of a moderated mediation come first. Values
        are in raw units, the standardised mean is added where it differs.
    """
    if result.data.groups is not None:
        return [
            f"{level}: {sentence}"
            for level, one in views(result).items()
            for sentence in sentences(table[table["group"].isin((level, ALL))], one)
        ]
    known = {quantity.name: quantity for quantity in quantities(result.data)}
    rows = [row for row in table.to_dict("records") if row["effect"] in known]
    defined = any(known[row["effect"]].kind == "definition" for row in rows)
    mass = table.attrs.get("interval")
    out = [
        _sentence(row, known[row["effect"]], result, mass)
        for row in rows
        if not (defined and known[row["effect"]].kind == "path")
    ]
    design = result.model.spec.design
    if design is not None and design.kind == "simple" and {"indirect", "total"} <= set(table["effect"]):
        out.append(proportion_mediated(result, 0.95 if mass is None else mass))
    try:
        conditional = said(result, 0.95 if mass is None else mass)
    except SpecError:  # no product of slopes is an effect here
        conditional = []
    return natural_said(result, 0.95 if mass is None else mass) + conditional + out


def natural_said(result: Result, interval: float = 0.95) -> list[str]:
    """Natural indirect effects of a mediation with a mediator that is binary or a count; else nothing."""
    design, layout = result.model.spec.design, result.data.layout
    between = () if design is None else design.mediators
    families = [layout.observed[layout.nodes.index(name)] for name in between if name in layout.nodes]
    if design is None or all(family is None or family.linear for family in families):
        return []
    out = []
    for x in design.exposures:
        for y in design.outcomes:
            found = natural(result, exposure=x, outcome=y, interval=interval, draws=300)
            row = found.set_index("effect").loc["natural indirect"]
            places = _places(row["lower"], row["upper"])
            low, high = (
                v if isinstance(v, str) else f"{v:.3g}" for v in (found.attrs["low"], found.attrs["high"])
            )
            out.append(
                f"Changing {x} from {low} to {high}, the natural indirect effect on {y} through "
                f"{', '.join(between)} is {_number(row['mean'], places)} "
                f"({_interval(row['lower'], row['upper'], interval, places)})."
            )
    return out


def proportion_mediated(result: Result, interval: float = 0.95) -> str:
    """Sentence on indirect / total, or on why that ratio is not reported.

    The ratio is reported only where the total effect has one sign with probability above .975 and indirect
    and direct effect have the same sign in more than 95 % of the draws; its mean does not exist, so the
    median is given (MacKinnon, Warsi & Dwyer, 1995, doi:10.1207/s15327906mbr3001_3, on its instability).
    """
    posterior = result.tree[POSTERIOR]
    indirect, direct, total = (posterior[name].to_numpy().ravel() for name in ("indirect", "direct", "total"))
    sign = max((total > 0).mean(), (total < 0).mean())
    same = (indirect * direct > 0).mean()
    if sign <= SURE_TOTAL:
        return (
            "The proportion mediated is not reported: the sign of the total effect is uncertain "
            f"(probability of one sign {_probability(sign)})."
        )
    if same <= SAME_SIGN:
        return (
            "The proportion mediated is not reported: indirect and direct effect have the same sign in only "
            f"{_percent(same)} of the posterior, and a ratio of effects that may oppose each other is no "
            "proportion."
        )
    ratio = indirect / total
    lower, upper = eti(ratio, interval)
    return (
        f"The indirect effect makes up {_number(float(np.median(ratio)), 2)} of the total effect (posterior "
        f"median, {_interval(float(lower), float(upper), interval, 2)})."
    )


def _sentence(row: dict[str, Any], quantity: Quantity, result: Result, mass: float | None) -> str:
    places = _places(row["lower"], row["upper"])
    mean, std = _number(row["mean"], places), _number(row["std_mean"], places)
    bracket = _interval(row["lower"], row["upper"], mass, places)
    if quantity.kind != "correlation" and mean != std:
        bracket += f"; standardised {std}"
    text = f"{_subject(quantity, result)} is {mean} ({bracket})"
    if math.isnan(row["p_direction"]):
        return f"{text}; some of its posterior draws are not defined."
    sign = "positive" if row["median"] > 0 else "negative"
    text += f", {sign} with probability {_probability(row['p_direction'])}"
    if math.isnan(row["rope_high"]):
        return f"{text}."
    of = "its posterior" if quantity.kind == "correlation" else "its standardised posterior"
    return f"{text}; {_percent(row['in_rope'])} of {of} lies within ±{row['rope_high']:g}."


def _subject(quantity: Quantity, result: Result) -> str:
    if quantity.kind == "correlation":
        pair, _, given = quantity.text.partition(", ")
        left, _, right = pair.partition(" with ")
        if not right:
            return f"The {quantity.text}"
        return f"The correlation of {left} and {right}" + (f", {given}," if given else "")
    stations = quantity.text.split(" -> ")
    if len(stations) == 1:
        return f"{quantity.name} ({quantity.text})"
    layout = result.data.layout
    family = layout.observed[layout.nodes.index(stations[-1])] if stations[-1] in layout.nodes else None
    units = f" (in {family.units})" if family is not None and family.units else ""
    on = f"of {stations[0]} on {stations[-1]}{units}"
    kind = re.split(r"[_\[]", quantity.name)[0]
    if len(stations) > 2:
        return f"The {kind} effect {on} through {', '.join(stations[1:-1])}"
    if quantity.kind == "definition":
        return f"The {'total indirect' if kind == 'indirect' else kind} effect {on}"
    return f"The path {quantity.name} from {stations[0]} to {stations[1]}{units}"


def _interval(lower: float, upper: float, mass: float | None, places: int) -> str:
    head = "interval" if mass is None else f"{100 * mass:g} % interval"
    return f"{head} {_number(lower, places)} to {_number(upper, places)}"


def _places(lower: float, upper: float) -> int:
    """Decimals that show both bounds: two, and more for small numbers."""
    size = max(abs(lower), abs(upper))
    return 2 if not 0 < size < 0.1 else min(6, 1 - math.floor(math.log10(size)))


def _number(value: float, places: int) -> str:
    """Fixed decimals, no negative zero."""
    text = f"{value:.{places}f}"
    return text.removeprefix("-") if math.isfinite(value) and float(text) == 0 else text


def _probability(value: float) -> str:
    """Three decimals without the leading zero; never 1."""
    return "> .999" if value >= 0.9995 else f"{value:.3f}".removeprefix("0")


def _percent(share: float) -> str:
    """A whole percentage; what lies near the ends is not rounded onto them."""
    percentage = 100 * share
    if 0 < percentage < 1:
        return "less than 1 %"
    if 99 < percentage < 100:
        return "more than 99 %"
    return f"{percentage:.0f} %"
