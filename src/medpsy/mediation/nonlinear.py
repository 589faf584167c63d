"""Mediators that are binary, ordinal or counts: a product of the paths beside them is no indirect effect.

The path into such a mediator is on the scale of its link (logit, log), the path out of it per unit of its
value; only effects under do() put the two together (VanderWeele & Vansteelandt, 2010,
doi:10.1093/aje/kwq332).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from medpsy.errors import SpecError
from medpsy.mediation.equations import Expansion
from medpsy.observed.base import observed_family
from medpsy.spec.expressions import parse_expression
from medpsy.spec.model_spec import Definition, ModelSpec, Observed, Path


def curved(observed: Iterable[Observed], paths: Iterable[Path]) -> dict[str, str]:
    """Explained variables that explain others and whose mean is no straight line: name and what each is."""
    sources = {name for path in paths for name in path.variables}
    families = {o.name: observed_family(o.family) for o in observed if o.name in sources}
    return {name: family.what for name, family in families.items() if not family.linear}


def across(definitions: Iterable[Definition], paths: Iterable[Path], name: str) -> list[str]:
    """Definitions that use labels of paths into a variable and of paths out of it."""
    into = {p.label for p in paths if p.label and p.target == name}
    out_of = {p.label for p in paths if p.label and name in p.variables}
    names: dict[str, set[str]] = {}
    found = []
    for definition in definitions:
        used = set(parse_expression(definition.expression).names)
        names[definition.name] = used | {one for u in used for one in names.get(u, ())}
        if names[definition.name] & into and names[definition.name] & out_of:
            found.append(definition.name)
    return found


def without_products(made: Expansion, observed: Iterable[Observed]) -> Expansion:
    """A design without the effects that its mediators do not have."""
    gone = {
        definition for name in curved(observed, made.paths)
        for definition in across(made.definitions, made.paths, name)
    }  # fmt: skip
    return replace(made, definitions=tuple(d for d in made.definitions if d.name not in gone))


def check_nonlinear(spec: ModelSpec) -> None:
    """Refuse a product of paths as the effect through a mediator that is binary or a count.

    Raises
    ------
    SpecError
    """
    for name, what in curved(spec.observed, spec.paths).items():
        for definition in across(spec.definitions, spec.paths, name):
            expression = next(d.expression for d in spec.definitions if d.name == definition)
            raise SpecError(
                f"'{definition} := {expression}' multiplies paths into and out of '{name}', which is {what}: "
                "that is no indirect effect",
                hint="Leave it out and ask the fit for natural_effects(): the natural indirect effect, by "
                "simulation under do().",
            )
