"""The estimate one would get from sum scores, beside the one that knows about measurement error.

Correlations of sum scores are attenuated by the square root of the product of their reliabilities (Spearman,
1904), products of paths by more: with reliabilities of .8 an indirect effect can lose a third (Ledgerwood &
Shrout, 2011, doi:10.1037/a0024776).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from medpsy.errors import SpecError
from medpsy.posterior.effects import effects
from medpsy.result import Result
from medpsy.spec.expressions import parse_expression


def naive_vs_latent(result: Result, *, interval: float = 0.95) -> pd.DataFrame:
    """Standardised effects by least squares on mean scores, beside their posterior.

    Mean scores average the answers a person gave to the items of a construct, turned items turned; persons
    with a gap elsewhere are left out of the least squares.

    Returns
    -------
    DataFrame
        effect, naive (standardised), mean, lower, upper (standardised posterior), ratio (naive / mean; NaN
        where the posterior mean is within one hundredth of zero). ``attrs``: persons of the least squares.

    Raises
    ------
    SpecError
        The model has no construct that is explained or explains, a product, or a binary outcome.
    """
    spec = result.model.spec
    latent = {c.name for c in result.model.constructs}
    if not any({path.target, path.source} & latent for path in spec.paths):
        raise SpecError("no construct takes part in a path", hint="Without constructs the two are the same.")
    if any(path.by for path in spec.paths) or any(o.family != "gaussian" for o in spec.observed):
        raise SpecError(
            "sum scores are compared for linear models without products only", hint="Leave the products out."
        )
    values, persons = _standard(result)
    labels = {}
    for target in dict.fromkeys(path.target for path in spec.paths):
        own = [path for path in spec.paths if path.target == target]
        terms = [name for path in own for name in values.names(path.source)]
        found = np.linalg.lstsq(values.of(terms), values.of([target])[:, 0], rcond=None)[0]
        slopes = dict(zip(terms, found, strict=True))
        for path in own:
            held = values.names(path.source)
            if path.label and len(held) == 1:
                labels[path.label] = float(slopes[held[0]])
    for definition in spec.definitions:
        expression = parse_expression(definition.expression)
        if all(name in labels for name in expression.names):
            labels[definition.name] = float(expression.evaluate(labels))
    table = effects(result, interval=interval)
    rows = [
        (r.effect, labels[r.effect], r.std_mean, r.std_lower, r.std_upper)
        for r in table.itertuples() if r.effect in labels
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["effect", "naive", "mean", "lower", "upper"])
    frame["ratio"] = np.where(frame["mean"].abs() > 0.01, frame["naive"] / frame["mean"], np.nan)
    frame.attrs |= {"interval": float(interval), "persons": persons}
    return frame


class _Standard:
    """Standardised columns by name; categories as centred indicators."""

    def __init__(self, columns: dict[str, np.ndarray], levels: dict[str, list[str]]) -> None:
        self._columns, self._levels = columns, levels

    def names(self, variable: str) -> list[str]:
        return self._levels.get(variable, [variable])

    def of(self, names: list[str]) -> np.ndarray:
        return np.column_stack([self._columns[name] for name in names])


def _standard(result: Result) -> tuple[_Standard, int]:
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
        if not data.layout.latent[i]:
            raw[name] = data.observed[:, i]
    levels: dict[str, list[str]] = {}
    for i, column in enumerate(data.layout.columns):
        raw[column.name] = data.design[:, i + 1]
        levels.setdefault(column.variable, []).append(column.name)
    full = ~np.isnan(np.column_stack(list(raw.values()))).any(axis=1)
    categories = {name for held in levels.values() for name in held if "[" in name}
    out = {}
    for name, values in raw.items():
        kept = values[full] - values[full].mean()
        out[name] = kept if name in categories else kept / kept.std()
    return _Standard(out, levels), int(full.sum())
