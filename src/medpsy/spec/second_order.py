"""Rules for a second-order construct."""

from __future__ import annotations

from medpsy.errors import nearest
from medpsy.spec.definitions import require_plain
from medpsy.spec.model_spec import ModelSpec
from medpsy.spec.problem import ElementError

#: Fewest constructs whose correlations determine as many loadings.
FEWEST = 3


def check_second_order(spec: ModelSpec) -> None:
    """Refuse a second-order construct that cannot be estimated or contradicts the rest of the model.

    Raises
    ------
    ElementError
        A name used twice, an unknown or repeated construct, fewer than three, a construct left out, or paths
        and covariances between constructs, whose correlations the second order already explains.
    """
    if spec.second_order is None:
        return
    name, members = spec.second_order.name, spec.second_order.constructs
    subject = ("second_order", name)
    require_plain(name, "second-order construct", subject)
    known = [c.name for c in spec.constructs]
    taken = [*known, *(o.name for o in spec.observed), *(s.name for c in spec.constructs for s in c.specific)]
    taken += [item for c in spec.constructs for item in c.items]
    if name in taken:
        raise ElementError(
            f"the second-order construct '{name}' has the name of something else in the model",
            subject=subject,
            hint="Give it a name of its own.",
        )
    for position, member in enumerate(members):
        if member not in known:
            raise ElementError(
                f"the second-order construct '{name}' is measured by '{member}', which is no construct",
                subject=subject,
                hint=nearest(member, known),
            )
        if member in members[:position]:
            raise ElementError(
                f"'{member}' is listed twice in '{name}'", subject=subject, hint="Once is enough."
            )
    if len(members) < FEWEST:
        raise ElementError(
            f"the second-order construct '{name}' has {len(members)} construct(s), whose correlations do not "
            "determine their loadings",
            subject=subject,
            hint=f"It takes at least {FEWEST}; fewer constructs simply correlate.",
        )
    _check_rest(spec, subject)


def _check_rest(spec: ModelSpec, subject: tuple[str, ...]) -> None:
    """What else the model must not say."""
    assert spec.second_order is not None
    name, members = spec.second_order.name, spec.second_order.constructs
    for construct in spec.constructs:
        if construct.name not in members:
            raise ElementError(
                f"'{construct.name}' is no part of the second-order construct '{name}'",
                subject=subject,
                hint="Every construct of the model has to be measured by it: add it or leave it out.",
            )
    nodes = {*members, *(o.name for o in spec.observed)}
    between = [f"{p.target} ~ {p.term}" for p in spec.paths if name in (p.target, *p.variables)]
    between += [f"{p.target} ~ {p.term}" for p in spec.paths if set(p.variables) & nodes]
    between += [f"{o.name} is explained" for o in spec.observed]
    between += [f"{c.left} ~~ {c.right}" for c in spec.covariances]
    if spec.design is not None:
        between.append(f"a {spec.design.kind} design")
    if spec.groups is not None:
        between.append(f"groups by '{spec.groups.by}'")
    if between:
        raise ElementError(
            f"the model has a second-order construct '{name}' and {between[0]}",
            subject=subject,
            hint="Beside a second-order construct only covariates may explain the constructs.",
        )
