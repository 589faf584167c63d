"""What differs between clusters, and what a reader must know about effects on two levels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from medpsy.errors import SpecError
from medpsy.plots.cluster_ladder import cluster_ladder
from medpsy.plots.numbers import NOTHING, estimate
from medpsy.posterior.cluster_effects import by_cluster, cluster_contrasts
from medpsy.posterior.cluster_tipping import cluster_tipping
from medpsy.posterior.clusters import FEW_CLUSTERS, cluster_table
from medpsy.report.blocks import Block, Section, Text
from medpsy.report.context import Context
from medpsy.report.figures import drawn
from medpsy.report.tables import table
from medpsy.result import Result

ORDER = 14


def gather(result: Result, interval: float) -> dict[str, Any] | None:
    """Return the tables of a model with clusters."""
    levels, clusters = result.data.layout.levels, result.model.spec.clusters
    if levels is None or clusters is None:
        return None
    design = result.model.spec.design
    found: dict[str, Any] = {
        "by": levels.by, "n": len(levels.labels), "singles": int((levels.size == 1).sum()),
        "kind": design.kind if design is not None else "", "split": bool(clusters.between),
        "exposure": _same_within(result), "table": cluster_table(result, interval=interval),
        "each": None, "contrasts": None, "tipping": None,
    }  # fmt: skip
    if design is not None and design.mediators:
        found["tipping"] = cluster_tipping(result, interval=interval)
    try:
        found["each"] = by_cluster(result, interval=interval)
        found["contrasts"] = cluster_contrasts(result, interval=interval)
    except SpecError:
        pass  # no slope differs, no mediation, or too many clusters for pairs
    return found


def _same_within(result: Result) -> str:
    """An observed exposure that is the same within clusters, in a model that does not say so."""
    levels, design = result.data.layout.levels, result.model.spec.design
    if levels is None or design is None or design.kind in ("1-1-1", "2-1-1"):
        return ""
    columns = enumerate(result.data.layout.columns)
    upper = {c.variable for i, c in columns if i + 1 in levels.upper}
    return next((name for name in design.exposures if name in upper), "")


def build(context: Context) -> Section | None:
    """Return the section."""
    parts = context.parts.get("clusters")
    if not parts:
        return None
    blocks: list[Block] = [Text(_words(parts)), _table(context, parts["table"])]
    each: pd.DataFrame | None = parts["each"]
    if each is not None:
        for text in dict.fromkeys(each["text"]):
            own = each[each["text"] == text]
            caption = f"Indirect effect {text} in every {parts['by']}, partially pooled."
            ends = own.sort_values("mean").iloc[[0, -1]]
            alt = "; ".join(f"{c}: {estimate(m)}" for c, m in zip(ends["cluster"], ends["mean"], strict=True))
            figure = cluster_ladder(own, average=float(own["mean"].mean()))
            blocks.append(drawn(figure, name="cluster-ladder", caption=caption, alt=f"{alt}."))
        blocks.append(_ranks(context, each))
    if parts["contrasts"] is not None:
        blocks.append(_contrasts(context, parts["contrasts"]))
    if parts["tipping"] is not None:
        blocks.append(_tipping(context, parts["tipping"]))
    return Section("Clusters", "clusters", blocks)


def _words(parts: dict[str, Any]) -> list[str]:
    by, n = parts["by"], parts["n"]
    words = [f"The persons come in {n} clusters of {by}, which differ in every variable of the model."]
    if parts["singles"]:
        words.append(
            f"{parts['singles']} of them have one person: they say nothing about what varies within."
        )
    if n < FEW_CLUSTERS:
        words.append(
            f"With fewer than {FEW_CLUSTERS} clusters the priors of the sds over clusters have a say; the "
            "table prints how much of prior and posterior is the same."
        )
    if parts["split"]:
        words.append(
            f"Every variable is split into the mean of its {by} and the deviation from it; effects within "
            "and between are different quantities about different things: a person beside others of the same "
            f"{by}, and one {by} beside another. Neither may be read as the other, and confounders differ "
            "between the levels."
        )
    else:
        words.append(
            f"Effects hold {by} constant through the random intercepts. Paths out of an observed exposure "
            f"mix what happens within and between, unless the exposure varies within {by} only; the designs "
            "1-1-1 and 2-1-1 keep the two apart."
        )
    if parts["exposure"]:
        words.append(
            f"The exposure '{parts['exposure']}' is the same for all persons of a {by}: its indirect effect "
            "lies between clusters, which this model does not separate. Use the design '2-1-1'."
        )
    return words


def _table(context: Context, frame: pd.DataFrame) -> Any:
    columns = {
        "effect": ("Varies", "text"), "kind": ("What", "text"), "sd": ("SD", "estimate"),
        "lower": ("Lower", "estimate"), "upper": ("Upper", "estimate"),
        "prior_overlap": ("Overlap with prior", "probability"), "icc": ("ICC", "estimate"),
        "icc_lower": ("Lower ", "estimate"), "icc_upper": ("Upper ", "estimate"),
        "design_effect": ("Design effect", "estimate"), "remark": ("Note", "text"),
    }  # fmt: skip
    shown = frame.replace({np.nan: None})
    return table(
        f"SDs over {frame.attrs['by']} and intraclass correlations with {context.mass} intervals.",
        shown,
        columns,
    )


def _tipping(context: Context, frame: pd.DataFrame) -> Any:
    told = ("level", "mediator", "outcome", "rho", "lower", "upper")
    settings = [name for name in frame.columns if name not in told and not name.startswith("robustness")]
    frame = frame.copy()
    for name in settings:
        values = [value if isinstance(value, str) else estimate(value) for value in frame[name]]
        frame[name] = ["any" if value == NOTHING else value for value in values]
    columns = {"level": ("Level", "text"), "mediator": ("Mediator", "text"), "outcome": ("Outcome", "text")}
    columns |= {name: (name, "text") for name in settings}
    columns |= {
        "rho": ("Correlation", "estimate"), "lower": ("Lower", "estimate"), "upper": ("Upper", "estimate"),
        "robustness": ("Share of variance", "estimate"), "robustness_lower": ("Lower ", "estimate"),
        "robustness_upper": ("Upper ", "estimate"),
    }  # fmt: skip
    return table(
        "What an unmeasured common cause of mediator and outcome would have to be like to undo the path "
        f"between them on each level, with {context.mass} intervals.",
        frame, columns,
    )  # fmt: skip


def _ranks(context: Context, frame: pd.DataFrame) -> Any:
    shown = frame.copy()
    pairs = zip(frame["rank_lower"], frame["rank_upper"], strict=True)
    shown["ranks"] = [f"{low} to {high}" for low, high in pairs]
    columns = {
        "text": ("Path", "text"), "cluster": (frame.attrs["by"], "text"), "n": ("n", "count"),
        "mean": ("Mean", "estimate"), "lower": ("Lower", "estimate"), "upper": ("Upper", "estimate"),
        "p_direction": ("P(direction)", "probability"), "ranks": ("Rank", "text"),
        "p_largest": ("P(largest)", "probability"),
    }  # fmt: skip
    return table(
        f"Indirect effects cluster by cluster with {context.mass} intervals, also of their ranks.",
        shown,
        columns,
    )


def _contrasts(context: Context, frame: pd.DataFrame) -> Any:
    columns = {
        "text": ("Path", "text"), "cluster": (frame.attrs["by"], "text"), "minus": ("Minus", "text"),
        "mean": ("Difference", "estimate"), "lower": ("Lower", "estimate"), "upper": ("Upper", "estimate"),
        "p_direction": ("P(direction)", "probability"),
    }  # fmt: skip
    return table(
        f"Differences of indirect effects, all pairs, with {context.mass} intervals; partial pooling takes "
        "the place of a correction for many comparisons.",
        frame, columns,
    )  # fmt: skip
