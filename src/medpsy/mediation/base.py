"""Mediation designs: roles in, labelled paths and defined effects out."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from medpsy.errors import SpecError, nearest
from medpsy.mediation.equations import Expansion, expansion
from medpsy.mediation.roles import compact, roles, same_paths
from medpsy.registry import parts
from medpsy.spec.model_spec import Design, ModelSpec


class MediationDesign(Protocol):
    """How the mediators of a design stand to each other; paths and estimands follow."""

    name: str

    def stages(self, design: Design) -> tuple[int, ...]:
        """How many mediators stand beside each other at every stage, in causal order.

        Raises
        ------
        SpecError
            The roles do not fit the design.
        """
        ...


def designs() -> dict[str, MediationDesign]:
    """All registered designs by name."""
    return parts("medpsy.mediation", "DESIGN")


def design(name: str) -> MediationDesign:
    """Return the design called ``name`` or raise SpecError naming the nearest."""
    known = designs()
    if name not in known:
        raise SpecError(f"there is no mediation design '{name}'", hint=nearest(name, known))
    return known[name]


def expand(chosen: Design, latent: frozenset[str]) -> Expansion:
    """Labelled paths, residual covariances and effects of a design.

    Raises
    ------
    SpecError
        The roles do not fit the design, one variable has two, or two effects would have one name.
    """
    return expansion(chosen, design(chosen.kind).stages(chosen), latent)


def written_out(spec: ModelSpec) -> ModelSpec:
    """Write a design out as paths, or recognise the design in the paths.

    Raises
    ------
    SpecError
        Paths and design contradict each other, or as :func:`expand`.
    """
    latent = frozenset(c.name for c in spec.constructs)
    if spec.design is not None and not spec.paths:
        made = expand(spec.design, latent)
        return replace(
            spec,
            paths=made.paths,
            covariances=made.covariances + spec.covariances,
            definitions=made.definitions + spec.definitions,
        )
    found = spec.design or _recognised(spec)
    if found is None:
        return spec
    made = expand(found, latent)
    if spec.design is not None and not same_paths(spec, made, latent):
        raise SpecError(
            f"the paths are not those of the {found.kind} mediation that the model names beside them",
            hint="Write the design or the paths, not both.",
        )
    known = {definition.name for definition in made.definitions}
    others = tuple(d for d in spec.definitions if d.name not in known)
    return replace(spec, design=found, definitions=made.definitions + others)


def _recognised(spec: ModelSpec) -> Design | None:
    """The design whose expansion the paths, covariances and definitions of ``spec`` are, if there is one."""
    found = roles(spec)
    if found is None:
        return None
    latent = frozenset(c.name for c in spec.constructs)
    for part in designs().values():
        chosen = replace(found, kind=part.name)
        try:
            made = expansion(chosen, part.stages(chosen), latent)
        except SpecError:
            continue
        definitions = compact(made.definitions) <= compact(spec.definitions)
        if definitions and same_paths(spec, made, latent) and found.stages == part.stages(chosen):
            return chosen if part.name == "mixed" else replace(chosen, stages=())
    return None


__all__ = ["Expansion", "MediationDesign", "design", "designs", "expand", "written_out"]
