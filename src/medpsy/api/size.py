"""How large a model is, known before there are answers."""

from __future__ import annotations

from typing import Any

from medpsy.model import ComposedModel
from medpsy.survey.instrument import Instrument


def n_parameters(model: ComposedModel, instrument: Instrument) -> int:
    """Return the number of free parameters.

    An item with K categories has K - 1 free category probabilities, a categorical covariate with L levels
    L - 1 coefficients per path, k correlated constructs k (k - 1) / 2 correlations.
    """
    levels = {v.name: max(len(v.levels), 2) - 1 for v in instrument.variables}
    total = sum(len(clique) * (len(clique) - 1) // 2 for clique in model.sketch.cliques)
    total += sum(getattr(family, "hidden", 0) for family in model.families.values())
    total += sum(levels.get(one.variable, 1) for one in model.spec.pooled)
    for row in model.table:
        if not row.free or row.prior is None or row.support == "correlation":
            continue
        role, _, place = row.target.partition(".")
        family: Any = model.families.get(place.partition(".")[0])
        if family is not None and family.categorical and role in family.roles:
            item = row.lhs if row.lhs in instrument.items else row.rhs
            items = next(c.items for c in model.constructs if c.name == place.partition(".")[0])
            module = instrument.module_of(item if item in instrument.items else items[0])
            total += family.entries(role, module.n_categories)
        elif row.target.startswith("path.") and row.rhs in model.covariates:
            total += levels.get(row.rhs, 1)
        else:
            total += 1
    return total


def sizes(model: ComposedModel, instrument: Instrument | None) -> str:
    """Return the size in words: ``3 constructs, 26 items, 133 parameters``."""
    items = sum(len(construct.items) for construct in model.spec.constructs)
    parts: list[str] = []
    if model.spec.constructs or not model.spec.observed:
        parts += [_many(len(model.spec.constructs), "construct"), _many(items, "item")]
    if model.spec.observed:
        parts.append(_many(len(model.spec.observed), "observed variable"))
    if instrument is not None:
        parts.append(_many(n_parameters(model, instrument), "parameter"))
    if model.spec.definitions:
        parts.append(_many(len(model.spec.definitions), "defined quantity"))
    return ", ".join(parts)


def _many(count: int, what: str) -> str:
    if count == 1:
        return f"1 {what}"
    return f"{count} {what[:-1]}ies" if what.endswith("y") else f"{count} {what}s"
