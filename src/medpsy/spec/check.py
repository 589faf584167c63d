"""Rules that every specification obeys, whoever wrote it and in whatever form."""

from __future__ import annotations

from medpsy.errors import SpecError, nearest
from medpsy.observed.base import has_categories, observed_families
from medpsy.spec.clusters import check_clusters, decomposed
from medpsy.spec.definitions import check_definitions, check_labels, labels, require_plain
from medpsy.spec.graph import covariates, order
from medpsy.spec.linear import check_linear
from medpsy.spec.model_spec import Design, ModelSpec
from medpsy.spec.pooled import check_pooled
from medpsy.spec.presets import normal_text
from medpsy.spec.problem import ElementError
from medpsy.spec.second_order import check_second_order
from medpsy.spec.specific import check_cross, check_specific
from medpsy.survey.instrument import Instrument


def check(spec: ModelSpec) -> None:
    """Refuse a specification that contradicts itself.

    Covers names, items in two constructs, paths (see :func:`medpsy.spec.graph.order`), labels, covariances,
    definitions, roles of the design and the text of priors. Whether a prior's target exists is the
    parameter table's business, whether the items were asked :func:`check_against`'s.

    Raises
    ------
    SpecError
        The first broken rule, naming the element (an :class:`~medpsy.spec.problem.ElementError`).
    """
    _check_constructs(spec)
    check_specific(spec)
    check_cross(spec)
    check_second_order(spec)
    check_clusters(spec)
    check_pooled(spec)
    _check_observed(spec)
    order(spec)
    check_labels(spec)
    if spec.linear is None:
        _check_covariances(spec)
    check_linear(spec)
    check_definitions(spec.definitions, labels(spec))
    if spec.design is not None:
        _check_design(spec, spec.design)
    for target, text in spec.priors:
        try:
            normal_text(target, text)
        except SpecError as error:
            raise ElementError(error.message, hint=error.hint, subject=("prior", target)) from None


def check_against(spec: ModelSpec, instrument: Instrument) -> None:
    """Refuse items and variables that the instrument does not have.

    Raises
    ------
    SpecError
        An item that was never asked, or a covariate or observed variable that was never recorded, with the
        nearest name that exists. Items may also be numbers that were recorded.
    """
    items = {*instrument.items, *(v.name for v in instrument.variables if v.kind == "number")}
    for construct in spec.constructs:
        for item in construct.items:
            if item not in items:
                raise ElementError(
                    f"item '{item}' of construct '{construct.name}' is not in the instrument",
                    subject=("item", construct.name, item),
                    hint=nearest(item, items),
                )
    variables = [variable.name for variable in instrument.variables]
    if spec.groups is not None and spec.groups.by not in variables:
        raise ElementError(
            f"the groups are those of '{spec.groups.by}', which is no variable of the instrument",
            subject=("groups", "by"),
            hint=nearest(spec.groups.by, variables),
        )
    if spec.clusters is not None and spec.clusters.by not in variables:
        raise ElementError(
            f"the clusters are those of '{spec.clusters.by}', which is no variable of the instrument",
            subject=("clusters", "by"),
            hint=nearest(spec.clusters.by, variables),
        )
    constructs = [construct.name for construct in spec.constructs]
    linear = spec.linear is not None or spec.waves is not None
    asked = set(instrument.items) if linear else set()
    # A single question may be an item: one of the questionnaire, outside every construct.
    families = observed_families()
    asked |= {o.name for o in spec.observed if has_categories(families[o.family])} & {*instrument.items}
    for name, subject in _variables(spec):
        if name not in variables and name not in asked:
            raise ElementError(
                f"'{name}' is neither a construct of the model nor a variable of the instrument",
                subject=subject,
                hint=nearest(name, [*variables, *constructs]),
            )


def _require_column(name: str, subject: tuple[str, ...]) -> None:
    control = any(ord(character) < 32 or ord(character) == 127 for character in name)
    if not name or name != name.strip() or control or "`" in name or ".." in name:
        raise ElementError(
            f"'{name}' cannot be the name of an item or variable",
            subject=subject,
            hint="Rename the column: no backquote, no control character, no '..', no blank at either end.",
        )


def _check_constructs(spec: ModelSpec) -> None:
    owner: dict[str, str] = {}
    names = [construct.name for construct in spec.constructs]
    for number, construct in enumerate(spec.constructs):
        name = construct.name
        require_plain(name, "construct", ("construct", name))
        if name in names[:number]:
            raise ElementError(
                f"construct '{name}' is defined twice",
                subject=("construct", name),
                hint="List all its items in one statement.",
            )
        for item in construct.items:
            subject = ("item", name, item)
            _require_column(item, subject)
            if item in names:
                raise ElementError(
                    f"construct '{name}' is measured by '{item}', which is a construct itself",
                    subject=subject,
                    hint="A second-order construct has constructs alone as indicators; list items here.",
                )
            if item in owner:
                raise ElementError(
                    f"item '{item}' measures both '{owner[item]}' and '{name}'",
                    subject=subject,
                    hint="Every item belongs to one construct; cross-loadings are not available.",
                )
            owner[item] = name


def _check_observed(spec: ModelSpec) -> None:
    seen = {construct.name for construct in spec.constructs}
    items = {item for construct in spec.constructs for item in construct.items}
    targets = {*spec.targets, *decomposed(spec)}
    if spec.design is not None:
        targets |= {*spec.design.mediators, *spec.design.outcomes}
    for observed in spec.observed:
        subject = ("observed", observed.name)
        _require_column(observed.name, subject)
        if observed.name in items:
            raise ElementError(
                f"'{observed.name}' is an item of a construct and cannot be an observed variable as well",
                subject=subject,
                hint="Take the item out of the construct, or use the construct.",
            )
        if observed.name in seen:
            raise ElementError(
                f"'{observed.name}' is defined twice", subject=subject, hint="Remove one of the two."
            )
        seen.add(observed.name)
        if observed.family not in observed_families():
            raise ElementError(
                f"observed variable '{observed.name}' has the unknown family '{observed.family}'",
                subject=("family", observed.name),
                hint=nearest(observed.family, observed_families()),
            )
        if observed.name not in targets and spec.linear is None:
            raise ElementError(
                f"nothing explains the observed variable '{observed.name}'",
                subject=subject,
                hint="A variable that only explains others is a covariate and is not declared.",
            )
    for path in spec.paths:
        for name in path.variables:
            _require_column(name, ("path", path.key))


def _check_covariances(spec: ModelSpec) -> None:
    constructs = [construct.name for construct in spec.constructs]
    seen: set[frozenset[str]] = set()
    for covariance in spec.covariances:
        left, right = covariance.left, covariance.right
        subject = ("covariance", f"{left}~~{right}")
        if left == right:
            raise ElementError(
                f"'{left} ~~ {right}': residual variances are fixed by identification",
                subject=subject,
                hint="Every construct has residual variance 1, which sets its scale: remove the statement.",
            )
        for name in (left, right):
            if name not in constructs:
                raise ElementError(
                    f"'{left} ~~ {right}': only constructs have covariances, and '{name}' is none",
                    subject=subject,
                    hint=nearest(name, constructs),
                )
        if frozenset((left, right)) in seen:
            raise ElementError(f"the covariance '{left} ~~ {right}' is listed twice", subject=subject)
        seen.add(frozenset((left, right)))


def _check_design(spec: ModelSpec, design: Design) -> None:
    items = {item: c.name for c in spec.constructs for item in c.items}
    played: dict[str, str] = {}
    if not design.mediators and not design.moderation:
        raise ElementError(
            "the design names no mediator", subject=("role", "mediators"), hint="Name at least one."
        )
    for role, name in _roles(design):
        subject = ("role", role)
        _require_column(name, subject)
        if name in played and role != "moderation":
            raise ElementError(
                f"'{name}' is {played[name]} and {role} of the same design",
                subject=subject,
                hint="Every variable plays one role.",
            )
        played.setdefault(name, role)
        if name in items:
            raise ElementError(
                f"'{name}' is an item of '{items[name]}' and cannot be {role} as well",
                subject=subject,
                hint=f"Use the construct '{items[name]}'.",
            )


def _roles(design: Design) -> list[tuple[str, str]]:
    return [
        *(("exposure", name) for name in design.exposures),
        *(("mediators", name) for name in design.mediators),
        *(("outcome", name) for name in design.outcomes),
        *(("covariates", name) for name in design.covariates),
        *(("moderation", name) for name in design.moderators),
    ]


def _variables(spec: ModelSpec) -> list[tuple[str, tuple[str, ...]]]:
    """Return the names that must be columns of the data, each with the subject of an error about it."""
    constructs = {*(construct.name for construct in spec.constructs), *spec.latents}
    found: dict[str, tuple[str, ...]] = {}
    if spec.design is not None:
        found.update({name: ("role", role) for role, name in _roles(spec.design) if name not in constructs})
    for observed in spec.observed:
        found.setdefault(observed.name, ("observed", observed.name))
    if spec.waves is not None:
        columns = [c for one in spec.waves.series for wave in one.waves for c in wave]
        more = [*columns, *spec.waves.covariates, *([spec.waves.exposure] if spec.waves.exposure else [])]
        found.update({name: ("waves", "variables") for name in more})
    for name in covariates(spec):
        places = [("path", path.key) for path in spec.paths if name in path.variables]
        places += [("pooled", one.key) for one in spec.pooled if one.variable == name]
        found.setdefault(name, places[0])
    return list(found.items())
