"""Common method variance: the constructs with and without a method factor, and one factor for everything.

Answers are treated as numbers here, ordinal ones too, as in the practice that this continues: a linear model
in which one more factor, uncorrelated with the constructs, loads on every item (Podsakoff, MacKenzie, Lee &
Podsakoff, 2003, doi:10.1037/0021-9010.88.5.879), on all alike as they were asked: agreeing with whatever is
said is method, and turned items load with the opposite sign.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from medpsy.derive import derived, standardised
from medpsy.errors import SpecError
from medpsy.fit import fit
from medpsy.latent.base import system, total_sd
from medpsy.mediation.base import written_out
from medpsy.model import compose
from medpsy.ops import Numpy
from medpsy.posterior.draws import thinned
from medpsy.posterior.item_numbers import item_numbers, with_numbers
from medpsy.posterior.quantities import quantities
from medpsy.result import Result
from medpsy.spec.linear import Term, assembled
from medpsy.spec.model_spec import ModelSpec
from medpsy.survey.survey import Survey

HYPOTHESISED, METHOD, ONE = "constructs", "with method factor", "one factor"
#: Prior of the method loadings, items standardised: small unless the answers say otherwise.
LOADING = "HalfNormal(0.3)"
SMALL = "Normal(0, 0.2)"


@dataclass(frozen=True)
class MethodFits:
    """Fits by name, and how the items went in.

    Parameters
    ----------
    results : dict of str to Result
        ``constructs``, ``with method factor``, ``one factor``.
    constructs : tuple of str
    items : tuple of str
    factor : str
        Name of the method factor.
    turned : tuple of str
        Items that were asked the other way round: their method loadings have the opposite sign.
    mirror : str
        Name of the method factor with that sign.
    ordinal : bool
        Items were modelled as ordinal, not as numbers.
    """

    results: dict[str, Result]
    constructs: tuple[str, ...]
    items: tuple[str, ...]
    factor: str
    turned: tuple[str, ...]
    mirror: str
    ordinal: bool = False


def method_fits(
    spec: ModelSpec, survey: Survey, *, loadings: str = "equal", sampling: Mapping[str, Any]
) -> MethodFits:
    """Fit the constructs alone, with a method factor, and one factor instead of them.

    Parameters
    ----------
    spec : ModelSpec
        Constructs, and paths between them if there are any.
    survey : Survey
    loadings : str
        Of the method factor: ``"equal"`` on all items, or ``"small"``: each its own, shrunk to zero.
    sampling : mapping
        Options of :func:`medpsy.fit.fit`.

    Raises
    ------
    SpecError
        A model that is not linear (groups, clusters, second-order constructs, effects that change with
        another variable, outcomes that are no numbers), another word for the loadings.
    DataError
        An item with a single answer.
    """
    if loadings not in ("equal", "small"):
        raise SpecError(f"there are no method loadings '{loadings}'", hint="Say 'equal' or 'small'.")
    spec = written_out(spec)
    check_plain(spec)
    numbers, turned = as_numbers(spec, survey)
    items = tuple(item for c in spec.constructs for item in c.items)
    taken = {*items, *(v.name for v in numbers.instrument.variables), *_names(spec)}
    factor, mirror, one = (free_name(name, taken) for name in ("method", "method_turned", "common"))
    terms = hypothesised_terms(spec)
    models = {
        HYPOTHESISED: _linear(terms, spec),
        METHOD: with_method_factor(spec, items, (factor, mirror), turned, loadings),
        ONE: _linear(one_factor_terms(spec, one), replace(spec, definitions=())),
    }
    if len(spec.constructs) == 1:
        del models[ONE]
    results = {name: fit(compose(model), numbers, **sampling) for name, model in models.items()}
    return MethodFits(results, tuple(c.name for c in spec.constructs), items, factor, turned, mirror)


def _names(spec: ModelSpec) -> set[str]:
    """Everything that has a name in a model."""
    labels = {p.label for p in spec.paths if p.label} | {c.label for c in spec.covariances if c.label}
    return {c.name for c in spec.constructs} | labels | {d.name for d in spec.definitions}


def check_plain(spec: ModelSpec) -> None:
    """Refuse what has no linear model of its own."""
    refused = {
        "groups": spec.groups, "clusters": spec.clusters, "a second-order construct": spec.second_order,
        "fixed or shared numbers": spec.linear,
        "paths that change with another variable": any(path.by for path in spec.paths),
        "specific factors": any(c.specific for c in spec.constructs),
        "cross-loadings": any(c.cross for c in spec.constructs),
    }  # fmt: skip
    for what, present in refused.items():
        if present:
            raise SpecError(
                f"the check of the common method is for plain constructs; this model has {what}",
                hint="Ask about a model without.",
            )
    for one in spec.observed:
        if one.family != "gaussian":
            raise SpecError(
                f"the check of the common method is for numbers; '{one.name}' has family '{one.family}'",
                hint="Leave the outcome out, or ask about the constructs alone.",
            )
    if not spec.constructs or all(len(c.items) < 3 for c in spec.constructs):
        raise SpecError("there is no construct with three items", hint="Name constructs with their items.")


def as_numbers(spec: ModelSpec, survey: Survey) -> tuple[Survey, tuple[str, ...]]:
    """The survey with the items of the constructs as person variables, and which of them are turned.

    Items of the same answer scale keep its units; items of several scales are standardised.

    Raises
    ------
    DataError
        An item with a single answer.
    """
    columns, turned, scales = item_numbers(survey, [item for c in spec.constructs for item in c.items])
    if scales > 1:
        columns = {name: (v - np.nanmean(v)) / np.nanstd(v) for name, v in columns.items()}
    return with_numbers(survey, columns), turned


def hypothesised_terms(spec: ModelSpec) -> list[Term]:
    """The constructs and paths of a model as the terms of a linear one."""
    terms = [Term(c.name, "=~", (item,)) for c in spec.constructs for item in c.items]
    terms += [Term(p.target, "~", p.variables, p.label) for p in spec.paths]
    return terms + [Term(c.left, "~~", (c.right,), c.label) for c in spec.covariances]


def with_method_factor(
    spec: ModelSpec,
    items: tuple[str, ...],
    factors: tuple[str, str],
    turned: tuple[str, ...],
    loadings: str,
) -> ModelSpec:
    """The same with one more factor on every item, uncorrelated with the constructs.

    Its mirror image, of variance 1 and perfectly opposed, is there for turned items with equal loadings.
    """
    factor, mirror = factors
    turned = turned if loadings == "equal" else ()
    label = free_name("method_loading", _names(spec)) if loadings == "equal" else None
    more = [Term(mirror if item in turned else factor, "=~", (item,), label) for item in items]
    more.sort(key=lambda term: term.left == mirror)
    here = [factor, mirror] if turned and len(turned) < len(items) else [more[0].left]
    if len(here) == 2:
        more += [Term(mirror, "~", (factor,), None, -1.0), Term(mirror, "~~", (mirror,), None, 0.0)]
    more += [Term(one, "~~", (c.name,), None, 0.0) for one in here for c in spec.constructs]
    model = _linear([*hypothesised_terms(spec), *more], spec)
    names = [f"loading.{term.left}.{term.names[0]}" for term in more if term.op == "=~"]
    held = {names[0]: LOADING} if label else dict.fromkeys(names, SMALL) | {names[0]: LOADING}
    return replace(model, priors=tuple(sorted(held.items())))


def one_factor_terms(spec: ModelSpec, name: str) -> list[Term]:
    """One factor instead of the constructs, with their paths from and to other variables."""
    inside = {c.name for c in spec.constructs}
    terms = [Term(name, "=~", (item,)) for c in spec.constructs for item in c.items]
    seen: set[tuple[str, ...]] = set()
    for path in spec.paths:
        left = name if path.target in inside else path.target
        right = tuple(name if v in inside else v for v in path.variables)
        if left != right[0] and (left, *right) not in seen:
            seen.add((left, *right))
            terms.append(Term(left, "~", right))
    return terms


def _linear(terms: list[Term], spec: ModelSpec) -> ModelSpec:
    return assembled(terms, spec.definitions, True, spec.name)


def free_name(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name


def estimates(
    result: Result, constructs: tuple[str, ...], draws: int = 2000
) -> dict[tuple[str, str], np.ndarray]:
    """Standardised draws (draw,) of correlations, paths and defined effects, by kind and name."""
    data, p = result.data, thinned(result, draws)
    layout = data.layout
    eq = data.model.structure.equations(p, layout, Numpy)
    mean, chol = system(eq, layout, Numpy)
    place = {name: i for i, name in enumerate(layout.nodes)}
    out: dict[tuple[str, str], np.ndarray] = {}
    covariance = mean @ layout.covariance @ np.swapaxes(mean, -1, -2) + chol @ np.swapaxes(chol, -1, -2)
    sd = np.sqrt(np.diagonal(covariance, axis1=-2, axis2=-1))
    for j, right in enumerate(constructs):
        for left in constructs[:j]:
            a, b = place[left], place[right]
            out["correlation", f"{left} ~~ {right}"] = covariance[:, a, b] / (sd[:, a] * sd[:, b])
    scale = total_sd(mean, chol, layout, p)
    for path in data.model.spec.paths:
        if path.measured or len(path.variables) > 1 or path.source not in place:
            continue
        a, b = place[path.source], place[path.target]
        out["path", f"{path.source} -> {path.target}"] = eq.b[..., b, a] * scale[..., a] / scale[..., b]
    values = {name: value for name, (_, value) in (derived(data, p) | standardised(data, p)).items()}
    defined = {definition.name for definition in data.model.spec.definitions}
    for quantity in quantities(data):
        if quantity.name.partition("[")[0] in defined:
            out["effect", quantity.name] = quantity.draws(values)
    return out


def method_share(found: MethodFits, draws: int = 2000) -> dict[str, np.ndarray]:
    """Share of the variance of every item (draw,) that is due to the method factor."""
    result = found.results[METHOD]
    data, p = result.data, thinned(result, draws)
    layout = data.layout
    eq = data.model.structure.equations(p, layout, Numpy)
    mean, chol = system(eq, layout, Numpy)
    place = {name: i for i, name in enumerate(layout.nodes)}
    total = total_sd(mean, chol, layout, p)
    own = {item: place.get(found.mirror if item in found.turned else found.factor) for item in found.items}
    only = place.get(found.factor, place.get(found.mirror))
    return {
        item: (eq.b[..., place[item], k] * total[..., k] / total[..., place[item]]) ** 2
        for item, k in ((item, only if at is None else at) for item, at in own.items())
    }
