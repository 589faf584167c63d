"""What a path graph implies: which variables are independent given which, and what an effect needs held
constant.

Separation in graphs with directed paths and correlated residuals (Richardson, 2003,
doi:10.1111/1467-9469.00323; Pearl, 2009, ISBN 9780521895606). Whatever no path explains may be correlated
with everything else that no path explains.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

from medpsy.spec.graph import ancestors, descendants, exogenous, nodes
from medpsy.spec.model_spec import ModelSpec


@dataclass(frozen=True)
class Independence:
    """``left`` and ``right`` are independent given ``given``."""

    left: str
    right: str
    given: tuple[str, ...]


def independences(spec: ModelSpec) -> tuple[Independence, ...]:
    """Independences that together imply all that the graph implies, one per pair that nothing joins.

    Each pair is taken given the variables that explain either of the two (Shipley, 2000,
    doi:10.1207/S15328007SEM0702_4), where that separates them.
    """
    graph = _Graph(spec)
    found = []
    order = {name: i for i, name in enumerate(graph.names)}
    for left, right in combinations(graph.names, 2):
        if right in graph.joined(left):
            continue
        given = tuple(
            sorted((graph.parents[left] | graph.parents[right]) - {left, right}, key=order.__getitem__)
        )
        if graph.separated(left, right, given):
            found.append(Independence(left, right, given))
    return tuple(found)


def adjustment(spec: ModelSpec, source: str, target: str) -> tuple[str, ...] | None:
    """Smallest set of variables of the model to hold constant for the total effect of source on target.

    The back-door criterion: none is affected by the source, and together they block every way between the two
    that runs into the source. The set is found by leaving out what is not needed, later variables first.

    Returns
    -------
    tuple of str or None
        None where no set of variables of the model is enough.
    """
    graph = _Graph(spec)
    after = set(descendants(spec, source)) | {source, target}
    kept = [name for name in graph.names if name not in after]
    cut = graph.without_paths_from(source)
    if not cut.separated(source, target, kept):
        return None
    for name in reversed(list(kept)):
        fewer = [other for other in kept if other != name]
        if cut.separated(source, target, fewer):
            kept = fewer
    return tuple(kept)


class _Graph:
    """Parents and residual correlations of every variable."""

    def __init__(self, spec: ModelSpec) -> None:
        self.names = nodes(spec)
        self.parents = {
            name: {s for p in spec.paths if p.target == name for s in p.variables} for name in self.names
        }
        self.spouses: dict[str, set[str]] = {name: set() for name in self.names}
        pairs = [(c.left, c.right) for c in spec.covariances]
        pairs += list(combinations(exogenous(spec), 2))
        for left, right in pairs:
            self.spouses[left].add(right)
            self.spouses[right].add(left)
        self.ancestors = {name: set(ancestors(spec, name)) for name in self.names}

    def joined(self, name: str) -> set[str]:
        """Variables with a path or a correlation to it."""
        children = {other for other in self.names if name in self.parents[other]}
        return self.parents[name] | children | self.spouses[name]

    def without_paths_from(self, source: str) -> _Graph:
        """The same graph, the arrows out of one variable taken away."""
        out = object.__new__(_Graph)
        out.names, out.spouses = self.names, self.spouses
        out.parents = {name: held - {source} for name, held in self.parents.items()}
        out.ancestors = {name: _above(name, out.parents) for name in self.names}
        return out

    def separated(self, left: str, right: str, given: Iterable[str]) -> bool:
        """Whether every way between the two is blocked by ``given``.

        In the graph of the three sets' ancestors, every pair that meets at a common child (or is joined by a
        correlation, or by a chain of correlations) is joined, and what is given is taken out.
        """
        held = set(given)
        kept = {left, right} | held
        kept |= {name for start in kept for name in self.ancestors[start]}
        near: dict[str, set[str]] = {name: set() for name in kept}
        for district in self._districts(kept):
            members = district | {p for name in district for p in self.parents[name]}
            for one, other in combinations(members & kept, 2):
                near[one].add(other)
                near[other].add(one)
        reached, front = {left}, [left]
        while front:
            new = near[front.pop()] - reached - held
            reached |= new
            front.extend(new)
        return right not in reached

    def _districts(self, kept: set[str]) -> list[set[str]]:
        """Groups joined by chains of correlations."""
        left, out = set(kept), []
        while left:
            district, front = set(), [left.pop()]
            while front:
                name = front.pop()
                district.add(name)
                more = (self.spouses[name] & kept) - district
                front.extend(more)
            left -= district
            out.append(district)
        return out


def _above(name: str, parents: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    front = [name]
    while front:
        new = parents[front.pop()] - found
        found |= new
        front.extend(new)
    return found
