"""What each item measures, and where: curves, and persons and steps on one axis."""

from __future__ import annotations

from typing import Any

import pandas as pd

from medpsy.plots.boundary_curves import boundary_curves
from medpsy.plots.category_curves import category_curves
from medpsy.plots.expected_scores import expected_scores
from medpsy.plots.numbers import fixed
from medpsy.plots.wright_map import wright_map
from medpsy.posterior.item_curves import item_curves
from medpsy.posterior.measurement import affordable, measured
from medpsy.posterior.wright import locations, persons
from medpsy.report.blocks import Block, Section
from medpsy.report.context import Context
from medpsy.report.figures import drawn, slug
from medpsy.report.tables import table
from medpsy.result import Result

ORDER = 62


def gather(result: Result, interval: float) -> list[dict[str, Any]] | None:
    """Return curves, steps and persons of every construct of a measurement model."""
    found: list[dict[str, Any]] = []
    draws = affordable(result)
    people: dict[int, pd.DataFrame] = {}  # of every group, for all its constructs
    for name, title, one in measured(result):
        if id(one) not in people:
            people[id(one)] = persons(one, interval=interval, draws=draws)
        found.append(
            {
                "title": title,
                "curves": item_curves(one, name, interval=interval, draws=draws).assign_attrs(
                    construct=title
                ),
                "steps": locations(one, name, interval=interval, draws=draws),
                "persons": people[id(one)].query("construct == @name"),
            }
        )
    return found or None


def build(context: Context) -> Section | None:
    """Return category curves of every construct; for measurement models boundaries, steps and Wright map."""
    blocks: list[Block] = []
    for at, curves in enumerate(context.curves):
        name = str(curves.attrs.get("construct", at + 1))
        items = ", ".join(str(item) for item in curves["item"].values)
        blocks.append(
            drawn(
                category_curves(curves),
                name=f"curves-{at}-{slug(name)}",
                caption=f"Category curves of {name}: posterior mean and {context.mass} band.",
                alt=f"Probability of each answer as {name} rises, for the items {items}.",
            )
        )
    for at, part in enumerate(context.parts.get("items", ())):
        blocks += _construct(context, part, at)
    return Section("Items", "items-and-curves", blocks) if blocks else None


def _construct(context: Context, part: dict[str, Any], at: int) -> list[Block]:
    title, curves, steps = part["title"], part["curves"], part["steps"]
    key = f"{at}-{slug(title)}"
    places = "; ".join(
        f"{item}: {', '.join(fixed(value, 2) for value in rows['location'])}"
        for item, rows in steps.groupby("item", sort=False)
    )
    columns = {
        "item": ("Item", "text"), "label": ("From this answer on", "text"), "location": ("Median", "two"),
        "lower": ("Lower", "two"), "upper": ("Upper", "two"),
    }  # fmt: skip
    boundaries: list[Block] = [
        drawn(
            boundary_curves(curves),
            name=f"boundaries-{key}",
            caption=f"Boundary curves of {title}: probability of an answer or a further one, posterior mean "
            "and "
            f"{context.mass} band. Where a curve crosses one half (dashed) stands its step.",
            alt=f"Probability of each answer or a further one as {title} rises. Steps: {places}.",
        )
    ]
    several = curves.sizes["step"] > 1  # with two answers the category curves say it all
    return [
        *(boundaries if several else []),
        drawn(
            wright_map(part["persons"], steps, construct=title),
            name=f"wright-{key}",
            caption=f"Wright map of {title}: persons (plausible values, with {context.mass} intervals of "
            "each "
            "share) and steps of the items (posterior median and interval; arrows: beyond the axis).",
            alt=f"Persons and steps of the items on the axis of {title}. Steps: {places}.",
        ),
        table(
            f"Steps of the items of {title} in standard deviations of the construct over the persons, with "
            f"{context.mass} intervals.",
            steps,
            columns,
            notes=[
                "A step is the value of the construct from which that answer, or one that stands for more "
                "of the "
                "construct, is more likely than not."
            ],
        ),
        drawn(
            expected_scores(curves),
            name=f"expected-{key}",
            caption=f"Expected answers to the items of {title} (posterior means), and the expected sum "
            "score with "
            f"its {context.mass} band.",
            alt=f"Expected answer to every item and expected sum score as {title} rises.",
        ),
    ]
