"""The completely standardised solution of a Gaussian model, draw by draw."""

from __future__ import annotations

import numpy as np
import pandas as pd

from medpsy.errors import SpecError
from medpsy.latent.base import system, total_sd
from medpsy.latent.linear import LinearStructure
from medpsy.ops import Numpy
from medpsy.posterior.by_group import each_group
from medpsy.posterior.draws import thinned
from medpsy.posterior.intervals import bounds, check_interval, direction
from medpsy.result import Result

COLUMNS = ("lhs", "op", "rhs", "label", "mean", "sd", "lower", "upper", "p_direction")


@each_group
def standard_solution(result: Result, *, interval: float = 0.95, draws: int = 4000) -> pd.DataFrame:
    """Loadings, paths, residual correlations and shares of variance of a linear model (lavaan's ``std.all``).

    Returns
    -------
    DataFrame
        lhs, op, rhs, label, mean, sd, lower, upper, p_direction. ``=~`` and ``~`` are in sds of the
        variables at both ends; ``~~`` is the share of a variable's variance that is left over, or the
        correlation of two residuals; ``r2`` the share explained.

    Raises
    ------
    SpecError
        The model is no linear one.
    """
    structure, layout = result.model.structure, result.data.layout
    if not isinstance(structure, LinearStructure):
        raise SpecError(
            "only linear models have this table",
            hint="effects() has standardised columns; or fit the model with std_lv=True.",
        )
    check_interval(interval, "eti")
    p = thinned(result, draws)
    eq = structure.equations(p, layout, Numpy)
    mean, chol = system(eq, layout, Numpy)
    sd = total_sd(mean, chol, layout, p)
    rows: list[tuple[object, ...]] = []

    def add(lhs: str, op: str, rhs: str, label: str | None, own: np.ndarray) -> None:
        lower, upper = bounds(own, interval)
        spread = own.std(ddof=1) if own.size > 1 else np.nan
        ends = (float(lower), float(upper), float(direction(own)))
        rows.append((lhs, op, rhs, label or "", own.mean(), spread, *ends))

    internal = np.broadcast_to(structure.coefficients(p, layout, Numpy), (len(sd), len(layout.coefficients)))
    for i, c in enumerate(layout.coefficients):
        scale = 1.0 if c.from_column else sd[:, c.source]
        own = internal[:, i] * scale / sd[:, c.target]
        if c.path.measured:
            add(c.path.source, "=~", c.path.target, c.label, own)
        else:
            add(c.path.target, "~", layout.term(c), c.label, own)
    for pair in result.model.spec.covariances:
        i, j = layout.nodes.index(pair.left), layout.nodes.index(pair.right)
        if i != j and pair.value != 0:
            own = np.broadcast_to((eq.z[..., i, :] * eq.z[..., j, :]).sum(-1), len(sd))
            add(pair.left, "~~", pair.right, pair.label, own)
    share = np.broadcast_to(eq.d, sd.shape) ** 2 / sd**2
    for i, name in enumerate(layout.nodes):
        add(name, "~~", name, None, share[:, i])
    for i, name in enumerate(layout.nodes):
        if any(c.target == i for c in layout.coefficients):
            add(name, "r2", name, None, 1.0 - share[:, i])
    return pd.DataFrame(rows, columns=list(COLUMNS))
