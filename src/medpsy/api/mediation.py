"""Mediation: the model of an effect that goes through something."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

from medpsy.api.models import Model
from medpsy.errors import SpecError, nearest
from medpsy.mediation.equations import STAGES
from medpsy.mediation.process import process_design
from medpsy.spec.model_spec import Construct, Design, ModelSpec, Observed

if TYPE_CHECKING:
    from medpsy.survey.instrument import Instrument

#: A role of a mediation: a construct, an observed variable with its family, or the name of a variable.
Role = Construct | Observed | str


class Mediation(Model):
    """How much of an effect goes through mediators, and what that depends on.

    Parameters
    ----------
    exposure, outcome : Construct, Observed or str, or a list of them
        A construct, or an observed variable by name: a number (gaussian) unless ``Observed`` says otherwise.
        An exposure that is a category with several levels has one effect per level against the first one.
    mediators : Construct, Observed or str, or a list of them
        A list in the list stands for mediators beside each other at one stage: ``[["m1", "m2"], "m3"]``.
    serial : bool
        The mediators are a chain: each is explained by all before it. By default they are parallel.
    covariates : iterable of str
        Person variables that enter every equation.
    moderator : str, optional
        Person variable that the paths named in ``moderates`` change with.
    moderates : str or iterable of str
        ``"first"`` (into the mediators), ``"between"`` (from mediator to mediator), ``"second"`` (out of the
        mediators), ``"direct"``, or ``"all"``.
    moderation : mapping, optional
        The general form: stage to moderators, such as ``{"first": ["sex"], "second": [("sex", "age")]}``; a
        pair stands for both and their product (moderated moderation).
    interaction : bool
        The exposure changes the effect of the mediators on the outcome.
    priors, name, instrument, truth
        As in :class:`Model`.
    design : str, optional
        ``"simple"``, ``"parallel"``, ``"serial"``, ``"mixed"`` or ``"moderation"``; follows from the
        mediators unless given.

    Raises
    ------
    SpecError
        A variable with two roles, an item in two constructs, an unknown design or path, mediators that do not
        fit the design.
    """

    def __init__(
        self,
        exposure: Role | Iterable[Role],
        mediators: Role | Iterable[Role | Iterable[Role]] = (),
        outcome: Role | Iterable[Role] = (),
        *,
        serial: bool = False,
        covariates: Iterable[str] = (),
        moderator: str | None = None,
        moderates: str | Iterable[str] = "first",
        moderation: Mapping[str, Iterable[str | tuple[str, str]]] | None = None,
        interaction: bool = False,
        priors: Mapping[str, str] | None = None,
        name: str | None = None,
        design: str | None = None,
        instrument: Instrument | None = None,
        truth: Mapping[str, Any] | None = None,
    ) -> None:
        exposures, outcomes = _listed(exposure), _listed(outcome)
        stages = [_listed(stage) for stage in _listed(mediators)]
        between = [role for stage in stages for role in stage]
        for role in (*exposures, *between, *outcomes):
            if not isinstance(role, Construct | Observed | str):
                raise SpecError(
                    f"{role!r} can play no role in a mediation",
                    hint="Use a construct such as GradedResponse(...), Observed(...), or a variable's name.",
                )
        for what, roles in (("exposure", exposures), ("outcome", outcomes)):
            if not roles:
                raise SpecError(f"the mediation has no {what}", hint=f"Name at least one {what}.")
        sizes = (1,) * len(between) if serial else tuple(map(len, stages))
        kind = design or _kind(len(between), sizes, serial)
        changes = _moderation(moderator, moderates, moderation)
        if interaction:
            changes += tuple(("second", _name(x)) for x in exposures)
        roles = [*exposures, *between, *outcomes]
        names = list(map(_name, roles))
        spec = ModelSpec(
            constructs=tuple(dict.fromkeys(role for role in roles if isinstance(role, Construct))),
            observed=tuple(_observed(r) for r in roles[len(exposures) :] if not isinstance(r, Construct)),
            design=Design(
                kind,
                names[0],
                tuple(map(_name, between)),
                _name(outcomes[0]),
                _names(covariates),
                tuple(names[1 : len(exposures)]),
                tuple(map(_name, outcomes[1:])),
                sizes if kind == "mixed" else (),
                tuple(sorted(dict.fromkeys(changes), key=lambda c: STAGES.index(c[0]))),
            ),
        )
        super().__init__(spec, priors=priors, name=name, instrument=instrument, truth=truth)

    @classmethod
    def from_process(
        cls,
        number: int,
        *,
        x: Role,
        y: Role,
        m: Role | Iterable[Role] = (),
        w: str | None = None,
        z: str | None = None,
        **options: Any,
    ) -> Self:
        """Return the design that has this model number in the PROCESS macro.

        Parameters
        ----------
        number : int
            1 to 12, 14 to 19, 21, 22, 28, 29, 58, 59, 74.
        x, y, m, w, z
            Exposure, outcome, mediator or mediators, first and second moderator.
        **options
            As in :class:`Mediation`: covariates, priors, name, instrument, truth.

        Raises
        ------
        SpecError
            A number that stands for no design here, a role it needs or does not have.

        References
        ----------
        Hayes, A. F. (2022). Introduction to mediation, moderation, and conditional process analysis (3rd
        ed.). ISBN 9781462549030, appendix A.
        """
        mediators = _listed(m)
        found = process_design(number, x=_name(x), mediators=len(mediators), w=w, z=z)
        moderation: dict[str, list[Any]] = {}
        for stage, *by in found.moderation:
            moderation.setdefault(stage, []).append(by[0] if len(by) == 1 else tuple(by))
        return cls(x, mediators, y, serial=found.serial, moderation=moderation, **options)


def _kind(mediators: int, sizes: tuple[int, ...], serial: bool) -> str:
    if mediators == 0:
        return "moderation"
    if mediators == 1:
        return "simple"
    if serial:
        return "serial"
    return "mixed" if max(sizes) > 1 and len(sizes) > 1 else "parallel"


def _moderation(
    moderator: str | None,
    moderates: str | Iterable[str],
    moderation: Mapping[str, Iterable[str | tuple[str, str]]] | None,
) -> tuple[tuple[str, ...], ...]:
    """Stages with their moderators from both forms."""
    stages = _names(moderates)
    if "all" in stages:
        stages = ("first", "second", "direct")
    found = [(stage, moderator) for stage in stages] if moderator is not None else []
    given: list[tuple[str, ...]] = [tuple(pair) for pair in found]
    for stage, names in (moderation or {}).items():
        given += [(stage, *_names(by)) for by in ([names] if isinstance(names, str) else names)]
    for stage, *_ in given:
        if stage not in STAGES:
            raise SpecError(f"a mediation has no '{stage}' paths", hint=nearest(stage, (*STAGES, "all")))
    return tuple(given)


def _listed(value: Any) -> list[Any]:
    """A list of what is given one by one or as a list."""
    alone = isinstance(value, str | Construct | Observed) or not isinstance(value, Iterable)
    return [value] if alone else list(value)


def _name(role: Any) -> str:
    return role if isinstance(role, str) else role.name


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _observed(role: Any) -> Observed:
    return role if isinstance(role, Observed) else Observed(_name(role))
