"""The items and modules described, each ordinal mean with its posterior."""

from __future__ import annotations

import numpy as np
import pandas as pd

from medpsy.classical.inputs import Answers
from medpsy.classical.items import (
    category_counts,
    discrimination,
    item_statistics,
    mean_draws,
    module_statistics,
)
from medpsy.posterior.intervals import check_interval
from medpsy.posterior.judging.findings import Findings, Sheet, check_draws, posterior

_SHARED: dict[str, tuple[str, str | None]] = {
    "n": ("n", "count"), "mean": ("Mean", "two"), "sd": ("SD", "two"), "median": ("Median", "two"),
    "skew": ("Skew", "two"), "kurtosis": ("Kurtosis", "two"), "floor": ("Floor", "percent"),
    "ceiling": ("Ceiling", "percent"),
}  # fmt: skip


def describe(answers: Answers, *, interval: float = 0.95, draws: int = 4000, seed: int = 0) -> Findings:
    """Describe items and modules.

    Parameters
    ----------
    answers : Answers
    interval : float
        Posterior mass of the intervals of the ordinal means.
    draws, seed : int
        Draws of each mean.

    Returns
    -------
    Findings
        ``items`` (module, item, n, missing, mean, sd, median, skew, kurtosis, floor, ceiling, item_rest,
        alpha_if_dropped, posterior_mean, lower, upper), ``modules``, ``categories`` (module, item, code,
        count, share), ``discrimination`` (27 % groups, legacy), ``distribution`` (module, low, high,
        count).

    Raises
    ------
    SpecError
        An impossible interval or number of draws.
    """
    check_interval(interval)
    check_draws(draws)
    rng = np.random.default_rng(seed)
    items = item_statistics(answers)
    found = [posterior(mean_draws(*category_counts(answers, i), draws, rng), interval) for i in items["item"]]
    items["posterior_mean"] = [row["mean"] for row in found]
    items["lower"] = [row["lower"] for row in found]
    items["upper"] = [row["upper"] for row in found]
    sheets = (_items(items, interval), *_others(answers))
    return Findings("describe", "Items and modules", sheets, _notes(answers, items)).noted(answers.note)


def _items(items: pd.DataFrame, interval: float) -> Sheet:
    caption = (
        "Items as they were asked, in codes of the file; posterior of the ordinal mean with its "
        f"{100 * interval:g} % interval. Item-rest r and alpha if dropped are on turned answers."
    )
    printed: dict[str, tuple[str, str | None]] = {
        "module": ("Module", "text"), "item": ("Item", "text"), "missing": ("Missing", "count"),
    }  # fmt: skip
    printed |= _SHARED | {
        "item_rest": ("Item-rest r", "two"), "alpha_if_dropped": ("Alpha if dropped", "three"),
        "posterior_mean": ("Posterior mean", "two"), "lower": ("Lower", "two"), "upper": ("Upper", "two"),
    }  # fmt: skip
    return Sheet("items", caption, items, printed)


def _others(answers: Answers) -> tuple[Sheet, ...]:
    """Modules, categories, discrimination, distribution."""
    name: dict[str, tuple[str, str | None]] = {"module": ("Module", "text")}
    item = name | {"item": ("Item", "text")}
    modules = name | {"items": ("Items", "count"), "unscored": ("No score", "count")} | _SHARED
    groups = {
        "n_low": ("n low", "count"), "n_high": ("n high", "count"), "low": ("Mean low", "two"),
        "high": ("Mean high", "two"), "difference": ("Difference", "two"), "t": ("t", "one"),
    }  # fmt: skip
    return (
        Sheet(
            "modules",
            "Module scores: mean of the answered items, turned, of persons who answered at least half.",
            module_statistics(answers),
            modules | {"alpha": ("Alpha", "three")},
        ),
        Sheet(
            "categories",
            "Answers per category, as asked.",
            _categories(answers),
            item | {"code": ("Code", "plain"), "count": ("Count", "count"), "share": ("Share", "percent")},
        ),
        Sheet(
            "discrimination",
            "Legacy: the highest against the lowest 27 % of the module score, turned answers.",
            discrimination(answers),
            item | groups,
        ),
        _distribution(answers),
    )


def _categories(answers: Answers) -> pd.DataFrame:
    rows = []
    for scale in answers.scales:
        for item in scale.items:
            codes, counts = category_counts(answers, item)
            total = max(int(counts.sum()), 1)
            rows += [
                (scale.name, item, code, int(k), k / total) for code, k in zip(codes, counts, strict=True)
            ]
    return pd.DataFrame(rows, columns=["module", "item", "code", "count", "share"])


def _distribution(answers: Answers) -> Sheet:
    """Counts of module scores: a bar for every possible score, or for as many as fit 40 bars."""
    scores, _ = answers.scale_scores()
    rows = []
    for s, scale in enumerate(answers.scales):
        given = scores[~np.isnan(scores[:, s]), s]
        if not len(given):
            continue
        codes = [answers.codes[item] for item in scale.items if item in answers.codes]
        low = min([own[0] for own in codes], default=given.min())
        high = max([own[-1] for own in codes], default=given.max())
        steps = sum(len(own) - 1 for own in codes) or 20
        step = (high - low) / steps or 1.0
        together = -(-(steps + 1) // 40)
        edges = low - step / 2 + step * together * np.arange(-(-(steps + 1) // together) + 1)
        counts, _ = np.histogram(given, edges)
        rows += [(scale.name, a, b, int(k)) for a, b, k in zip(edges[:-1], edges[1:], counts, strict=True)]
    frame = pd.DataFrame(rows, columns=["module", "low", "high", "count"])
    printed = {
        "module": ("Module", "text"), "low": ("From", "two"), "high": ("To", "two"), "count": ("n", "count"),
    }  # fmt: skip
    return Sheet("distribution", "Distribution of the module scores.", frame, printed)


def _notes(answers: Answers, items: pd.DataFrame) -> tuple[str, ...]:
    """What a reader must know: missing answers, constant items, items that run against their module."""
    notes = []
    missing = int(items["missing"].sum())
    if missing:
        cells = answers.n_person * len(items)
        notes.append(
            f"{missing} of {cells} answers are missing; every statistic uses the answers that it needs."
        )
    for row in items.itertuples():
        if row.n and (row.sd == 0 or row.n == 1):
            notes.append(f"Item {row.item} is constant: it tells no persons apart.")
        elif row.item_rest < 0:
            notes.append(
                f"Item {row.item} correlates negatively with the rest of {row.module} "
                f"({row.item_rest:.2f}): is it worded against the others and not turned?"
            )
    return tuple(notes)
