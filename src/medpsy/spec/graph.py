"""The directed graph of a specification: who is explained by whom."""

from __future__ import annotations

from itertools import combinations

from medpsy.errors import SpecError, nearest
from medpsy.spec.model_spec import ModelSpec, Path
from medpsy.spec.problem import ElementError


def explained(spec: ModelSpec) -> tuple[str, ...]:
    """Return the variables that have a path into them, in order of first mention."""
    return spec.targets


def covariates(spec: ModelSpec) -> tuple[str, ...]:
    """Return the variables that explain others, are never explained and are no construct."""
    known = {c.name for c in spec.constructs} | {o.name for o in spec.observed} | set(explained(spec))
    known |= set(spec.latents)
    used = [name for path in spec.paths for name in path.variables]
    used += [one.variable for one in spec.pooled]
    return tuple(dict.fromkeys(name for name in used if name not in known))


def nodes(spec: ModelSpec) -> tuple[str, ...]:
    """Return every variable of the model: constructs, observed variables, covariates."""
    names = [c.name for c in spec.constructs] + [*spec.latents] + [o.name for o in spec.observed]
    return tuple(dict.fromkeys([*names, *explained(spec), *covariates(spec)]))


def exogenous(spec: ModelSpec) -> tuple[str, ...]:
    """Return the variables that no path explains: constructs first, then covariates."""
    targets = set(explained(spec))
    return tuple(name for name in nodes(spec) if name not in targets)


def order(spec: ModelSpec) -> tuple[str, ...]:
    """Return the explained variables so that each comes after all that explain it.

    Ties keep the order of first mention as a target, so the result is stable.

    Raises
    ------
    SpecError
        A path into itself, a path listed twice, a path from or to an item, a path into an undefined
        variable, or a cycle, which is named: ``meaning -> mission -> meaning``.
    """
    _check_paths(spec)
    waiting = list(explained(spec))
    done: list[str] = []
    while waiting:
        ready = [name for name in waiting if not set(_parents(spec, name)) & set(waiting)]
        if not ready:
            raise _cycle_error(spec, waiting)
        done.append(ready[0])
        waiting.remove(ready[0])
    return tuple(done)


def ancestors(spec: ModelSpec, name: str) -> tuple[str, ...]:
    """Return every variable with a directed path into ``name``, in the order of :func:`nodes`."""
    return _reach(spec, name, {n: _parents(spec, n) for n in nodes(spec)})


def descendants(spec: ModelSpec, name: str) -> tuple[str, ...]:
    """Return every variable that a directed path from ``name`` reaches, in the order of :func:`nodes`."""
    return _reach(spec, name, {n: _children(spec, n) for n in nodes(spec)})


def directed_paths(spec: ModelSpec, source: str, target: str) -> tuple[tuple[Path, ...], ...]:
    """Return all chains of paths that lead from ``source`` to ``target``, depth first in model order.

    Raises
    ------
    SpecError
        An unknown variable, or a graph that :func:`order` refuses.
    """
    order(spec)
    _require(spec, source)
    _require(spec, target)

    def chains(name: str) -> list[tuple[Path, ...]]:
        if name == target:
            return [()]
        steps = [path for path in spec.paths if path.source == name and not path.by]
        return [(step, *rest) for step in steps for rest in chains(step.target)]

    return tuple(chains(source)) if source != target else ()


def _parents(spec: ModelSpec, name: str) -> tuple[str, ...]:
    return tuple(source for path in spec.paths if path.target == name for source in path.variables)


def _children(spec: ModelSpec, name: str) -> tuple[str, ...]:
    return tuple(path.target for path in spec.paths if name in path.variables)


def _reach(spec: ModelSpec, name: str, neighbours: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    _require(spec, name)
    found: set[str] = set()
    front = [name]
    while front:
        new = set(neighbours[front.pop()]) - found
        found |= new
        front.extend(new)
    return tuple(n for n in nodes(spec) if n in found)


def _require(spec: ModelSpec, name: str) -> None:
    if name not in nodes(spec):
        raise SpecError(f"the model has no variable '{name}'", hint=nearest(name, nodes(spec)))


def _check_paths(spec: ModelSpec) -> None:
    construct_of = {item: c.name for c in spec.constructs for item in c.items}
    defined = [c.name for c in spec.constructs] + [o.name for o in spec.observed] + [*spec.latents]
    seen: set[tuple[str, frozenset[str]]] = set()
    for path in spec.paths:
        subject = ("path", path.key)
        term = (path.target, frozenset(path.variables))
        if len(term[1]) < len(path.variables):
            raise ElementError(
                f"'{path.term}' multiplies a variable with itself",
                subject=subject,
                hint="Curved effects are not available: keep the variable alone.",
            )
        if term in seen:
            raise ElementError(f"the path '{path.target} ~ {path.term}' is listed twice", subject=subject)
        seen.add(term)
        if path.target in path.variables:
            raise ElementError(f"'{path.target}' is explained by itself", subject=subject)
        for name in (path.target, *path.variables):
            if name in construct_of:
                raise ElementError(
                    f"'{name}' is an item of '{construct_of[name]}' and cannot stand in a path as well",
                    subject=subject,
                    hint=f"Use the construct '{construct_of[name]}', or take the item out of it.",
                )
        _check_product(spec, path)
        if path.target not in defined:
            raise ElementError(
                f"'{path.target}' is explained by '{path.source}' but is neither a construct nor an "
                "observed variable of the model",
                subject=subject,
                hint=nearest(path.target, defined),
            )


def _check_product(spec: ModelSpec, path: Path) -> None:
    """Refuse a product without the terms it is made of: its coefficient would mean something else."""
    present = {frozenset(p.variables) for p in spec.paths if p.target == path.target}
    for size in range(1, len(path.variables)):
        for part in combinations(path.variables, size):
            if frozenset(part) not in present:
                raise ElementError(
                    f"'{path.target}' is explained by the product '{path.term}' but not by "
                    f"'{':'.join(part)}'",
                    subject=("path", path.key),
                    hint=f"Add '{':'.join(part)}' to the statement: a product says how an effect changes.",
                )


def _cycle_error(spec: ModelSpec, waiting: list[str]) -> ElementError:
    """Walk from parent to parent among the variables that wait for each other until one comes twice."""
    walk = [waiting[0]]
    while True:
        parent = next(p for p in _parents(spec, walk[-1]) if p in waiting)
        if parent in walk:
            break
        walk.append(parent)
    ring = walk[walk.index(parent) :]
    ring.reverse()  # the walk went upstream, arrows are named downstream
    edges = set(zip([*ring[1:], ring[0]], ring, strict=True))
    closing = [p for p in spec.paths if any((p.target, name) in edges for name in p.variables)][-1]
    start = ring.index(closing.target)
    named = [*ring[start:], *ring[:start], closing.target]
    return ElementError(
        f"the paths form a cycle: {' -> '.join(named)}",
        subject=("path", closing.key),
        hint="A variable cannot explain itself through others: remove or turn round one of these paths.",
    )
