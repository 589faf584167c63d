"""Persons in clusters: schools, centres, or the occasions of one person."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from medpsy.errors import SpecError, nearest
from medpsy.spec.problem import ElementError

if TYPE_CHECKING:
    from medpsy.spec.model_spec import ModelSpec, Path


@dataclass(frozen=True)
class Clusters:
    """Who belongs together, and what differs between clusters.

    Every construct and every explained variable has a random intercept over the clusters.

    Parameters
    ----------
    by : str
        Person variable: a category, or a number that identifies the cluster.
    slopes : tuple of str or None
        Labels of paths (or ``"y~x"``) that differ between clusters; None means what the design says: all
        labelled paths of a 1-1-1 mediation, otherwise none.
    between : tuple of Path
        Paths among the means of the clusters. With any, all variables are split into the mean of the cluster
        and the deviation from it, the ordinary paths act on the deviations alone, and ordinary paths from
        covariates that are the same for all persons of a cluster act on the means.
    """

    by: str
    slopes: tuple[str, ...] | None = None
    between: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        if not self.by or not isinstance(self.by, str):
            raise SpecError("the clusters have no variable", hint='Say which: clusters="school".')
        if self.slopes is not None:
            object.__setattr__(self, "slopes", tuple(dict.fromkeys(_words(self.slopes))))

    @property
    def random(self) -> tuple[str, ...]:
        """The slopes that differ between clusters."""
        return self.slopes or ()

    @property
    def covariances(self) -> dict[str, tuple[str, str]]:
        """Name of the covariance of every pair of random slopes: ``cov_a_b``."""
        plain = {name: name.replace("~", "_").replace(":", "_") for name in self.random}
        return {f"cov_{plain[u]}_{plain[v]}": (u, v) for u, v in combinations(self.random, 2)}


def read_clusters(clusters: str | Clusters | None, slopes: Iterable[str] | None = None) -> Clusters | None:
    """Return what is said about clusters by name of the variable and by slopes.

    Raises
    ------
    SpecError
        Slopes without clusters, or beside a whole ``Clusters``.
    """
    if isinstance(clusters, Clusters):
        if slopes is not None:
            raise SpecError(
                "the clusters say themselves which slopes differ", hint="Give slopes to Clusters(...)."
            )
        return clusters
    if clusters is None:
        if slopes is not None:
            raise SpecError(
                "slopes differ between clusters, and there are none", hint='Say clusters="school".'
            )
        return None
    return Clusters(clusters, None if slopes is None else _words(slopes))


def _words(words: str | Iterable[str]) -> tuple[str, ...]:
    return (words,) if isinstance(words, str) else tuple(words)


def decomposed(spec: ModelSpec) -> tuple[str, ...]:
    """Observed variables that nothing explains and that are split into cluster mean and deviation."""
    if spec.clusters is None:
        return ()
    targets = {p.target for p in (*spec.paths, *spec.clusters.between)}
    latent = {c.name for c in spec.constructs}
    sources = dict.fromkeys(p.source for p in spec.clusters.between if not p.by)
    return tuple(name for name in sources if name not in targets and name not in latent)


def check_clusters(spec: ModelSpec) -> None:
    """Refuse clusters that contradict the rest of the model.

    Raises
    ------
    SpecError
        The variable plays another role, a slope that is no path, groups beside clusters.
    """
    clusters = spec.clusters
    if clusters is None:
        return
    if spec.groups is not None:
        raise ElementError(
            "a model has groups or clusters, not both",
            subject=("clusters", "by"),
            hint="A few levels that are of interest themselves are groups; a sample of many is clusters.",
        )
    if spec.linear is not None:
        raise ElementError(
            "a linear model (fixed numbers, shared labels, means, residual covariances) takes no clusters",
            subject=("clusters", "by"),
            hint="Write constructs and paths alone: residual variances of 1 within clusters set the scales.",
        )
    named = {c.name for c in spec.constructs} | {n for p in spec.paths for n in (p.target, *p.variables)}
    if clusters.by in named:
        raise ElementError(
            f"'{clusters.by}' makes the clusters and has another role in the model",
            subject=("clusters", "by"),
            hint="Keep one of the two.",
        )
    if not spec.paths and spec.design is not None:
        return
    known = {p.label or p.key: p for p in spec.paths} | {p.key: p for p in spec.paths}
    for name in clusters.random:
        if name not in known:
            raise ElementError(
                f"the slope '{name}' is no path of the model",
                subject=("clusters", "slopes"),
                hint=nearest(name, known),
            )
        if known[name].by:
            raise ElementError(
                f"the product '{known[name].key}' cannot differ between clusters",
                subject=("clusters", "slopes"),
                hint="Let the path itself differ.",
            )
    inside = {c.name for c in spec.constructs} | {p.target for p in spec.paths} | set(decomposed(spec))
    if clusters.between:
        _check_products(spec, clusters.between, inside)
    for path in clusters.between:
        for name in (path.target, path.source) if not path.by else (path.target,):
            if name not in inside:
                raise ElementError(
                    f"'{path.key}' between clusters: '{name}' has no cluster mean of its own in this model",
                    subject=("clusters", "between"),
                    hint="A covariate that is the same within clusters has its path at the first level.",
                )


def _check_products(spec: ModelSpec, between: tuple[Path, ...], inside: set[str]) -> None:
    """Refuse products that have no meaning on their level.

    Raises
    ------
    SpecError
        A product of two variables that are split into mean and deviation, or one between clusters whose
        parts have no paths of their own.
    """
    for path in (*spec.paths, *between):
        split = [name for name in path.variables if name in inside]
        if path.by and len(split) > 1:
            raise ElementError(
                f"'{path.target} ~ {path.term}' multiplies {' and '.join(split)}, which are both split into "
                "cluster mean and deviation",
                subject=("clusters", "between") if path in between else ("path", path.key),
                hint="A moderator on two levels belongs to the clusters: use a variable that is the same for "
                "all persons of a cluster, such as a cluster mean.",
            )
    held = {(p.target, frozenset(p.variables)) for p in spec.paths}
    upper = {(p.target, frozenset(p.variables)) for p in between}
    for path in between:
        for size in range(1, len(path.variables)):
            for part in combinations(path.variables, size):
                above = bool(set(part) & inside)
                if (path.target, frozenset(part)) not in (upper if above else held):
                    raise ElementError(
                        f"the product '{path.key}' between clusters stands without "
                        f"'{path.target}~{':'.join(part)}'" + (" there" if above else ""),
                        subject=("clusters", "between"),
                        hint="A product is how a path changes: keep every part of it in the same equation.",
                    )
