"""A method factor beside the constructs of ordinal items, which stay ordinal.

The constructs alone, the same with a factor that moves all items as they were asked (Podsakoff et al., 2003,
doi:10.1037/0021-9010.88.5.879), and one factor instead of them; persons and the method factor integrated out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from medpsy.derive import standardised
from medpsy.engines.quadrature import MOST_FACTORS
from medpsy.errors import SpecError
from medpsy.families.method import SLOPE
from medpsy.fit import fit
from medpsy.mediation.base import written_out
from medpsy.model import compose
from medpsy.posterior.common_method import (
    HYPOTHESISED,
    METHOD,
    ONE,
    MethodFits,
    as_numbers,
    check_plain,
    estimates,
    free_name,
    one_factor_terms,
)
from medpsy.posterior.draws import population, thinned
from medpsy.spec.method import Method
from medpsy.spec.model_spec import Construct, ModelSpec, Path
from medpsy.survey.survey import Survey

#: Variance of the answer behind an item given its factors: that of a logistic distribution.
RESIDUAL = np.pi**2 / 3


def ordinal_method_fits(
    spec: ModelSpec, survey: Survey, *, loadings: str = "equal", sampling: Mapping[str, Any]
) -> MethodFits:
    """Fit the three models to ordinal items.

    Parameters
    ----------
    spec : ModelSpec
        One to three graded constructs, and paths between them if there are any.
    survey : Survey
    loadings : str
        ``"equal"`` on all items as they were asked, or ``"small"``: each its own, shrunk to zero.
    sampling : mapping
        Options of :func:`medpsy.fit.fit`.

    Raises
    ------
    SpecError
        Anything else than plain graded constructs, more than three, other loadings.
    DataError
        An item with a single answer.
    """
    spec = written_out(spec)
    check_plain(spec)
    _check(spec)
    _, turned = as_numbers(spec, survey)
    items = tuple(item for c in spec.constructs for item in c.items)
    taken = {*items, *(v.name for v in survey.instrument.variables), *(c.name for c in spec.constructs)}
    factor, one = free_name("method", taken), free_name("common", taken)
    models = {
        HYPOTHESISED: spec,
        METHOD: replace(spec, method=Method(factor, turned, loadings)),
        ONE: _one_factor(spec, one, items),
    }
    if len(spec.constructs) == 1:
        del models[ONE]
    results = {name: fit(compose(model), survey, **sampling) for name, model in models.items()}
    return MethodFits(results, tuple(c.name for c in spec.constructs), items, factor, turned, factor, True)


def _check(spec: ModelSpec) -> None:
    """Refuse what the grid with a method factor is not for."""
    others = [c.name for c in spec.constructs if c.family != "graded"]
    if others or spec.observed:
        name = (others or [o.name for o in spec.observed])[0]
        raise SpecError(
            f"a method factor of ordinal items stands beside graded constructs alone; '{name}' is none",
            hint="Leave it out, or take the answers as numbers (ordinal=False).",
        )
    if len(spec.constructs) > MOST_FACTORS:
        raise SpecError(
            f"{len(spec.constructs)} constructs are too many to integrate out: {MOST_FACTORS} at most",
            hint="Ask about some of them, or take the answers as numbers (ordinal=False).",
        )


def _one_factor(spec: ModelSpec, name: str, items: tuple[str, ...]) -> ModelSpec:
    """One construct with all items, explained by what explains the constructs."""
    terms = [term for term in one_factor_terms(spec, name) if term.op == "~" and term.left == name]
    paths = tuple(Path(term.left, term.names[0], None, term.names[1:]) for term in terms)
    return ModelSpec(constructs=(Construct(name, items),), paths=paths, name=spec.name)


def ordinal_estimates(found: MethodFits, name: str, draws: int = 2000) -> dict[tuple[str, str], np.ndarray]:
    """Standardised draws (draw,) of correlations, paths and defined effects, by kind and name."""
    result = found.results[name]
    out = {key: v for key, v in estimates(result, found.constructs, draws).items() if key[0] != "path"}
    data, p = result.data, thinned(result, draws)
    coefficients = standardised(data, p).get("coefficient", ((), np.zeros(0)))[1]
    paths = {
        ("path", f"{c.path.source} -> {c.path.target}"): coefficients[..., i]
        for i, c in enumerate(data.layout.coefficients)
        if not c.from_column and c.path.source in found.constructs
    }
    effects = {key: out.pop(key) for key in [key for key in out if key[0] == "effect"]}
    return out | paths | effects


def ordinal_share(found: MethodFits, draws: int = 2000) -> dict[str, np.ndarray]:
    """Share (draw,) of the variance of the answer behind every item that is due to the method factor."""
    result = found.results[METHOD]
    data, p = result.data, thinned(result, draws)
    weight, location, spread = population(data, p)
    centre = np.einsum("r,srf->sf", weight, location)
    between = np.einsum("r,srf->sf", weight, (location - centre[:, None, :]) ** 2)
    variance = spread**2 + between
    out, at = {}, 0
    for block in data.blocks:
        slope = p[f"slope_{block.name}"]
        for j, item in enumerate(block.construct.items):
            own = p[SLOPE][:, 0 if p[SLOPE].shape[1] == 1 else at + j] ** 2
            out[item] = own / (own + slope[:, j] ** 2 * variance[:, block.factor] + RESIDUAL)
        at += len(block.construct.items)
    return out
