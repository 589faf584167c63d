"""Parts of a C function whose likelihood, or its moments, are traced like the rest of the model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from medpsy.bind import ModelData
from medpsy.engines.gaussian import moments
from medpsy.engines.gaussian_compiled import SufficientStatistics
from medpsy.engines.linear_compiled import LinearStatistics
from medpsy.engines.quadrature_conditioned import ConditionedQuadrature
from medpsy.engines.two_level_compiled import ClusterStatistics
from medpsy.engines.two_level_terms import cluster_terms
from medpsy.inference import native_grid
from medpsy.inference.native import Part
from medpsy.inference.native_gaussian import cross_products
from medpsy.inference.native_gaussian_kernel import MOMENTS, moments_part
from medpsy.inference.native_traced_kernel import TERMS, terms_part
from medpsy.inference.trace import Tape, Traced, places

#: With more operations than this arrays are faster than single numbers.
MOST_OPERATIONS = 300_000


def linear_part(
    data: ModelData, likelihood: LinearStatistics, values: dict[str, Any], tape: Tape
) -> list[Part] | str:
    """Places of the moments of the variables; cross-products and answers as for Gaussian items."""
    mean, covariance = (places(one) for one in moments(data, values, Traced))
    return _normal(likelihood, mean, covariance, tape)


def conditioned_parts(
    data: ModelData, likelihood: ConditionedQuadrature, values: dict[str, Any], tape: Tape
) -> list[Part] | str:
    """The normal variables themselves, and the constructs given them: one grid part a pattern."""
    mean, covariance = (
        places(one) for one in moments(likelihood.normal.data, values, Traced, likelihood.nodes)
    )
    parts = _normal(likelihood.normal, mean, covariance, tape)
    if isinstance(parts, str):
        return parts
    for one in likelihood.parts:
        eq = native_grid.alone(mean, covariance, likelihood.constructs, one.numbers)
        (grid,) = native_grid.grid_part(one.grid.data, one.grid, values, tape)
        parts.append(replace(grid, equations=eq, persons=one.persons))
    return parts


def _normal(numbers: SufficientStatistics, mean: Any, covariance: Any, tape: Tape) -> list[Part] | str:
    """Variables that are normal with these moments."""
    found = cross_products(numbers)
    if isinstance(found, str):
        return found
    arrays, rows, keep = found
    about = np.array([tape.in_a_row(mean), tape.in_a_row(covariance), *mean.shape])
    return [Part(moments_part(), MOMENTS, {"about": about, **arrays}, None, rows, keep=keep)]


def cluster_part(
    data: ModelData, likelihood: ClusterStatistics, values: dict[str, Any], tape: Tape
) -> list[Part] | str:
    """Places of the log-likelihood of every cluster."""

    def room() -> bool:
        return len(tape.program) < MOST_OPERATIONS

    terms = cluster_terms(likelihood, values, Traced, room)
    if terms is None:
        return f"more than {MOST_OPERATIONS} operations"
    at = np.array([tape.place(term) for term in terms], dtype=np.int64)
    return [Part(terms_part(), TERMS, {"at": at}, None, np.arange(len(at)))]
