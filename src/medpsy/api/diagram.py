"""The boxes and arrows of a fitted model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from medpsy.dims import POSTERIOR
from medpsy.posterior.by_group import view
from medpsy.survey.instrument import Instrument

if TYPE_CHECKING:
    from medpsy.result import Result


def nodes(result: Result) -> pd.DataFrame:
    """Return name, title, kind (latent, observed, covariate) and n_items of every node.

    A categorical covariate has one node per level that is compared with the reference.
    """
    layout, instrument = result.data.layout, result.survey.instrument
    items = {construct.name: construct.items for construct in result.model.constructs}
    rows = []
    for name, family in zip(layout.nodes, layout.families, strict=True):
        if family == "latent":
            rows.append((name, construct_title(name, items[name], instrument), "latent", len(items[name])))
        else:
            rows.append((name, _variable_title(name, instrument), "observed", 0))
    products = {layout.term(c) for c in layout.coefficients if len(layout.factors_of(c)) > 1}
    used = {c.source - 1 for c in layout.coefficients if c.from_column}
    for at, column in enumerate(layout.columns):
        if at in used:
            level = column.name.removeprefix(column.variable).strip("[]")
            title = _variable_title(column.variable, instrument) + (f": {level}" if level else "")
            rows.append((column.name, title, "covariate", 0))
    for c in layout.coefficients:
        if c.by is not None:
            rows.append((layout.term(c), layout.term(c), "covariate", 0))
    rows = [
        (name, str(title).replace(":", " \N{MULTIPLICATION SIGN} ") if name in products else title, *rest)
        for name, title, *rest in rows
    ]
    return pd.DataFrame(rows, columns=["name", "title", "kind", "n_items"]).drop_duplicates("name")


def edges(result: Result, interval: float) -> pd.DataFrame:
    """Return source, target, op, label, mean, lower, upper of every path and residual correlation.

    Paths are in raw units (constructs in their residual sd); intervals have equal tails. Of a model with
    groups those of the reference group, or of the first one.
    """
    if result.data.groups is not None:
        groups = result.data.groups
        result = view(result, groups.levels[max(groups.reference, 0)])
    layout, posterior = result.data.layout, result.tree[POSTERIOR]
    rows: list[tuple[object, ...]] = []
    for at, c in enumerate(layout.coefficients):
        draws = posterior["coefficient"].to_numpy()[..., at]
        rows.append((layout.term(c), layout.nodes[c.target], "~", c.label or "", *_numbers(draws, interval)))
    joined = {(c.source, c.target) for c in layout.coefficients if not c.from_column}
    saturated = result.model.structure.name == "correlated" and bool(joined)
    for parameter in result.data.parameters:
        if parameter.event != "correlation" or saturated:
            continue
        name = parameter.name.replace("correlation_chol", "correlation")
        draws, names = posterior[name].to_numpy(), parameter.coords[0]
        for i, j in zip(*np.tril_indices(len(names), -1), strict=True):
            rows.append((names[j], names[i], "~~", "", *_numbers(draws[..., i, j], interval)))
    columns = ["source", "target", "op", "label", "mean", "lower", "upper"]
    return pd.DataFrame(rows, columns=columns)


def construct_title(name: str, items: tuple[str, ...], instrument: Instrument) -> str:
    """Return the title of the module that holds the items; of a turned module, the construct's own name."""
    holders = {instrument.module_of(item) for item in items if item in instrument.items}
    if len(holders) == 1:
        module = holders.pop()
        if module.title and module.polarity > 0 and set(items) == set(module.items):
            return module.title
    text = name.replace("_", " ")
    return text[:1].upper() + text[1:]


def _variable_title(name: str, instrument: Instrument) -> str:
    return next((v.title for v in instrument.variables if v.name == name and v.title), name)


def _numbers(draws: np.ndarray, interval: float) -> tuple[float, float, float]:
    tail = (1 - interval) / 2
    low, high = np.quantile(draws, (tail, 1 - tail))
    return float(draws.mean()), float(low), float(high)
