"""Do the items work alike in all groups, and how do the groups differ?

For a model with groups: its own differences. For any model: what ``[report]`` asks for with ``dif``,
``invariance`` and ``differences``, each a list of person variables; these are fits of their own.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from medpsy.diagnostics.gate import gate
from medpsy.errors import MedpsyError
from medpsy.plots.effects_forest import effects_forest
from medpsy.plots.invariance import invariance as invariance_figure
from medpsy.plots.item_by_group import item_by_group
from medpsy.plots.item_differences import item_differences as differences_figure
from medpsy.posterior.group_fits import (
    NEARLY,
    RELEASED,
    dif_fits,
    dif_table,
    fit_groups,
    invariance_fits,
    with_levels,
    without_groups,
)
from medpsy.posterior.group_means import group_means
from medpsy.posterior.invariance import CONFIGURAL, aligned, invariance_table, means_by_level
from medpsy.posterior.item_differences import expected_by_group, item_differences, score_impact
from medpsy.report.blocks import Block, Heading, Section, Text
from medpsy.report.context import Context
from medpsy.report.figures import drawn, slug
from medpsy.report.tables import table
from medpsy.result import Result
from medpsy.spec.groups import Groups

ORDER = 54

#: Items whose curves are drawn, at most.
MOST = 6
SAMPLING = ("draws", "tune", "chains", "seed", "cores", "target_accept")


@dataclass
class Part:
    """One comparison: a title, what was found, and why not where nothing was."""

    title: str
    notes: list[str] = field(default_factory=list)
    differences: pd.DataFrame = field(default_factory=pd.DataFrame)
    impact: pd.DataFrame = field(default_factory=pd.DataFrame)
    levels: pd.DataFrame = field(default_factory=pd.DataFrame)
    means: pd.DataFrame = field(default_factory=pd.DataFrame)
    by_level: pd.DataFrame = field(default_factory=pd.DataFrame)
    curves: list[Any] = field(default_factory=list)


def gather(result: Result, interval: float) -> list[Part] | None:
    """Return one part per comparison."""
    asked = result.provenance.get("report", {})
    known = result.provenance.get("sampler", {})
    given = known | {"draws": known.get("draws asked")}  # as many as it takes, unless the user said how many
    sampling = {key: given[key] for key in SAMPLING if given.get(key) is not None} | {"progress": False}
    parts = [_own(result, interval)] if result.data.groups is not None else []
    for key, compare in (("dif", _dif), ("invariance", _invariance), ("differences", _differences)):
        for by in asked.get(key, ()):
            try:
                parts.append(compare(result, by, interval, sampling))
                if key == "differences":
                    parts[-1].notes.append(_same_items(parts, by))
            except MedpsyError as error:
                parts.append(Part(f"Groups of {by}", [f"Not computed: {error.message}. {error.hint}"]))
    return parts or None


def _own(result: Result, interval: float) -> Part:
    """What the fitted model itself says about its groups."""
    groups = result.data.groups
    assert groups is not None
    sizes = ", ".join(f"{level} {n}" for level, n in zip(groups.levels, groups.sizes, strict=True))
    part = Part(f"Groups of the model: {groups.by}", [f"Persons: {sizes}."])
    if groups.placed.size:
        part.means = group_means(result, interval=interval)
    if groups.changes and groups.mean.free.size and groups.log_sd.free.size:
        part.differences = item_differences(result, interval=interval)
        part.impact = score_impact(result, interval=interval)
    elif groups.changes:
        part.notes.append("The groups have no common scale, so that items cannot be compared between them.")
    return part


def _dif(result: Result, by: str, interval: float, sampling: dict[str, Any]) -> Part:
    survey, by = with_levels(result.survey, by)
    fits = dif_fits(without_groups(result.model.spec), survey, by, sampling=sampling)
    found = dif_table(fits[NEARLY], interval=interval)
    flagged = list(dict.fromkeys(found.loc[found["flagged"], "item"]))
    shown = fits.get(RELEASED, fits[NEARLY])
    words = f"Flagged: {', '.join(flagged)}." if flagged else "No item is flagged."
    return Part(
        f"Differential item functioning by {by}",
        [
            f"{words} A difference is flagged where it is relevant with probability above one half; "
            f"differences are shrunk to zero together.",
            *_untrusted(fits),
        ],
        differences=found,
        impact=score_impact(fits[NEARLY], interval=interval),
        by_level=means_by_level(fits, {}, interval=interval),
        curves=[expected_by_group(shown, item, interval=interval) for item in flagged[:MOST]],
    )


def _invariance(result: Result, by: str, interval: float, sampling: dict[str, Any]) -> Part:
    survey, by = with_levels(result.survey, by)
    fits = invariance_fits(without_groups(result.model.spec), survey, by, sampling=sampling)
    groups = fits[CONFIGURAL].data.groups
    assert groups is not None
    able = [
        name
        for name, own in groups.coordinates.items()
        if {part.role for part in own.parts if part.role} == {"location", "scale"}
    ]
    found = {name: aligned(fits[CONFIGURAL], name) for name in able}
    return Part(
        f"Measurement invariance over {by}",
        _untrusted(fits),
        levels=invariance_table(fits, interval=interval),
        by_level=means_by_level(fits, found, interval=interval),
    )


def _differences(result: Result, by: str, interval: float, sampling: dict[str, Any]) -> Part:
    survey, by = with_levels(result.survey, by)
    logging.getLogger("medpsy").info("Latent differences: fitting the groups of %s", by)
    fitted = fit_groups(without_groups(result.model.spec), survey, Groups(by, pooled=True), sampling)
    return Part(
        f"Latent differences: {by}",
        [
            "Means and spreads of the groups are partially pooled; items are taken to be alike in all.",
            *_untrusted({"pooled": fitted}),
        ],
        means=group_means(fitted, interval=interval),
    )


def _same_items(parts: list[Part], by: str) -> str:
    """What was found on the items over the same groups."""
    for part in parts:
        if part.title == f"Measurement invariance over {by}" and not part.levels.empty:
            rows = part.levels.iloc[1:].to_dict("records")
            said = "; ".join(f"level '{row['level']}' {row['verdict']}" for row in rows)
            return f"Invariance of the items over {by}: {said}."
    return f'Whether the items are the same over {by} was not asked: [report] invariance = ["{by}"].'


def _untrusted(fits: dict[str, Result]) -> list[str]:
    """Sentences about fits whose diagnostics failed."""
    out = []
    for name, result in fits.items():
        found = gate(result)
        if not found.trusted:
            out.append(f"Not to be trusted ({name}): {'; '.join(found.reasons)}.")
    return out


def build(context: Context) -> Section | None:
    """Return tables and figures of every comparison."""
    parts: list[Part] | None = context.parts.get("groups")
    if not parts:
        return None
    blocks: list[Block] = []
    for at, part in enumerate(parts):
        blocks.append(Heading(part.title))
        if part.notes:
            blocks.append(Text(part.notes))
        blocks += _blocks(part, f"groups-{at}-{slug(part.title)}", context)
    return Section("Groups", "groups", blocks)


def _blocks(part: Part, name: str, context: Context) -> list[Block]:
    out: list[Block] = []
    if not part.levels.empty:
        figure = invariance_figure(part.levels, part.by_level, interval=context.interval)
        caption = (
            f"What each level of invariance costs in prediction, and latent mean differences. {part.title}."
        )
        alt = "; ".join(f"{r['level']}: {r['verdict']}" for r in part.levels.to_dict("records"))
        out.append(drawn(figure, name=f"{name}-levels", caption=caption, alt=alt))
        out.append(table("Levels of invariance; differences to the level before", part.levels, LEVELS))
    if not part.differences.empty:
        figure = differences_figure(part.differences, interval=context.interval)
        caption = f"Differences of items between groups, with {context.mass} intervals. {part.title}."
        rows = part.differences
        likely = int((rows["p_relevant"] > 0.5).sum())
        alt = f"{likely} of {len(rows)} differences are relevant with probability above one half."
        out.append(drawn(figure, name=f"{name}-items", caption=caption, alt=alt))
        out.append(
            table("Differences of items", rows, ITEMS, optional=("class",), notes=[
                "location: uniform, in logits; slope: non-uniform, log ratio. P(relevant), P(large): "
                "probability of a relevant, of a large difference. Class of uniform ones: A negligible, "
                "B relevant (0.43 logits), C large (0.64)."
            ])
        )  # fmt: skip
    for curves in part.curves:
        item = str(curves.attrs["item"])
        caption = f"Expected answer to {item} in every group, {context.mass} bands; below, the persons."
        alt = f"Expected answer to {item} as {curves.attrs['construct']} rises, a curve for each group."
        out.append(drawn(item_by_group(curves), name=f"{name}-{slug(item)}", caption=caption, alt=alt))
    if not part.impact.empty:
        whole = part.impact[part.impact["item"] == ""]
        out.append(
            table(
                "What the differences do to the expected sum score of a group",
                whole,
                IMPACT,
                notes=[
                    "In points of the sum score, averaged over the persons of the group. Signed: differences "
                    "that cancel do so; unsigned: they do not."
                ],
            )
        )
    if not part.means.empty:
        rows = part.means.assign(
            effect=part.means["group"] + " − " + part.means["against"],
            text=part.means["construct"], mean=part.means["d"],
        )  # fmt: skip
        caption = f"Latent mean differences in pooled standard deviations. {part.title}."
        alt = "; ".join(f"{r['text']} {r['effect']}: {r['d']:.2f}" for r in rows.to_dict("records"))
        figure = effects_forest(rows, rope=(-0.1, 0.1), interval=context.interval)
        out.append(drawn(figure, name=f"{name}-means", caption=caption, alt=alt))
        out.append(table("Latent mean differences", part.means, MEANS))
    elif not part.by_level.empty:
        out.append(table("Latent mean differences by model", part.by_level, BY_LEVEL))
    return out


LEVELS = {
    "level": ("Level", None), "equal": ("Equal", None), "elpd": ("elpd", "one"),
    "p_loo": ("p", "one"), "elpd_diff": ("Difference", "one"), "se_diff": ("se", "one"),
    "verdict": ("Verdict", None),
}  # fmt: skip
ITEMS = {
    "item": ("Item", None), "coordinate": ("Coordinate", None), "group": ("Group", None),
    "against": ("Against", None), "mean": ("Mean", "estimate"), "lower": ("Lower", "estimate"),
    "upper": ("Upper", "estimate"), "p_relevant": ("P(relevant)", "probability"),
    "p_large": ("P(large)", "probability"), "class": ("Class", None),
}  # fmt: skip
IMPACT = {
    "construct": ("Construct", None), "group": ("Group", None), "against": ("Against", None),
    "mean": ("Signed", "estimate"), "lower": ("Lower", "estimate"), "upper": ("Upper", "estimate"),
    "unsigned": ("Unsigned", "estimate"),
}  # fmt: skip
MEANS = {
    "construct": ("Construct", None), "group": ("Group", None), "n": ("n", "count"),
    "against": ("Against", None), "n_against": ("n against", "count"), "d": ("d", "estimate"),
    "lower": ("Lower", "estimate"), "upper": ("Upper", "estimate"),
    "p_direction": ("P(direction)", "probability"), "p_negligible": ("P(negligible)", "probability"),
    "sd_ratio": ("Ratio of sds", "estimate"),
}  # fmt: skip
BY_LEVEL = {
    "level": ("Model", None), "construct": ("Construct", None), "group": ("Group", None),
    "against": ("Against", None), "d": ("d", "estimate"), "lower": ("Lower", "estimate"),
    "upper": ("Upper", "estimate"), "p_direction": ("P(direction)", "probability"),
}  # fmt: skip
