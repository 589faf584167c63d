"""The figures that belong to what a question to a questionnaire found."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pandas as pd
from matplotlib.figure import Figure

from medpsy.plots.correlation_heatmap import correlation_heatmap
from medpsy.plots.item_bars import item_bars
from medpsy.plots.module_distributions import module_distributions
from medpsy.plots.scree import scree
from medpsy.plots.with_without import with_without
from medpsy.posterior.judging.correlations import matrix
from medpsy.posterior.judging.findings import Findings


def figures(found: Findings) -> dict[str, tuple[Callable[[], Figure], str]]:
    """Return what can be drawn of some findings: name to (function that draws it, caption)."""
    out: dict[str, tuple[Callable[[], Figure], str]] = {}
    if "categories" in found and len(found["categories"]):
        out["items"] = (lambda: _bars(found["categories"]), "Answers per item, as asked, in percent.")
    if "distribution" in found and len(found["distribution"]):
        out["modules"] = (
            lambda: module_distributions(found["distribution"]),
            "Distribution of the module scores (mean of the answered items).",
        )
    if found.name == "correlations":
        for kind in dict.fromkeys(found["correlations"]["kind"]):
            out[kind] = (partial(_heatmap, found, kind), f"{kind.capitalize()} correlations.")
    if found.name == "polychoric":
        square = found["correlations"].set_index("item")
        out["polychoric"] = (lambda: correlation_heatmap(square), "Polychoric correlations.")
    if "eigenvalues" in found:
        out["scree"] = (
            lambda: scree(found["eigenvalues"]),
            "Eigenvalues of the answers and of answers permuted within items.",
        )
    if found.name == "common_method":
        out["estimates"] = (
            lambda: with_without(found["estimates"], names=("without", "with method factor")),
            "Standardised estimates without and with a method factor on all items.",
        )
    return out


def _heatmap(found: Findings, kind: str) -> Figure:
    return correlation_heatmap(matrix(found, kind))


def _bars(categories: pd.DataFrame) -> Figure:
    table = categories.rename(columns={"module": "construct", "code": "category"})
    labels = table["category"].map(lambda code: f"{code:g}")
    return item_bars(table.assign(wording="", label=labels))
