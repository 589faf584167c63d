"""A specification from constructs that correlate freely."""

from __future__ import annotations

from collections.abc import Iterable

from medpsy.errors import SpecError
from medpsy.spec.model_spec import Construct, ModelSpec, SecondOrder


def measurement(constructs: Iterable[Construct | SecondOrder]) -> ModelSpec:
    """Return the specification of constructs, with a second-order construct of them or without.

    Raises
    ------
    SpecError
        Something that is neither, or two second-order constructs.
    """
    found = tuple(constructs) if isinstance(constructs, Iterable) else (constructs,)
    higher = [part for part in found if isinstance(part, SecondOrder)]
    if len(higher) > 1:
        raise SpecError(
            f"'{higher[0].name}' and '{higher[1].name}' are both second-order constructs",
            hint="One second-order construct to a model.",
        )
    plain = tuple(part for part in found if isinstance(part, Construct))
    for part in found:
        if not isinstance(part, Construct | SecondOrder):
            raise SpecError(
                f"a model cannot be made of {part!r}",
                hint="Pass model text, a ModelSpec, or constructs such as GradedResponse(...).",
            )
    return ModelSpec(constructs=plain, second_order=higher[0] if higher else None)
