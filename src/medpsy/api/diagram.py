"""The boxes and arrows of a fitted model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from medpsy.dims import POSTERIOR
from medpsy.latent.cluster_moderation import raw_between
from medpsy.posterior.by_group import view
from medpsy.spec.model_spec import ModelSpec
from medpsy.survey.instrument import Instrument

if TYPE_CHECKING:
    from medpsy.result import Result


def nodes(result: Result) -> pd.DataFrame:
    """Return name, title, kind (latent, observed, covariate) and n_items of every node.

    A categorical covariate has one node per level that is compared with the reference.
    """
    layout, instrument = result.data.layout, result.survey.instrument
    parts = {construct.name: construct.items for construct in result.model.constructs}
    spec = result.model.spec
    parts |= {n: tuple(p.target for p in spec.paths if p.measured and p.source == n) for n in spec.latents}
    hidden = indicators(spec)
    rows: list[tuple[str, str, str, int]] = []
    for name, family in zip(layout.nodes, layout.families, strict=True):
        if name in hidden:
            continue
        if family == "latent":
            items = parts.get(name, ())
            rows.append((name, construct_title(name, items, instrument), "latent", len(items)))
        else:
            rows.append((name, _variable_title(name, instrument), "observed", 0))
    means = _means(result)
    within = f", within {means.by}" if means.names else ""
    rows = [(name, f"{title}{within}", kind, items) for name, title, kind, items in rows]
    rows += [(f"{name}|", f"{_mean_title(name, rows, means.by)}", "observed", 0) for name in means.names]
    products = {layout.term(c) for c in layout.coefficients if len(layout.factors_of(c)) > 1}
    used = {c.source - 1 for c in layout.coefficients if c.from_column}
    # Whose paths have names is no mere covariate, but an exposure.
    exposures = {c.source - 1 for c in layout.coefficients if c.from_column and c.label}
    for at, column in enumerate(layout.columns):
        if at in used:
            level = column.name.removeprefix(column.variable).strip("[]")
            title = _variable_title(column.variable, instrument) + (f": {level}" if level else "")
            rows.append((column.name, title, "observed" if at in exposures else "covariate", 0))
    for c in layout.coefficients:
        if c.by is not None or c.times:
            rows.append((layout.term(c), f"{layout.term(c)}{within}", "covariate", 0))
    for c in layout.between:
        if c.by is not None:
            rows.append((f"{layout.term(c)}|", f"{layout.term(c)}, mean of {means.by}", "covariate", 0))
    times = " \N{MULTIPLICATION SIGN} "
    rows = [
        (name, title.replace(":", times) if name.removesuffix("|") in products else title, kind, items)
        for name, title, kind, items in rows
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
    hidden, means = indicators(result.model.spec), _means(result)
    for at, c in enumerate(layout.coefficients):
        if c.path.target in hidden:
            continue
        draws = posterior["coefficient"].to_numpy()[..., at]
        target = layout.nodes[c.target]
        if c.from_column and c.source in means.upper:
            target = f"{target}|"
        rows.append((layout.term(c), target, "~", c.label or "", *_numbers(draws, interval)))
    rows += _between(result, interval)
    joined = {(c.source, c.target) for c in layout.coefficients if not c.from_column}
    saturated = result.model.structure.name == "correlated" and bool(joined)
    for parameter in result.data.parameters:
        if parameter.event != "correlation" or saturated or parameter.name.startswith("cluster_"):
            continue
        name = parameter.name.replace("correlation_chol", "correlation")
        draws, names = posterior[name].to_numpy(), parameter.coords[0]
        for i, j in zip(*np.tril_indices(len(names), -1), strict=True):
            if {names[i], names[j]} & hidden:
                continue
            rows.append((names[j], names[i], "~~", "", *_numbers(draws[..., i, j], interval)))
    columns = ["source", "target", "op", "label", "mean", "lower", "upper"]
    return pd.DataFrame(rows, columns=columns)


@dataclass(frozen=True)
class _Means:
    """Cluster means that have a box of their own: of which nodes, of what, and the columns into them."""

    by: str = ""
    names: tuple[str, ...] = ()
    upper: frozenset[int] = frozenset()


def _means(result: Result) -> _Means:
    layout, clusters = result.data.layout, result.model.spec.clusters
    if clusters is None or not clusters.between or layout.levels is None:
        return _Means()
    upper = frozenset(layout.levels.upper.tolist())
    named = {name for path in clusters.between for name in (path.target, path.source)}
    named |= {layout.nodes[c.target] for c in layout.coefficients if c.from_column and c.source in upper}
    return _Means(clusters.by, tuple(name for name in layout.nodes if name in named), upper)


def _mean_title(name: str, rows: list[tuple[str, str, str, int]], by: str) -> str:
    title = next(row[1] for row in rows if row[0] == name).removesuffix(f", within {by}")
    return f"{title}, mean of {by}"


def _between(result: Result, interval: float) -> list[tuple[object, ...]]:
    """Arrows between cluster means."""
    layout, clusters = result.data.layout, result.model.spec.clusters
    if clusters is None or not clusters.between:
        return []
    raw = raw_between({"path_between": result.tree[POSTERIOR]["path_between"].to_numpy()}, layout)
    return [
        (
            f"{layout.term(c)}|",
            f"{layout.nodes[c.target]}|",
            "~",
            c.label or "",
            *_numbers(raw[..., i], interval),
        )
        for i, c in enumerate(layout.between)
    ]


def indicators(spec: ModelSpec) -> set[str]:
    """Variables that a linear model has as indicators only; like items, they are no nodes of a figure."""
    structural = {name for p in spec.paths if not p.measured for name in (p.target, *p.variables)}
    return {p.target for p in spec.paths if p.measured} - structural - set(spec.latents)


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
