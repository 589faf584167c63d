"""Mediation designs: roles in, labelled paths and defined effects out."""

from __future__ import annotations

from typing import Protocol

from medpsy.errors import SpecError, nearest
from medpsy.registry import parts
from medpsy.spec.model_spec import Definition, Design, ModelSpec, Path


class MediationDesign(Protocol):
    """Expands roles into paths and definitions, and recognises itself in a set of paths."""

    name: str

    def expand(
        self, design: Design, latent: frozenset[str]
    ) -> tuple[tuple[Path, ...], tuple[Definition, ...]]:
        """Labelled paths and the effects defined over their labels."""
        ...

    def recognise(self, spec: ModelSpec) -> Design | None:
        """The roles, if the paths and definitions of ``spec`` are this design; else None."""
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
