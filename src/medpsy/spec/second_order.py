"""Rules for a second-order construct."""

from __future__ import annotations

from dataclasses import replace

from medpsy.errors import nearest
from medpsy.spec.definitions import require_plain
from medpsy.spec.model_spec import ModelSpec, Path
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
    if spec.latents:
        _check_joined(spec, subject)
    else:
        _check_rest(spec, subject)


def with_loadings(spec: ModelSpec) -> ModelSpec:
    """Write the loadings of a second-order construct that has paths of its own as paths, once."""
    if spec.second_order is None or not spec.latents:
        return spec
    name = spec.second_order.name
    there = {path.target for path in spec.paths if path.measured}
    loadings = [Path(m, name, measured=True) for m in spec.second_order.constructs if m not in there]
    return replace(spec, paths=(*spec.paths, *loadings))


def _check_joined(spec: ModelSpec, subject: tuple[str, ...]) -> None:
    """A second-order construct among the paths: its constructs have it as their only cause beside
    covariates.
    """
    assert spec.second_order is not None
    name, members = spec.second_order.name, spec.second_order.constructs
    latent = {c.name for c in spec.constructs}
    others = [
        f"{p.target} ~ {p.term}" for p in spec.paths
        if not p.measured and p.target in members and set(p.variables) & {*latent, name}
    ]  # fmt: skip
    others += [f"{p.target} ~ {p.term}" for p in spec.paths if set(p.variables) & set(members)]
    others += [f"{c.left} ~~ {c.right}" for c in spec.covariances if {c.left, c.right} & {*members, name}]
    if spec.groups is not None:
        others.append(f"groups by '{spec.groups.by}'")
    if spec.clusters is not None:
        others.append(f"clusters by '{spec.clusters.by}'")
    explained = any(p.target == name for p in spec.paths) or spec.design is not None
    alone = [c for c in latent - set(members) if not any(p.target == c for p in spec.paths)]
    if not explained and alone:
        others.append(f"the construct '{alone[0]}' beside it, which nothing explains either")
    if others:
        raise ElementError(
            f"the model has a second-order construct '{name}' with paths of its own and {others[0]}",
            subject=subject,
            hint=f"What '{name}' is made of is explained by it and by covariates alone: let the paths run to "
            f"and from '{name}'.",
        )


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
