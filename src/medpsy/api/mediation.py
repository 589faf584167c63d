"""Mediation: the model of an effect that goes through something."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

from medpsy.api.models import Model
from medpsy.errors import SpecError, nearest
from medpsy.mediation.base import design as part_of
from medpsy.mediation.equations import STAGES, design_edges
from medpsy.mediation.process import process_design
from medpsy.spec.clusters import Clusters
from medpsy.spec.model_spec import Construct, Design, ModelSpec, Observed, SecondOrder
from medpsy.spec.pooled import Pooled, taken_out

if TYPE_CHECKING:
    from medpsy.survey.instrument import Instrument

#: A role of a mediation: a construct (of second order too), an observed variable with its family, or the
#: name of
#: a variable.
Role = Construct | SecondOrder | Observed | str


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
        Person variables that enter every equation; ``"(1|centre)"`` enters with pooled levels.
    moderator : Construct or str, optional
        Person variable or construct that the paths named in ``moderates`` change with; in the designs
        ``"1-1-1"`` and ``"2-1-1"`` a variable of the clusters, with which paths change on both levels.
    moderates : str or iterable of str
        ``"first"`` (into the mediators), ``"between"`` (from mediator to mediator), ``"second"`` (out of the
        mediators), ``"direct"``, or ``"all"``.
    moderation : mapping, optional
        The general form: stage to moderators, such as ``{"first": ["sex"], "second": [("sex", "age")]}``; a
        pair stands for both and their product (moderated moderation). Constructs may stand for names.
    interaction : bool
        The exposure changes the effect of the mediators on the outcome.
    constructs : iterable of Construct
        What a second-order construct among the roles is made of.
    clusters, slopes, priors, name, instrument, truth
        As in :class:`Model`.
    groups : str, optional
        Person variable with several levels (majors, centres) over which all labelled paths and all intercepts
        differ, partially pooled: ``clusters`` with every slope, whose sds have the prior HalfNormal(0.2)
        unless ``priors`` says otherwise. See :meth:`Fit.by_cluster` for effects, contrasts and ranks.
    design : str, optional
        ``"simple"``, ``"parallel"``, ``"serial"``, ``"mixed"`` or ``"moderation"``; follows from the
        mediators unless given. With clusters also ``"1-1-1"`` (every variable split into cluster mean and
        deviation, effects within and between clusters kept apart, slopes within clusters random unless
        ``slopes`` says otherwise) and ``"2-1-1"`` (the exposure belongs to the cluster).

    Raises
    ------
    SpecError
        A variable with two roles, an item in two constructs, an unknown design or path, mediators that do not
        fit the design.

    Examples
    --------
    >>> import medpsy as mp
    >>> anxiety = mp.GradedResponse("anxiety", "gad1..gad7")
    >>> depression = mp.GradedResponse("depression", "phq1..phq9")
    >>> model = mp.Mediation("age", [anxiety], depression, covariates=["sex"])
    >>> print(model.syntax)
    anxiety =~ gad1..gad7
    depression =~ phq1..phq9
    anxiety ~ a*age + sex
    depression ~ b*anxiety + c*age + sex
    indirect := a*b
    direct := c
    total := a*b + c
    >>> fit = model.fit(mp.load_example("students"), seed=1)  # doctest: +SKIP
    """

    def __init__(
        self,
        exposure: Role | Iterable[Role],
        mediators: Role | Iterable[Role | Iterable[Role]] = (),
        outcome: Role | Iterable[Role] = (),
        *,
        serial: bool = False,
        covariates: Iterable[str] = (),
        moderator: Role | None = None,
        moderates: str | Iterable[str] = "first",
        moderation: Mapping[str, Any] | None = None,
        interaction: bool = False,
        constructs: Iterable[Construct] = (),
        clusters: str | Clusters | None = None,
        slopes: Iterable[str] | None = None,
        groups: str | None = None,
        priors: Mapping[str, str] | None = None,
        name: str | None = None,
        design: str | None = None,
        instrument: Instrument | None = None,
        truth: Mapping[str, Any] | None = None,
    ) -> None:
        exposures, outcomes = _listed(exposure), _listed(outcome)
        stages = [_listed(stage) for stage in _listed(mediators)]
        between = [role for stage in stages for role in stage]
        _require_roles(exposures, between, outcomes)
        sizes = (1,) * len(between) if serial else tuple(map(len, stages))
        kind = design or _kind(len(between), sizes, serial)
        changes = _moderation(moderator, moderates, moderation)
        others = [role for role in _flat((moderator, moderation or {})) if isinstance(role, Construct)]
        if interaction:
            changes += tuple(("second", _name(x)) for x in exposures)
        roles = [*exposures, *between, *outcomes]
        names, (plain, levels) = list(map(_name, roles)), taken_out(_names(covariates))
        spec = ModelSpec(
            constructs=tuple(
                dict.fromkeys(r for r in (*roles, *others, *constructs) if isinstance(r, Construct))
            ),
            second_order=next((r for r in roles if isinstance(r, SecondOrder)), None),
            pooled=tuple(Pooled(n, v) for n in dict.fromkeys(names[len(exposures) :]) for v in levels),
            observed=tuple(_observed(r) for r in roles[len(exposures) :] if isinstance(r, Observed | str)),
            design=Design(
                kind,
                names[0],
                tuple(map(_name, between)),
                _name(outcomes[0]),
                plain,
                tuple(names[1 : len(exposures)]),
                tuple(map(_name, outcomes[1:])),
                sizes if kind == "mixed" else (),
                tuple(sorted(dict.fromkeys(changes), key=lambda c: STAGES.index(c[0]))),
            ),
        )
        if groups is not None:
            clusters, priors = _pooled(groups, spec, priors, clusters or slopes)
        about: dict[str, Any] = {"name": name, "instrument": instrument, "truth": truth}
        super().__init__(spec, clusters=clusters, slopes=slopes, priors=priors, **about)

    @classmethod
    def from_process(
        cls,
        number: int,
        *,
        x: Role,
        y: Role,
        m: Role | Iterable[Role] = (),
        w: Role | None = None,
        z: Role | None = None,
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
        named = {"w": None if w is None else _name(w), "z": None if z is None else _name(z)}
        found = process_design(number, x=_name(x), mediators=len(mediators), **named)
        by_name = {_name(role): role for role in (w, z) if role is not None}
        moderation: dict[str, list[Any]] = {}
        for stage, *by in found.moderation:
            parts = [by_name.get(name, name) for name in by]
            moderation.setdefault(stage, []).append(parts[0] if len(parts) == 1 else tuple(parts))
        return cls(x, mediators, y, serial=found.serial, moderation=moderation, **options)


def _pooled(
    groups: str, spec: ModelSpec, priors: Mapping[str, str] | None, others: object
) -> tuple[Clusters, dict[str, str]]:
    """Groups over which all labelled paths differ, and the priors of the sds of these paths."""
    if others is not None:
        raise SpecError(
            "groups are clusters with all slopes, and clusters are named as well",
            hint="Name groups, or clusters with slopes.",
        )
    assert spec.design is not None
    edges = design_edges(spec.design, part_of(spec.design.kind).stages(spec.design))
    pooled = {f"cluster_sd.{edge.label}": "HalfNormal(0.2)" for edge in edges}
    return Clusters(groups, tuple(edge.label for edge in edges)), pooled | dict(priors or {})


def _require_roles(exposures: list[Any], between: list[Any], outcomes: list[Any]) -> None:
    """Refuse what can play no role, and a mediation without exposure or outcome."""
    for role in (*exposures, *between, *outcomes):
        if not isinstance(role, Role):
            raise SpecError(
                f"{role!r} can play no role in a mediation",
                hint="Use a construct such as GradedResponse(...), Observed(...), or a variable's name.",
            )
    for what, roles in (("exposure", exposures), ("outcome", outcomes)):
        if not roles:
            raise SpecError(f"the mediation has no {what}", hint=f"Name at least one {what}.")


def _kind(mediators: int, sizes: tuple[int, ...], serial: bool) -> str:
    if mediators == 0:
        return "moderation"
    if mediators == 1:
        return "simple"
    if serial:
        return "serial"
    return "mixed" if max(sizes) > 1 and len(sizes) > 1 else "parallel"


def _flat(value: Any) -> list[Any]:
    """Everything inside tuples, lists and mappings."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple | set):
        return [one for part in value for one in _flat(part)]
    return [value]


def _moderation(
    moderator: Role | None, moderates: str | Iterable[str], moderation: Mapping[str, Any] | None
) -> tuple[tuple[str, ...], ...]:
    """Stages with their moderators from both forms."""
    stages = _names(moderates)
    if "all" in stages:
        stages = ("first", "second", "direct")
    found = [(stage, _name(moderator)) for stage in stages] if moderator is not None else []
    given: list[tuple[str, ...]] = [tuple(pair) for pair in found]
    for stage, names in (moderation or {}).items():
        given += [(stage, *map(_name, _flat(by))) for by in _listed(names)]
    for stage, *_ in given:
        if stage not in STAGES:
            raise SpecError(f"a mediation has no '{stage}' paths", hint=nearest(stage, (*STAGES, "all")))
    return tuple(given)


def _listed(value: Any) -> list[Any]:
    """A list of what is given one by one or as a list."""
    alone = isinstance(value, Role) or not isinstance(value, Iterable)
    return [value] if alone else list(value)


def _name(role: Any) -> str:
    return role if isinstance(role, str) else role.name


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _observed(role: Any) -> Observed:
    return role if isinstance(role, Observed) else Observed(_name(role))
