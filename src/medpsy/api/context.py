"""Everything a report is made of, computed from one fit."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import pandas as pd

from medpsy.api.citations import citations
from medpsy.api.diagram import edges, nodes
from medpsy.api.equations import equations
from medpsy.dims import LOG_LIKELIHOOD
from medpsy.plots.numbers import fixed
from medpsy.report.context import Context
from medpsy.report.sections import gather
from medpsy.screening.screen import Screened
from medpsy.spec.print_syntax import to_syntax

if TYPE_CHECKING:
    import numpy as np

    from medpsy.api.fits import Fit
    from medpsy.result import Result


def context(fit: Fit, *, interval: float, rope: float) -> Context:
    """Return the tables and sentences of one fit.

    Parameters
    ----------
    fit : Fit
    interval : float
        Posterior mass of all intervals.
    rope : float
        Half width of the region of practical equivalence of products, standardised.
    """
    result = fit.result
    return Context(
        title=fit.title,
        note=fit.survey.simulated,
        trusted=fit.trusted,
        gate_reasons=tuple(fit.gate.reasons),
        interval=interval,
        syntax=to_syntax(result.model.spec),
        equations=equations(result.model),
        nodes=nodes(result),
        edges=edges(result, interval),
        checks=fit.gate.table(),
        ranks=_ranks(result),
        loo=loo_table(result),
        provenance=result.provenance,
        citations=citations(result),
        parts=gather(result, interval=interval),
        **_questionnaire(result, interval),
        **_effects(result, interval, rope),
        **_model_fit(result, interval),
    )


def _questionnaire(result: Result, interval: float) -> dict[str, Any]:
    """Flow, sample, items, reliability."""
    from medpsy.classical.describe import item_counts, item_table, sample_table
    from medpsy.posterior.reliability import reliability

    survey = result.survey
    asked = set(survey.instrument.items)
    categorical = [c for c in result.model.constructs if set(c.items) <= asked]
    found: dict[str, Any] = {
        "flow": Screened(survey, survey.ledger).table(),
        "sample": sample_table(survey),
        "reliability": reliability(result, interval=interval),
    }
    if categorical:
        found["items"] = item_counts(survey, categorical)
        found["item_table"] = item_table(survey, categorical)
    return found


def _effects(result: Result, interval: float, rope: float) -> dict[str, Any]:
    """Effects, their draws and sentences, orders, assumptions, and the table of parameters."""
    from medpsy.posterior.effects import effect_draws, effects, sentences
    from medpsy.posterior.orders import assumptions, orders
    from medpsy.posterior.predictive import prior_effects
    from medpsy.posterior.summary import summary

    table = effects(result, interval=interval, rope=rope)
    return {
        "effects": table,
        "effects_text": sentences(table, result),
        "effect_draws": effect_draws(result),
        "prior_effect_draws": prior_effects(result.data),
        "orders": orders(result, interval=interval),
        "assumptions": assumptions(result),
        "summary": summary(result, interval=interval),
    }


def _model_fit(result: Result, interval: float) -> dict[str, Any]:
    """Observed and predicted counts, category curves, prior predictive; of categorical items only."""
    from medpsy.posterior.curves import category_curves
    from medpsy.posterior.predictive import category_counts, prior_predictive

    names = [block.name for block in result.data.blocks if block.n_categories]
    if not names:
        return {}
    categories, scores = prior_predictive(result.data, survey=result.survey, interval=interval)
    return {
        "curves": [category_curves(result, name, interval=interval) for name in names],
        "predicted": category_counts(result, interval=interval),
        "prior_categories": categories,
        "prior_scores": scores,
    }


def _ranks(result: Result) -> tuple[np.ndarray, list[str]] | None:
    """Draws of the quantities on which the chains agree least; None for a single chain."""
    from medpsy.diagnostics.gate import worst

    posterior = result.tree["posterior"]
    if posterior.sizes["chain"] < 2 or posterior.sizes["draw"] < 4:
        return None
    draws, names = worst(result)
    return draws, list(names)


def loo_table(result: Result) -> pd.DataFrame | None:
    """Return leave-one-person-out cross-validation as a table; None where scores were sampled.

    Terms that are conditional on sampled scores say nothing about new persons.
    """
    from medpsy.posterior.loo import loo

    kind = result.tree[LOG_LIKELIHOOD].attrs.get("level")
    if kind not in ("person", "cluster"):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # high Pareto k: the gate says so, with the persons
        found = loo(result)
    high = int((found.pareto_k.to_numpy() > found.good_k).sum())
    rows = [
        ("Expected log predictive density (elpd)", found.elpd, found.se),
        ("Effective number of parameters (p)", found.p, None),
        (f"{str(kind).capitalize()}s", int(found.n_data_points), None),
        (f"{str(kind).capitalize()}s with Pareto k above {found.good_k:.2f}", high, None),
    ]
    return pd.DataFrame(
        [(name, _number(value), _number(error)) for name, value, error in rows],
        columns=["Quantity", "Value", "Standard error"],
    )


def _number(value: Any) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else fixed(value, 1)
