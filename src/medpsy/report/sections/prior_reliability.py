"""Whether the priors decide how reliable the sum scores are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from medpsy.plots.prior_reliability import prior_reliability as figure
from medpsy.posterior.prior_reliability import prior_reliability_draws
from medpsy.posterior.reliability import reliability
from medpsy.report.blocks import Section
from medpsy.report.context import Context
from medpsy.report.figures import drawn
from medpsy.result import Result

ORDER = 81


@dataclass(frozen=True)
class Parts:
    """Prior draws, and mean, lower, upper of the posterior, by construct."""

    prior: Mapping[str, np.ndarray]
    posterior: Mapping[str, tuple[float, float, float]]


def gather(result: Result, interval: float) -> Parts | None:
    """Return prior and posterior reliability; nothing without constructs or with groups."""
    if not result.data.blocks or result.data.groups is not None:
        return None
    table: pd.DataFrame = reliability(result, interval=interval).drop_duplicates("construct")
    found = zip(table["construct"], table["mean"], table["lower"], table["upper"], strict=True)
    posterior = {str(name): (float(m), float(low), float(high)) for name, m, low, high in found}
    return Parts(prior_reliability_draws(result.data), posterior)


def build(context: Context) -> Section | None:
    """Return the figure."""
    parts: Parts | None = context.parts.get("prior_reliability")
    if parts is None:
        return None
    told = "; ".join(
        f"{name}: prior median {np.median(draws):.2f}, posterior mean {parts.posterior[name][0]:.2f}"
        for name, draws in parts.prior.items()
    )
    block = drawn(
        figure(parts.prior, parts.posterior),
        name="prior-reliability",
        caption="Reliability of the sum scores expected by the priors, and the posterior mean with its "
        f"{context.mass} interval. {told}.",
        alt=f"Prior distribution of the reliability of each sum score. {told}.",
    )
    return Section("Priors and reliability", "priors-and-reliability", [block])
