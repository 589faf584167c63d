"""Mediation designs: roles in, labelled paths and defined effects out."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from medpsy.errors import SpecError, nearest
from medpsy.mediation.equations import Expansion, expansion
from medpsy.mediation.levels import averaged
from medpsy.mediation.nonlinear import without_products
from medpsy.mediation.roles import compact, roles, same_paths
from medpsy.registry import parts
from medpsy.spec.clusters import Clusters
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


def expand(chosen: Design, latent: frozenset[str], clusters: Clusters | None = None) -> Expansion:
    """Labelled paths, residual covariances and effects of a design.

    Raises
    ------
    SpecError
        The roles do not fit the design, one variable has two, or two effects would have one name.
    """
    part = design(chosen.kind)
    leveled = getattr(part, "leveled", None)
    if leveled is None:
        flat = expansion(chosen, part.stages(chosen), latent)
        return flat if clusters is None or not clusters.random else averaged(flat, clusters)
    if clusters is None:
        raise SpecError(
            f"the design '{chosen.kind}' is about clusters, and none are named",
            hint='Name the variable that makes them: clusters="school".',
        )
    made: Expansion = leveled(chosen, latent, clusters)
    return made


def written_out(spec: ModelSpec) -> ModelSpec:
    """Write a design out as paths, or recognise the design in the paths.

    Raises
    ------
    SpecError
        Paths and design contradict each other, or as :func:`expand`.
    """
    latent = frozenset((*(c.name for c in spec.constructs), *spec.latents))
    if spec.design is not None and not spec.paths:
        made = without_products(expand(spec.design, latent, spec.clusters), spec.observed)
        return replace(
            spec,
            observed=spec.observed + tuple(o for o in made.observed if o not in spec.observed),
            clusters=made.clusters or spec.clusters,
            paths=made.paths,
            covariances=made.covariances + spec.covariances,
            definitions=made.definitions + spec.definitions,
        )
    found = spec.design or _recognised(spec)
    if found is None:
        return spec
    made = without_products(expand(found, latent, spec.clusters), spec.observed)
    if spec.design is not None and not same_paths(spec, made, latent):
        raise SpecError(
            f"the paths are not those of the {found.kind} mediation that the model names beside them",
            hint="Write the design or the paths, not both.",
        )
    known = {definition.name for definition in made.definitions}
    others = tuple(d for d in spec.definitions if d.name not in known)
    clusters = made.clusters or spec.clusters
    if clusters is not None and clusters.random:
        # Written by hand, a product of random slopes is what it says.
        own = {definition.name: definition for definition in spec.definitions}
        made = replace(made, definitions=tuple(own.get(d.name, d) for d in made.definitions))
    return replace(spec, design=found, definitions=made.definitions + others, clusters=clusters)


def _recognised(spec: ModelSpec) -> Design | None:
    """The design whose expansion the paths, covariances and definitions of ``spec`` are, if there is one."""
    found = roles(spec)
    if found is None:
        return None
    latent = frozenset((*(c.name for c in spec.constructs), *spec.latents))
    for part in designs().values():
        if hasattr(part, "leveled"):
            continue
        chosen = replace(found, kind=part.name)
        try:
            made = without_products(expansion(chosen, part.stages(chosen), latent), spec.observed)
        except SpecError:
            continue
        definitions = compact(made.definitions) <= compact(spec.definitions)
        if definitions and same_paths(spec, made, latent) and found.stages == part.stages(chosen):
            return chosen if part.name == "mixed" else replace(chosen, stages=())
    return None


__all__ = ["Expansion", "MediationDesign", "design", "designs", "expand", "written_out"]
