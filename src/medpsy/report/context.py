"""Everything a report is made from: plain tables and strings, so that a report can be made of any result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    import xarray as xr


@dataclass
class Context:
    """Tables and sentences of one result. What is empty is left out of the report.

    Intervals hold the posterior mass ``interval``; effects and paths are on the scale of the model, in which
    every construct has mean 0 and (residual) variance as the model says; ``std_`` columns are standardised.

    Parameters
    ----------
    title, note : str
        Title of the page; the sentence every table and figure must carry (for example that data are
        simulated).
    trusted : bool
        Whether the diagnostics gate passed.
    gate_reasons : sequence of str
        Why it did not.
    syntax : str
        The model in lavaan-like text.
    equations : sequence of str
        The model in formulas, one a line.
    nodes, edges : DataFrame
        [name, title, kind, n_items]; [source, target, op, label, mean, lower, upper].
    flow : DataFrame
        [rule, text, unit, before, after, removed, only_this_rule, places].
    sample : DataFrame
        [variable, level, n, share, mean, sd, min, max]: categories fill level, n and share; numbers the rest.
    items, item_table : DataFrame
        [construct, item, wording, category, label, count];
        [construct, item, wording, n, missing, mean, sd, item_rest].
    reliability : DataFrame
        [construct, coefficient, mean, lower, upper, p_above_080].
    effects : DataFrame
        [effect, text, mean, median, sd, lower, upper, p_direction, rope_low, rope_high, in_rope, std_mean,
        std_lower, std_upper].
    effects_text : sequence of str
        The same in sentences.
    summary : DataFrame
        [section, lhs, op, rhs, label, mean, sd, lower, upper, prior, r_hat, ess_bulk, ess_tail].
    checks : DataFrame
        [check, code, passed, value, threshold, text, cure].
    orders : DataFrame, optional
        [order, exposure, mediator, outcome, indirect_mean, lower, upper, hypothesised].
    assumptions : sequence of str
    curves : sequence of xarray.Dataset
        One a construct, as in ``plots.category_curves``.
    predicted, prior_categories, prior_scores : DataFrame
        As in ``plots.category_counts`` and ``plots.prior_predictive``.
    ranks : (ndarray, names), optional
        Draws of shape (chain, draw, variable) and the names of the variables.
    effect_draws, prior_effect_draws : mapping of str to ndarray
        One-dimensional draws by name of effect.
    loo : DataFrame, optional
        Leave-one-person-out cross-validation.
    provenance : mapping
        Nested: versions, seed, data, timings.
    citations : sequence of str
    parts : mapping of str to object
        What sections computed for themselves (``report.sections.gather``), by name of their module.
    """

    title: str
    note: str = ""
    trusted: bool = True
    gate_reasons: Sequence[str] = ()
    interval: float = 0.95
    syntax: str = ""
    equations: Sequence[str] = ()
    nodes: pd.DataFrame = field(default_factory=pd.DataFrame)
    edges: pd.DataFrame = field(default_factory=pd.DataFrame)
    flow: pd.DataFrame = field(default_factory=pd.DataFrame)
    sample: pd.DataFrame = field(default_factory=pd.DataFrame)
    items: pd.DataFrame = field(default_factory=pd.DataFrame)
    item_table: pd.DataFrame = field(default_factory=pd.DataFrame)
    reliability: pd.DataFrame = field(default_factory=pd.DataFrame)
    effects: pd.DataFrame = field(default_factory=pd.DataFrame)
    effects_text: Sequence[str] = ()
    summary: pd.DataFrame = field(default_factory=pd.DataFrame)
    checks: pd.DataFrame = field(default_factory=pd.DataFrame)
    orders: pd.DataFrame | None = None
    assumptions: Sequence[str] = ()
    curves: Sequence[xr.Dataset] = ()
    predicted: pd.DataFrame = field(default_factory=pd.DataFrame)
    prior_categories: pd.DataFrame = field(default_factory=pd.DataFrame)
    prior_scores: pd.DataFrame = field(default_factory=pd.DataFrame)
    ranks: tuple[np.ndarray, Sequence[str]] | None = None
    effect_draws: Mapping[str, np.ndarray] = field(default_factory=dict)
    prior_effect_draws: Mapping[str, np.ndarray] = field(default_factory=dict)
    loo: pd.DataFrame | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    citations: Sequence[str] = ()
    parts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def mass(self) -> str:
        """The mass of intervals, as it is printed: ``95 %``."""
        return f"{100 * self.interval:g} %"
