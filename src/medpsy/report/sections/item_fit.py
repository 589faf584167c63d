"""Which items do not follow the model."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from medpsy.plots.item_fit import item_fit as fit_figure
from medpsy.plots.score_distribution import score_distribution as score_figure
from medpsy.posterior.item_fit import item_fit
from medpsy.posterior.replicates import by_group, shared
from medpsy.posterior.score_distribution import category_use, score_distribution
from medpsy.report.blocks import Block, Section, Table, Text
from medpsy.report.context import Context
from medpsy.report.figures import drawn
from medpsy.report.tables import table
from medpsy.result import Result

ORDER = 71


@dataclass(frozen=True)
class Parts:
    """Tables of this section."""

    items: pd.DataFrame
    scores: pd.DataFrame
    categories: pd.DataFrame


def gather(result: Result, interval: float) -> Parts | None:
    """Return the tables; nothing for models without items that have categories."""
    if not any(block.n_categories for block in result.data.blocks):
        return None
    made = shared(result)
    items = item_fit(result, made=made)
    scores = score_distribution(result, interval=interval, made=made)
    categories = category_use(result, interval=interval, made=made)
    return Parts(by_group(items), by_group(scores), categories)


def build(context: Context) -> Section | None:
    """Return the table and figure of item fit, sum scores, and categories out of order."""
    parts: Parts | None = context.parts.get("item_fit")
    if parts is None:
        return None
    about = parts.items.attrs
    verdict = (
        f"{about['flags']} of {about['tests']} tests are flagged at {about['alpha']:g}; at most "
        f"{about['by_chance']:.1f} would be by chance if the model were true."
    )
    blocks: list[Block] = [Text([verdict]), _items(parts.items)]
    blocks.append(
        drawn(
            fit_figure(parts.items),
            name="item-fit",
            caption="Infit and outfit at plausible values; coloured names are flagged by a posterior "
            "predictive check. At the right the posterior predictive p value of S-X2.",
            alt=f"Infit and outfit of {len(parts.items)} items. {verdict}",
        )
    )
    if not parts.scores.empty:
        blocks.append(_scores(context, parts.scores))
    blocks += _categories(parts.categories)
    return Section("Item fit", "item-fit", blocks)


def _items(items: pd.DataFrame) -> Table:
    columns = {
        "item": ("Item", "text"), "construct": ("Construct", "text"), "n": ("n", "count"),
        "s_x2": ("S-X2", "one"), "df": ("df", "count"), "p": ("p", "probability"),
        "s_x2_ppp": ("PPP", "probability"), "infit": ("Infit", "two"),
        "infit_ppp": ("PPP infit", "probability"), "outfit": ("Outfit", "two"),
        "outfit_ppp": ("PPP outfit", "probability"), "flag": ("Flag", "text"),
    }  # fmt: skip
    notes = [
        "S-X2: do persons with the same sum score answer as expected; df and p are the classical ones, over "
        "persons who answered the whole module. Infit and outfit: mean squared residuals, 1 expected.",
        "PPP: share of posterior draws in which answers made by the model are at least as far off. Near 0: "
        "the item does not follow the model; for infit and outfit near 1: more closely than it should.",
    ]
    marked = [at for at, flag in enumerate(items["flag"]) if flag]
    return table("Item fit.", items, columns, notes=notes, marked=marked)


def _scores(context: Context, scores: pd.DataFrame) -> Block:
    values = "; ".join(f"{name} {value:.2f}" for name, value in scores.attrs["ppp"].items())
    return drawn(
        score_figure(scores),
        name="score-distribution",
        caption=f"Sum scores of those who answered a whole module, with {context.mass} predictive band. "
        f"Posterior predictive p of the distance: {values}.",
        alt=f"Sum scores observed and predicted. Posterior predictive p: {values}.",
    )


def _categories(categories: pd.DataFrame) -> list[Block]:
    unordered = categories[categories["p_ordered"] < 0.5]
    unused = categories[categories["count"] == 0]
    told = []
    if not unordered.empty:
        told.append(
            "Those who gave these answers do not stand higher on average than those who gave the one below: "
            f"{_named(unordered)}. Few answers make this likely by chance."
        )
    else:
        told.append("In every item those who chose a higher category stand higher on the construct.")
    if not unused.empty:
        told.append(f"Nobody chose {_named(unused)}.")
    return [Text(told)]


def _named(rows: pd.DataFrame) -> str:
    pairs = zip(rows["item"], rows["category"], rows["label"], rows["count"], strict=True)
    return "; ".join(f"{item} {code} {label}".strip() + f" ({n} answers)" for item, code, label, n in pairs)
