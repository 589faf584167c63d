"""The results in sentences, one diagram, one table."""

from __future__ import annotations

import re

import pandas as pd

from medpsy.plots.effects_forest import effects_forest
from medpsy.plots.numbers import MINUS, fixed, interval, probability, with_interval
from medpsy.plots.path_diagram import path_diagram
from medpsy.report.blocks import Block, Bullets, Figure, Section, Table, Text
from medpsy.report.context import Context
from medpsy.report.figures import drawn
from medpsy.report.tables import table

ORDER = 10


def build(context: Context) -> Section | None:
    """Return sentences, path diagram, effects table and forest plot."""
    blocks: list[Block] = []
    if context.effects_text:
        blocks.append(Bullets([re.sub(r"(?<=[ (])-(?=[\d.])", MINUS, text) for text in context.effects_text]))
    if not context.checks.empty or not context.trusted:
        passed = (
            "The diagnostics gate passed." if context.trusted else "The diagnostics gate failed; see below."
        )
        blocks.append(Text([passed]))
    if not context.effects_text and (told := _measured(context)):
        blocks.insert(0, Bullets(told))
    if not context.edges.empty:  # one construct alone makes no diagram
        blocks.append(_diagram(context))
    if not context.effects.empty:
        blocks += [_effects(context), _forest(context)]
    return Section("At a glance", "at-a-glance", blocks) if blocks else None


def _measured(context: Context) -> list[str]:
    """What a measurement model found, in sentences: how reliable, and how much does not fit."""
    told = [
        f"{row['construct']}: {row['coefficient']} {fixed(row['mean'], 2)} ({context.mass} interval "
        f"{fixed(row['lower'], 2)} to {fixed(row['upper'], 2)})."
        for row in context.reliability.to_dict("records")
        if pd.notna(row["lower"])
    ]
    items = getattr(context.parts.get("item_fit"), "items", None)
    if items is not None:
        names = ", ".join(dict.fromkeys(items.loc[items["flag"] != "", "item"].astype(str)))
        told.append(f"Items that do not fit: {names}." if names else "Every item fits.")
    pairs = context.parts.get("local_dependence")
    if pairs is not None:
        found = pairs[pairs["flag"].str.contains("Q3", regex=False)]
        named = ", ".join(f"{a} with {b}" for a, b in zip(found["item_1"], found["item_2"], strict=True))
        told.append(
            f"Items that go together more than their constructs explain: {named}."
            if named
            else "No two items go together much more than their constructs explain."
        )
    return told


def _diagram(context: Context) -> Figure:
    titles = dict(zip(context.nodes["name"], context.nodes["title"], strict=True))
    parts = []
    for edge in context.edges.to_dict("records"):
        both = edge.get("op", "~") == "~~"
        arrow = "with" if both else "to"
        numbers = with_interval(edge["mean"], edge["lower"], edge["upper"])
        source, target = (titles.get(edge[end], edge[end]) for end in ("source", "target"))
        parts.append(f"{source} {arrow} {target}: {numbers}")
    alt = f"Path diagram of {', '.join(map(str, titles.values()))}. {'; '.join(parts)}."
    caption = "The model: paths with posterior means" + (f" and {context.mass} intervals." if parts else ".")
    return drawn(path_diagram(context.nodes, context.edges), name="path-diagram", caption=caption, alt=alt)


def _effects(context: Context) -> Table:
    frame = context.effects
    notes = ["P(direction): posterior probability that the effect has the sign of its median."]
    if {"rope_low", "rope_high"} <= set(frame.columns):
        ropes = [interval(*pair) for pair in zip(frame["rope_low"], frame["rope_high"], strict=True)]
        one = f", {ropes[0]} for every effect" if len(set(ropes)) == 1 else ""
        frame = frame.assign(rope="" if one else ropes)
        notes.append(
            f"ROPE: region of practical equivalence{one}; In ROPE: share of the posterior inside it."
        )
    if {"std_mean", "std_lower", "std_upper"} <= set(frame.columns):
        triples = zip(frame["std_mean"], frame["std_lower"], frame["std_upper"], strict=True)
        frame = frame.assign(std=[with_interval(*triple) for triple in triples])
        notes.append("Standardised: in standard deviations of the variables at the two ends of the effect.")
    columns = {
        "effect": ("Effect", "text"), "text": ("Path", "text"), "mean": ("Mean", "estimate"),
        "sd": ("SD", "estimate"), "lower": ("Lower", "estimate"),
        "upper": ("Upper", "estimate"), "p_direction": ("P(direction)", "probability"),
        "rope": ("ROPE", "text"), "in_rope": ("In ROPE", "percent"), "std": ("Standardised", "numbers"),
    }  # fmt: skip
    optional = ("text", "rope", "in_rope", "std")
    caption = f"Effects with {context.mass} intervals."
    return table(caption, frame, columns, notes=notes, optional=optional)


def _forest(context: Context) -> Figure:
    rows = [
        f"{row['effect']} {with_interval(row['mean'], row['lower'], row['upper'])}, "
        f"P(direction) {probability(row['p_direction'])}"
        for row in context.effects.to_dict("records")
    ]
    shaded = "; shaded: region of practical equivalence" if "rope_low" in context.effects else ""
    return drawn(
        effects_forest(context.effects, interval=context.interval), name="forest",
        caption=f"Effects: posterior mean, standard deviation and {context.mass} interval{shaded}.",
        alt=f"Forest plot. {'; '.join(rows)}.",
    )  # fmt: skip
