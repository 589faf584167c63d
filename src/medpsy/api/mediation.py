"""Mediation: the model of an effect that goes through something."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from medpsy.api.models import Model
from medpsy.errors import SpecError
from medpsy.spec.model_spec import Construct, Design, ModelSpec, Observed

if TYPE_CHECKING:
    from medpsy.survey.instrument import Instrument

#: A role of a mediation: a construct, an observed variable with its family, or the name of a variable.
Role = Construct | Observed | str


class Mediation(Model):
    """How much of an effect goes through a mediator.

    Parameters
    ----------
    exposure, outcome : Construct, Observed or str
        A construct, or an observed variable by name: a number (gaussian) unless ``Observed`` says otherwise.
    mediators : Construct, Observed or str, or a list of them
    covariates : iterable of str
        Person variables that enter every equation.
    priors, name, instrument, truth
        As in :class:`Model`.
    design : str
        Named design; ``"simple"`` has one mediator.

    Raises
    ------
    SpecError
        A variable with two roles, an item in two constructs, an unknown design, more mediators than the
        design has.
    """

    def __init__(
        self,
        exposure: Role,
        mediators: Role | Iterable[Role],
        outcome: Role,
        *,
        covariates: Iterable[str] = (),
        priors: Mapping[str, str] | None = None,
        name: str | None = None,
        design: str = "simple",
        instrument: Instrument | None = None,
        truth: Mapping[str, Any] | None = None,
    ) -> None:
        if isinstance(mediators, Iterable) and not isinstance(mediators, str):
            between: list[Role] = list(mediators)
        else:
            between = [mediators]
        roles = [exposure, *between, outcome]
        for role in roles:
            if not isinstance(role, Construct | Observed | str):
                raise SpecError(
                    f"{role!r} can play no role in a mediation",
                    hint="Use a construct such as GradedResponse(...), Observed(...), or a variable's name.",
                )
        spec = ModelSpec(
            constructs=tuple(dict.fromkeys(role for role in roles if isinstance(role, Construct))),
            observed=tuple(_observed(role) for role in roles[1:] if not isinstance(role, Construct)),
            design=Design(
                design, _name(exposure), tuple(map(_name, between)), _name(outcome), _names(covariates)
            ),
        )
        super().__init__(spec, priors=priors, name=name, instrument=instrument, truth=truth)


def _name(role: Role) -> str:
    return role if isinstance(role, str) else role.name


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _observed(role: Role) -> Observed:
    return role if isinstance(role, Observed) else Observed(_name(role))
