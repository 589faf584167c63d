"""What a method factor and a single factor do to the picture, in tables."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

from medpsy.classical.correlation import to_correlation
from medpsy.classical.describe import pairwise_covariance
from medpsy.classical.factorability import first_factor_share
from medpsy.posterior.common_method import HYPOTHESISED, METHOD, MethodFits, estimates, method_share
from medpsy.posterior.intervals import check_interval, direction
from medpsy.posterior.item_numbers import item_numbers, with_numbers
from medpsy.posterior.judging.findings import Findings, Sheet, posterior
from medpsy.posterior.loo import loo
from medpsy.posterior.method_items import ordinal_estimates, ordinal_share

AS_NUMBERS = (
    "Answers are treated as numbers here, ordinal ones too (ordinal=True models them as what they are)."
)
AS_ORDINAL = (
    "Items are modelled as ordinal; persons and the method factor are integrated out. The method factor is "
    "told apart from the constructs by nothing but how slopes differ between items: with a few hundred "
    "persons, three constructs or not, the answers say little about it, and its prior much."
)
CAVEATS = (
    "A large first factor is no proof of common method variance and a small one no proof of its absence: the "
    "share is insensitive (Fuller et al., 2016, doi:10.1016/j.jbusres.2015.12.008; Podsakoff et al., 2003, "
    "doi:10.1037/0021-9010.88.5.879).",
    "A method factor takes whatever all items share, of the constructs, too: where correlations shrink with "
    "it, that may be method or substance. What stays with it does not rest on a method that all items share.",
)


def method_tables(found: MethodFits, *, interval: float = 0.95) -> Findings:
    """Compare the fits of :func:`medpsy.posterior.common_method.method_fits`.

    Parameters
    ----------
    found : MethodFits
    interval : float

    Returns
    -------
    Findings
        ``estimates``: kind (correlation, path, effect), quantity, and standardised without the method factor
        (mean, lower, upper), with it (with_mean, with_lower, with_upper), change (of the means), p_direction
        (with it). ``models``: model, elpd, p_loo, elpd_diff and se_diff (to the constructs alone, paired by
        person). ``method``: item, share of its variance that is due to the method factor (mean, lower,
        upper); a last row for all items. ``first_factor``: Harman's share, of component and axis.
    """
    check_interval(interval)
    sheets = (
        _estimates(found, interval), _models(found), _shares(found, interval), _first_factor(found),
    )  # fmt: skip
    first = AS_ORDINAL if found.ordinal else AS_NUMBERS
    out = Findings("common_method", "Common method variance", sheets, (first, *CAVEATS))
    if 1 < len(found.constructs) < 3:
        return out.noted(
            "With two constructs a method factor and their correlation are told apart by nothing but unequal "
            "loadings within the constructs: the change is hardly more than a guess."
        )
    return out


def _estimates(found: MethodFits, interval: float) -> Sheet:
    if found.ordinal:
        without, beside = ordinal_estimates(found, HYPOTHESISED), ordinal_estimates(found, METHOD)
    else:
        without = estimates(found.results[HYPOTHESISED], found.constructs)
        beside = estimates(found.results[METHOD], found.constructs)
    rows = []
    for (kind, name), draws in without.items():
        old, new = posterior(draws, interval), posterior(beside[kind, name], interval)
        rows.append({
            "kind": kind, "quantity": name, "mean": old["mean"], "lower": old["lower"], "upper": old["upper"],
            "with_mean": new["mean"], "with_lower": new["lower"], "with_upper": new["upper"],
            "change": new["mean"] - old["mean"], "p_direction": float(direction(beside[kind, name])),
        })  # fmt: skip
    printed = {
        "kind": ("", "text"), "quantity": ("Standardised", "text"), "mean": ("Without", "two"),
        "lower": ("Lower", "two"), "upper": ("Upper", "two"), "with_mean": ("With method factor", "two"),
        "with_lower": ("lower", "two"), "with_upper": ("upper", "two"), "change": ("Change", "two"),
        "p_direction": ("P(direction) with", "probability"),
    }  # fmt: skip
    caption = (
        f"The constructs without and with a method factor on all items, {100 * interval:g} % intervals; "
        "effects as the model defines them."
    )
    return Sheet("estimates", caption, pd.DataFrame(rows, columns=list(printed)), printed)


def _models(found: MethodFits) -> Sheet:
    each = {}
    for name, result in found.results.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # Pareto k is the gate's business
            each[name] = loo(result)
    first, rows = each[HYPOTHESISED], []
    for name, own in each.items():
        gap = own.elpd_i.to_numpy() - first.elpd_i.to_numpy()
        known = name != HYPOTHESISED
        rows.append((
            name, float(own.elpd), float(own.p), float(gap.sum()) if known else np.nan,
            float(np.sqrt(gap.size * gap.var(ddof=1))) if known else np.nan,
        ))  # fmt: skip
    printed = {
        "model": ("Model", "text"), "elpd": ("elpd", "one"), "p_loo": ("p", "one"),
        "elpd_diff": ("Difference", "one"), "se_diff": ("se", "one"),
    }  # fmt: skip
    caption = "How well a person left out is predicted (elpd); differences to the constructs alone."
    return Sheet("models", caption, pd.DataFrame(rows, columns=list(printed)), printed)


def _shares(found: MethodFits, interval: float) -> Sheet:
    drawn = ordinal_share(found) if found.ordinal else method_share(found)
    together = np.mean(list(drawn.values()), axis=0)
    rows = []
    for item, draws in {**drawn, "all items": together}.items():
        own = posterior(draws, interval)
        rows.append((item, own["mean"], own["lower"], own["upper"]))
    printed = {
        "item": ("Item", "text"), "mean": ("Share", "percent"), "lower": ("Lower", "percent"),
        "upper": ("Upper", "percent"),
    }  # fmt: skip
    caption = "Share of the variance of the items that the method factor takes."
    return Sheet("method", caption, pd.DataFrame(rows, columns=list(printed)), printed)


def _first_factor(found: MethodFits) -> Sheet:
    survey = found.results[HYPOTHESISED].survey
    if found.ordinal:
        survey = with_numbers(survey, item_numbers(survey, found.items)[0])
    values = np.column_stack([survey.variables[item] for item in found.items])
    component, axis = first_factor_share(to_correlation(pairwise_covariance(values)))
    rows = [("first unrotated component", component), ("first unrotated principal axis", axis)]
    printed = {"what": ("Of all items", "text"), "share": ("Share of variance", "percent")}
    caption = "Harman's single factor: the share of the variance of all items that the first factor explains."
    return Sheet("first_factor", caption, pd.DataFrame(rows, columns=list(printed)), printed)
