"""What the priors say in the units of the questionnaire, and how far the data moved them."""

from __future__ import annotations

import numpy as np

from medpsy.plots.numbers import as_float, estimate, interval, percent
from medpsy.plots.posterior_density import posterior_density
from medpsy.plots.prior_predictive import prior_predictive
from medpsy.report.blocks import Block, Figure, Section, Text
from medpsy.report.context import Context
from medpsy.report.figures import drawn, slug

ORDER = 80


def build(context: Context) -> Section | None:
    """Return prior predictive figures, and prior and posterior of each indirect effect."""
    blocks: list[Block] = []
    if not context.prior_categories.empty and not context.prior_scores.empty:
        names = ", ".join(context.prior_categories["construct"].astype(str).drop_duplicates())
        blocks.append(Text(["Before any answer is seen, the priors expect these answers and sum scores."]))
        blocks.append(
            drawn(
                prior_predictive(context.prior_categories, context.prior_scores),
                name="prior-predictive",
                caption=f"Prior predictive answers and sum scores, with {context.mass} intervals.",
                alt=f"Prior expected use of categories per item, and distribution of sum scores, of {names}.",
            )
        )
    names_of_effects = [name for name in context.effect_draws if "indirect" in name.lower()]
    blocks += [_density(context, name) for name in names_of_effects or list(context.effect_draws)]
    title = "Priors in questionnaire units"
    return Section(title, "priors-in-questionnaire-units", blocks) if blocks else None


def _density(context: Context, name: str) -> Figure:
    draws = np.asarray(context.effect_draws[name], dtype=float)
    prior = context.prior_effect_draws.get(name)
    rope = _rope(context, name)
    tail = (1 - context.interval) / 2
    low, high = np.nanquantile(draws, (tail, 1 - tail))
    bounds = f"{context.mass} interval {interval(low, high)}"
    alt = f"Density of {name}: posterior mean {estimate(np.nanmean(draws))}, {bounds}."
    caption = f"Posterior{'' if prior is None else ' and prior'} of {name}"
    if rope is not None and prior is not None:
        before = np.asarray(prior, dtype=float)
        share = np.mean((before >= rope[0]) & (before <= rope[1]))
        caption += (
            f"; the prior puts {percent(share)} into the region of practical equivalence {interval(*rope)}"
        )
    figure = posterior_density(draws, prior, rope=rope, label=name, interval=context.interval)
    return drawn(figure, name=f"density-{slug(name)}", caption=f"{caption}.", alt=alt)


def _rope(context: Context, name: str) -> tuple[float, float] | None:
    if not {"effect", "rope_low", "rope_high"} <= set(context.effects.columns):
        return None
    for row in context.effects.to_dict("records"):
        rope = (as_float(row["rope_low"]), as_float(row["rope_high"]))
        if row["effect"] == name and not np.isnan(rope).any():
            return rope
    return None
