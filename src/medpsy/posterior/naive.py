"""The estimate one would get from sum scores, beside the one that knows about measurement error.

Correlations of sum scores are attenuated by the square root of the product of their reliabilities (Spearman,
1904), products of paths by more: with reliabilities of .8 an indirect effect can lose a third (Ledgerwood &
Shrout, 2011, doi:10.1037/a0024776).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from medpsy.errors import SpecError
from medpsy.observed.base import observed_family
from medpsy.posterior.conditional import effects_at, ends
from medpsy.posterior.effects import effects
from medpsy.posterior.intervals import bounds
from medpsy.posterior.pathways import Pathways
from medpsy.result import Result
from medpsy.spec.expressions import parse_expression


def naive_vs_latent(
    result: Result, *, at: Mapping[str, object] | None = None, interval: float = 0.95
) -> pd.DataFrame:
    """Standardised effects by least squares on mean scores, beside their posterior.

    Mean scores average the answers a person gave to the items of a construct, turned items turned; persons
    with a gap elsewhere are left out of the least squares.

    Parameters
    ----------
    at : mapping, optional
        Value or values by moderator, as in :func:`medpsy.posterior.conditional.conditional`.
    interval : float

    Returns
    -------
    DataFrame
        effect, naive (standardised), mean, lower, upper (standardised posterior), ratio (naive / mean; NaN
        where the posterior mean is within one hundredth of zero). In a model with products the conditional
        effects, with their text and one column per moderator. ``attrs``: persons of the least squares.

    Raises
    ------
    SpecError
        The model has no construct that is explained or explains, or an outcome that is binary or a count.
    """
    spec = result.model.spec
    latent = {c.name for c in result.model.constructs}
    if not any({path.target, path.source} & latent for path in spec.paths):
        raise SpecError("no construct takes part in a path", hint="Without constructs the two are the same.")
    if not all(observed_family(o.family).linear for o in spec.observed):
        raise SpecError(
            "sum scores are compared for linear models only", hint="Use natural_effects() for other outcomes."
        )
    values, persons = _columns(result)
    products, clusters = any(path.by for path in spec.paths), spec.clusters
    if products and clusters is not None and (clusters.between or clusters.random):
        raise SpecError(
            "mean scores mix what happens within and between clusters",
            hint="Effects on each level stand in conditional().",
        )
    frame = _conditional(result, values, at, interval) if products else _plain(result, values, interval)
    frame["ratio"] = np.where(frame["mean"].abs() > 0.01, frame["naive"] / frame["mean"], np.nan)
    frame.attrs |= {"interval": float(interval), "persons": persons}
    return frame


def _plain(result: Result, raw: dict[str, np.ndarray], interval: float) -> pd.DataFrame:
    """Labelled paths and defined effects."""
    layout = result.data.layout
    category = {column.name for column in layout.columns if "[" in column.name}
    values = {k: (v - v.mean()) / (1.0 if k in category else v.std()) for k, v in raw.items()}
    labels: dict[str, float] = {}
    for target in dict.fromkeys(c.target for c in layout.coefficients):
        own = [c for c in layout.coefficients if c.target == target]
        terms = np.column_stack([values[layout.term(c)] for c in own])
        found = np.linalg.lstsq(terms, values[layout.nodes[target]], rcond=None)[0]
        of = [c.label for c in own]
        labels |= {
            name: float(slope) for name, slope in zip(of, found, strict=True) if name and of.count(name) == 1
        }
    for definition in result.model.spec.definitions:
        expression = parse_expression(definition.expression)
        if all(name in labels for name in expression.names):
            labels[definition.name] = float(expression.evaluate(labels))
    rows = [
        (r.effect, labels[r.effect], r.std_mean, r.std_lower, r.std_upper)
        for r in effects(result, interval=interval).itertuples() if r.effect in labels
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["effect", "naive", "mean", "lower", "upper"])


def _conditional(
    result: Result, raw: dict[str, np.ndarray], at: Mapping[str, object] | None, interval: float
) -> pd.DataFrame:
    """Conditional effects: constructs as mean scores in their sd, all else in raw units."""
    along = Pathways(result)
    layout = along.layout
    latent = {layout.nodes[i] for i in layout.factors}
    # A construct of the model is in residual sds; its mean score gets the same sd.
    unit = {name: float(along.sd(name).mean()) for name in latent}
    values = {k: (v - v.mean()) / v.std() * unit[k] if k in latent else v for k, v in raw.items()}
    slopes = np.empty(len(layout.coefficients))
    for target in dict.fromkeys(c.target for c in layout.coefficients):
        own = [i for i, c in enumerate(layout.coefficients) if c.target == target]
        terms = [np.prod([values[n] for n in layout.factors_of(layout.coefficients[i])], axis=0) for i in own]
        found = values[layout.nodes[target]]
        design = np.column_stack([*terms, np.ones(len(found))])
        slopes[own] = np.linalg.lstsq(design, found, rcond=None)[0][:-1]
    by_hand = Pathways(result)
    by_hand.coefficients = slopes[None]
    rows = []
    for x, y in ends(result, None, None):
        ways = along.ways(x, y)
        for setting in along.settings(along.moderators(ways), at):
            pair = (effects_at(one, ways, setting, y) for one in (along, by_hand))
            for (name, text, start, draws), (*_, plain) in zip(*pair, strict=True):
                scaled = draws * along.ratio(start, y)
                sd = [1.0 if "[" in v else values[v].std() for v in (start, y)]
                row = {"effect": name, "text": text, **setting, "naive": float(plain[0] * sd[0] / sd[1])}
                lower, upper = bounds(scaled, interval)
                rows.append(row | {"mean": scaled.mean(), "lower": float(lower), "upper": float(upper)})
    return pd.DataFrame(rows)


def _columns(result: Result) -> tuple[dict[str, np.ndarray], int]:
    """Values of every variable of the complete persons: mean scores, and numbers in their own units."""
    data = result.data
    raw: dict[str, np.ndarray] = {}
    for block in data.blocks:
        values = block.values.astype(float)
        values = np.where(values < 0, np.nan, values) if block.n_categories else values
        answered = ~np.isnan(values).all(axis=1)
        raw[block.name] = np.where(
            answered, np.nansum(values, 1) / np.maximum((~np.isnan(values)).sum(1), 1), np.nan
        )
    for i, name in enumerate(data.layout.nodes):
        if data.layout.families[i] != "latent":
            raw[name] = data.observed[:, i] * data.layout.unit[i] + data.layout.centre[i]
    for i, column in enumerate(data.layout.columns):
        if not column.factors:
            raw[column.name] = data.design[:, i + 1] * column.unit + column.centre
    full = ~np.isnan(np.column_stack(list(raw.values()))).any(axis=1)
    return {name: values[full] for name, values in raw.items()}, int(full.sum())
