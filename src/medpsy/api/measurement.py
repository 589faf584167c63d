"""A specification from constructs that correlate freely, and with priors as users write them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from medpsy.errors import SpecError
from medpsy.spec.model_spec import Construct, ModelSpec, SecondOrder
from medpsy.spec.presets import normal_text
from medpsy.spec.problem import ElementError


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


def with_prior_texts(spec: ModelSpec, priors: Mapping[str, str]) -> ModelSpec:
    """Add priors, in the spelling that model files are read into.

    Raises
    ------
    SpecError
        Text that is no prior, with the target that it is for.
    """
    held = dict(spec.priors)
    for target, text in priors.items():
        try:
            held[target] = normal_text(target, text)
        except SpecError as error:
            raise ElementError(
                f"prior of '{target}': {error.message}", subject=("prior", target), hint=error.hint
            ) from None
    return replace(spec, priors=tuple(sorted(held.items())))
