"""The parameter table with its posterior, in lavaan's order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from medpsy.classical.describe import asked_order
from medpsy.derive import definition_levels
from medpsy.dims import POSTERIOR
from medpsy.families.base import Block
from medpsy.latent.cluster_moderation import cluster_mean, raw_between
from medpsy.ops import Numpy
from medpsy.posterior.by_group import each_group
from medpsy.posterior.draws import group
from medpsy.posterior.intervals import bounds, check_interval
from medpsy.posterior.linear_lines import ABOUT, linear_lines
from medpsy.posterior.quantities import correlation_cells, level_name
from medpsy.result import Result
from medpsy.spec.parameters import ParameterRow

SECTIONS = (
    "Paths", "Correlations", "Second order", "Covariates", "Levels", "SDs of levels", "Defined", "Slopes",
    "Specific slopes", "Testlets", "Cross slopes",
    "Loadings", "Category scores", "Thresholds", "Asymptotes", "Covariances", "Means", "Intercepts",
    "Variances", "Residual SDs",
)  # fmt: skip
COLUMNS = (
    "section", "lhs", "op", "rhs", "label", "mean", "sd", "lower", "upper", "prior", "r_hat", "ess_bulk",
    "ess_tail",
)  # fmt: skip
NUMBERS = ("mean", "sd", "lower", "upper", "r_hat", "ess_bulk", "ess_tail")

#: From the z-scored scale of continuous items to their own: role -> f(draws, centre, unit).
TO_RAW: dict[str, Callable[[np.ndarray, float, float], np.ndarray]] = {
    "loading": lambda draws, centre, unit: draws * unit,
    "intercept": lambda draws, centre, unit: draws * unit + centre,
    "residual_sd": lambda draws, centre, unit: draws * unit,
}


@dataclass(frozen=True)
class Line:
    """One line before it is summarised; ``draws`` (chain, draw) in raw units."""

    section: str
    lhs: str
    op: str
    rhs: str
    label: str
    prior: str
    draws: np.ndarray


@each_group
def summary(result: Result, *, interval: float = 0.95, kind: str = "eti") -> pd.DataFrame:
    """Posterior of every parameter.

    Parameters
    ----------
    result : Result
    interval : float
        Posterior mass between ``lower`` and ``upper``.
    kind : str
        ``"eti"`` (equal-tailed) or ``"hdi"`` (highest density).

    Returns
    -------
    DataFrame
        Columns section, lhs, op, rhs, label, mean, sd, lower, upper, prior, r_hat, ess_bulk, ess_tail;
        sections in the order paths, correlations, covariates, defined, slopes, loadings, thresholds,
        intercepts, residual sds. A threshold has the label of the (turned) category that it opens. Units:
        constructs in their sd given what explains them, slopes and thresholds on the logit scale, observed
        variables and continuous items in their own units. The intercept of an explained variable is its
        value where all that explains it is zero in its own units (categories at their reference). A prior
        on z-scored variables says so.

    Raises
    ------
    SpecError
        An impossible interval or kind.

    Notes
    -----
    R-hat and effective sample sizes are rank-normalised and split (Vehtari et al., 2021,
    doi:10.1214/20-BA1221); they are NaN for what does not vary, R-hat also with a single chain.
    """
    check_interval(interval, kind)
    lines = sorted(_lines(result), key=lambda line: _place(line.section))
    if not lines:
        return pd.DataFrame(columns=list(COLUMNS))
    draws = np.stack([line.draws for line in lines])
    flat = draws.reshape(len(lines), -1)
    lower, upper = bounds(flat, interval, kind)
    frame = pd.DataFrame(
        {
            "section": [line.section for line in lines],
            "lhs": [line.lhs for line in lines],
            "op": [line.op for line in lines],
            "rhs": [line.rhs for line in lines],
            "label": [line.label for line in lines],
            "mean": flat.mean(axis=-1),
            "sd": flat.std(axis=-1, ddof=1) if flat.shape[-1] > 1 else np.nan,
            "lower": lower,
            "upper": upper,
            "prior": [line.prior for line in lines],
            **convergence(draws),
        }
    )
    frame.attrs |= {"interval": float(interval), "kind": kind}
    return frame[list(COLUMNS)].astype(dict.fromkeys(NUMBERS, float))


def convergence(draws: np.ndarray) -> dict[str, np.ndarray]:
    """R-hat, bulk and tail effective sample size of draws (quantity, chain, draw).

    Returns
    -------
    dict of str to ndarray, shape (quantity,)
        ``r_hat``, ``ess_bulk``, ``ess_tail``; NaN for what never varies or is not finite, and with fewer
        than four draws a chain. R-hat compares chains and is NaN with a single one.
    """
    from arviz_stats.base.array import array_stats

    out = {name: np.full(len(draws), np.nan) for name in ("r_hat", "ess_bulk", "ess_tail")}
    finite = np.isfinite(draws).all(axis=(1, 2))
    varies = finite.copy()
    varies[finite] = np.ptp(draws[finite], axis=(1, 2)) > 0
    if not varies.any() or draws.shape[-1] < 4:
        return out
    moving = draws[varies]
    axes = {"chain_axis": -2, "draw_axis": -1}
    with np.errstate(invalid="ignore", divide="ignore"):
        if draws.shape[1] > 1:
            out["r_hat"][varies] = array_stats.rhat(moving, method="rank", **axes)
        out["ess_bulk"][varies] = array_stats.ess(moving, method="bulk", **axes)
        out["ess_tail"][varies] = array_stats.ess(moving, method="tail", prob=(0.05, 0.95), **axes)
    return out


def _place(section: str) -> int:
    return SECTIONS.index(section) if section in SECTIONS else len(SECTIONS)


def _lines(result: Result) -> Iterator[Line]:
    """All lines in the order of the parameter table."""
    values = group(result, POSTERIOR)
    over = definition_levels(result.data)
    for row in result.model.table:
        head = row.target.partition(".")[0]
        if result.model.spec.linear is not None and head in ABOUT:
            for lhs, rhs, label, prior, draws in linear_lines(result, row, values):
                yield Line(row.section, lhs, row.op, rhs, label, prior, draws)
        elif head == "correlation":
            yield from _correlations(result, row, values)
        elif head == "path":
            yield from _paths(result, row, values)
        elif head == "defined":
            prior = row.note or "follows from its terms"
            levels = over[row.lhs]
            for k, level in enumerate(levels or ("",)):
                name = level_name(row.lhs, level)
                draws = values[row.lhs][..., k] if level else values[row.lhs]
                yield Line(row.section, name, row.op, row.rhs, row.label or "", prior, draws)
        elif head == "second_order_slope":
            i = result.data.layout.nodes.index(row.rhs)
            draws, prior = values["second_order_loading"][..., i], f"{_prior(row)} on the slope"
            yield Line(row.section, row.lhs, row.op, row.rhs, "standardised", prior, draws)
        elif head == "difference":
            yield from _differences(result, row, values)
        elif head == "level_sd":
            yield from _levels(result, row, values)
        elif head in ("path_between", "cluster_sd", "cluster_correlation"):
            yield from _clusters(result, row, values)
        elif head in ("group_mean", "group_sd"):
            at = [block.name for block in result.data.blocks].index(row.lhs)
            yield Line(row.section, row.lhs, row.op, row.rhs, "", _prior(row), values[head][..., at])
        elif row.target.count(".") == 1 and row.target.partition(".")[2] not in result.model.families:
            yield from _observed(result, row, values)
        else:
            yield from _item(result, row, values)


def _correlations(result: Result, row: ParameterRow, values: dict[str, np.ndarray]) -> Iterator[Line]:
    labels = {frozenset((c.left, c.right)): c.label or "" for c in result.model.spec.covariances}
    for left, right, variable, cell in correlation_cells(result.data):
        label = labels.get(frozenset((left, right)), "")
        yield Line(row.section, left, "~~", right, label, _prior(row), values[variable][(..., *cell)])


def _paths(result: Result, row: ParameterRow, values: dict[str, np.ndarray]) -> Iterator[Line]:
    """One line per coefficient: a category has one per level but the reference."""
    layout = result.data.layout
    explained = {layout.coefficients[i].target for i in layout.inner}
    for i, c in enumerate(layout.coefficients):
        if row.target != f"path.{c.path.key}":
            continue
        source = layout.term(c)
        unit = layout.columns[c.source - 1].unit if c.from_column else layout.unit[c.source]
        prior = _prior(row)
        if row.prior is not None:
            if result.model.structure.name == "correlated" and c.target in explained:
                prior += " on the total effect"
            if unit != 1 or layout.unit[c.target] != 1:
                prior += " (z-scored)"
        draws = values["coefficient"][..., i]
        yield Line(row.section, row.lhs, row.op, source, row.label or "", prior, draws)


def _clusters(result: Result, row: ParameterRow, values: dict[str, np.ndarray]) -> Iterator[Line]:
    """What concerns clusters: paths between them, sds over them, correlations of their effects."""
    head, _, name = row.target.partition(".")
    layout, prior = result.data.layout, _prior(row)
    if head == "cluster_correlation":
        for parameter in result.data.parameters:
            if parameter.name.startswith("cluster_correlation_chol"):
                draws = values[parameter.name.replace("correlation_chol", "correlation")]
                names = parameter.coords[0]
                for j, i in zip(*np.tril_indices(len(names), -1), strict=True):
                    yield Line(row.section, names[i], "~~", names[j], "", prior, draws[..., j, i])
        return
    if head == "path_between":
        raw = raw_between(values, layout)
        for at, c in enumerate(layout.between):
            if c.path.key == name:
                scaled = [layout.unit[c.target], layout.unit[c.source]] != [1.0, 1.0]
                source, note = layout.term(c), prior + " (z-scored)" * scaled
                yield Line(row.section, row.lhs, row.op, source, row.label or "", note, raw[..., at])
        return
    parameter = next(p for p in result.data.parameters if p.name == head)
    draws = values["sd_over_clusters"][..., parameter.coords[0].index(name)]
    unit = name not in layout.nodes or bool(layout.unit[layout.nodes.index(name)] != 1)
    yield Line(row.section, row.lhs, row.op, row.rhs, row.label or "", prior + " (z-scored)" * unit, draws)


def _levels(result: Result, row: ParameterRow, values: dict[str, np.ndarray]) -> Iterator[Line]:
    """The sd of pooled levels, and the effect of every level, in raw units."""
    layout, at = result.data.layout, 0
    for k, one in enumerate(layout.pooled):
        stop = at + len(one.labels)
        if row.target == f"level_sd.{row.lhs}.{one.variable}" and layout.nodes[one.target] == row.lhs:
            unit = layout.unit[one.target]
            prior = _prior(row) + " (z-scored)" * bool(unit != 1)
            yield Line(row.section, row.lhs, "|", row.rhs, "", prior, values["level_sd"][..., k] * unit)
            for i, label in zip(range(at, stop), one.labels, strict=True):
                draws, note = values["level_effect"][..., i], "Normal(0, sd), summing to 0"
                yield Line("Levels", row.lhs, "~", f"{one.variable}[{label}]", "", note, draws)
        at = stop


def _observed(result: Result, row: ParameterRow, values: dict[str, np.ndarray]) -> Iterator[Line]:
    """A parameter of the family of an explained observed variable, in its own units."""
    layout = result.data.layout
    role, _, name = row.target.partition(".")
    node = layout.nodes.index(name)
    parameter = next(p for p in result.data.parameters if p.name == role)
    family = layout.observed[node]
    assert family is not None
    if role in layout.by_category:
        shift = _at_zero(result, node, values)
        for k, label in enumerate(layout.categories[node][1:]):
            draws = values[f"threshold_{name}"][..., k] - shift
            prior = f"{_prior(row)} on category probabilities"
            yield Line(row.section, name, row.op, f"{row.rhs}{k + 1}", label, prior, draws)
        return
    in_units = next(r.in_units for r in family.roles if r.name == role)
    draws = values[role][..., parameter.coords[0].index(name)] * (layout.unit[node] if in_units else 1.0)
    prior = _prior(row)
    if family.standardised and in_units:
        prior += " (z-scored)"
    if role == "intercept":
        draws = draws + layout.centre[node] + _at_zero(result, node, values)
    yield Line(row.section, row.lhs, row.op, row.rhs, row.label or "", prior, draws)


def _at_zero(result: Result, node: int, values: dict[str, np.ndarray]) -> Any:
    """What the linear predictor of a node loses where all that explains it is zero instead of at its mean."""
    layout = result.data.layout
    if layout.between:
        # Where cluster means have paths of their own, those of deviations move no intercept.
        names = (*layout.nodes, *(column.name for column in layout.columns))
        internal = result.model.structure.coefficients(values, layout, Numpy)
        mean = cluster_mean(values, layout, node, internal, dict.fromkeys(names, 0.0))
        return mean * layout.unit[node]
    total: Any = 0.0
    for i, c in enumerate(layout.coefficients):
        if c.target == node:
            at = layout.columns[c.source - 1].centre if c.from_column else layout.centre[c.source]
            total = total - values["coefficient"][..., i] * at
    return total


def _item(result: Result, row: ParameterRow, values: dict[str, np.ndarray]) -> Iterator[Line]:
    """A parameter of one item: as it is, in raw units, or as the thresholds that it stands for."""
    role, construct, item = (row.target + ".").split(".", 2)
    item = item.rstrip(".")
    block = next(b for b in result.data.blocks if b.name == construct)
    shown = _shown(result, block, role)
    if shown is not None and f"{shown}_{construct}" in values:
        yield from _stand_ins(result, block, row, shown, values[f"{shown}_{construct}"])
        return
    parameter = next(p for p in result.data.parameters if p.name == f"{role}_{construct}")
    j = parameter.coords[0].index(item) if item else 0
    draws, prior = values[f"{role}_{construct}"][..., j], _prior(row)
    if block.n_categories == 0 and role in TO_RAW:
        draws = TO_RAW[role](draws, float(block.centre[j]), float(block.unit[j]))
        prior += " (z-scored)"
    yield Line(row.section, row.lhs, row.op, row.rhs, row.label or "", prior, draws)


def _differences(result: Result, row: ParameterRow, values: dict[str, np.ndarray]) -> Iterator[Line]:
    """What a released item differs by from its twin at another occasion."""
    _, part, construct, item = row.target.split(".", 3)
    parameter = next(p for p in result.data.parameters if p.name == f"difference_{part}_{construct}")
    for at, name in enumerate(parameter.coords[0]):
        place, _, contrast = name.partition(": ")
        if place == item or place.rpartition(".")[0] == item:
            rhs = row.rhs + place.removeprefix(item)
            yield Line(row.section, item, row.op, rhs, contrast, _prior(row), values[parameter.name][..., at])


def _shown(result: Result, block: Block, role: str) -> str | None:
    """Name of what stands in the table for a role; None for a role that is read itself."""
    family = result.model.families[block.name]
    name: str | None = getattr(family, "shown", {}).get(role)
    return name


def _stand_ins(
    result: Result, block: Block, row: ParameterRow, name: str, draws: np.ndarray
) -> Iterator[Line]:
    """What a row stands for: thresholds or scores of an item, an asymptote, steps that items share."""
    role, _, place = row.target.partition(".")
    prior = _prior(row)
    if row.prior is not None:
        prior += f" on {'category probabilities' if role == 'category_prob' else role}"
    family: Any = result.model.families[block.name]
    over = (getattr(family, "reported", None) or family.family.reported)[name]
    item = place.partition(".")[2] or block.construct.items[0]
    own = draws[..., block.construct.items.index(item), :] if len(over) == 2 else draws
    if over == ("item",):
        yield Line(
            row.section, row.lhs, row.op, row.rhs, "", prior, draws[..., block.construct.items.index(item)]
        )
        return
    # A threshold or step opens the category that it is labelled with.
    symbol, first = ("s", 0) if over[-1] == "category" else ("t", 1)
    for k, label in enumerate(category_order(result, item)[first:]):
        yield Line(row.section, row.lhs, "|", f"{symbol}{k + first}", label, prior, own[..., k])


def category_order(result: Result, item: str) -> list[str]:
    """Labels of the categories of an item, upwards in the construct."""
    labels = result.survey.instrument.module_of(item).labels
    order = asked_order(result.survey, [item])[0]
    return [labels[k] for k in np.argsort(order)]


def _prior(row: ParameterRow) -> str:
    return row.note or "none" if row.prior is None else str(row.prior)
