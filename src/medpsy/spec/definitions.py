"""Labels of paths, and the quantities defined over them."""

from __future__ import annotations

from collections.abc import Iterable

from medpsy.errors import nearest
from medpsy.spec.expressions import parse_expression
from medpsy.spec.lexer import is_plain
from medpsy.spec.model_spec import Definition, ModelSpec
from medpsy.spec.problem import ElementError


def require_plain(name: str, what: str, subject: tuple[str, ...]) -> None:
    """Refuse a name that is not letters, digits and underscores."""
    if not is_plain(name):
        raise ElementError(
            f"'{name}' cannot be the name of a {what}",
            subject=subject,
            hint="Use letters, digits and underscores, beginning with a letter.",
        )


def check_labels(spec: ModelSpec) -> None:
    """Refuse a label on two paths or covariances.

    Raises
    ------
    SpecError
        A shared label (which would mean equality), or one that is no plain word.
    """
    seen: dict[str, str] = {}
    where = [(path.label, path.key, f"{path.target} ~ {path.term}") for path in spec.paths]
    where += [(c.label, f"{c.left}~~{c.right}", f"{c.left} ~~ {c.right}") for c in spec.covariances]
    if spec.clusters is not None:
        where += [
            (p.label, p.key, f"{p.target} ~ {p.source} between clusters") for p in spec.clusters.between
        ]
    for key, each in spec.linear.by_group if spec.linear is not None else ():
        where += [(one, key, key) for one in each if isinstance(one, str)]
    for label, key, text in where:
        if label is None:
            continue
        require_plain(label, "label", ("label", label, key))
        if label in seen and spec.linear is None:
            raise ElementError(
                f"label '{label}' stands on '{seen[label]}' and on '{text}': equality of paths by a shared "
                "label is not available",
                subject=("label", label, key),
                hint="Give every path a label of its own.",
            )
        seen[label] = text


def labels(spec: ModelSpec) -> tuple[str, ...]:
    """Return the labels of paths and covariances, in order; definitions are written over them."""
    of_paths = [path.label for path in spec.paths]
    of_covariances = [covariance.label for covariance in spec.covariances]
    of_clusters: list[str | None] = []
    if spec.clusters is not None:
        of_clusters += [path.label for path in spec.clusters.between] + [*spec.clusters.covariances]
    of_groups: list[str | None] = []
    if spec.linear is not None:
        of_groups += [one for _, each in spec.linear.by_group for one in each if isinstance(one, str)]
    every = of_paths + of_covariances + of_clusters + of_groups
    return tuple(label for label in every if label is not None)


def check_definitions(definitions: Iterable[Definition], known: Iterable[str]) -> None:
    """Refuse definitions that cannot be computed one after the other.

    Parameters
    ----------
    definitions : iterable of Definition
        In the order in which they are computed.
    known : iterable of str
        Labels they may use.

    Raises
    ------
    SpecError
        A name defined twice or taken by a label, a name that does not exist, a definition used before it is
        made, or definitions that refer to each other in a circle.
    """
    definitions = tuple(definitions)
    available = set(known)
    uses = {d.name: parse_expression(d.expression).names for d in definitions}
    for definition in definitions:
        name = definition.name
        require_plain(name, "definition", ("definition", name))
        if name in available:
            raise ElementError(
                f"'{name}' is defined although a label or an earlier definition has that name",
                subject=("definition", name),
                hint="Give it a name of its own.",
            )
        for used in uses[name]:
            if used not in available:
                raise _unknown_in_definition(name, used, uses, available)
        available.add(name)


def _unknown_in_definition(
    name: str, used: str, uses: dict[str, tuple[str, ...]], available: set[str]
) -> ElementError:
    subject = ("definition", name, used)
    circle = _circle(name, uses)
    if circle:
        return ElementError(
            f"the definitions refer to each other in a circle: {' -> '.join(circle)}",
            subject=subject,
            hint="A definition is computed from path labels and from definitions above it.",
        )
    if used in uses:
        return ElementError(
            f"definition '{name}' uses '{used}', which is defined after it",
            subject=subject,
            hint=f"Write '{used} := ...' above '{name} := ...'.",
        )
    hint = nearest(used, available)
    if not available:
        hint = "No path has a label: write, for example, 'meaning ~ a*mental_health'."
    return ElementError(f"definition '{name}' uses the unknown label '{used}'", subject=subject, hint=hint)


def _circle(name: str, uses: dict[str, tuple[str, ...]]) -> list[str]:
    """Return a chain of definitions from ``name`` back to itself, or nothing."""
    trails = [[name]]
    seen: set[str] = set()
    while trails:
        trail = trails.pop()
        for used in uses[trail[-1]]:
            if used == name:
                return [*trail, name]
            if used in uses and used not in seen:
                seen.add(used)
                trails.append([*trail, used])
    return []
